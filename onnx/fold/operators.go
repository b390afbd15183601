package fold

import "math"

// operators is what can be evaluated.
var operators = map[string]operator{
	"Constant": constant, "ConstantOfShape": first(constantOfShape), "Range": numbers,
	"Cast": first(cast), "CastLike": first(castLike), "Identity": first(identity), "Trilu": first(trilu), "Where": where,

	"Shape": first(shape), "Size": first(count),
	"Slice": first(slice), "Gather": first(gather), "Concat": first(concat), "ScatterND": first(scatterND), "Expand": first(expand), "Transpose": first(transpose), "Split": first(split),
	"Reshape": first(reshape), "Flatten": first(flatten), "Squeeze": reshapedBy(Squeezed), "Unsqueeze": reshapedBy(Unsqueezed),

	"ReduceProd": reduced(func(x, y int64) int64 { return x * y }, func(x, y float64) float64 { return x * y }, 1),
	"ReduceSum":  reduced(func(x, y int64) int64 { return x + y }, func(x, y float64) float64 { return x + y }, 0),

	"Sqrt": unary(nil, math.Sqrt), "Exp": unary(nil, math.Exp), "Log": unary(nil, math.Log), "Sin": unary(nil, math.Sin), "Cos": unary(nil, math.Cos),
	"Tanh": unary(nil, math.Tanh), "Erf": unary(nil, math.Erf), "Floor": unary(nil, math.Floor), "Ceil": unary(nil, math.Ceil),
	"Reciprocal": unary(nil, func(v float64) float64 { return 1 / v }),
	"Neg":        unary(func(v int64) int64 { return -v }, func(v float64) float64 { return -v }),
	"Abs":        unary(func(v int64) int64 { return max(v, -v) }, math.Abs),
	"Not":        unary(func(v int64) int64 { return v ^ 1 }, nil),

	"Add": binary(func(x, y int64) (int64, error) { return x + y, nil }, func(x, y float64) float64 { return x + y }),
	"Sub": binary(func(x, y int64) (int64, error) { return x - y, nil }, func(x, y float64) float64 { return x - y }),
	"Mul": binary(func(x, y int64) (int64, error) { return x * y, nil }, func(x, y float64) float64 { return x * y }),
	"Min": several(binary(func(x, y int64) (int64, error) { return min(x, y), nil }, math.Min)),
	"Max": several(binary(func(x, y int64) (int64, error) { return max(x, y), nil }, math.Max)),
	"And": binary(func(x, y int64) (int64, error) { return x & y, nil }, nil),
	"Or":  binary(func(x, y int64) (int64, error) { return x | y, nil }, nil),
	"Xor": binary(func(x, y int64) (int64, error) { return x ^ y, nil }, nil),
	"Div": binary(divided, func(x, y float64) float64 { return x / y }),
	"Pow": binary(nil, math.Pow),
	"Mod": modulo,

	"Equal":          compare(func(x, y int64) bool { return x == y }, func(x, y float64) bool { return x == y }),
	"Less":           compare(func(x, y int64) bool { return x < y }, func(x, y float64) bool { return x < y }),
	"LessOrEqual":    compare(func(x, y int64) bool { return x <= y }, func(x, y float64) bool { return x <= y }),
	"Greater":        compare(func(x, y int64) bool { return x > y }, func(x, y float64) bool { return x > y }),
	"GreaterOrEqual": compare(func(x, y int64) bool { return x >= y }, func(x, y float64) bool { return x >= y }),
}
