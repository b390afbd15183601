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
	return math.Sqrt(sumBlocks(len(theta), func(from, to int) float64 {
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
