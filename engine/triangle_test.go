package engine

import (
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
)

// products counts the matrix products of a program with a square of n by n as left operand or result, and those of them that leave a triangle out.
func products(outs []graph.Value, n int) (squares, triangular int) {
	var ends []*graph.Node
	for _, v := range outs {
		ends = append(ends, v.Node())
	}
	nodes := live(ends)
	found := findTriangles(nodes, ends, nil)
	for _, m := range nodes {
		if m.Op() != graph.OpMatMul {
			continue
		}
		if of := m.In()[0]; !hasSide(m, n) && !hasSide(of, n) {
			continue
		}
		squares++
		if a, c := found.of(m); a != gemm.Full || c != gemm.Full {
			triangular++
		}
	}
	return squares, triangular
}

// maskOf hides what is above the diagonal.
func maskOf(x graph.Value) graph.Value { return hiding(x, func(i, j int) bool { return j > i }) }

// hiding is a mask.
func hiding(x graph.Value, hidden func(i, j int) bool) graph.Value {
	n := x.Shape()[0]
	mask := make([]float64, n*n)
	for i := range mask {
		if hidden(i/n, i%n) {
			mask[i] = -1e30
		}
	}
	return x.Builder().ConstArray(x.DType(), mask, n, n)
}

func hasSide(n *graph.Node, side int) bool { return square(n) && n.Shape()[len(n.Shape())-1] == side }

func TestCausalAttentionLeavesHalfOfEveryProductOut(t *testing.T) {
	e := newEnv(graph.Float64)
	p := pairOf(e, model{"causal attention", causalAttention}, true)
	for _, tc := range []struct {
		name string
		outs []graph.Value
		want int
	}{
		{"loss", []graph.Value{p.loss}, 2},
		{"gradient", p.g, 6},                                     // each product of the loss has two derivatives
		{"gradient and two Hessian-vector products", p.outs, 30}, // each product of the gradient has two derivatives in a direction
	} {
		t.Run(tc.name, func(t *testing.T) {
			squares, triangular := products(tc.outs, 70)
			if squares != tc.want || triangular != tc.want {
				t.Errorf("%d of %d products leave a half out, want all of %d", triangular, squares, tc.want)
			}
		})
	}
}

func TestOnlyTrianglesThatNothingNeedsAreLeftOut(t *testing.T) {
	const n = 40
	lower := make([]float64, n*n)
	for i := range lower {
		if i%n <= i/n {
			lower[i] = 1 + float64(i)
		}
	}
	for _, tc := range []struct {
		name string
		make func(x, y, l graph.Value) []graph.Value
		a, c gemm.Shape
	}{
		{"a triangle times a matrix", func(x, y, l graph.Value) []graph.Value { return []graph.Value{l.MatMul(y)} }, gemm.Lower, gemm.Full},
		{"its transpose times one", func(x, y, l graph.Value) []graph.Value { return []graph.Value{l.T().MatMul(y)} }, gemm.Upper, gemm.Full},
		{"the lower part of a product", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.MatMul(y).Mul(l)} }, gemm.Full, gemm.Lower},
		{"the upper part, through a transpose", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.MatMul(y).T().Mul(l)} }, gemm.Full, gemm.Upper},
		{"through a sum, and e to it", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.MatMul(y).Add(x).Exp().Mul(l)} }, gemm.Full, gemm.Lower},
		{"a product that is an output too", func(x, y, l graph.Value) []graph.Value {
			p := x.MatMul(y)
			return []graph.Value{p, p.Mul(l)}
		}, gemm.Full, gemm.Full},
		{"a product of which a sum is taken too", func(x, y, l graph.Value) []graph.Value {
			p := x.MatMul(y)
			return []graph.Value{p.Sum(), p.Mul(l)}
		}, gemm.Full, gemm.Full},
		{"one below a logarithm, which has none of zero", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.MatMul(y).Log().Mul(l)}
		}, gemm.Full, gemm.Full},
		{"one that divides", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.Div(x.MatMul(y)).Mul(l)} }, gemm.Full, gemm.Full},
		{"below a mask", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.MatMul(y).Add(maskOf(x)).Exp()} }, gemm.Full, gemm.Lower},
		{"below a mask that is taken away", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Sub(x.MatMul(y).Sub(maskOf(x))).Exp()}
		}, gemm.Full, gemm.Full},
		{"e to a mask", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.Add(maskOf(x)).Exp().MatMul(y)} }, gemm.Lower, gemm.Full},
		{"shares below a mask", func(x, y, l graph.Value) []graph.Value { return []graph.Value{x.Add(maskOf(x)).Softmax().MatMul(y)} }, gemm.Lower, gemm.Full},
		{"shares of a column below a mask", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Add(maskOf(x)).T().Softmax().MatMul(y)}
		}, gemm.Upper, gemm.Full},
		{"shares below two masks", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Add(maskOf(x)).Add(hiding(x, func(i, j int) bool { return j < i-9 })).Softmax().MatMul(y)}
		}, gemm.Lower, gemm.Full},
		{"a mask that hides a row as a whole", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Add(hiding(x, func(i, j int) bool { return j >= i })).Softmax().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"one that hides a column as a whole", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Add(hiding(x, func(i, j int) bool { return j <= i })).T().Softmax().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"two masks that do so together", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Add(maskOf(x)).Add(hiding(x, func(i, j int) bool { return j <= i && i < 3 })).Softmax().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"a mask, and another of columns", func(x, y, l graph.Value) []graph.Value {
			first := make([]float64, n)
			first[0] = -1e30
			return []graph.Value{x.Add(maskOf(x)).Add(x.Builder().ConstArray(x.DType(), first, 1, n)).Softmax().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"a mask less itself", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{maskOf(x).Sub(maskOf(x)).Exp().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"a mask and its negative", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{maskOf(x).Add(maskOf(x).Neg()).Exp().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"a mask and a number as high", func(x, y, l graph.Value) []graph.Value {
			everything := hiding(x, func(i, j int) bool { return true })
			return []graph.Value{everything.Add(x.Add(x.Like(1e30))).Exp().MatMul(y)}
		}, gemm.Full, gemm.Full},
		{"a product as high as a mask", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.MatMul(y).Mul(x.Like(1e30)).Add(maskOf(x)).Tanh()}
		}, gemm.Full, gemm.Full},
		{"a triangle and a number", func(x, y, l graph.Value) []graph.Value { return []graph.Value{l.Add(l.Like(1)).MatMul(y)} }, gemm.Full, gemm.Full},
		{"a sum of triangles", func(x, y, l graph.Value) []graph.Value { return []graph.Value{l.Add(x.Mul(l)).MatMul(y)} }, gemm.Lower, gemm.Full},
		{"rows cut out of a triangle", func(x, y, l graph.Value) []graph.Value {
			return []graph.Value{x.Mul(l).Reshape(1, n*n).Reshape(n, n).MatMul(y)}
		}, gemm.Lower, gemm.Full}, // a reshape of a reshape is one
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			x, y := e.x(n, n), e.x(n, n)
			outs := tc.make(x, y, e.b.ConstArray(graph.Float64, lower, n, n))
			var ends []*graph.Node
			for _, v := range outs {
				ends = append(ends, v.Node())
			}
			nodes := live(ends)
			found := findTriangles(nodes, ends, nil)
			for _, m := range nodes {
				if m.Op() == graph.OpMatMul {
					if a, c := found.of(m); a != tc.a || c != tc.c {
						t.Errorf("the left operand is %d and the result %d, want %d and %d", a, c, tc.a, tc.c)
					}
				}
			}
			if tc.name == "one below a logarithm, which has none of zero" {
				return // of numbers that may be negative
			}
			got, want := e.compile(t, Options{}, outs...).eval(t), e.expect(t, outs...)
			for i := range outs {
				near(t, "against the oracle", got[i], want[i], 1e-9)
			}
		})
	}
}
