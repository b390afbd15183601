package diagnose

import (
	"math"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
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
	set, _ := isa.Best() // of what is wrong with that, whoever computed the gradient has told
	sizes := vec.SizesFor[T](set)
	s := SumBlocks(len(g), func(from, to int) (s vec.Sizes) {
		const some = 1 << 10 // the fewer are added up in a row, the less is rounded
		for ; from < to; from += some {
			addSizes(&s, sizes(g[from:min(from+some, to)], eps))
		}
		return s
	}, addSizes)
	root := math.Sqrt(eps)
	n := float64(len(g))
	out := Norms{
		Perturbed: s.Excess + n*root, Excess: s.Excess,
		One: s.One, Two: math.Sqrt(s.Square), Max: s.Max,
		Mean: s.One / n,
	}
	out.Deviation = math.Sqrt(max(0, s.Square/n-out.Mean*out.Mean))
	return out
}

func addSizes(total *vec.Sizes, part vec.Sizes) {
	total.Excess += part.Excess
	total.One += part.One
	total.Square += part.Square
	total.Max = max(total.Max, part.Max) // NaN if either is
}
