package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq/state"
)

// stateMeter measures how well the equations with memory as state predict one step, from where the optimizer and its memory are: whether
// they hold here.
type stateMeter[T graph.Float] struct {
	schedule
	with      *company[T]
	equations [2]*state.Equation[T] // of orders 1 and 2
	start     []float64
	ends      [2][]float64
	predicted [2]bool

	defects [2]*Gauge
}

func newStateMeter[T graph.Float](with *company[T], every int) (*stateMeter[T], error) {
	m := &stateMeter[T]{schedule: schedule{"state equation's defect", every}, with: with}
	p := with.problem
	for i := range m.equations {
		var err error
		if m.equations[i], err = state.NewEquation(p.Rule, p.Objective, i+1, p.Threads); err != nil {
			return nil, err
		}
		m.ends[i] = make([]float64, m.equations[i].Size())
	}
	m.start = make([]float64, m.equations[0].Size())
	m.defects[0] = gauge("monitor.state_defect_1", "", "two-norm of the step less that of the state equation of order 1, over that of the step")
	m.defects[1] = gauge("monitor.state_defect", "", "two-norm of the step less that of the state equation of order 2, over that of the step: where it is small the equation holds")
	return m, nil
}

// Gauges implements Meter.
func (m *stateMeter[T]) Gauges() []*Gauge { return m.defects[:] }

// Measure implements Meter.
func (m *stateMeter[T]) Measure(context.Context, *Point[T]) error { return nil }

// Before implements Follower: it follows the equations for one step.
func (m *stateMeter[T]) Before(ctx context.Context, at *Point[T]) error {
	m.predicted = [2]bool{}
	if !at.measurable() || at.Step < m.with.start { // an empty memory is nothing to start from
		return nil
	}
	m.with.beginAtState(m.start)
	for i, e := range m.equations {
		field := func(_ int, t float64, y, dydt []float64) error {
			return e.At(ctx, at.LR, float64(at.Step)+t, at.Batch, y, dydt)
		}
		solution, err := flow.Integrate(ctx, flow.RK4, field, 0, 1, m.start, flow.Options{Step: 1})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil { // else it runs away within a step: there is no prediction
			m.ends[i], m.predicted[i] = solution.Y, true
		}
	}
	return nil
}

// After implements Follower.
func (m *stateMeter[T]) After(at *Point[T]) error {
	dim := len(at.Theta)
	length := diagnose.Distance(at.Theta, m.start[:dim])
	for i, end := range m.ends {
		if m.predicted[i] && length > 0 {
			m.defects[i].Set(diagnose.Distance(at.Theta, end[:dim]) / length)
		}
	}
	return nil
}
