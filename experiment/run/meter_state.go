package run

import (
	"context"
	"math"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/modeq/state"
)

// stateMeter measures how well the equations with memory as state predict one step, from where the optimizer and its memory are: whether
// they hold here.
type stateMeter[T graph.Float] struct {
	schedule
	with      *company[T]
	solvers   [2]*fading // of the equations of orders 1 and 2
	start     []float64
	ends      [2][]float64
	coarse    []float64
	asked     bool // of the step from the last point
	predicted [2]bool

	defects  [2]*Gauge
	rounding *Gauge
	last     float64 // defect of order 2 that was measured
}

func newStateMeter[T graph.Float](with *company[T], every int) (*stateMeter[T], error) {
	m := &stateMeter[T]{schedule: schedule{"state equation's defect", every}, with: with, last: math.NaN()}
	for i := range m.solvers {
		var err error
		var equation *state.Equation[T]
		if equation, m.solvers[i], err = with.stateSolver(i + 1); err != nil {
			return nil, err
		}
		m.ends[i] = make([]float64, equation.Size())
	}
	m.start, m.coarse = make([]float64, len(m.ends[0])), make([]float64, len(m.ends[0]))
	const resolved = ", which is followed in as many steps as it takes; +Inf where it could not be followed: it ran away within the step, or more than 32 would be needed. Not recorded where rounding to dtype hides whether it is below 0.05"
	m.defects[0] = gauge("monitor.state_defect_1", "", "two-norm of the step less that of the state equation of order 1, over that of the step"+resolved)
	m.defects[1] = gauge("monitor.state_defect", "", "two-norm of the step less that of the state equation of order 2, over that of the step: where it is small the equation holds"+resolved)
	m.rounding = gauge("monitor.state_rounding", "", "the defect that rounding to dtype may make of a step, over the step's length: where it is above 0.05, no defect of its size is recorded")
	return m, nil
}

// Gauges implements Meter.
func (m *stateMeter[T]) Gauges() []*Gauge { return append(m.defects[:], m.rounding) }

// Measure implements Meter.
func (m *stateMeter[T]) Measure(context.Context, *Point[T]) error { return nil }

// Before implements Follower: it follows the equations for one step.
func (m *stateMeter[T]) Before(ctx context.Context, at *Point[T]) error {
	m.asked, m.predicted = false, [2]bool{}
	if !at.measurable() || at.Step < m.with.start { // an empty memory is nothing to start from
		return nil
	}
	m.asked = true
	m.with.beginAtState(m.start)
	for i, s := range m.solvers {
		var err error
		if m.predicted[i], err = m.follow(ctx, s, at.Step, m.ends[i]); err != nil {
			return err
		}
	}
	return nil
}

// What the integrator makes of an equation counts as its solution where half the steps change it by no more than a part of the way.
const (
	mostSubsteps = 32
	unresolved   = 1e-3
)

// follow writes to end where an equation comes to in step n, and reports whether it is known: not where it runs away within the step, or the
// integrator does not resolve it.
func (m *stateMeter[T]) follow(ctx context.Context, s *fading, n int, end []float64) (bool, error) {
	dim := len(m.with.problem.Theta)
	fixed := s.steps
	defer func() { s.steps = fixed }()
	known := false
	for s.steps = max(fixed, 1); s.steps <= max(mostSubsteps, 2*fixed); s.steps *= 2 {
		copy(m.coarse, end)
		err := s.solve(ctx, n, m.start, end)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err == nil && known && diagnose.Distance(end[:dim], m.coarse[:dim]) <= unresolved*diagnose.Distance(end[:dim], m.start[:dim]) {
			return true, nil
		}
		known = err == nil
	}
	return false, nil
}

// StateHolds is the one-step defect of the state equation of order 2, over the step's length, below which it is said to hold.
const StateHolds = 0.05

// After implements Follower: a step that an equation cannot be followed through is infinitely far from what it says, unless rounding could be the reason.
func (m *stateMeter[T]) After(_ context.Context, at *Point[T]) error {
	dim := len(at.Theta)
	length, rounding := diagnose.Distance(at.Theta, m.start[:dim]), aboveRounding*diagnose.Rounding(at.Theta)
	if !m.asked || !finite(length) || length == 0 {
		return nil
	}
	m.rounding.Set(rounding / length)
	for i, end := range m.ends {
		defect := math.Inf(1)
		if m.predicted[i] {
			defect = diagnose.Distance(at.Theta, end[:dim])
		}
		if known := m.predicted[i] && defect > rounding; known || rounding/length <= StateHolds {
			m.defects[i].Set(defect / length)
			if i == len(m.ends)-1 {
				m.last = defect / length
			}
		}
	}
	return nil
}

// lastDefect returns the defect of order 2 that was last measured, over the step's length, NaN if there is none.
func (m *stateMeter[T]) lastDefect() float64 {
	if m == nil {
		return math.NaN()
	}
	return m.last
}
