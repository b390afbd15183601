package run

import (
	"context"

	"shadowflow/graph"
)

// pointMeter reads what every step evaluates anyway: the loss, and sizes of the gradient.
type pointMeter[T graph.Float] struct {
	schedule
	step  *Gauge
	loss  *Gauge
	score scored
	perturbed, excess,
	one, two, max,
	mean, deviation *Gauge
}

func newPointMeter[T graph.Float](lossUnit string, s *score) *pointMeter[T] {
	const unit = "loss/parameter"
	return &pointMeter[T]{
		schedule:  schedule{"", 0},
		step:      counter("step", "steps", "steps taken: the row describes the parameters behind that many"),
		loss:      gauge("loss", lossUnit, "training loss that the step sees (of its mini-batch, if there are mini-batches), without penalty"),
		score:     s.gauge("", "those examples"),
		perturbed: gauge("perturbed_norm", unit, "perturbed one-norm of the loss gradient that the step sees, sum_j sqrt(g_j^2 + eps)"),
		excess:    gauge("excess", unit, "what of it exceeds its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps))"),
		one:       gauge("one_norm", unit, "one-norm of that gradient"),
		two:       gauge("two_norm", unit, "two-norm of that gradient"),
		max:       gauge("max_norm", unit, "largest |g_j|"),
		mean:      gauge("gradient_mean", unit, "mean of |g_j|"),
		deviation: gauge("gradient_deviation", unit, "population deviation of |g_j|"),
	}
}

func (m *pointMeter[T]) Gauges() []*Gauge {
	return append(append([]*Gauge{m.step, m.loss}, m.score.gauges()...), m.perturbed, m.excess, m.one, m.two, m.max, m.mean, m.deviation)
}

func (m *pointMeter[T]) Measure(_ context.Context, at *Point[T]) error {
	m.step.Count(at.Step)
	m.loss.Set(at.Seen.Loss)
	m.score.set(at.Seen)
	m.perturbed.Set(at.Norms.Perturbed)
	m.excess.Set(at.Norms.Excess)
	m.one.Set(at.Norms.One)
	m.two.Set(at.Norms.Two)
	m.max.Set(at.Norms.Max)
	m.mean.Set(at.Norms.Mean)
	m.deviation.Set(at.Norms.Deviation)
	return nil
}
