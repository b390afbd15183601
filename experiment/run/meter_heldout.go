package run

import (
	"context"
	"math"

	"shadowflow/graph"
	"shadowflow/objective"
)

// heldOutMeter measures the loss of test data.
type heldOutMeter[T graph.Float] struct {
	schedule
	data           objective.Tester[T]
	loss, accuracy *Gauge
	bits           *Gauge // nil but for a text
}

func newHeldOutMeter[T graph.Float](data objective.Tester[T], every int, lossUnit string, text bool) *heldOutMeter[T] {
	m := &heldOutMeter[T]{
		schedule: schedule{"test", every},
		data:     data,
		loss:     gauge("test_loss", lossUnit, "loss on the test data"),
		accuracy: gauge("test_accuracy", "", "share of the test data classified rightly"),
	}
	if text {
		m.bits = gauge("test_bits_per_byte", "bits", "the loss on the test data in bits")
	}
	return m
}

// Gauges implements Meter.
func (m *heldOutMeter[T]) Gauges() []*Gauge {
	if m.bits != nil {
		return []*Gauge{m.loss, m.accuracy, m.bits}
	}
	return []*Gauge{m.loss, m.accuracy}
}

// Measure implements Meter.
func (m *heldOutMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	e, err := m.data.Test(ctx, at.Theta)
	if err != nil {
		return err
	}
	m.loss.Set(e.Loss)
	m.accuracy.Set(e.Accuracy())
	if m.bits != nil {
		m.bits.Set(e.Loss / math.Ln2)
	}
	return nil
}
