package run

import (
	"math"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
)

// Point is where the optimizer stands between two steps, and what is known there. Slices are overwritten as the loop goes on.
type Point[T graph.Float] struct {
	// Step is the number of steps taken, so that of the coming step, counted from 0.
	Step int
	// Batch is what the coming step sees, objective.Full for all examples.
	Batch int
	// LR is the step size of the coming step.
	LR float64
	// Theta is the parameters, in place.
	Theta []T
	// Seen is the loss of the batch, and Gradient its gradient.
	Seen     objective.Evaluation
	Gradient []T
	// Norms are the sizes of the gradient, where a row is recorded.
	Norms diagnose.Norms
	// HasField says that Field is the optimizer's F at the gradient and HField the Hessian times it. They come in the gradient's
	// program where a meter or an intervention needs them.
	HasField      bool
	Field, HField []T
}

// measurable reports whether derivatives at the point can mean anything.
func (p *Point[T]) measurable() bool { return finite(p.Norms.Two) }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
