package run

import (
	"context"

	"shadowflow/graph"
	"shadowflow/objective"
)

// heldOutMeter measures the loss of test data.
type heldOutMeter[T graph.Float] struct {
	schedule
	data  objective.Tester[T]
	loss  *Gauge
	score scored
}

func newHeldOutMeter[T graph.Float](data objective.Tester[T], every int, lossUnit string, s *score) *heldOutMeter[T] {
	return &heldOutMeter[T]{
		schedule: schedule{"test", every},
		data:     data,
		loss:     gauge("test_loss", lossUnit, "loss on the test data"),
		score:    s.gauge("test_", "the test data"),
	}
}

// Gauges implements Meter.
func (m *heldOutMeter[T]) Gauges() []*Gauge { return append([]*Gauge{m.loss}, m.score.gauges()...) }

// Measure implements Meter.
func (m *heldOutMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	e, err := m.data.Test(ctx, at.Theta)
	if err != nil {
		return err
	}
	m.loss.Set(e.Loss)
	m.score.set(e)
	return nil
}
