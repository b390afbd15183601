package flow

import "fmt"

// TooManyStepsError says that the integration was given up at T because it had
// tried Steps steps, the limit of [Options.MaxSteps], without reaching the end.
type TooManyStepsError struct {
	T     float64
	Steps int
}

func (e *TooManyStepsError) Error() string {
	return fmt.Sprintf("flow: too many steps: %d tried and the solution is only at t = %g "+
		"(allow more, loosen the tolerances, or the problem may be stiff)", e.Steps, e.T)
}

// StepUnderflowError says that at T the tolerances ask for a step below Step,
// which t can no longer resolve: the solution is singular there, or the
// tolerances are below what float64 can give.
type StepUnderflowError struct {
	T, Step float64
}

func (e *StepUnderflowError) Error() string {
	return fmt.Sprintf("flow: step size underflow at t = %g: a step of %.3g is still too large for the tolerances "+
		"(a singularity, a jump that is not among the breaks, or tolerances too tight)", e.T, e.Step)
}

// NonFiniteError says that the field was not finite at T: coordinate Index of
// dy/dt had the given Value in the interval N between breaks. A method with step
// control first tries smaller steps; T is then the first evaluation that
// stayed outside of the field's domain at the smallest of them.
type NonFiniteError struct {
	T     float64
	N     int
	Index int
	Value float64
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("flow: field is not finite at t = %g (interval %d): dy/dt[%d] = %g", e.T, e.N, e.Index, e.Value)
}

// FieldError wraps the error that the field itself returned at T.
type FieldError struct {
	T   float64
	N   int
	Err error
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("flow: field at t = %g (interval %d): %v", e.T, e.N, e.Err)
}

// Unwrap returns the field's error.
func (e *FieldError) Unwrap() error { return e.Err }

// OptionError says which option (or argument) cannot be used, and why.
type OptionError struct {
	Field  string
	Value  any
	Reason string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("flow: %s = %v: %s", e.Field, e.Value, e.Reason)
}
