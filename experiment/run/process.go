package run

import (
	"context"

	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/safetensors"
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

// Vector is an array, a []float32 or a []float64, with an element for each parameter, or with parts of its own. Prefix stands
// before the weights' names in a checkpoint: none for the parameters themselves.
type Vector struct {
	Prefix string
	Parts  []graph.Block // see [rule.Rule.Shapes]; nil: an element for each parameter
	Data   any
}

func tensorsOf[T graph.Float](model *nn.Model, v Vector, data []T) ([]safetensors.Tensor, error) {
	if v.Parts != nil {
		return nn.Parts(v.Prefix, v.Parts, data), nil
	}
	return nn.Tensors(model, v.Prefix, data)
}

func readVector[T graph.Float](r *nn.Reader, v Vector, data []T) {
	if v.Parts != nil {
		nn.ReadParts(r, v.Prefix, v.Parts, data)
		return
	}
	nn.ReadVector(r, v.Prefix, data)
}
