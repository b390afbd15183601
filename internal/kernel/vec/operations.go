package vec

// Operations are the floating-point operations of an element in float32 and in float64, a multiply-add counted as two.
type Operations struct{ Float32, Float64 int }

// OperationsOf returns those of an elementwise function, by the name of its assembly, as that for AVX-512 has them. Comparisons, signs and choices are none.
func OperationsOf(function string) Operations {
	switch function {
	case "add", "sub", "mul", "div", "maximum", "minimum", "relu", "sqrt", "recip":
		return Operations{1, 1}
	case "rsqrt":
		return Operations{2, 2}
	case "exp":
		return Operations{21, 29}
	case "log":
		return Operations{24, 30}
	case "log1p":
		return Operations{30, 36}
	case "tanh":
		return Operations{45, 67}
	case "sigmoid":
		return Operations{28, 36}
	case "erf":
		return Operations{51, 103}
	}
	return Operations{}
}
