package objective

import "shadowflow/graph"

// Bilinear returns (1/2)(y - x theta_1 theta_2)^2, one pair (x, y) a batch: the smallest model in which directions of
// equal loss differ in the norm of the gradient. Without pairs it has the one pair (2, 1.5).
func Bilinear(pairs ...Pair) Objective { return bilinear(orDefault(pairs)) }

func bilinear(pairs []Pair) *function {
	return &function{
		dim: 2, batches: len(pairs), start: []float64{1.6, 1.1},
		loss: func(_ *graph.Builder, theta graph.Value, batch int) graph.Value {
			p := pairs[batch]
			r := theta.Like(p.Y).Sub(theta.At(0).Mul(theta.At(1)).Mul(theta.Like(p.X)))
			return r.Square().Mul(r.Like(0.5))
		},
	}
}

// Cubic returns (y - theta_2 (theta_1 x)^3)^2, one pair (x, y) a batch; without pairs (2, 1.5).
func Cubic(pairs ...Pair) Objective { return cubic(orDefault(pairs)) }

func cubic(pairs []Pair) *function {
	return &function{
		dim: 2, batches: len(pairs), start: []float64{0.7, 0.9},
		loss: func(_ *graph.Builder, theta graph.Value, batch int) graph.Value {
			p := pairs[batch]
			inner := theta.At(0).Mul(theta.Like(p.X)).Pow(3)
			return theta.Like(p.Y).Sub(theta.At(1).Mul(inner)).Square()
		},
	}
}

// newRosenbrock makes sum_i 100 (theta_(i+1) - theta_i^2)^2 + (1 - theta_i)^2.
func newRosenbrock(o *options) *function {
	dim := o.count("dim", 2, 2, 1_000_000)
	start := make([]float64, dim)
	for i := range start {
		start[i] = 1
		if i%2 == 0 {
			start[i] = -1.2
		}
	}
	return &function{
		dim: dim, batches: 1, start: start,
		loss: func(_ *graph.Builder, theta graph.Value, _ int) graph.Value {
			x, next := theta.SliceAxis(0, 0, dim-1), theta.SliceAxis(0, 1, dim)
			valley := next.Sub(x.Square()).Square().Mul(x.Like(100))
			return valley.Add(x.Like(1).Sub(x).Square()).Sum()
		},
	}
}

// orDefault returns the pairs, or where there are none the one that the examples of the theory have.
func orDefault(pairs []Pair) []Pair {
	if len(pairs) == 0 {
		return []Pair{{2, 1.5}}
	}
	return pairs
}
