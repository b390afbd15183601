package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/graph"
)

// env is a builder together with the data of its parameters.
type env struct {
	b     *graph.Builder
	dtype graph.DType
	rng   *rand.Rand
	xs    []graph.Value // what derivatives are taken by
	fixed []graph.Value // labels, masks, directions
	data  map[*graph.Node][]float64
}

func newEnv(dtype graph.DType) *env {
	return &env{b: graph.NewBuilder(), dtype: dtype, rng: rand.New(rand.NewPCG(7, 11)), data: map[*graph.Node][]float64{}}
}

func (e *env) hold(v graph.Value, f func(i int) float64) graph.Value {
	d := make([]float64, v.Size())
	for i := range d {
		if d[i] = f(i); e.dtype == graph.Float32 {
			d[i] = float64(float32(d[i]))
		}
	}
	e.data[v.Node()] = d
	return v
}

// x adds a variable of standard normal numbers.
func (e *env) x(shape ...int) graph.Value {
	v := e.b.Param(fmt.Sprintf("x%d", len(e.xs)), e.dtype, shape...)
	e.xs = append(e.xs, v)
	return e.hold(v, func(int) float64 { return e.rng.NormFloat64() })
}

// positive adds a variable of numbers between 0.5 and 2.
func (e *env) positive(shape ...int) graph.Value {
	return e.hold(e.x(shape...), func(int) float64 { return 0.5 + 1.5*e.rng.Float64() })
}

// apart adds a variable of different numbers of either sign, far from zero and from each other: no step of a difference quotient
// crosses a kink.
func (e *env) apart(shape ...int) graph.Value {
	v := e.x(shape...)
	order := e.rng.Perm(v.Size())
	return e.hold(v, func(i int) float64 { return (float64(order[i]) - float64(v.Size()/2) + 0.5) * 0.11 })
}

// direction adds constants of standard normal numbers, one array for each of the variables.
func (e *env) direction(like []graph.Value) []graph.Value {
	var out []graph.Value
	for _, x := range like {
		out = append(out, e.weights(x.Shape()...))
	}
	return out
}

// weights adds an array of standard normal numbers that no derivative is taken by.
func (e *env) weights(shape ...int) graph.Value {
	v := e.b.Param(fmt.Sprintf("w%d", len(e.fixed)), e.dtype, shape...)
	e.fixed = append(e.fixed, v)
	return e.hold(v, func(int) float64 { return e.rng.NormFloat64() })
}

// mask adds an array of zeros and ones that no derivative is taken by.
func (e *env) mask(shape ...int) graph.Value {
	return e.hold(e.weights(shape...), func(int) float64 { return float64(e.rng.IntN(2)) })
}

func (e *env) labels(classes int, shape ...int) graph.Value {
	v := e.b.Param("labels", graph.Int32, shape...)
	e.fixed = append(e.fixed, v)
	return e.hold(v, func(int) float64 { return float64(e.rng.IntN(classes)) })
}

// stepOf is 1 where v > 0, else 0: the derivative of its relu.
func stepOf(v graph.Value) graph.Value { return graph.Grad(v.Relu().Sum(), v)[0] }

// scatterOf puts each element of v where its label says along a new last axis, zeros elsewhere: the transpose of Gather.
func scatterOf(v, labels graph.Value, classes int) graph.Value {
	x := v.Like(0).BroadcastTo(append(v.Shape(), classes)...)
	return graph.VJP([]graph.Value{x.Gather(labels)}, []graph.Value{v}, []graph.Value{x})[0]
}

func (e *env) inputs() []graph.Value { return append(append([]graph.Value{}, e.xs...), e.fixed...) }

// prog is a compiled program with its buffers.
type prog struct {
	*Program
	in, out []Buffer
}

func (e *env) compile(t testing.TB, opt Options, outs ...graph.Value) *prog {
	t.Helper()
	p, err := Compile(e.inputs(), outs, opt)
	if err != nil {
		t.Fatal(err)
	}
	c := &prog{Program: p}
	for _, v := range e.inputs() {
		c.in = append(c.in, NewBuffer(v.DType(), v.Size()))
		put64(c.in[len(c.in)-1], e.data[v.Node()])
	}
	for _, v := range outs {
		c.out = append(c.out, NewBuffer(v.DType(), v.Size()))
		for i := range c.out[len(c.out)-1].f64 {
			c.out[len(c.out)-1].f64[i] = math.NaN() // what the program does not write shows
		}
	}
	return c
}

// eval runs the program on its inputs and returns copies of the outputs.
func (c *prog) eval(t testing.TB) [][]float64 {
	t.Helper()
	if err := c.Run(c.in, c.out); err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, b := range c.out {
		out = append(out, get64(b))
	}
	return out
}

func put64(b Buffer, d []float64) {
	for i, v := range d {
		switch {
		case b.f32 != nil:
			b.f32[i] = float32(v)
		case b.f64 != nil:
			b.f64[i] = v
		default:
			b.i32[i] = int32(v)
		}
	}
}

func get64(b Buffer) []float64 {
	var out []float64
	for _, v := range b.f32 {
		out = append(out, float64(v))
	}
	for _, v := range b.i32 {
		out = append(out, float64(v))
	}
	return append(out, b.f64...)
}

// expect evaluates values with the oracle.
func (e *env) expect(t testing.TB, vs ...graph.Value) [][]float64 {
	t.Helper()
	o := oracle{values: map[*graph.Node][]float64{}}
	for n, d := range e.data {
		o.values[n] = d
	}
	var out [][]float64
	for _, v := range vs {
		w, err := o.eval(v.Node())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

// apartBy returns the largest difference of two arrays relative to 1 + the largest number wanted; NaNs and infinities must agree.
func apartBy(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	top, worst := 1.0, 0.0
	for _, w := range want {
		if a := math.Abs(w); a > top && !math.IsInf(a, 0) {
			top = a
		}
	}
	for i, w := range want {
		g := got[i]
		switch d := math.Abs(g - w); {
		case math.IsNaN(w) && math.IsNaN(g) || g == w:
		case math.IsNaN(d) || math.IsInf(w, 0) != math.IsInf(g, 0):
			return math.Inf(1)
		default:
			worst = math.Max(worst, d/top)
		}
	}
	return worst
}

// near fails the test where got is further from want than the tolerance.
func near(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if d := apartBy(got, want); !(d <= tol) {
		t.Errorf("%s: off by %.3g (at most %.3g)\n got %.9g\nwant %.9g", what, d, tol, head(got), head(want))
	}
}

func head(v []float64) []float64 { return v[:min(len(v), 8)] }

func flatten(vs [][]float64) []float64 {
	var out []float64
	for _, v := range vs {
		out = append(out, v...)
	}
	return out
}

// tolerance is what the values of a compiled program may differ from the oracle's by.
func tolerance(t graph.DType) float64 {
	if t == graph.Float32 {
		return 1e-4
	}
	return 1e-11
}
