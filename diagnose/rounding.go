package diagnose

import (
	"math"

	"shadowflow/graph"
)

// Rounding returns the two-norm of what rounding to T does to theta, in the mean of the squares: an element's error is anywhere within half a
// unit in its last place. The difference between a step in T and what is said of it cannot be told from 0 where it is not larger.
func Rounding[T graph.Float](theta []T) float64 {
	digits := 53
	if graph.TypeOf[T]().Size() == 4 {
		digits = 24
	}
	return math.Sqrt(SumBlocks(len(theta), func(from, to int) float64 {
		sum := 0.0
		for _, v := range theta[from:to] {
			if v == 0 {
				continue
			}
			_, exponent := math.Frexp(float64(v))
			ulp := math.Ldexp(1, exponent-digits)
			sum += ulp * ulp / 12
		}
		return sum
	}, func(total *float64, part float64) { *total += part }))
}

// withinRounding is how many units in the last place two ways to compute the same number may differ by: a step of each optimizer from an empty memory
// is within 3 of the update without memory where the two are the same.
const withinRounding = 4

// Subtract makes u what it has beyond f, u - f, which is 0 in an element where rounding alone may have made the difference. terms, which may be nil, are what
// both were made from and has cancelled in them: their sizes are rounded, too.
func Subtract[T graph.Float](u, f, terms []T) {
	ulp := math.Ldexp(1, -52)
	if graph.TypeOf[T]().Size() == 4 {
		ulp = math.Ldexp(1, -23)
	}
	for j, v := range f {
		larger := max(math.Abs(float64(u[j])), math.Abs(float64(v)))
		if terms != nil {
			larger = max(larger, math.Abs(float64(terms[j])))
		}
		if u[j] -= v; math.Abs(float64(u[j])) <= withinRounding*ulp*larger {
			u[j] = 0
		}
	}
}
