package engine

import (
	"context"
	"errors"
	"testing"

	"shadowflow/graph"
)

func TestAProgramIsBrokenOffBetweenItsSteps(t *testing.T) {
	const n, products = 64, 40
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, n, n)
	y := x
	for range products {
		y = y.MatMul(x)
	}
	p, err := Compile([]graph.Value{x}, []graph.Value{y}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	in, out := NewBuffer(graph.Float64, n*n), NewBuffer(graph.Float64, n*n)
	for i := range n {
		in.Float64s()[i*n+i] = 1
	}
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("a signal")
	cancel(why)
	if err := p.RunContext(ended, []Buffer{in}, []Buffer{out}); err != why || out.Float64s()[0] != 0 {
		t.Errorf("it returned %v, and wrote %v", err, out.Float64s()[0])
	}
	if err := p.RunContext(t.Context(), []Buffer{in}, []Buffer{out}); err != nil || out.Float64s()[0] != 1 || out.Float64s()[n*n-1] != 1 {
		t.Errorf("behind it, %v with %v", err, out.Float64s()[0])
	}
}

func TestCompilingIsGivenUpWithItsContext(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, 3)
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("a signal")
	cancel(why)
	if p, err := CompileContext(ended, []graph.Value{x}, []graph.Value{x.Square()}, Options{}); p != nil || err != why {
		t.Fatalf("%v, %v", p, err)
	}
	if p, err := CompileContext(t.Context(), []graph.Value{x}, []graph.Value{x.Square()}, Options{}); p == nil || err != nil {
		t.Errorf("%v, %v", p, err)
	}
}
