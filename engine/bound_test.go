package engine

import (
	"math"
	"testing"

	"shadowflow/graph"
)

// What a program takes at least is known in closed form: products as they are done, the operations of functions, and large arrays read and written once.
func TestTheBoundOfAProgram(t *testing.T) {
	const flops, bandwidth, large = 1e12, 1e10, 1 << 24
	const exp = 21 // operations
	for _, c := range []struct {
		name  string
		in    [][]int // shapes
		out   func(in []graph.Value) graph.Value
		bound float64 // seconds
	}{
		{"of a matrix product is its multiply-adds at the peak", [][]int{{30, 40}, {40, 50}},
			func(in []graph.Value) graph.Value { return in[0].MatMul(in[1]) }, 2 * 30 * 40 * 50 / flops},
		{"of steps one after the other is their sum", [][]int{{30, 40}, {40, 50}, {50, 20}},
			func(in []graph.Value) graph.Value { return in[0].MatMul(in[1]).Exp().MatMul(in[2]) }, (2*30*40*50 + exp*30*50 + 2*30*50*20) / flops},
		{"of small arrays is the operations on them", [][]int{{1000}},
			func(in []graph.Value) graph.Value { return in[0].Exp().Add(in[0]) }, (exp + 1) * 1000 / flops},
		{"of choices is nothing", [][]int{{1000}},
			func(in []graph.Value) graph.Value { return in[0].Neg().Greater(in[0]) }, 0},
		{"of a sum is an operation for each element", [][]int{{1000}},
			func(in []graph.Value) graph.Value { return in[0].Sum() }, 1000 / flops},
		{"of large arrays is their bytes, read once and written once", [][]int{{large}, {large}},
			func(in []graph.Value) graph.Value { return in[0].Add(in[1]).Mul(in[0]).Exp() }, 3 * 4 * large / bandwidth},
		{"of a product of large arrays is the larger of both", [][]int{{large / 16, 16}, {16, 2}},
			func(in []graph.Value) graph.Value { return in[0].MatMul(in[1]) }, max(2*2*large/flops, 4*large/bandwidth)},
		{"of what a product's result is made into on the way is that of reading and writing once", [][]int{{large / 16, 16}, {16, 16}},
			func(in []graph.Value) graph.Value { return in[0].MatMul(in[1]).Exp() }, max(2*16*large/flops, 2*4*large/bandwidth)},
		{"of a sum of a product's result is that of the product", [][]int{{large / 16, 16}, {16, 16}},
			func(in []graph.Value) graph.Value { return in[0].MatMul(in[1]).Exp().Sum() }, max(2*16*large/flops, 4*large/bandwidth)},
		{"of arrays that are made where they are to lie is that of making them", [][]int{{large}, {large}},
			func(in []graph.Value) graph.Value { return graph.Concat(0, in[0].Exp(), in[1].Exp()) }, 4 * 4 * large / bandwidth},
		{"of arrays that are joined is that of moving them", [][]int{{large}, {large}},
			func(in []graph.Value) graph.Value { return graph.Concat(0, in[0], in[1]) }, 4 * 4 * large / bandwidth},
		{"of a part of a large array is that of the part", [][]int{{large / 16, 16}},
			func(in []graph.Value) graph.Value {
				return in[0].Rows(in[0].Builder().ConstArray(graph.Int32, []float64{3, 1}, 2))
			}, 0},
	} {
		b := graph.NewBuilder()
		var in []graph.Value
		for _, shape := range c.in {
			in = append(in, b.Param("x", graph.Float32, shape...))
		}
		p, err := Compile(in, []graph.Value{c.out(in)}, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Bound(flops, bandwidth); math.Abs(got-c.bound) > 1e-12*c.bound {
			t.Errorf("the bound %s: %g s, want %g", c.name, got, c.bound)
		}
	}
}

// Products of causal attention count by the part that matters, also where they run for some items of a stack after the others.
func TestTheBoundCountsWhatCausalAttentionLeavesOut(t *testing.T) {
	e := newEnv(graph.Float32)
	dots := func(mask func(graph.Value) graph.Value) graph.Value {
		q, k, v := e.x(24, 64, 16), e.x(24, 64, 16), e.x(24, 64, 16)
		return mask(q.MatMul(k.T())).MatMul(v)
	}
	all := e.compile(t, Options{}, dots(func(v graph.Value) graph.Value { return v.Softmax() }))
	half := e.compile(t, Options{}, dots(func(v graph.Value) graph.Value { return masked(v).Softmax() }))
	const scores, softmax = 24 * 64 * 64, 1 + 1 + 21 + 1 + 1 // the largest, the difference from it, its exponential, their sum and the quotient
	if all.Flops() != half.Flops() || all.Bound(1, 1) != float64(all.Flops()+softmax*scores) {
		t.Errorf("%d and %d flops, and a bound of %g without a mask", all.Flops(), half.Flops(), all.Bound(1, 1))
	}
	if got, want := half.Bound(1, 1), float64(half.Flops())*65/128+(softmax+1)*scores; got != want {
		t.Errorf("a bound of %g with a mask, want %g", got, want)
	}
}
