package vec

// The plain Go functions whose result is one rounded operation, or none: every instruction set gives these bits.

import "math"

func neg[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = -v
	}
}

func abs[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Abs(float64(v)))
	}
}

func sign[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		case v == 0:
			v = 0
		}
		dst[i] = v
	}
}

func sqrt[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(math.Sqrt(float64(v)))
	}
}

func rsqrt[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = 1 / T(math.Sqrt(float64(v)))
	}
}

func recip[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = 1 / v
	}
}

func relu[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func step[T Float](dst, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = indicator[T](v > 0)
	}
}

func add[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

func sub[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
}

func mul[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

func div[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] / y[i]
	}
}

func maximum[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = max(x[i], y[i])
	}
}

func minimum[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = min(x[i], y[i])
	}
}

func greater[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = indicator[T](x[i] > y[i])
	}
}

func greaterEqual[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = indicator[T](x[i] >= y[i])
	}
}

func equal[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = indicator[T](x[i] == y[i])
	}
}

func choose[T Float](dst, x, y, z []T) {
	x, y, z = x[:len(dst)], y[:len(dst)], z[:len(dst)]
	for i := range dst {
		if x[i] != 0 {
			dst[i] = y[i]
		} else {
			dst[i] = z[i]
		}
	}
}

func mulAdd[T Float](dst, x, y, z []T) {
	x, y, z = x[:len(dst)], y[:len(dst)], z[:len(dst)]
	for i := range dst {
		dst[i] = T(x[i]*y[i]) + z[i] // the conversion keeps the compiler from fusing
	}
}

func fill[T Float](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

func addScaled[T Float](dst []T, a T, x []T) {
	for i, v := range x[:len(dst)] {
		dst[i] = T(a*v) + dst[i]
	}
}

func indicator[T Float](b bool) T {
	if b {
		return 1
	}
	return 0
}
