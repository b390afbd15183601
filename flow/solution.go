package flow

// A Solution is what an integration found, up to where it came.
type Solution struct {
	// T is the time reached: t1, or less far if there was an error. Y is the state there.
	T float64
	Y []float64
	// Rows[i] is the state at Options.Times[i], for all times passed, unless
	// Options.Output took them.
	Rows [][]float64
	// Steps and Rejected count the steps taken and those tried in vain;
	// Evaluations counts the calls of the field.
	Steps, Rejected, Evaluations int

	outputs int // how many of Options.Times were given out
}
