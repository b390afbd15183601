package vec

import (
	"math"
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// Sizes are sums over the elements x_i of a slice, and the largest of |x_i|: NaN if any element is.
type Sizes struct {
	One    float64 // of |x_i|
	Square float64 // of x_i^2
	Excess float64 // of sqrt(x_i^2 + eps) - sqrt(eps), without cancellation
	Max    float64
}

// sizeLanes is how many partial sums each size has: element i goes to the one of number i mod sizeLanes.
const sizeLanes = 8

// sizeSums are the partial sums, in the order of the fields of Sizes.
type sizeSums [4][sizeLanes]float64

// sizeRounds are a function of an instruction set that goes on with partial sums for whole rounds of x; at eps are as many times eps and its root.
type sizeRounds[T Float] func(sums *float64, x *T, eps *float64, n int)

// roundsFor returns that of an instruction set, nil if it has none.
func roundsFor[T Float](set isa.Set) sizeRounds[T] {
	of32, of64 := sizeRoundsFor(set)
	if f, ok := any(of32).(sizeRounds[T]); ok {
		return f
	}
	return any(of64).(sizeRounds[T])
}

// SizesFor returns the function that computes Sizes, in float64 and with eps not below zero, for an instruction set, as For does. Every instruction set gives the
// same bits, and so does x as float32 and as float64.
func SizesFor[T Float](set isa.Set) func(x []T, eps float64) Sizes {
	rounds := roundsFor[T](set)
	return func(x []T, eps float64) Sizes {
		var sums sizeSums
		root := math.Sqrt(eps)
		if whole := len(x) / sizeLanes * sizeLanes; rounds != nil && whole > 0 {
			var each [2][sizeLanes]float64
			for i := range sizeLanes {
				each[0][i], each[1][i] = eps, root
			}
			rounds(&sums[0][0], unsafe.SliceData(x), &each[0][0], whole)
			x = x[whole:]
		}
		addSizes(&sums, x, eps, root)
		return sums.fold()
	}
}

// addSizes goes on with partial sums for elements that begin a round.
func addSizes[T Float](s *sizeSums, x []T, eps, root float64) {
	for i, v := range x {
		i %= sizeLanes
		a := math.Abs(float64(v))
		q := float64(a * a) // rounded before it is added
		s[0][i] += a
		s[1][i] += q
		if q != 0 {
			s[2][i] += q / (math.Sqrt(q+eps) + root)
		}
		s[3][i] = max(s[3][i], a)
	}
}

// fold adds up the partial sums.
func (s *sizeSums) fold() Sizes {
	out := Sizes{One: fold(s[0][:]), Square: fold(s[1][:]), Excess: fold(s[2][:])}
	for _, v := range s[3] {
		out.Max = max(out.Max, v)
	}
	if math.IsNaN(out.One) { // of vectors' maxima not all hand on NaN
		out.Max = out.One
	}
	return out
}
