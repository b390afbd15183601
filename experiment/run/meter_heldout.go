package run

import (
	"context"

	"shadowflow/graph"
	"shadowflow/objective"
)

// heldOutMeter measures the loss of test data.
type heldOutMeter[T graph.Float] struct {
	schedule
	data           objective.Tester[T]
	loss, accuracy *Gauge
}

func newHeldOutMeter[T graph.Float](data objective.Tester[T], every int, lossUnit string) *heldOutMeter[T] {
	return &heldOutMeter[T]{
		schedule: schedule{"test", every},
		data:     data,
		loss:     gauge("test_loss", lossUnit, "loss on the test data"),
		accuracy: gauge("test_accuracy", "", "share of the test data classified rightly"),
	}
}

// Gauges implements Meter.
func (m *heldOutMeter[T]) Gauges() []*Gauge { return []*Gauge{m.loss, m.accuracy} }

// Measure implements Meter.
func (m *heldOutMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	e, err := m.data.Test(ctx, at.Theta)
	if err != nil {
		return err
	}
	m.loss.Set(e.Loss)
	m.accuracy.Set(e.Accuracy())
	return nil
}
