package flow

import (
	"errors"
	"fmt"
	"sort"
)

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
	pieces  []piece
}

// A piece is the dense output of one step.
type piece struct {
	t, h float64
	r    [][]float64
}

// ErrNotDense is what Solution.At returns if Options.Dense was not set.
var ErrNotDense = errors.New("flow: no dense output was kept: set Options.Dense")

// At writes the solution at time t into dst, by the dense output of the step that t
// lies in. It needs Options.Dense, and t between t0 and Solution.T.
func (s *Solution) At(t float64, dst []float64) error {
	if len(dst) != len(s.Y) {
		return fmt.Errorf("flow: dst has length %d, the state has %d", len(dst), len(s.Y))
	}
	if t == s.T {
		copy(dst, s.Y)
		return nil
	}
	if len(s.pieces) == 0 {
		return ErrNotDense
	}
	t0 := s.pieces[0].t
	if !(min(t0, s.T) <= t && t <= max(t0, s.T)) {
		return fmt.Errorf("flow: t = %g is not between %g and %g, where the solution is known", t, t0, s.T)
	}
	backward := s.pieces[0].h < 0
	i := sort.Search(len(s.pieces), func(i int) bool {
		if backward {
			return s.pieces[i].t < t
		}
		return s.pieces[i].t > t
	})
	p := s.pieces[max(i-1, 0)]
	evaluateDense(dst, p.r, (t-p.t)/p.h)
	return nil
}
