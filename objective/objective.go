package objective

import (
	"context"

	"shadowflow/graph"
)

// Full is the batch that stands for all examples.
const Full = -1

// Objective is a loss of Dim parameters in float32 or float64, cut into batches. It is not for concurrent use.
type Objective[T graph.Float] interface {
	// Dim returns the number of parameters, which are one flat vector.
	Dim() int
	// Blocks returns the weights in that vector, in its order: every parameter is in one.
	Blocks() []graph.Block
	// Batches returns the number of batches, at least 1.
	Batches() int
	// Evaluate writes what is wanted of a batch's loss at theta, of the batch numbered from 0 or of Full, into the slices of want. It
	// returns the loss in any case. An error of ctx ends it at the next opportunity, and is returned; the slices hold nothing of use then.
	Evaluate(ctx context.Context, theta []T, batch int, want Want[T]) (Evaluation, error)
}

// GraphLoss is a loss that is also graph code, of which derivatives of any order can be taken.
type GraphLoss interface {
	// Loss records the scalar loss of a batch, or of Full, at theta, a vector of Dim elements of either floating-point type. The error
	// says why a loss has no graph code: too much data, for example.
	Loss(theta graph.Value, batch int) (graph.Value, error)
}

// GraphGradient is a GraphLoss whose gradient, as an optimizer takes it, is another than that of its loss.
type GraphGradient interface {
	GraphLoss
	// Gradient records it, as Loss records the loss.
	Gradient(theta graph.Value, batch int) (graph.Value, error)
}

// GradientOf records the gradient that an optimizer takes of a loss that is graph code.
func GradientOf(l GraphLoss, theta graph.Value, batch int) (graph.Value, error) {
	if own, ok := l.(GraphGradient); ok {
		return own.Gradient(theta, batch)
	}
	loss, err := l.Loss(theta, batch)
	if err != nil {
		return graph.Value{}, err
	}
	return graph.Grad(loss, theta)[0], nil
}

// Transposer is a loss whose gradient, as an optimizer takes it, has a derivative J that is not symmetric: its products are J v.
type Transposer[T graph.Float] interface {
	// Transposed writes J'v of a batch at theta into product.
	Transposed(ctx context.Context, theta []T, batch int, v, product []T) error
}

// TransposedProduct writes the transpose of the derivative of a loss's gradient times v into product: the Hessian times v, mostly.
func TransposedProduct[T graph.Float](ctx context.Context, o Objective[T], theta []T, batch int, v, product []T) error {
	if own, ok := o.(Transposer[T]); ok {
		return own.Transposed(ctx, theta, batch, v, product)
	}
	_, err := o.Evaluate(ctx, theta, batch, Want[T]{Vectors: [][]T{v}, Products: [][]T{product}})
	return err
}

// Host is a loss that reads and writes some vectors faster than others.
type Host[T graph.Float] interface {
	// Vector returns a new vector of Dim zeros, of the faster kind while there is room for it. It is of use for as long as the loss is.
	Vector() []T
	// Release takes a vector back, whose room is then that of another. Of one that it has not handed out it takes no note.
	Release(v []T)
}

// Vector returns a new vector of Dim zeros, for points and results that the loss is asked for often.
func Vector[T graph.Float](o Objective[T]) []T {
	if h, ok := Plain(o).(Host[T]); ok {
		return h.Vector()
	}
	return make([]T, o.Dim())
}

// Release gives vectors of [Vector] back, which are not to be used any more.
func Release[T graph.Float](o Objective[T], vectors ...[]T) {
	h, ok := Plain(o).(Host[T])
	if !ok {
		return
	}
	for _, v := range vectors {
		h.Release(v)
	}
}

// Starter is a loss with a point to start from.
type Starter interface {
	// Start returns the point, in a new slice; nil if there is none.
	Start() []float64
}

// Tester is a loss with examples that its batches do not hold.
type Tester[T graph.Float] interface {
	// Test returns the loss of these examples at theta.
	Test(ctx context.Context, theta []T) (Evaluation, error)
}

// Drawer is a loss that is another function at each step: its data is cut or augmented anew.
type Drawer interface {
	// Draw makes the loss that of a step. It depends on the step and a seed alone, not on earlier draws.
	Draw(step int)
}

// Averager is a loss with running averages beside its parameters, as batch normalization has them: evaluating a gradient leaves
// statistics behind, which move the averages when that is asked for. Only Test reads the averages.
type Averager[T graph.Float] interface {
	// Running returns the averages, in place, and the number of batches that they have seen.
	Running() ([]T, int64)
	// SetRunning sets the averages, which are copied.
	SetRunning(running []float64, batches int64)
	// UpdateRunning moves the averages toward the statistics of the last evaluation that took a gradient.
	UpdateRunning()
}
