package objective

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// Function is a loss written as graph code, batch by batch; the full loss is the mean over the batches. All derivatives follow.
type Function struct {
	// Dim is the number of parameters.
	Dim int
	// Blocks are the weights that the parameters belong to. If nil, all of them are one, theta.
	Blocks []graph.Block
	// Batches is the number of batches; 0 stands for 1.
	Batches int
	// Start is a point to start from. If nil, there is none.
	Start []float64
	// Batch records the scalar loss of batch i at theta, a vector of Dim elements of either floating-point type.
	Batch func(theta graph.Value, i int) graph.Value
}

// Loss implements GraphLoss.
func (f *Function) Loss(theta graph.Value, batch int) (graph.Value, error) {
	n := f.batches()
	if batch != Full && (batch < 0 || batch >= n) {
		return graph.Value{}, fmt.Errorf("objective: batch %d: there are %d, counted from 0", batch, n)
	}
	if batch != Full {
		return f.Batch(theta, batch), nil
	}
	sum := f.Batch(theta, 0)
	for i := 1; i < n; i++ {
		sum = sum.Add(f.Batch(theta, i))
	}
	if n > 1 {
		sum = sum.Mul(sum.Like(1 / float64(n)))
	}
	return sum, nil
}

func (f *Function) batches() int { return max(1, f.Batches) }

// Weights returns the weights that the parameters belong to.
func (f *Function) Weights() []graph.Block {
	if f.Blocks == nil {
		return []graph.Block{{Name: "theta", Shape: []int{f.Dim}}}
	}
	return slices.Clone(f.Blocks)
}
