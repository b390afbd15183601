package flow

import (
	"fmt"
	"math"
)

// Defaults for the zero values of [Options].
const (
	DefaultRelTol   = 1e-6
	DefaultAbsTol   = 1e-9
	DefaultMaxSteps = 100_000
)

// Options says how to integrate. The zero value is usable with every method that
// controls its steps.
type Options struct {
	// RelTol and AbsTol bound the estimated error of a step: its root mean square
	// over the coordinates, each divided by AbsTol + RelTol |y_i|, is at most 1. If
	// zero, DefaultRelTol and DefaultAbsTol are used.
	RelTol, AbsTol float64

	// Spacing puts a break at every t = n Spacing, n an integer, and the field is
	// told n on n Spacing <= t < (n+1) Spacing. If zero there are none of these.
	Spacing float64
	// Breaks lists breaks in increasing order; interval n is the one that n breaks
	// lie before. Only one of Spacing and Breaks may be given.
	Breaks []float64

	// MaxSteps bounds the number of steps tried. If zero, it is DefaultMaxSteps
	// with step control, and there is no bound with fixed steps.
	MaxSteps int

	// InitialStep is the size of the first step tried. If zero, it is chosen by
	// one further evaluation of the field (Hairer, Norsett and Wanner, section II.4).
	InitialStep float64
	// MaxStep bounds the step size. If zero, only breaks and the end do.
	MaxStep float64

	// Step, if positive, turns step control off, with any method: the stretch
	// between two breaks is divided evenly into steps of at most this size. If zero
	// and the method has no step control (RK4, Euler), each stretch between breaks
	// is one step, and Spacing or Breaks must be given.
	Step float64

	// Times lists times between t0 and t1, ordered from t0 to t1, at which the
	// solution is wanted. They do not influence the steps.
	Times []float64
	// Output, if not nil, is called at each of Times, in order, as soon as the
	// integration has passed it. It must not keep y. An error from it ends the integration and
	// is returned as it is. If nil, the states are stored in Solution.Rows.
	Output func(i int, t float64, y []float64) error

	// Buffers, if not nil, has the states that an integration works with, for others that do not run at the same time to work with again. Solution.Y
	// is then one of them: the next integration overwrites it.
	Buffers *Buffers
}

// Buffers are states that integrations share. The zero value has none.
type Buffers struct{ states [][]float64 }

// taker returns a function that gives out states of dim numbers, whatever they hold. Those of nil Buffers are new ones.
func (b *Buffers) taker(dim int) func() []float64 {
	if b == nil {
		return func() []float64 { return make([]float64, dim) }
	}
	given := 0
	return func() []float64 {
		if given == len(b.states) {
			b.states = append(b.states, nil)
		}
		s := &b.states[given]
		given++
		if cap(*s) < dim {
			*s = nil
			*s = make([]float64, dim)
		}
		return (*s)[:dim]
	}
}

// prepare checks the options and fills in defaults.
func (o *Options) prepare(m *Method, t0, t1 float64, y0 []float64) error {
	if len(y0) == 0 {
		return &OptionError{"y0", y0, "the state is empty"}
	}
	for i, v := range y0 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &OptionError{fmt.Sprintf("y0[%d]", i), v, "must be finite"}
		}
	}
	sizes := []struct {
		name  string
		value float64
	}{
		{"RelTol", o.RelTol}, {"AbsTol", o.AbsTol}, {"InitialStep", o.InitialStep},
		{"MaxStep", o.MaxStep}, {"Step", o.Step}, {"MaxSteps", float64(o.MaxSteps)},
	}
	for _, s := range sizes {
		if !(s.value >= 0) || math.IsInf(s.value, 0) {
			return &OptionError{s.name, s.value, "must be finite and not negative"}
		}
	}
	for _, t := range []struct {
		name  string
		value float64
	}{{"t0", t0}, {"t1", t1}} {
		if math.IsNaN(t.value) || math.IsInf(t.value, 0) {
			return &OptionError{t.name, t.value, "must be finite"}
		}
	}
	if o.RelTol == 0 {
		o.RelTol = DefaultRelTol
	}
	if o.AbsTol == 0 {
		o.AbsTol = DefaultAbsTol
	}
	if o.fixed(m) {
		if o.Step == 0 && o.Spacing == 0 && len(o.Breaks) == 0 {
			return &OptionError{"Step", 0, m.name + " has no step control: give Step, or breaks"}
		}
	} else if o.MaxSteps == 0 {
		o.MaxSteps = DefaultMaxSteps
	}
	return checkTimes(o.Times, t0, t1)
}

func (o *Options) fixed(m *Method) bool { return o.Step > 0 || !m.Adaptive() }

func checkTimes(times []float64, t0, t1 float64) error {
	lo, hi := min(t0, t1), max(t0, t1)
	for i, t := range times {
		name := fmt.Sprintf("Times[%d]", i)
		if !(lo <= t && t <= hi) {
			return &OptionError{name, t, fmt.Sprintf("must lie between t0 = %g and t1 = %g", t0, t1)}
		}
		if i > 0 && (t-times[i-1])*(t1-t0) < 0 {
			return &OptionError{name, t, "times must be ordered from t0 to t1"}
		}
	}
	return nil
}
