package diagnose

import (
	"math"

	"shadowflow/graph"
)

// Likeness says how much of one vector another explains.
type Likeness struct {
	// Cosine is that of the angle between the two.
	Cosine float64
	// Explained is the factor of the other's projection on the one: 1 where it is predicted in full, negative where it has the opposite direction.
	Explained float64
}

// LikenessOf compares what is predicted, a times p, with what is. Where either is nothing the cosine is 0.
func LikenessOf[T graph.Float](a float64, p, what []T) Likeness {
	type sums struct{ pp, pw, ww float64 }
	s := SumBlocks(len(p), func(from, to int) sums {
		var s sums
		p, what := p[from:to], what[from:to]
		for j := range p {
			x, y := float64(p[j]), float64(what[j])
			s.pp += x * x
			s.pw += x * y
			s.ww += y * y
		}
		return s
	}, func(total *sums, part sums) {
		total.pp += part.pp
		total.pw += part.pw
		total.ww += part.ww
	})
	return Likeness{Cosine: ratio(math.Copysign(1, a)*s.pw, math.Sqrt(s.pp)*math.Sqrt(s.ww)), Explained: ratio(s.pw, a*s.pp)}
}
