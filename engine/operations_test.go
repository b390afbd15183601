package engine

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/graph"
)

// operation is a value of a few variables that a test builds.
type operation struct {
	name  string
	build func(e *env) graph.Value
}

var smallShapes = [][]int{{}, {3}, {3, 4}, {5, 7}}

// operations are all public operations, over shapes small enough for bytecode and large enough for tiles.
func operations() []operation {
	var all []operation
	add := func(name string, build func(e *env) graph.Value) { all = append(all, operation{name, build}) }
	addUnary(add)
	addBinary(add)
	addStructure(add)
	addLookups(add)
	addReductions(add)
	addProducts(add)
	addPools(add)
	addComposed(add)
	return all
}

type adder func(name string, build func(e *env) graph.Value)

func addUnary(add adder) {
	for _, u := range []struct {
		name string
		x    func(e *env, shape ...int) graph.Value
		f    func(graph.Value) graph.Value
	}{
		{"Neg", (*env).x, graph.Value.Neg}, {"Exp", (*env).x, graph.Value.Exp}, {"Log", (*env).positive, graph.Value.Log},
		{"Log1p", (*env).positive, graph.Value.Log1p}, {"Sqrt", (*env).positive, graph.Value.Sqrt}, {"Rsqrt", (*env).positive, graph.Value.Rsqrt},
		{"Recip", (*env).positive, graph.Value.Recip}, {"Tanh", (*env).x, graph.Value.Tanh}, {"Sigmoid", (*env).x, graph.Value.Sigmoid},
		{"Erf", (*env).x, graph.Value.Erf}, {"Relu", (*env).apart, graph.Value.Relu}, {"Abs", (*env).apart, graph.Value.Abs},
		{"Sign", (*env).apart, func(v graph.Value) graph.Value { return v.Sign().Mul(v) }},
		{"step", (*env).apart, func(v graph.Value) graph.Value { return stepOf(v).Mul(v) }},
		{"Square", (*env).x, graph.Value.Square}, {"Gelu", (*env).x, graph.Value.Gelu}, {"Silu", (*env).x, graph.Value.Silu},
		{"Alias", (*env).x, func(v graph.Value) graph.Value { return v.Alias().Mul(v) }},
	} {
		for _, shape := range smallShapes {
			add(fmt.Sprintf("%s of %v", u.name, shape), func(e *env) graph.Value { return u.f(u.x(e, shape...)) })
		}
	}
	for _, p := range []float64{0, 1, 2, 3, 4, 5, 0.5, -0.5, -1, -2, 2.5, -1.5} {
		for _, shape := range [][]int{{3}, {5, 7}} {
			add(fmt.Sprintf("Pow %v of %v", p, shape), func(e *env) graph.Value { return e.positive(shape...).Pow(p) })
		}
	}
	add("Pow 5 of negative numbers", func(e *env) graph.Value { return e.apart(4).Pow(5) })
	add("Log1p near zero", func(e *env) graph.Value { return e.x(4).Mul(e.b.Const(e.dtype, 1e-6)).Log1p() })
}

// broadcasts are pairs of shapes in every pattern: alike, scalar, row, column, both ways at once, and general.
var broadcasts = [][2][]int{
	{{3, 4}, {3, 4}}, {{3, 4}, {}}, {{}, {3, 4}}, {{3, 4}, {1, 1}}, {{3, 4}, {4}}, {{3, 4}, {3, 1}}, {{3, 1}, {1, 4}},
	{{5, 7}, {5, 7}}, {{5, 7}, {}}, {{5, 7}, {7}}, {{5, 7}, {5, 1}}, {{5, 1}, {7}}, {{2, 3, 4}, {3, 1}}, {{2, 3, 4}, {2, 1, 4}},
	{{2, 3, 4}, {1, 3, 1}}, {{2, 3, 2, 3}, {2, 1, 2, 1}}, {{2, 1, 3}, {4, 1}},
}

func addBinary(add adder) {
	for _, o := range []struct {
		name string
		x, y func(e *env, shape ...int) graph.Value
		f    func(x, y graph.Value) graph.Value
	}{
		{"Add", (*env).x, (*env).x, graph.Value.Add}, {"Sub", (*env).x, (*env).x, graph.Value.Sub}, {"Mul", (*env).x, (*env).x, graph.Value.Mul},
		{"Div", (*env).x, (*env).positive, graph.Value.Div}, {"Max", (*env).apart, (*env).positive, graph.Value.Max},
		{"Min", (*env).apart, (*env).positive, graph.Value.Min},
		{"Greater", (*env).apart, (*env).positive, func(x, y graph.Value) graph.Value { return x.Greater(y).Mul(x.Mul(y)) }},
		{"GreaterEqual", (*env).apart, (*env).positive, func(x, y graph.Value) graph.Value { return x.GreaterEqual(y).Mul(x.Mul(y)) }},
		{"Equal", (*env).apart, (*env).positive, func(x, y graph.Value) graph.Value { return x.Equal(y).Add(x.Mul(y)) }},
		{"Select", (*env).apart, (*env).x, func(x, y graph.Value) graph.Value { return graph.Select(x.Greater(x.Like(0)), x.Mul(y), y) }},
	} {
		for _, s := range broadcasts {
			add(fmt.Sprintf("%s of %v and %v", o.name, s[0], s[1]), func(e *env) graph.Value { return o.f(o.x(e, s[0]...), o.y(e, s[1]...)) })
		}
	}
	add("Select between constants of a mask", func(e *env) graph.Value {
		x := e.x(3, 4)
		return graph.Select(e.mask(4), x, x.Like(2)).Mul(x)
	})
	add("Select of a mask that is broadcast", func(e *env) graph.Value { return graph.Select(e.mask(5, 1), e.x(7), e.x(5, 7).Exp()) })
	add("a value with itself", func(e *env) graph.Value {
		x := e.positive(6)
		return x.Add(x).Mul(x.Div(x)).Add(x.Max(x)).Sub(x.Sub(x))
	})
	add("constants folded and simplified", func(e *env) graph.Value {
		x := e.x(6)
		one, zero, two := x.Like(1), x.Like(0), x.Like(2)
		return x.Mul(one).Add(zero).Div(one).Sub(zero).Mul(two.Add(one).Sqrt()).Sub(x.Neg().Neg().Mul(one.Neg())).Add(one.Div(x.Exp()))
	})
}

func addStructure(add adder) {
	for _, c := range []struct {
		name  string
		shape []int
		f     func(x graph.Value) graph.Value
	}{
		{"BroadcastTo with a new axis", []int{4}, func(x graph.Value) graph.Value { return x.BroadcastTo(3, 4) }},
		{"BroadcastTo of a column", []int{5, 1}, func(x graph.Value) graph.Value { return x.BroadcastTo(2, 5, 3) }},
		{"BroadcastTo of the inner axis", []int{2, 1, 3}, func(x graph.Value) graph.Value { return x.BroadcastTo(2, 4, 3) }},
		{"BroadcastTo of a scalar", nil, func(x graph.Value) graph.Value { return x.BroadcastTo(3, 2) }},
		{"Reshape", []int{3, 4}, func(x graph.Value) graph.Value { return x.Reshape(2, -1) }},
		{"Reshape to a scalar", []int{1, 1}, func(x graph.Value) graph.Value { return x.Reshape() }},
		{"Transpose of all", []int{2, 3, 4}, func(x graph.Value) graph.Value { return x.Transpose() }},
		{"Transpose by a cycle", []int{2, 3, 4}, func(x graph.Value) graph.Value { return x.Transpose(1, 2, 0) }},
		{"Transpose of a transpose", []int{2, 3, 4}, func(x graph.Value) graph.Value { return x.Transpose(1, 2, 0).Transpose(1, 2, 0) }},
		{"T", []int{2, 3, 4}, func(x graph.Value) graph.Value { return x.T() }},
		{"Slice", []int{5, 6}, func(x graph.Value) graph.Value { return x.Slice([]int{1, 2}, []int{4, 5}, nil) }},
		{"Slice with steps", []int{5, 7}, func(x graph.Value) graph.Value { return x.Slice([]int{0, 1}, []int{5, 7}, []int{2, 3}) }},
		{"Slice with a step past the end", []int{6}, func(x graph.Value) graph.Value { return x.Slice([]int{1}, []int{5}, []int{10}) }},
		{"SliceAxis of the first", []int{5, 3}, func(x graph.Value) graph.Value { return x.SliceAxis(0, 1, 4) }},
		{"SliceAxis of the last", []int{5, 3}, func(x graph.Value) graph.Value { return x.SliceAxis(1, 1, 3) }},
		{"At", []int{3, 4}, func(x graph.Value) graph.Value { return x.At(1, -1) }},
		{"elements multiplied", []int{3}, func(x graph.Value) graph.Value { return x.At(0).Mul(x.At(1)).Add(x.At(2).Exp()) }},
		{"Pad", []int{2, 3}, func(x graph.Value) graph.Value { return x.Pad([]int{1, 0}, []int{0, 2}, nil) }},
		{"Pad with gaps", []int{3, 4}, func(x graph.Value) graph.Value { return x.Pad([]int{0, 2}, []int{1, 0}, []int{2, 1}) }},
		{"Pad of a slice with steps", []int{7, 5}, func(x graph.Value) graph.Value {
			return x.Slice([]int{1, 0}, []int{7, 5}, []int{2, 2}).Pad([]int{1, 0}, []int{1, 0}, []int{1, 1})
		}},
		{"slices that tile an axis", []int{9}, func(x graph.Value) graph.Value {
			return x.SliceAxis(0, 0, 3).Mul(x.SliceAxis(0, 6, 9)).Add(x.SliceAxis(0, 3, 6).Exp())
		}},
		{"slices that leave gaps", []int{10, 2}, func(x graph.Value) graph.Value {
			return x.SliceAxis(0, 1, 4).Mul(x.SliceAxis(0, 6, 9))
		}},
		{"slices that overlap", []int{6, 2}, func(x graph.Value) graph.Value { return x.SliceAxis(0, 0, 4).Mul(x.SliceAxis(0, 2, 6)) }},
		{"slices of two axes", []int{4, 4}, func(x graph.Value) graph.Value { return x.SliceAxis(0, 0, 2).Reshape(4, 2).Mul(x.SliceAxis(1, 2, 4)) }},
		{"a slice and the whole", []int{6}, func(x graph.Value) graph.Value { return x.SliceAxis(0, 0, 3).Sum().Mul(x) }},
		{"a slice of a broadcast", []int{4, 1}, func(x graph.Value) graph.Value {
			return x.BroadcastTo(4, 6).SliceAxis(0, 1, 3).Mul(x.SliceAxis(0, 0, 2))
		}},
		{"a reshape of a transpose", []int{3, 4}, func(x graph.Value) graph.Value { return x.T().Reshape(3, 4).Mul(x) }},
	} {
		add(c.name, func(e *env) graph.Value { return c.f(e.x(c.shape...)) })
	}
	for axis := range 3 {
		add(fmt.Sprintf("Concat on axis %d", axis), func(e *env) graph.Value {
			s, r := []int{2, 3, 4}, []int{2, 3, 4}
			s[axis], r[axis] = 1, 5
			x := e.x(2, 3, 4)
			return graph.Concat(axis, x.Exp(), e.x(s...), x, e.x(r...).Tanh())
		})
	}
	add("Concat of the same twice", func(e *env) graph.Value { x := e.x(3, 2).Exp(); return graph.Concat(0, x, x, x.Neg()) })
	add("Concat of one", func(e *env) graph.Value { return graph.Concat(0, e.x(3)) })
	add("Concat of a concatenation and constants", func(e *env) graph.Value {
		x := e.x(3)
		return graph.Concat(0, graph.Concat(0, x.Exp(), x.Like(2).BroadcastTo(2)), x.Tanh(), e.b.ConstArray(e.dtype, []float64{1, -2}, 2))
	})
	add("a constant array", func(e *env) graph.Value {
		return e.x(2, 3).Mul(e.b.ConstArray(e.dtype, []float64{1, 2, 3, -1, 0.5, 0.25}, 2, 3)).Add(e.b.ConstArray(e.dtype, []float64{4, 5, 6}, 3))
	})
	add("Gather", func(e *env) graph.Value { return e.x(4, 5).Gather(e.labels(5, 4)) })
	add("Gather from a vector", func(e *env) graph.Value { return e.x(5).Exp().Gather(e.labels(5)) })
	add("Gather from a stack", func(e *env) graph.Value { return e.x(2, 3, 4).Gather(e.labels(4, 2, 3)) })
	add("scatter", func(e *env) graph.Value { return scatterOf(e.x(2, 3), e.labels(4, 2, 3), 4).Add(e.x(4)) })
	add("Gather by labels moved about", func(e *env) graph.Value {
		l := e.labels(3, 2, 6)
		return e.x(4, 3).Gather(l.T().Reshape(3, 4).SliceAxis(0, 1, 2).Reshape(4))
	})
}

// addLookups looks tables up by indices that repeat, leave rows out, and have any number of axes.
func addLookups(add adder) {
	for _, c := range []struct{ table, indices []int }{
		{[]int{4, 3}, []int{6}}, {[]int{5, 2}, []int{2, 3}}, {[]int{3}, []int{4}}, {[]int{4, 2, 3}, []int{5}}, {[]int{3, 4}, nil},
		{[]int{1, 3}, []int{2}}, {[]int{6, 1}, []int{3, 1, 2}}, {[]int{3, 20}, []int{2}},
	} {
		add(fmt.Sprintf("Rows of %v by %v", c.table, c.indices), func(e *env) graph.Value {
			return e.x(c.table...).Rows(e.labels(c.table[0], c.indices...))
		})
	}
	add("Rows of a result, scaled", func(e *env) graph.Value {
		table, l := e.x(4, 3), e.labels(4, 5)
		return table.Tanh().Rows(l).Mul(e.x(5, 1)).Add(table.Mean(0))
	})
	add("Rows of two tables by one index", func(e *env) graph.Value {
		l := e.labels(3, 4)
		return e.x(3, 2).Rows(l).Mul(e.x(3, 2).Exp().Rows(l))
	})
	add("Rows by indices moved about", func(e *env) graph.Value {
		l := e.labels(3, 2, 6)
		return e.x(3, 2).Rows(l.T().Reshape(3, 4).SliceAxis(0, 1, 2).Reshape(4))
	})
	add("rows added by index", func(e *env) graph.Value {
		table := e.x(4, 3)
		return graph.VJP([]graph.Value{table.Rows(e.labels(4, 2, 3))}, []graph.Value{e.x(2, 3, 3).Exp()}, []graph.Value{table})[0].Mul(table)
	})
}

func addReductions(add adder) {
	for _, axes := range [][]int{nil, {0}, {1}, {2}, {-1}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}} {
		for _, shape := range [][]int{{2, 3, 2}, {3, 4, 5}, {2, 1, 3}, {1, 4, 1}} {
			add(fmt.Sprintf("Sum over %v of %v", axes, shape), func(e *env) graph.Value { return e.x(shape...).Sum(axes...) })
			add(fmt.Sprintf("Mean over %v of %v", axes, shape), func(e *env) graph.Value { return e.x(shape...).Mean(axes...) })
			add(fmt.Sprintf("Amax over %v of %v", axes, shape), func(e *env) graph.Value { return e.apart(shape...).Amax(axes...) })
		}
	}
	add("Sum of a scalar", func(e *env) graph.Value { return e.x().Sum() })
	add("Amax of a scalar", func(e *env) graph.Value { return e.x().Amax() })
	add("Sum of a broadcast constant", func(e *env) graph.Value { return e.b.Const(e.dtype, 2).BroadcastTo(3, 4).Sum(0).Mul(e.x(4)) })
	add("Sum of a broadcast variable", func(e *env) graph.Value { return e.x(1, 4).BroadcastTo(3, 4).Sum(0) })
	add("reductions of four axes", func(e *env) graph.Value {
		x := e.x(2, 3, 2, 3)
		return x.Sum(0, 2).Add(x.Exp().Sum(1, 3).Sum()).Add(x.Mean(1, 2).Reshape(2, 3).Amax(0))
	})
}

func addProducts(add adder) {
	turn := func(v graph.Value, t bool) graph.Value {
		if t {
			return v.T()
		}
		return v
	}
	for _, batch := range [][]int{nil, {2}, {2, 3}} {
		for k := range 4 {
			ta, tb := k&1 != 0, k&2 != 0
			add(fmt.Sprintf("MatMul with batch %v, transposed %v %v", batch, ta, tb), func(e *env) graph.Value {
				s, r := append(append([]int{}, batch...), 3, 4), append(append([]int{}, batch...), 4, 2)
				n := len(batch)
				if ta {
					s[n], s[n+1] = 4, 3
				}
				if tb {
					r[n], r[n+1] = 2, 4
				}
				return turn(e.x(s...), ta).MatMul(turn(e.x(r...), tb))
			})
		}
	}
	add("MatMul of a matrix with its transpose", func(e *env) graph.Value { x := e.x(3, 4); return x.MatMul(x.T()).Add(x.T().MatMul(x).Sum()) })
	add("MatMul of one row", func(e *env) graph.Value { return e.x(1, 5).MatMul(e.x(5, 3)).Add(e.x(1, 1).MatMul(e.x(1, 3))) })
	add("sums of products", func(e *env) graph.Value {
		x, y, z := e.x(3, 3), e.x(3, 3), e.x(3, 3)
		return x.MatMul(y).Add(y.MatMul(z)).Add(z.MatMul(x).Add(x.MatMul(x)))
	})
	add("sums of products some of which are used again", func(e *env) graph.Value {
		x, y := e.x(3, 3), e.x(3, 3)
		p, q := x.MatMul(y), y.MatMul(x)
		return p.Add(q).Mul(p).Add(q.Add(q)).Sub(p.Add(x))
	})
	for _, c := range []struct {
		x, w [4]int
		spec graph.ConvSpec
	}{
		{[4]int{2, 4, 5, 2}, [4]int{3, 3, 2, 3}, graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}}},
		{[4]int{1, 5, 5, 1}, [4]int{3, 2, 1, 2}, graph.ConvSpec{}},
		{[4]int{2, 5, 4, 2}, [4]int{3, 3, 2, 2}, graph.ConvSpec{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}},
		{[4]int{1, 6, 5, 2}, [4]int{2, 3, 2, 1}, graph.ConvSpec{Stride: [2]int{2, 1}, Pad: [4]int{0, 2, 1, 0}}},
		{[4]int{1, 5, 6, 1}, [4]int{3, 3, 1, 2}, graph.ConvSpec{Stride: [2]int{1, 2}, Pad: [4]int{2, 0, 0, 1}}},
		{[4]int{2, 3, 3, 4}, [4]int{1, 1, 4, 3}, graph.ConvSpec{}},
		{[4]int{2, 4, 5, 2}, [4]int{1, 1, 2, 3}, graph.ConvSpec{Stride: [2]int{2, 2}}},
		{[4]int{1, 4, 4, 4}, [4]int{3, 3, 2, 6}, graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}, Groups: 2}},
		{[4]int{1, 5, 4, 3}, [4]int{3, 3, 1, 3}, graph.ConvSpec{Stride: [2]int{2, 2}, Pad: [4]int{1, 0, 1, 2}, Groups: 3}},
		{[4]int{1, 4, 3, 2}, [4]int{4, 3, 2, 2}, graph.ConvSpec{}},
		{[4]int{1, 7, 1, 1}, [4]int{2, 1, 1, 1}, graph.ConvSpec{Stride: [2]int{2, 1}}},
		{[4]int{2, 5, 6, 2}, [4]int{3, 2, 2, 3}, graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}, Dilation: [2]int{2, 3}}},
		{[4]int{1, 7, 6, 4}, [4]int{3, 3, 2, 4}, graph.ConvSpec{Stride: [2]int{2, 1}, Pad: [4]int{2, 2, 2, 2}, Groups: 2, Dilation: [2]int{2, 2}}},
		{[4]int{1, 6, 7, 2}, [4]int{2, 3, 2, 1}, graph.ConvSpec{Stride: [2]int{3, 2}, Pad: [4]int{0, 2, 1, 2}, Dilation: [2]int{2, 3}}},
		{[4]int{1, 4, 4, 2}, [4]int{1, 3, 2, 2}, graph.ConvSpec{Pad: [4]int{0, 2, 0, 2}, Dilation: [2]int{7, 2}}},
		{[4]int{1, 2, 2, 1}, [4]int{5, 5, 1, 1}, graph.ConvSpec{Pad: [4]int{3, 3, 3, 3}, Stride: [2]int{2, 2}}},
	} {
		add(fmt.Sprintf("Conv2D of %v with %v %+v", c.x, c.w, c.spec), func(e *env) graph.Value {
			return e.x(c.x[:]...).Conv2D(e.x(c.w[:]...), c.spec)
		})
	}
	add("sums of convolutions", func(e *env) graph.Value {
		x, w := e.x(1, 4, 4, 2), e.x(3, 3, 2, 2)
		spec := graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}}
		y := x.Conv2D(w, spec)
		return y.Add(y.Conv2D(w, spec)).Add(x.Conv2D(w.Tanh(), spec))
	})
}

func addPools(add adder) {
	for _, c := range []struct {
		shape [4]int
		spec  graph.PoolSpec
	}{
		{[4]int{2, 4, 4, 2}, graph.PoolSpec{Size: [2]int{2, 2}}},
		{[4]int{1, 5, 5, 2}, graph.PoolSpec{Size: [2]int{3, 3}, Stride: [2]int{1, 1}}},
		{[4]int{2, 5, 4, 1}, graph.PoolSpec{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}},
		{[4]int{1, 6, 5, 1}, graph.PoolSpec{Size: [2]int{2, 3}, Stride: [2]int{3, 1}, Pad: [4]int{1, 0, 0, 1}}},
		{[4]int{1, 5, 5, 1}, graph.PoolSpec{Size: [2]int{2, 2}}},
		{[4]int{1, 3, 3, 2}, graph.PoolSpec{Size: [2]int{3, 3}}},
		{[4]int{1, 6, 7, 2}, graph.PoolSpec{Size: [2]int{3, 2}, Stride: [2]int{1, 2}, Pad: [4]int{1, 2, 1, 0}, Dilation: [2]int{2, 3}}},
		{[4]int{1, 4, 5, 2}, graph.PoolSpec{Size: [2]int{3, 4}, Stride: [2]int{2, 3}, Pad: [4]int{0, 1, 2, 3}}},
		{[4]int{1, 3, 4, 1}, graph.PoolSpec{Size: [2]int{1, 1}, Stride: [2]int{2, 2}}},
	} {
		add(fmt.Sprintf("MaxPool of %v %+v", c.shape, c.spec), func(e *env) graph.Value { return e.apart(c.shape[:]...).MaxPool(c.spec) })
		add(fmt.Sprintf("AvgPool of %v %+v", c.shape, c.spec), func(e *env) graph.Value { return e.x(c.shape[:]...).AvgPool(c.spec) })
	}
}

func addComposed(add adder) {
	for _, s := range [][]int{{4}, {3, 4}, {5, 6}, {2, 3, 4}, {3, 1}} {
		add(fmt.Sprintf("LogSumExp of %v", s), func(e *env) graph.Value { return e.apart(s...).LogSumExp() })
		add(fmt.Sprintf("Softmax of %v", s), func(e *env) graph.Value { return e.apart(s...).Softmax() })
		add(fmt.Sprintf("LogSoftmax of %v", s), func(e *env) graph.Value { return e.apart(s...).LogSoftmax() })
		add(fmt.Sprintf("LayerNorm of %v", s), func(e *env) graph.Value {
			c := s[len(s)-1]
			return e.x(s...).LayerNorm(e.x(c), e.x(c), 1e-2)
		})
	}
	add("CrossEntropy", func(e *env) graph.Value { return e.apart(4, 5).CrossEntropy(e.labels(5, 4)) })
	add("CrossEntropy of large logits", func(e *env) graph.Value {
		x := e.apart(3, 4)
		return x.Add(x.Like(1000)).CrossEntropy(e.labels(4, 3))
	})
	add("BatchNorm of a table", func(e *env) graph.Value { y, m, v := e.x(6, 3).BatchNorm(e.x(3), e.x(3), 1e-2); return y.Add(m).Mul(v) })
	add("BatchNorm of images", func(e *env) graph.Value { y, _, _ := e.x(2, 3, 3, 2).BatchNorm(e.x(2), e.x(2), 1e-2); return y })
	add("Standardize over two axes", func(e *env) graph.Value { y, m, v := e.x(2, 3, 4).Standardize(1e-2, 0, 2); return y.Add(m.Mul(v)) })
	add("Standardize over all", func(e *env) graph.Value { y, _, _ := e.x(7).Standardize(1e-2); return y })
}

func TestCompiledValuesMatchTheOracle(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, op := range operations() {
			t.Run(fmt.Sprintf("%v %s", dtype, op.name), func(t *testing.T) {
				e := newEnv(dtype)
				y := op.build(e)
				outs := append([]graph.Value{y}, graph.Grad(y.Mul(y).Sum(), e.xs...)...)
				got, want := e.compile(t, Options{Threads: 2}, outs...).eval(t), e.expect(t, outs...)
				for i := range outs {
					near(t, fmt.Sprintf("output %d", i), got[i], want[i], tolerance(dtype))
				}
			})
		}
	}
}

func TestStoppedGradientsAreZero(t *testing.T) {
	e := newEnv(graph.Float64)
	x := e.x(3)
	y := x.StopGradient().Mul(x.Tanh()).Add(x.Exp().StopGradient()).Add(x.StopGradient().StopGradient())
	g := graph.Grad(y.Sum(), x)[0]
	j := graph.NewJet()
	j.Set(x, func(a, _ int) graph.Value { return x.Like(float64(2 - a)).BroadcastTo(3) })
	outs := []graph.Value{g, graph.JVP([]graph.Value{y}, []graph.Value{x}, []graph.Value{x.Like(1).BroadcastTo(3)})[0], j.Coef(y, 1, 0), y}
	got := e.compile(t, Options{}, outs...).eval(t)
	for i, v := range e.data[x.Node()] {
		th := math.Tanh(v)
		want := v * (1 - th*th)
		for k := range 3 {
			near(t, fmt.Sprintf("derivative %d", k), got[k][i:i+1], []float64{want}, 1e-14)
		}
		near(t, "value", got[3][i:i+1], []float64{v*th + math.Exp(v) + v}, 1e-14)
	}
}

// TestDerivativesOfEveryOperation checks Grad, JVP and Jet against difference quotients and, composed in every order, against each
// other, for L = sum(w y + 0.3 y^2), whose second derivative does not vanish where y is linear.
func TestDerivativesOfEveryOperation(t *testing.T) {
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			checkDerivatives(t, e, op.build(e))
		})
	}
}

func checkDerivatives(t *testing.T, e *env, y graph.Value) {
	xs := e.xs
	w := e.weights(y.Shape()...)
	u, v := e.direction(xs), e.direction(xs)
	loss := y.Mul(w).Add(y.Square().Mul(y.Like(0.3))).Sum()
	g := graph.Grad(loss, xs...)
	du := func(y graph.Value) graph.Value { return graph.JVP([]graph.Value{y}, xs, u)[0] }
	dv := func(y graph.Value) graph.Value { return graph.JVP([]graph.Value{y}, xs, v)[0] }

	s := differences{t: t, e: e, n: len(xs)}
	// First by difference quotients, along u and v.
	s.quotient("JVP of y", y, u, []graph.Value{du(y)}, 1e-8)
	s.quotient("JVP of the loss", loss, v, []graph.Value{dv(loss)}, 1e-8)
	s.partials("Grad", loss, g, 1e-8)
	hu, hv := graph.JVP(g, xs, u), graph.JVP(g, xs, v)
	third := graph.JVP(hu, xs, v)
	s.quotients("JVP of Grad", g, u, hu, 1e-8)
	s.quotients("JVP of JVP of Grad", hu, v, third, 1e-7)

	// Then the other orders, against these.
	s.same("Grad of Grad", graph.Grad(inner(g, u), xs...), hu)
	s.same("Grad of JVP", graph.Grad(du(loss), xs...), hu)
	s.same("JVP of JVP", []graph.Value{dv(du(loss))}, []graph.Value{inner(hv, u)})
	s.same("symmetry", []graph.Value{inner(hu, v)}, []graph.Value{inner(hv, u)})
	s.same("Grad of JVP of JVP", graph.Grad(dv(du(loss)), xs...), third)
	s.same("Grad of Grad of Grad", graph.Grad(inner(graph.Grad(inner(g, u), xs...), v), xs...), third)
	checkJets(&s, y, loss, g, u, v)
	s.verify()
}

func checkJets(s *differences, y, loss graph.Value, g, u, v []graph.Value) {
	xs := s.e.xs[:s.n]
	line, plane := graph.NewJet(), graph.NewJet()
	for i, x := range xs {
		line.Set(x, func(a, _ int) graph.Value { return [...]graph.Value{1: u[i], 2: {}, 3: {}, 4: {}}[a] })
		plane.Set(x, func(a, b int) graph.Value {
			switch {
			case a == 1 && b == 0:
				return u[i]
			case a == 0 && b == 1:
				return v[i]
			}
			return graph.Value{}
		})
	}
	du := func(y graph.Value) graph.Value { return graph.JVP([]graph.Value{y}, xs, u)[0] }
	dv := func(y graph.Value) graph.Value { return graph.JVP([]graph.Value{y}, xs, v)[0] }
	d := y
	for k := 1; k <= 4; k++ {
		d = du(d)
		s.same(fmt.Sprintf("Jet of degree %d", k), []graph.Value{line.Coef(y, k, 0)}, []graph.Value{d.Div(d.Like(math.Gamma(float64(k + 1))))})
	}
	for a := 0; a <= 3; a++ {
		for b := 0; a+b <= 3; b++ {
			d := y
			for range a {
				d = du(d)
			}
			for range b {
				d = dv(d)
			}
			d = d.Div(d.Like(math.Gamma(float64(a+1)) * math.Gamma(float64(b+1))))
			s.same(fmt.Sprintf("Jet of degree %d in t, %d in h", a, b), []graph.Value{plane.Coef(y, a, b)}, []graph.Value{d})
		}
	}
	hu := graph.JVP(g, xs, u)
	third := graph.JVP(hu, xs, u)
	var c1, c2, half []graph.Value
	for i := range g {
		c1, c2 = append(c1, line.Coef(g[i], 1, 0)), append(c2, line.Coef(g[i], 2, 0))
		half = append(half, third[i].Mul(third[i].Like(0.5)))
	}
	s.same("Jet of Grad, degree 1", c1, hu)
	s.same("Jet of Grad, degree 2", c2, half)
	s.same("Grad of Jet, degree 1", graph.Grad(line.Coef(loss, 1, 0), xs...), hu)
	s.same("Grad of Jet, degree 2", graph.Grad(line.Coef(loss, 2, 0), xs...), half)
	s.same("JVP of Jet", []graph.Value{dv(line.Coef(loss, 1, 0))}, []graph.Value{inner(hu, v)})
	s.same("Jet of JVP", []graph.Value{line.Coef(dv(loss), 1, 0)}, []graph.Value{inner(hu, v)})
}

// inner is the inner product of two lists of arrays.
func inner(x, y []graph.Value) graph.Value {
	s := x[0].Mul(y[0]).Sum()
	for i := 1; i < len(x); i++ {
		s = s.Add(x[i].Mul(y[i]).Sum())
	}
	return s
}

// stencil is the central difference of fourth order, times 12.
var stencil = []struct{ at, c float64 }{{1, 8}, {-1, -8}, {2, -1}, {-2, 1}}

const spacing = 5e-4

// differences collects claims about values, and checks them all through compiled programs.
type differences struct {
	t      *testing.T
	e      *env
	n      int // number of variables
	claims []claim
}

type claim struct {
	name      string
	got, want []graph.Value // want is nil for a difference quotient
	of        []graph.Value // the values differenced
	along     []graph.Value // nil: by every variable in turn, got being the gradient
	tol       float64
}

func (s *differences) same(name string, got, want []graph.Value) {
	s.claims = append(s.claims, claim{name: name, got: got, want: want, tol: 1e-9})
}

func (s *differences) quotient(name string, of graph.Value, along, got []graph.Value, tol float64) {
	s.quotients(name, []graph.Value{of}, along, got, tol)
}

func (s *differences) quotients(name string, of, along, got []graph.Value, tol float64) {
	s.claims = append(s.claims, claim{name: name, got: got, of: of, along: along, tol: tol})
}

func (s *differences) partials(name string, of graph.Value, got []graph.Value, tol float64) {
	s.claims = append(s.claims, claim{name: name, got: got, of: []graph.Value{of}, tol: tol})
}

func (s *differences) verify() {
	t := s.t
	t.Helper()
	var all, differenced []graph.Value
	for _, c := range s.claims {
		all = append(append(all, c.got...), c.want...)
		differenced = append(differenced, c.of...)
	}
	if err := s.e.b.Err(); err != nil {
		t.Fatal(err)
	}
	values := s.e.compile(t, Options{Threads: 1}, all...).eval(t)
	expected := s.e.expect(t, all...)
	for i := range all {
		near(t, fmt.Sprintf("output %d against the oracle", i), values[i], expected[i], 1e-10)
	}
	p := s.e.compile(t, Options{Threads: 1}, differenced...)
	at, of := 0, 0
	take := func(n int) []float64 { at += n; return flatten(values[at-n : at]) }
	for _, c := range s.claims {
		got, want := take(len(c.got)), take(len(c.want))
		switch {
		case c.of == nil:
		case c.along != nil:
			want = s.along(p, of, of+len(c.of), c.along)
		default:
			want = s.gradient(p, of)
		}
		of += len(c.of)
		near(t, c.name, got, want, c.tol)
	}
}

// along is the derivative of outputs from to to along a direction, by a central difference of fourth order.
func (s *differences) along(p *prog, from, to int, dir []graph.Value) []float64 {
	out := make([]float64, len(flatten(numbers(p.out[from:to]))))
	for _, step := range stencil {
		for i, x := range s.e.xs[:s.n] {
			for j, d := range s.e.data[dir[i].Node()] {
				p.in[i].f64[j] = s.e.data[x.Node()][j] + step.at*spacing*d
			}
		}
		for j, y := range flatten(p.eval(s.t)[from:to]) {
			out[j] += step.c * y / (12 * spacing)
		}
	}
	for i, x := range s.e.xs[:s.n] {
		copy(p.in[i].f64, s.e.data[x.Node()])
	}
	return out
}

func numbers(bs []Buffer) [][]float64 {
	var out [][]float64
	for _, b := range bs {
		out = append(out, get64(b))
	}
	return out
}

// gradient is the gradient of a scalar output, by central differences of fourth order.
func (s *differences) gradient(p *prog, output int) []float64 {
	var out []float64
	for i := range s.e.xs[:s.n] {
		for j, x := range p.in[i].f64 {
			sum := 0.0
			for _, step := range stencil {
				p.in[i].f64[j] = x + step.at*spacing
				if err := p.Run(p.in, p.out); err != nil {
					s.t.Fatal(err)
				}
				sum += step.c * p.out[output].f64[0]
			}
			p.in[i].f64[j] = x
			out = append(out, sum/(12*spacing))
		}
	}
	return out
}
