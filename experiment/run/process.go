package run

import (
	"context"

	"shadowflow/graph"
)

// Process is something that moves a point step by step on the batches of a run: the optimizer itself, a modified equation, a memoryless
// iteration. The loop calls Advance and, once every process has succeeded, Commit; so a step that is broken off has moved nothing.
type Process[T graph.Float] interface {
	// Name says what the process is, as its costs do.
	Name() string
	// Advance finds the point behind the step that begins at the optimizer's point at. It takes the step and the batch from there, and not
	// the parameters.
	Advance(ctx context.Context, at *Point[T]) error
	// Commit moves to the point that Advance found. It is short, and not broken off.
	Commit() error
	// State returns what the coming steps depend on, by name and in place: it is saved and restored through these slices.
	State() []Vector
}

// Vector is an array with an element for each parameter: a []float32 or a []float64. Prefix stands before the weights' names in a
// checkpoint: none for the parameters themselves.
type Vector struct {
	Prefix string
	Data   any
}
