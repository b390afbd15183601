package closed

import (
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/schema"
)

var errNoPairs = &schema.Error{Key: "pairs", Problem: "[]: want at least one pair of numbers, like [[2, 1.5]]"}

// newBilinear makes (1/2)(y - x theta_1 theta_2)^2, one pair (x, y) a batch: the smallest model in which directions of equal loss differ
// in the norm of the gradient.
func newBilinear(v schema.Values) (*objective.Function, error) {
	pairs := get[[][2]float64](v, "pairs")
	if len(pairs) == 0 {
		return nil, errNoPairs
	}
	return &objective.Function{
		Dim: 2, Batches: len(pairs), Start: []float64{1.6, 1.1},
		Batch: func(theta graph.Value, i int) graph.Value {
			x, y := pairs[i][0], pairs[i][1]
			r := theta.Like(y).Sub(theta.At(0).Mul(theta.At(1)).Mul(theta.Like(x)))
			return r.Square().Mul(r.Like(0.5))
		},
	}, nil
}

// newCubic makes (y - theta_2 (theta_1 x)^3)^2, one pair (x, y) a batch.
func newCubic(v schema.Values) (*objective.Function, error) {
	pairs := get[[][2]float64](v, "pairs")
	if len(pairs) == 0 {
		return nil, errNoPairs
	}
	return &objective.Function{
		Dim: 2, Batches: len(pairs), Start: []float64{0.7, 0.9},
		Batch: func(theta graph.Value, i int) graph.Value {
			x, y := pairs[i][0], pairs[i][1]
			inner := theta.At(0).Mul(theta.Like(x)).Pow(3)
			return theta.Like(y).Sub(theta.At(1).Mul(inner)).Square()
		},
	}, nil
}

// newRosenbrock makes sum_i 100 (theta_(i+1) - theta_i^2)^2 + (1 - theta_i)^2.
func newRosenbrock(v schema.Values) (*objective.Function, error) {
	dim := get[int](v, "dim")
	start := make([]float64, dim)
	for i := range start {
		start[i] = 1
		if i%2 == 0 {
			start[i] = -1.2
		}
	}
	return &objective.Function{
		Dim: dim, Start: start,
		Batch: func(theta graph.Value, _ int) graph.Value {
			x, next := theta.SliceAxis(0, 0, dim-1), theta.SliceAxis(0, 1, dim)
			valley := next.Sub(x.Square()).Square().Mul(x.Like(100))
			return valley.Add(x.Like(1).Sub(x).Square()).Sum()
		},
	}, nil
}
