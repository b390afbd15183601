package vec

// The plain Go transcendental functions: package math's, which for float32 leave one rounding of the exact result.

import "math"

func exp[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Exp(float64(v)))
	}
}

func log[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Log(float64(v)))
	}
}

func log1p[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Log1p(float64(v)))
	}
}

func tanh[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Tanh(float64(v)))
	}
}

func sigmoid[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		e := math.Exp(-math.Abs(float64(v)))
		if v < 0 {
			dst[i] = T(e / (1 + e))
		} else {
			dst[i] = T(1 / (1 + e))
		}
	}
}

func erf[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Erf(float64(v)))
	}
}
