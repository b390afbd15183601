package graph

import (
	"math"
	"math/rand/v2"
	"testing"
)

// FuzzPrograms builds programs from bytes: operations on the values made so far, then derivatives of what came out. Nothing may
// panic, and what compiles must equal what the oracle makes of the same operations.
func FuzzPrograms(f *testing.F) {
	for _, seed := range []string{
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "shadowflow", "\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0",
		"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", "0123456789abcdefghijklmnopqrstuvwxyz",
		"the same inputs give the same bits on any number of cores", "\x01\x33\x02\x44\x0b\x07\x01\x1c\x02\x15\x03\x0a\x2d\x00\x01\x2e\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkProgramOf)
}

func TestRandomProgramsMatchTheOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for range 400 {
		data := make([]byte, 10+rng.IntN(150))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if checkProgramOf(t, data); t.Failed() {
			t.Fatalf("the program of %q", data)
		}
	}
}

// checkProgramOf builds the program of the bytes and compares it with the oracle.
func checkProgramOf(t *testing.T, data []byte) {
	g := newGrower(data)
	g.grow()
	outs := g.results()
	if err := g.e.b.Err(); err != nil {
		if _, again := Compile(g.e.inputs(), outs, Options{}); again != err {
			t.Fatalf("Compile returns %v: want %v", again, err)
		}
		return
	}
	if g.elements() > 2e5 {
		return
	}
	got := g.e.compile(t, Options{Threads: 1 + len(data)%2}, outs...).eval(t)
	want := g.e.expect(t, outs...)
	for runs := 3; !g.determined(t, outs, got, want, runs, runs > 30); runs *= 4 {
	}
}

// determined reports whether each number got is as near the one wanted as the rounding of intermediate results allows, which it
// finds out from runs of the oracle with noise a few hundred times the rounding of float64. More runs find more jumps.
func (g *grower) determined(t *testing.T, outs []Value, got, want [][]float64, runs int, final bool) bool {
	spread := make([][]float64, len(outs))
	for range runs {
		o := oracle{values: map[*node][]float64{}, noise: func() float64 { return 1e-13 * (2*g.e.rng.Float64() - 1) }}
		for n, d := range g.e.data {
			o.values[n] = d
		}
		for k, v := range outs {
			noisy, err := o.eval(v.n)
			if err != nil {
				t.Fatal(err)
			}
			if spread[k] == nil {
				spread[k] = make([]float64, len(noisy))
			}
			for i, x := range noisy {
				if same(x, want[k][i]) {
					continue
				}
				if d := math.Abs(x - want[k][i]); d > spread[k][i] || math.IsNaN(d) {
					spread[k][i] = d
				}
			}
		}
	}
	for k := range outs {
		for i, w := range want[k] {
			s := spread[k][i]
			off := math.Abs(got[k][i] - w)
			if same(got[k][i], w) || math.IsNaN(s) || off <= 10*s+1e-11*(1+math.Abs(w)) {
				continue
			}
			if final {
				t.Errorf("output %d of %d (%s %v), element %d: got %v, want %v within %v", k, len(outs), outs[k].n.prim.name, outs[k].Shape(), i, got[k][i], w, s)
				return true
			}
			return false
		}
	}
	return true
}

// same reports whether two numbers are equal, or both NaN.
func same(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) }

// grower turns bytes into choices.
type grower struct {
	e      *env
	data   []byte
	values []Value
	wild   bool // operands need not fit
}

func newGrower(data []byte) *grower {
	g := &grower{e: newEnv(Float64), data: data}
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

func (g *grower) value() Value { return g.values[len(g.values)-1-g.choose(len(g.values))] }

// partner is a value that often fits v: of its shape if there is one at hand.
func (g *grower) partner(v Value) Value {
	switch k := g.choose(4); {
	case k == 0 && g.wild:
		return g.value()
	case k == 1:
		return v.Like(float64(g.choose(7)-3) / 2)
	}
	for i := len(g.values) - 1; i >= 0; i-- {
		w := g.values[i]
		if _, ok := broadcastShape(v.n.shape, w.n.shape); ok && w.n != v.n && (g.choose(2) == 0 || i == 0) {
			return w
		}
	}
	return v
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

var unaries = []func(Value) Value{Value.Neg, Value.Exp, Value.Tanh, Value.Sigmoid, Value.Erf, Value.Relu, Value.Abs, Value.Sign, Value.Square,
	Value.Gelu, Value.Silu, Value.Alias, Value.StopGradient, Value.step,
	func(v Value) Value { return v.Square().Add(v.Like(1)).Sqrt() }, func(v Value) Value { return v.Abs().Add(v.Like(0.5)).Log() },
	func(v Value) Value { return v.Square().Log1p() }, func(v Value) Value { return v.Square().Add(v.Like(0.5)).Rsqrt() },
	func(v Value) Value { return v.Sigmoid().Add(v.Like(0.5)).Recip() }, func(v Value) Value { return v.Square().Add(v.Like(0.25)).Pow(1.5) }}

var binaries = []func(v, w Value) Value{Value.Add, Value.Sub, Value.Mul, Value.Max, Value.Min, Value.Greater, Value.GreaterEqual, Value.Equal,
	func(v, w Value) Value { return v.Div(w.Square().Add(w.Like(1))) }, func(v, w Value) Value { return Select(v.Greater(w), v.Mul(w), w) },
	func(v, w Value) Value { return v.Add(w).Mul(v.Sub(w)) }}

// step applies one operation.
func (g *grower) step(v Value) Value {
	shape := v.Shape()
	rank := len(shape)
	axis := 0
	if rank > 0 {
		axis = g.choose(rank)
	}
	switch op := g.choose(28); {
	case op < 6:
		return unaries[g.choose(len(unaries))](v)
	case op < 12:
		return binaries[g.choose(len(binaries))](v, g.partner(v))
	case op < 15 && rank > 0:
		f := []func(Value, ...int) Value{Value.Sum, Value.Mean, Value.Amax}[op-12]
		switch g.choose(3) {
		case 0:
			return f(v)
		case 1:
			if rank > 1 {
				return f(v, axis, (axis+1)%rank)
			}
		}
		return f(v, axis)
	case op == 15:
		return v.Reshape(-1)
	case op == 16 && rank > 0:
		return g.transpose(v)
	case op == 17 && rank > 0:
		return g.slice(v)
	case op == 18 && rank > 0:
		low, high, gap := make([]int, rank), make([]int, rank), make([]int, rank)
		low[axis], high[axis], gap[axis] = g.choose(3), g.choose(3), g.choose(2)
		return v.Pad(low, high, gap)
	case op == 19 && rank > 0:
		if g.wild {
			return Concat(axis, v, g.value(), v)
		}
		return Concat(axis, v, v.Tanh().Mul(v.Like(2)), v)
	case op == 20 && rank > 0:
		return Concat(axis, v, v.Exp(), v.SliceAxis(axis, 0, 1))
	case op == 21 && rank > 0:
		return g.gather(v)
	case op == 22 && rank >= 2:
		return g.product(v)
	case op == 23 && rank == 4:
		return g.image(v)
	case op == 24 && rank > 0:
		return []func(Value) Value{Value.Softmax, Value.LogSumExp, Value.LogSoftmax}[g.choose(3)](v)
	case op == 25 && rank > 0:
		y, _, _ := v.Standardize(0.5, axis)
		return y
	case op == 26:
		return g.derivative(v)
	}
	return v.BroadcastTo(append([]int{1 + g.choose(3)}, shape...)...)
}

func (g *grower) transpose(v Value) Value {
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

func (g *grower) slice(v Value) Value {
	shape := v.Shape()
	start, stop, step := make([]int, len(shape)), make([]int, len(shape)), make([]int, len(shape))
	for i, d := range shape {
		start[i] = g.choose(d)
		stop[i] = d - g.choose(d-start[i])
		step[i] = 1 + g.choose(3)
	}
	return v.Slice(start, stop, step)
}

func (g *grower) gather(v Value) Value {
	shape := v.Shape()
	last := len(shape) - 1
	l := g.e.labels(shape[last], shape[:last]...)
	if g.choose(3) == 0 {
		return v.Gather(l).scatter(l, shape[last])
	}
	return v.Gather(l)
}

func (g *grower) product(v Value) Value {
	switch g.choose(4) {
	case 0:
		return v.MatMul(v.T())
	case 1:
		return v.T().MatMul(v)
	case 2:
		p := v.T().MatMul(v)
		return p.Add(v.T().MatMul(v.Exp())).Add(p.Tanh().T())
	}
	if g.wild {
		return v.MatMul(g.value())
	}
	rank := len(v.Shape())
	w := g.e.x(append(v.Shape()[:rank-2], v.Shape()[rank-1], 1+g.choose(9))...)
	return v.MatMul(w)
}

func (g *grower) image(v Value) Value {
	shape := v.Shape()
	pad := [4]int{g.choose(2), g.choose(2), g.choose(2), g.choose(2)}
	if !g.wild && min(shape[1], shape[2]) < 3 {
		return v.Square()
	}
	switch g.choose(3) {
	case 0:
		return v.MaxPool(PoolSpec{Size: [2]int{2, 1 + g.choose(2)}, Stride: [2]int{g.choose(3), 1}, Pad: [4]int{pad[0], 0, pad[2], 0}})
	case 1:
		return v.AvgPool(PoolSpec{Size: [2]int{2, 2}, Stride: [2]int{1, 1 + g.choose(2)}, Pad: pad})
	}
	w := g.e.x(1+g.choose(3), 1+g.choose(2), shape[3], 1+g.choose(3))
	return v.Conv2D(w, ConvSpec{Stride: [2]int{1 + g.choose(2), 1}, Pad: pad})
}

// derivative takes a gradient, a tangent or a coefficient of what v is made from.
func (g *grower) derivative(v Value) Value {
	x := g.value()
	switch g.choose(3) {
	case 0:
		return Grad(v.Sum(), x)[0]
	case 1:
		return JVP([]Value{v}, []Value{x}, []Value{g.e.weights(x.Shape()...)})[0]
	}
	j := NewJet()
	dx := g.e.weights(x.Shape()...)
	j.Set(x, func(a, b int) Value {
		if a+b == 1 {
			return dx.Mul(dx.Like(float64(1 + b)))
		}
		return Value{}
	})
	return j.Coef(v, g.choose(3), g.choose(2))
}

// results are the values to compute: the last ones, some in the middle, and derivatives of the last.
func (g *grower) results() []Value {
	outs := append([]Value{}, g.values[len(g.values)/2:]...)
	if g.e.b.Err() == nil {
		last := g.values[len(g.values)-1]
		grad := Grad(last.Square().Mean(), g.e.xs...)
		dirs := g.e.direction(g.e.xs)
		outs = append(append(outs, grad...), JVP(grad, g.e.xs, dirs)...)
	}
	return outs
}

func (g *grower) elements() int {
	n := 0
	for _, m := range g.e.b.nodes {
		n += m.size()
	}
	return n
}
