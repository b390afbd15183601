package run

import (
	"context"

	"shadowflow/graph"
	"shadowflow/rule"
)

// stepMeter reads what changes a step beside the loss: its size, and what clipping leaves of its gradient.
type stepMeter[T graph.Float] struct {
	schedule
	optimizer         *Optimizer[T]
	lr, factor, share *Gauge // nil where it does not change, or nothing is clipped
}

func newStepMeter[T graph.Float](p *Problem[T], o *Optimizer[T]) *stepMeter[T] {
	m := &stepMeter[T]{schedule: schedule{"", 0}, optimizer: o}
	if p.Schedule.Varies() {
		m.lr = gauge("lr", "", "size h of the step from here")
	}
	if p.Rule.Conditioning().ClipNorm > 0 {
		m.factor = gauge("clip.factor", "", "what the gradient of the step from here is multiplied by for its norm to be within optimizer.clip_norm; 1: it is not clipped")
	}
	if p.Rule.Conditioning().ClipValue > 0 {
		m.share = gauge("clip.share", "", "fraction of the elements of that gradient beyond optimizer.clip_value")
	}
	return m
}

// Gauges implements Meter.
func (m *stepMeter[T]) Gauges() []*Gauge {
	var out []*Gauge
	for _, g := range []*Gauge{m.lr, m.factor, m.share} {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// Measure implements Meter.
func (m *stepMeter[T]) Measure(_ context.Context, at *Point[T]) error {
	if m.lr != nil {
		m.lr.Set(at.LR)
	}
	return nil
}

// Before implements Follower.
func (m *stepMeter[T]) Before(context.Context, *Point[T]) error { return nil }

// After implements Follower: the gradient that the optimizer took may have had a penalty's in it.
func (m *stepMeter[T]) After(context.Context, *Point[T]) error {
	if m.factor == nil && m.share == nil {
		return nil
	}
	clipped := rule.Clip(m.optimizer.rule.Conditioning(), m.optimizer.g)
	if m.factor != nil {
		m.factor.Set(clipped.Factor)
	}
	if m.share != nil {
		m.share.Set(clipped.Share)
	}
	return nil
}

var _ Follower[float32] = (*stepMeter[float32])(nil)
