package engine

import (
	"fmt"
	"testing"

	"shadowflow/graph"
)

// tables are arrays seen as [rows, cols]: rows shorter than a tile in every small width, around the sizes of a tile, longer than
// one, and long enough for many chunks.
func tables() [][2]int {
	var all [][2]int
	for cols := 1; cols <= 20; cols++ {
		all = append(all, [2]int{9000 / cols, cols}, [2]int{1 + 17/cols, cols})
	}
	for _, cols := range []int{31, 33, 100, 511, 512, 513, 1023, 1024, 1025, 1536, 2049, 5000} {
		all = append(all, [2]int{3, cols}, [2]int{20, cols}, [2]int{1, cols})
	}
	return append(all, [2]int{100003, 1}, [2]int{50001, 3}, [2]int{1, 120001}, [2]int{7, 20011}, [2]int{800, 150}, [2]int{90, 1300})
}

// patterns are chains of elementwise operations and reductions of which every operand is read in another way.
var patterns = []struct {
	name  string
	build func(e *env, rows, cols int) []graph.Value
}{
	{"rows, columns and scalars", func(e *env, rows, cols int) []graph.Value {
		x, row, col, s := e.x(rows, cols), e.x(cols), e.x(rows, 1), e.x()
		y := x.Mul(row).Add(col).Sub(s).Tanh().Mul(x.Like(1.25))
		return []graph.Value{y, y.Max(row).Sum(1), y.Min(col).Mul(col).Sum(0), y.Sum(), s.Mul(row)}
	}},
	{"sums and maxima", func(e *env, rows, cols int) []graph.Value {
		x := e.x(rows, cols)
		y := x.Square().Add(x)
		return []graph.Value{y.Sum(), y.Sum(0), y.Sum(1), y.Amax(), y.Amax(0), y.Amax(1), y.Mean(0).Sub(y.Mean(1).Sum())}
	}},
	{"results that go back in", func(e *env, rows, cols int) []graph.Value {
		x := e.x(rows, cols)
		e1 := x.Sub(x.Amax(1).Reshape(rows, 1)).Exp()
		p := e1.Div(e1.Sum(1).Reshape(rows, 1))
		q := x.Sub(x.Mean(0)).Mul(p.Mean(0)).Add(x.Sum())
		return []graph.Value{p, q, p.Mul(q).Sum(0), q.Amax(1)}
	}},
	{"two widths at once", func(e *env, rows, cols int) []graph.Value {
		x, row := e.x(2, rows, cols), e.x(cols)
		y, wide := x.Mul(row), e.x(rows*cols)
		z := y.Reshape(2, rows*cols).Add(wide).Sigmoid()
		mid := z.Reshape(2, rows, cols).Mul(e.x(rows, 1)).Add(e.x(2, 1, cols))
		return []graph.Value{z, z.Sum(0), z.Sum(1), mid, mid.Sum(1), mid.Sum(0, 2), mid.Amax(0)}
	}},
	{"comparisons and selections", func(e *env, rows, cols int) []graph.Value {
		x, y := e.x(rows, cols), e.x(rows, cols)
		m := x.Greater(y)
		s := graph.Select(m, x.Relu(), y.Abs().Sqrt())
		return []graph.Value{s, m.Sum(), graph.Select(e.mask(cols), x, s).Sum(1), x.GreaterEqual(y).Sub(x.Equal(y)).Add(x.Sign()).Mul(stepOf(y))}
	}},
	{"a long chain that many read", func(e *env, rows, cols int) []graph.Value {
		x := e.x(rows, cols)
		y := x
		var all []graph.Value
		for range 6 {
			y = y.Mul(x).Add(y.Tanh()).Sub(x.Sigmoid())
			all = append(all, y.Sum(0))
		}
		return append(all, y, y.Mul(x.Like(0.5)))
	}},
	{"Adam", func(e *env, rows, cols int) []graph.Value {
		w, g, m, v := e.x(rows*cols), e.x(rows*cols), e.x(rows*cols), e.positive(rows*cols)
		return adam(w, g, m, v)
	}},
	{"layer norm and its gradient", func(e *env, rows, cols int) []graph.Value {
		x, a, b := e.x(rows, cols), e.x(cols), e.x(cols)
		l := x.LayerNorm(a, b, 1e-1).Square().Sum()
		return append([]graph.Value{l}, graph.Grad(l, x, a, b)...)
	}},
	{"batch norm, relu and the gradient", func(e *env, rows, cols int) []graph.Value {
		x, a, b := e.x(rows, cols), e.x(cols), e.x(cols)
		y, m, v := x.BatchNorm(a, b, 1e-1)
		l := y.Relu().Square().Mean()
		return append([]graph.Value{l, m, v}, graph.Grad(l, x, a, b)...)
	}},
	{"cross entropy and its gradient", func(e *env, rows, cols int) []graph.Value {
		x := e.x(rows, cols)
		l := x.CrossEntropy(e.labels(cols, rows))
		return append([]graph.Value{l}, graph.Grad(l, x)...)
	}},
}

// adam returns the weights and the moments after one step of Adam.
func adam(w, g, m, v graph.Value) []graph.Value {
	m = m.Mul(m.Like(0.9)).Add(g.Mul(g.Like(0.1)))
	v = v.Mul(v.Like(0.99)).Add(g.Square().Mul(g.Like(0.01)))
	return []graph.Value{w.Sub(m.Div(v.Sqrt().Add(v.Like(1e-8))).Mul(w.Like(1e-3))), m, v}
}

func TestTilesAndChunksOfEverySizeMatchTheOracle(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for i, s := range tables() {
			for j, p := range patterns {
				big := s[0]*s[1] > 3000
				if big && (i+j)%5 != 0 { // each size meets a fifth of the patterns, each pattern a fifth of the sizes
					continue
				}
				t.Run(fmt.Sprintf("%v %v %s", dtype, s, p.name), func(t *testing.T) {
					e := newEnv(dtype)
					outs := p.build(e, s[0], s[1])
					got, want := e.compile(t, Options{Threads: 2}, outs...).eval(t), e.expect(t, outs...)
					for i := range outs {
						near(t, fmt.Sprintf("output %d", i), got[i], want[i], tolerance(dtype))
					}
				})
			}
		}
	}
}
