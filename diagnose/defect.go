package diagnose

import (
	"math"
	"shadowflow/graph"
)

// Defects are the one-step defects of the modified equations of order 1 and 2: the two-norms of
//
//	theta^(n+1) - theta^(n) - (step predicted by the equation of that order).
//
// They shrink with h^2 and h^3 where the equations hold.
type Defects struct{ First, Second float64 }

// DefectsOf compares a step from before to after with the solutions of dtheta/dt = -F and dtheta/dt = -F - h C, expanded to
// second order in h: -h F + (h^2/2) F'F, and that minus h^2 C. The expansions leave out terms of order h^3. bias multiplies C,
// for an optimizer whose bias was intervened in; it is 1 otherwise.
func DefectsOf[T graph.Float](h, bias float64, before, after, f, c, ff []T) Defects {
	type sums struct{ first, second float64 }
	s := SumBlocks(len(f), func(from, to int) sums {
		var s sums
		for j := from; j < to; j++ {
			step := float64(after[j]) - float64(before[j])
			first := step + h*float64(f[j]) - h*h/2*float64(ff[j])
			second := first + bias*h*h*float64(c[j])
			s.first += first * first
			s.second += second * second
		}
		return s
	}, func(total *sums, part sums) {
		total.first += part.first
		total.second += part.second
	})
	return Defects{First: math.Sqrt(s.first), Second: math.Sqrt(s.second)}
}
