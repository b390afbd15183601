package run

import (
	"context"
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
)

// besideMeter compares a modified equation with the optimizer.
type besideMeter[T graph.Float] struct {
	schedule
	objective objective.Objective[T]
	equation  *equation[T]
	eps       float64
	theta, g  []T

	distance, loss, excess *Gauge
}

func newBesideMeter[T graph.Float](p *Problem[T], e *equation[T], lossUnit string) *besideMeter[T] {
	dim := p.Objective.Dim()
	which := fmt.Sprintf("the modified equation of order %d", e.order)
	return &besideMeter[T]{
		schedule:  schedule{"comparison with modified equations", 0},
		objective: p.Objective, equation: e, eps: p.Eps, theta: make([]T, dim), g: make([]T, dim),
		distance: gauge(e.column("distance"), "parameter", "two-norm of the difference between the parameters and "+which),
		loss:     gauge(e.column("loss"), lossUnit, "training loss at "+which),
		excess:   gauge(e.column("excess"), "loss/parameter", "excess of the perturbed one-norm at "+which),
	}
}

// Gauges implements Meter.
func (m *besideMeter[T]) Gauges() []*Gauge { return []*Gauge{m.distance, m.loss, m.excess} }

// Measure implements Meter.
func (m *besideMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if m.equation.ended != nil {
		return nil
	}
	for i, v := range m.equation.y {
		m.theta[i] = T(v)
	}
	e, err := m.objective.Evaluate(ctx, m.theta, objective.Full, objective.Want[T]{Gradient: m.g})
	if err != nil {
		return err
	}
	m.distance.Set(diagnose.Distance(at.Theta, m.equation.y))
	m.loss.Set(e.Loss)
	m.excess.Set(diagnose.GradientNorms(m.g, m.eps).Excess)
	return nil
}
