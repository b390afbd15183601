package engine

import "shadowflow/graph"

// grower turns bytes into a program: operations on the values made so far.
type grower struct {
	e      *env
	data   []byte
	values []graph.Value
	wild   bool // operands need not fit
}

func newGrower(data []byte) *grower {
	g := &grower{e: newEnv(graph.Float64), data: data}
	shapes := [][]int{{}, {3}, {2, 3}, {3, 1}, {17}, {4, 5}, {2, 3, 4}, {1, 4, 4, 2}, {6, 7}, {40, 30}, {1, 1}, {2, 2, 2, 2}, {700, 2}, {3, 600}}
	g.wild = g.choose(16) == 1
	for range 2 + g.choose(2) {
		g.values = append(g.values, g.e.x(shapes[g.choose(len(shapes))]...))
	}
	return g
}

// choose takes the next byte as a number below n; 0 when none is left.
func (g *grower) choose(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := int(g.data[0])
	g.data = g.data[1:]
	return b % n
}

func (g *grower) value() graph.Value { return g.values[len(g.values)-1-g.choose(len(g.values))] }

// partner is a value that fits v, unless the program is a wild one.
func (g *grower) partner(v graph.Value) graph.Value {
	switch k := g.choose(4); {
	case k == 0 && g.wild:
		return g.value()
	case k == 1:
		return v.Like(float64(g.choose(7)-3) / 2)
	}
	for i := len(g.values) - 1; i >= 0; i-- {
		w := g.values[i]
		if fitting(v.Shape(), w.Shape()) && w.Node() != v.Node() && (g.choose(2) == 0 || i == 0) {
			return w
		}
	}
	return v
}

// fitting reports whether arrays of the shapes broadcast to one shape.
func fitting(a, b []int) bool {
	for i := 1; i <= min(len(a), len(b)); i++ {
		if x, y := a[len(a)-i], b[len(b)-i]; x != y && x != 1 && y != 1 {
			return false
		}
	}
	return true
}

func (g *grower) grow() {
	for steps := 0; len(g.data) > 4 && steps < 24; steps++ {
		v := g.step(g.value())
		if !v.Valid() {
			return
		}
		if v.Size() < 20000 {
			g.values = append(g.values, v)
		}
	}
}

var unaries = []func(graph.Value) graph.Value{
	graph.Value.Neg, graph.Value.Exp, graph.Value.Tanh, graph.Value.Sigmoid, graph.Value.Erf, graph.Value.Relu, graph.Value.Abs,
	graph.Value.Sign, graph.Value.Square,
	graph.Value.Gelu, graph.Value.Silu, graph.Value.Alias, graph.Value.StopGradient, stepOf,
	func(v graph.Value) graph.Value { return v.Square().Add(v.Like(1)).Sqrt() },
	func(v graph.Value) graph.Value { return v.Abs().Add(v.Like(0.5)).Log() },
	func(v graph.Value) graph.Value { return v.Square().Log1p() }, func(v graph.Value) graph.Value { return v.Square().Add(v.Like(0.5)).Rsqrt() },
	func(v graph.Value) graph.Value { return v.Sigmoid().Add(v.Like(0.5)).Recip() },
	func(v graph.Value) graph.Value { return v.Square().Add(v.Like(0.25)).Pow(1.5) },
}

var binaries = []func(v, w graph.Value) graph.Value{
	graph.Value.Add, graph.Value.Sub, graph.Value.Mul, graph.Value.Max, graph.Value.Min, graph.Value.Greater, graph.Value.GreaterEqual,
	// Whether two rounded numbers are equal depends on how they were rounded.
	func(v, w graph.Value) graph.Value { return v.Equal(v.Abs()).Add(w) },
	func(v, w graph.Value) graph.Value { return v.Div(w.Square().Add(w.Like(1))) },
	func(v, w graph.Value) graph.Value { return graph.Select(v.Greater(w), v.Mul(w), w) },
	func(v, w graph.Value) graph.Value { return v.Add(w).Mul(v.Sub(w)) },
}

// step applies one operation.
func (g *grower) step(v graph.Value) graph.Value {
	rank := len(v.Shape())
	op := g.choose(28)
	switch {
	case op < 6:
		return unaries[g.choose(len(unaries))](v)
	case op < 12:
		return binaries[g.choose(len(binaries))](v, g.partner(v))
	case op == 26:
		return g.derivative(v)
	case op == 27 || rank == 0:
		return v.BroadcastTo(append([]int{1 + g.choose(3)}, v.Shape()...)...)
	case op == 22 && rank >= 2:
		return g.product(v)
	case op == 23 && rank == 4:
		return g.image(v)
	}
	return g.along(v, op, g.choose(rank))
}

// along applies an operation that has to do with an axis.
func (g *grower) along(v graph.Value, op, axis int) graph.Value {
	rank := len(v.Shape())
	switch op {
	case 12, 13, 14:
		f := []func(graph.Value, ...int) graph.Value{graph.Value.Sum, graph.Value.Mean, graph.Value.Amax}[op-12]
		switch k := g.choose(3); {
		case k == 0:
			return f(v)
		case k == 1 && rank > 1:
			return f(v, axis, (axis+1)%rank)
		}
		return f(v, axis)
	case 15:
		return v.Reshape(-1)
	case 16:
		return g.transpose(v)
	case 17:
		return g.slice(v)
	case 18:
		low, high, gap := make([]int, rank), make([]int, rank), make([]int, rank)
		low[axis], high[axis], gap[axis] = g.choose(3), g.choose(3), g.choose(2)
		return v.Pad(low, high, gap)
	case 19:
		if g.wild {
			return graph.Concat(axis, v, g.value(), v)
		}
		return graph.Concat(axis, v, v.Tanh().Mul(v.Like(2)), v)
	case 20:
		return graph.Concat(axis, v, v.Exp(), v.SliceAxis(axis, 0, 1))
	case 21:
		return g.gather(v)
	case 24:
		return []func(graph.Value) graph.Value{graph.Value.Softmax, graph.Value.LogSumExp, graph.Value.LogSoftmax}[g.choose(3)](v)
	}
	y, _, _ := v.Standardize(0.5, axis)
	return y
}

func (g *grower) transpose(v graph.Value) graph.Value {
	rank := len(v.Shape())
	axes := make([]int, rank)
	by := g.choose(rank)
	for i := range axes {
		axes[i] = (i + by) % rank
	}
	if rank > 2 && g.choose(2) == 1 {
		axes[0], axes[1] = axes[1], axes[0]
	}
	return v.Transpose(axes...)
}

func (g *grower) slice(v graph.Value) graph.Value {
	shape := v.Shape()
	start, stop, step := make([]int, len(shape)), make([]int, len(shape)), make([]int, len(shape))
	for i, d := range shape {
		start[i] = g.choose(d)
		stop[i] = d - g.choose(d-start[i])
		step[i] = 1 + g.choose(3)
	}
	return v.Slice(start, stop, step)
}

func (g *grower) gather(v graph.Value) graph.Value {
	shape := v.Shape()
	last := len(shape) - 1
	l := g.e.labels(shape[last], shape[:last]...)
	if len(shape) < 5 && g.choose(2) == 0 {
		return v.Rows(g.e.labels(shape[0], [][]int{{}, {1}, {3}, {2, 2}, {40}}[g.choose(5)]...))
	}
	if g.choose(3) == 0 {
		return scatterOf(v.Gather(l), l, shape[last])
	}
	return v.Gather(l)
}

func (g *grower) product(v graph.Value) graph.Value {
	switch k := g.choose(4); {
	case k == 0:
		return v.MatMul(v.T())
	case k == 1:
		return v.T().MatMul(v)
	case k == 2:
		p := v.T().MatMul(v)
		return p.Add(v.T().MatMul(v.Exp())).Add(p.Tanh().T())
	case g.wild:
		return v.MatMul(g.value())
	}
	rank := len(v.Shape())
	w := g.e.x(append(v.Shape()[:rank-2], v.Shape()[rank-1], 1+g.choose(9))...)
	return v.MatMul(w)
}

func (g *grower) image(v graph.Value) graph.Value {
	shape := v.Shape()
	pad := [4]int{g.choose(2), g.choose(2), g.choose(2), g.choose(2)}
	if !g.wild && min(shape[1], shape[2]) < 3 {
		return v.Square()
	}
	switch g.choose(3) {
	case 0:
		return v.MaxPool(graph.PoolSpec{Size: [2]int{2, 1 + g.choose(2)}, Stride: [2]int{g.choose(3), 1}, Pad: [4]int{pad[0], 0, pad[2], 0}})
	case 1:
		return v.AvgPool(graph.PoolSpec{Size: [2]int{2, 2}, Stride: [2]int{1, 1 + g.choose(2)}, Pad: pad})
	}
	w := g.e.x(1+g.choose(3), 1+g.choose(2), shape[3], 1+g.choose(3))
	return v.Conv2D(w, graph.ConvSpec{Stride: [2]int{1 + g.choose(2), 1}, Pad: pad})
}

// derivative takes a gradient, a tangent or a coefficient of what v is made from.
func (g *grower) derivative(v graph.Value) graph.Value {
	x := g.value()
	switch g.choose(3) {
	case 0:
		return graph.Grad(v.Sum(), x)[0]
	case 1:
		return graph.JVP([]graph.Value{v}, []graph.Value{x}, []graph.Value{g.e.weights(x.Shape()...)})[0]
	}
	j := graph.NewJet()
	dx := g.e.weights(x.Shape()...)
	j.Set(x, func(a, b int) graph.Value {
		if a+b == 1 {
			return dx.Mul(dx.Like(float64(1 + b)))
		}
		return graph.Value{}
	})
	return j.Coef(v, g.choose(3), g.choose(2))
}

// results are the values to compute: the later half of those made, and derivatives of the last.
func (g *grower) results() []graph.Value {
	outs := append([]graph.Value{}, g.values[len(g.values)/2:]...)
	if g.e.b.Err() == nil {
		last := g.values[len(g.values)-1]
		grad := graph.Grad(last.Square().Mean(), g.e.xs...)
		dirs := g.e.direction(g.e.xs)
		outs = append(append(outs, grad...), graph.JVP(grad, g.e.xs, dirs)...)
	}
	return outs
}

// elements counts those of all arrays that outs are made from.
func elements(outs []graph.Value) int {
	n := 0
	for _, m := range live(nodesOf(outs)) {
		n += m.Size()
	}
	return n
}

func nodesOf(vs []graph.Value) []*graph.Node {
	var ns []*graph.Node
	for _, v := range vs {
		ns = append(ns, v.Node())
	}
	return ns
}
