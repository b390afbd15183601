package run

import (
	"context"
	"math"

	"shadowflow/graph"
)

// pointMeter reads what every step evaluates anyway: the loss, and sizes of the gradient.
type pointMeter[T graph.Float] struct {
	schedule
	step           *Gauge
	loss, accuracy *Gauge
	bits           *Gauge // nil but for a text
	perturbed, excess,
	one, two, max,
	mean, deviation *Gauge
}

// newPointMeter returns the meter; only where examples are classified does it have the accuracy, and bits per byte of a text.
func newPointMeter[T graph.Float](lossUnit string, classifies, text bool) *pointMeter[T] {
	const unit = "loss/parameter"
	m := &pointMeter[T]{
		schedule:  schedule{"", 0},
		step:      counter("step", "steps", "steps taken: the row describes the parameters behind that many"),
		loss:      gauge("loss", lossUnit, "training loss that the step sees (of its mini-batch, if there are mini-batches), without penalty"),
		perturbed: gauge("perturbed_norm", unit, "perturbed one-norm of the loss gradient that the step sees, sum_j sqrt(g_j^2 + eps)"),
		excess:    gauge("excess", unit, "what of it exceeds its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps))"),
		one:       gauge("one_norm", unit, "one-norm of that gradient"),
		two:       gauge("two_norm", unit, "two-norm of that gradient"),
		max:       gauge("max_norm", unit, "largest |g_j|"),
		mean:      gauge("gradient_mean", unit, "mean of |g_j|"),
		deviation: gauge("gradient_deviation", unit, "population deviation of |g_j|"),
	}
	if classifies {
		m.accuracy = gauge("accuracy", "", "share of those examples classified rightly")
	}
	if text {
		m.bits = gauge("bits_per_byte", "bits", "the loss of a language model in bits, mean over the bytes of those examples: loss / log 2")
	}
	return m
}

func (m *pointMeter[T]) Gauges() []*Gauge {
	out := []*Gauge{m.step, m.loss}
	if m.accuracy != nil {
		out = append(out, m.accuracy)
	}
	if m.bits != nil {
		out = append(out, m.bits)
	}
	return append(out, m.perturbed, m.excess, m.one, m.two, m.max, m.mean, m.deviation)
}

func (m *pointMeter[T]) Measure(_ context.Context, at *Point[T]) error {
	m.step.Count(at.Step)
	m.loss.Set(at.Seen.Loss)
	if m.accuracy != nil {
		m.accuracy.Set(at.Seen.Accuracy())
	}
	if m.bits != nil {
		m.bits.Set(at.Seen.Loss / math.Ln2)
	}
	m.perturbed.Set(at.Norms.Perturbed)
	m.excess.Set(at.Norms.Excess)
	m.one.Set(at.Norms.One)
	m.two.Set(at.Norms.Two)
	m.max.Set(at.Norms.Max)
	m.mean.Set(at.Norms.Mean)
	m.deviation.Set(at.Norms.Deviation)
	return nil
}
