package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/graph"
)

// trail is the process that keeps where equations began, and the optimizer's last two points. It goes nowhere by itself.
type trail[T graph.Float] struct {
	start                     int
	origin, now, last, before []T
}

func newTrail[T graph.Float](dim, start int) *trail[T] {
	return &trail[T]{start: start, origin: make([]T, dim), now: make([]T, dim), last: make([]T, dim), before: make([]T, dim)}
}

// Name implements Process.
func (t *trail[T]) Name() string { return "trail" }

// Advance implements Process.
func (t *trail[T]) Advance(_ context.Context, at *Point[T]) error {
	copy(t.now, at.Theta)
	if at.Step == t.start {
		copy(t.origin, at.Theta)
	}
	return nil
}

// Commit implements Process.
func (t *trail[T]) Commit() error {
	copy(t.before, t.last)
	copy(t.last, t.now)
	return nil
}

// State implements Process.
func (t *trail[T]) State() []Vector {
	return []Vector{{Prefix: "trail.origin.", Data: t.origin}, {Prefix: "trail.last.", Data: t.last}, {Prefix: "trail.before.", Data: t.before}}
}

// way returns the two-norm of the way from the origin.
func (t *trail[T]) way(at *Point[T]) float64 {
	if at.Step <= t.start {
		return 0
	}
	return diagnose.Distance(at.Theta, t.origin)
}

// rounding returns the part of the way that rounding may have made. Where steps are alike so is what rounding makes of them, and it adds up.
func (t *trail[T]) rounding(at *Point[T]) float64 {
	return diagnose.Rounding(at.Theta) * float64(at.Step-t.start) / t.way(at)
}

var _ Process[float32] = (*trail[float32])(nil)

// roundingMeter measures below which distance an equation beside the optimizer cannot be told from its iterates.
type roundingMeter[T graph.Float] struct {
	schedule
	trail *trail[T]
	floor *Gauge
}

func newRoundingMeter[T graph.Float](t *trail[T]) *roundingMeter[T] {
	return &roundingMeter[T]{trail: t, floor: gauge("iterates.rounding", "",
		"two-norm of what rounding to dtype makes of the optimizer's steps since flow.start where it adds up, over that of its way: relative distances of this size may be nothing else")}
}

// Gauges implements Meter.
func (m *roundingMeter[T]) Gauges() []*Gauge { return []*Gauge{m.floor} }

// Measure implements Meter.
func (m *roundingMeter[T]) Measure(_ context.Context, at *Point[T]) error {
	if m.trail.way(at) > 0 {
		m.floor.Set(m.trail.rounding(at))
	}
	return nil
}
