package run

import (
	"context"

	"shadowflow/graph"
)

// Meter measures something at points of a run. It owns the columns of what it measures: their names, units and meanings are stated
// where it makes its gauges, and nowhere else.
type Meter[T graph.Float] interface {
	// Name says what is measured, as the costs of a run do; empty where it costs nothing to speak of.
	Name() string
	// Gauges returns the meter's columns, in their order in the record.
	Gauges() []*Gauge
	// Every is the number of steps between measurements that the meter asks for. With 0 it asks for none: it is read in each row
	// that is recorded.
	Every() int
	// NeedsField says that a measurement wants the optimizer's F and the Hessian times it, which are cheapest in the gradient's program.
	NeedsField() bool
	// Measure sets the gauges at a point. The step from there has not been taken.
	Measure(ctx context.Context, at *Point[T]) error
}

// schedule is what meters have in common: a name for the costs, and an interval. It wants no field.
type schedule struct {
	name  string
	every int
}

// Name implements Meter.
func (s schedule) Name() string { return s.name }

// Every implements Meter.
func (s schedule) Every() int { return s.every }

// NeedsField implements Meter.
func (s schedule) NeedsField() bool { return false }

// Follower is a Meter that also looks at the step taken from a point that it measured.
type Follower[T graph.Float] interface {
	Meter[T]
	// Before keeps what it needs of the point, which the step is about to leave.
	Before(ctx context.Context, at *Point[T]) error
	// After sets further gauges; at.Theta is behind the step, everything else of at before it.
	After(ctx context.Context, at *Point[T]) error
}

// Awaiter is a Meter whose row is completed at the next point, whose gradient is known there.
type Awaiter[T graph.Float] interface {
	Meter[T]
	// Waits reports whether the row of the last step has further gauges to come.
	Waits() bool
	// Next sets them, at the point behind that step.
	Next(ctx context.Context, at *Point[T]) error
}

// Keeper is a Meter whose coming readings depend on points that have passed.
type Keeper interface {
	Name() string
	// Kept points to what it keeps of them, which a checkpoint saves, and restores in place, as JSON.
	Kept() any
}

// due reports whether something with that interval happens at a step.
func due(every, step int) bool { return every > 0 && step%every == 0 }
