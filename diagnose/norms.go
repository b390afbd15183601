package diagnose

import (
	"math"
	"shadowflow/graph"
)

// Norms are sizes of a gradient g with p elements.
type Norms struct {
	// Perturbed is the perturbed one-norm, sum_j sqrt(g_j^2 + eps) (arXiv:2309.00079).
	Perturbed float64
	// Excess is what of it is not p sqrt(eps), its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps)).
	Excess float64
	// One, Two and Max are the usual norms.
	One, Two, Max float64
	// Mean and Deviation are those of |g_j| over j; the deviation is that of the population.
	Mean, Deviation float64
}

// GradientNorms returns the sizes of a gradient. A gradient that is not finite has sizes that are not.
func GradientNorms[T graph.Float](g []T, eps float64) Norms {
	type sums struct{ excess, one, square, max float64 }
	root := math.Sqrt(eps)
	s := SumBlocks(len(g), func(from, to int) sums {
		var s sums
		for _, v := range g[from:to] {
			x := math.Abs(float64(v))
			square := x * x
			s.one += x
			s.square += square
			s.max = max(s.max, x) // NaN if either is
			if square != 0 {
				s.excess += square / (math.Sqrt(square+eps) + root) // sqrt(g^2+eps) - sqrt(eps), without cancellation
			}
		}
		return s
	}, func(total *sums, part sums) {
		total.excess += part.excess
		total.one += part.one
		total.square += part.square
		total.max = max(total.max, part.max)
	})
	n := float64(len(g))
	out := Norms{
		Perturbed: s.excess + n*root, Excess: s.excess,
		One: s.one, Two: math.Sqrt(s.square), Max: s.max,
		Mean: s.one / n,
	}
	out.Deviation = math.Sqrt(max(0, s.square/n-out.Mean*out.Mean))
	return out
}
