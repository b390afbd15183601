package objective

import (
	"shadowflow/graph"
)

// Full is the batch that stands for all: the loss is the mean over the batches.
const Full = -1

// Objective is a loss of Dim parameters, the mean of the losses of its batches.
type Objective interface {
	// Dim returns the number of parameters.
	Dim() int
	// Batches returns the number of batches, at least 1.
	Batches() int
	// Loss returns the scalar loss of a batch, 0 <= batch < Batches(), at theta, a vector of Dim elements of either
	// floating-point type.
	Loss(b *graph.Builder, theta graph.Value, batch int) graph.Value
}

// Starter is an Objective that knows a point worth starting from.
type Starter interface {
	// Start returns the point, in a new slice.
	Start() []float64
}

// Loss returns the loss of a batch, or the mean over all for Full.
func Loss(o Objective, b *graph.Builder, theta graph.Value, batch int) graph.Value {
	if batch != Full {
		return o.Loss(b, theta, batch)
	}
	sum := o.Loss(b, theta, 0)
	for i := 1; i < o.Batches(); i++ {
		sum = sum.Add(o.Loss(b, theta, i))
	}
	if n := o.Batches(); n > 1 {
		sum = sum.Mul(sum.Like(1 / float64(n)))
	}
	return sum
}

// function is an Objective in closed form.
type function struct {
	dim, batches int
	start        []float64
	loss         func(b *graph.Builder, theta graph.Value, batch int) graph.Value
}

func (f *function) Dim() int         { return f.dim }
func (f *function) Batches() int     { return f.batches }
func (f *function) Start() []float64 { return append([]float64(nil), f.start...) }
func (f *function) Loss(b *graph.Builder, theta graph.Value, batch int) graph.Value {
	return f.loss(b, theta, batch)
}

var (
	_ Objective = (*function)(nil)
	_ Starter   = (*function)(nil)
)
