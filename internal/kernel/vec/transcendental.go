package vec

// The plain Go transcendental functions: package math's, which for float32 leave one rounding of the exact result.

import "math"

func exp[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		if v > 709 {
			dst[i] = T(math.Expm1(float64(v))) // math.Exp overflows too early on amd64
			continue
		}
		dst[i] = T(math.Exp(float64(v)))
	}
}

func log[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		if v > 0 && float64(v) < 0x1p-1022 {
			dst[i] = T(math.Log(float64(v)*0x1p54) - 54*math.Ln2) // math.Log is off for subnormals on amd64
			continue
		}
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
