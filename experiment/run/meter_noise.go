package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
)

// noiseMeter measures how much the gradients of batches scatter.
type noiseMeter[T graph.Float] struct {
	schedule
	batches objective.Objective[T] // whose batches are compared
	size    int                    // of a batch, in examples
	g       []T

	trace, one, dominated, scale, batch *Gauge
}

func newNoiseMeter[T graph.Float](batches objective.Objective[T], size, every int) *noiseMeter[T] {
	return &noiseMeter[T]{
		schedule: schedule{"gradient noise", every},
		batches:  batches, size: size, g: make([]T, batches.Dim()),
		trace:     gauge("noise_trace", "(loss/parameter)^2", "tr Cov of the batches' gradients: mean over batches of ||g_j - g||^2"),
		one:       gauge("noise_one_norm", "loss/parameter", "sum over coordinates of the deviation of the batches' gradients"),
		dominated: gauge("noise_dominated", "", "fraction of coordinates whose deviation exceeds |g_j|"),
		scale:     gauge("noise_scale", "examples", "noise scale b tr Cov / ||g||^2"),
		batch:     counter("noise_batch", "examples", "size b of the batches whose gradients were compared"),
	}
}

// Gauges implements Meter.
func (m *noiseMeter[T]) Gauges() []*Gauge {
	return []*Gauge{m.trace, m.one, m.dominated, m.scale, m.batch}
}

// Measure implements Meter.
func (m *noiseMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	var meter diagnose.NoiseMeter
	for b := range m.batches.Batches() {
		if _, err := m.batches.Evaluate(ctx, at.Theta, b, objective.Want[T]{Gradient: m.g}); err != nil {
			return err
		}
		diagnose.Add(&meter, m.g)
	}
	noise := meter.Noise(m.size)
	m.trace.Set(noise.Trace)
	m.one.Set(noise.One)
	m.dominated.Set(noise.Dominated)
	m.scale.Set(noise.Scale)
	m.batch.Count(m.size)
	return nil
}
