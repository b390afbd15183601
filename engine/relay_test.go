package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"shadowflow/graph"
)

// membersOf returns the numbers of steps in a program's relays.
func membersOf(p *Program) []int {
	var n []int
	for _, s := range p.steps {
		if r, ok := s.(*relay); ok {
			n = append(n, len(r.members))
		}
	}
	return n
}

// sameBits fails the test where a program does not compute what it does step after step, in several runs and on any number of threads.
func sameBits(t *testing.T, e *env, outs ...graph.Value) {
	t.Helper()
	want := e.compile(t, Options{Threads: 2, apart: true}, outs...).eval(t)
	for _, threads := range []int{1, 2, 3} {
		p := e.compile(t, Options{Threads: threads}, outs...)
		for run := range 3 {
			for o, got := range p.eval(t) {
				if !slices.Equal(got, want[o]) {
					t.Fatalf("output %d of run %d on %d threads differs from that of steps one after the other", o, run, threads)
				}
			}
		}
	}
}

func TestRelaysDoNotChangeABit(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		with := 0 // models with relays
		for _, m := range models {
			t.Run(fmt.Sprint(m.name, " ", dtype), func(t *testing.T) {
				e := newEnv(dtype)
				outs := pairOf(e, m, true).outs
				with += min(1, len(membersOf(e.compile(t, Options{Threads: 2}, outs...).Program)))
				sameBits(t, e, outs...)
			})
		}
		if with < len(models)-1 {
			t.Errorf("in %v, only %d of the models have relays: this test shows too little", dtype, with)
		}
	}
}

// images are a convolution's result, of several chunks.
func images(e *env, channels int) graph.Value {
	return e.x(16, 16, 16, 8).Conv2D(e.scaled(72, 3, 3, 8, channels), graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}})
}

func TestWhatFollowsAProductIsDoneWithIt(t *testing.T) {
	half := graph.PoolSpec{Size: [2]int{2, 2}}
	for _, c := range []struct {
		name  string
		build func(e *env) []graph.Value
		want  []int // members of relays
	}{
		{"a bias and an activation", func(e *env) []graph.Value { return []graph.Value{images(e, 16).Add(e.x(16)).Relu()} }, []int{2}},
		{"and the search for maxima, and these", func(e *env) []graph.Value { return []graph.Value{images(e, 16).Add(e.x(16)).Relu().MaxPool(half)} }, []int{4}},
		{"a sum, which nobody gets before all is there", func(e *env) []graph.Value {
			y := images(e, 16)
			return []graph.Value{y.Sub(y.Mean(0, 1, 2)).Exp()}
		}, []int{2}},
		{"of a matrix product", func(e *env) []graph.Value {
			return []graph.Value{e.x(4000, 64).MatMul(e.scaled(64, 64, 40)).Add(e.x(40)).Tanh()}
		}, []int{2}},
		{"but no other order of elements", func(e *env) []graph.Value { return []graph.Value{images(e, 16).Transpose(3, 0, 1, 2).Exp()} }, nil},
		{"nor what is small", func(e *env) []graph.Value { return []graph.Value{e.x(40, 64).MatMul(e.scaled(64, 64, 40)).Exp()} }, nil},
		{"nor what waits for something else", func(e *env) []graph.Value {
			y := e.x(4000, 16).MatMul(e.scaled(16, 16, 16))
			return []graph.Value{y.Mul(y.T().MatMul(y).Sum(0)).Exp()}
		}, nil},
		{"a difference of neighbours, which are parts of it, follows nothing", func(e *env) []graph.Value {
			y := images(e, 16)
			return []graph.Value{y.SliceAxis(0, 0, 15).Sub(y.SliceAxis(0, 1, 16)).Exp()}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(graph.Float32)
			outs := c.build(e)
			if got := membersOf(e.compile(t, Options{Threads: 2}, outs...).Program); !slices.Equal(got, c.want) {
				t.Errorf("relays of %v steps: want %v", got, c.want)
			}
			sameBits(t, e, outs...)
		})
	}
}

// What is read by one alone is written over by what follows; what is read elsewhere, or later, is not.
func TestAFollowerWritesOverWhatItAloneReads(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(y graph.Value) []graph.Value
		less  bool // memory than without relays
	}{
		{"one reader", func(y graph.Value) []graph.Value { r := y.Relu(); return []graph.Value{r.T().MatMul(r)} }, true},
		{"an output", func(y graph.Value) []graph.Value { return []graph.Value{y, y.Relu().Sum(0)} }, false},
		{"two readers", func(y graph.Value) []graph.Value {
			r := y.Relu()
			return []graph.Value{r.T().MatMul(r), r.T().MatMul(y)}
		}, false},
		{"a part of it is read", func(y graph.Value) []graph.Value {
			r := y.Relu()
			return []graph.Value{r.T().MatMul(r), y.SliceAxis(0, 100, 200)}
		}, false},
		{"it is read behind what could be written over it", func(y graph.Value) []graph.Value {
			r := y.Relu()
			z := y.Exp().Mul(r)
			return []graph.Value{r.T().MatMul(r), z.T().MatMul(z), z.T().MatMul(r)}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(graph.Float32)
			outs := c.build(e.x(4000, 32).MatMul(e.scaled(32, 32, 16)))
			p, apart := e.compile(t, Options{Threads: 2}, outs...), e.compile(t, Options{Threads: 2, apart: true}, outs...)
			if len(membersOf(p.Program)) == 0 {
				t.Fatal("no relay: this test shows nothing")
			}
			array := int64(4000 * 16 * 4)
			if less := p.PeakBytes() < apart.PeakBytes()-array/2; less != c.less {
				t.Errorf("it takes %d bytes, and %d without relays", p.PeakBytes(), apart.PeakBytes())
			}
			sameBits(t, e, outs...)
		})
	}
}

func TestARelayIsBrokenOff(t *testing.T) {
	e := newEnv(graph.Float32)
	y := images(e, 16).Add(e.x(16)).Relu()
	p := e.compile(t, Options{Threads: 2}, y, y.Sum())
	want := p.eval(t)
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("a signal")
	cancel(why)
	if err := p.RunContext(ended, p.in, p.out); err != why {
		t.Errorf("it returned %v", err)
	}
	for o, got := range p.eval(t) {
		if !slices.Equal(got, want[o]) {
			t.Errorf("behind it, output %d differs", o)
		}
	}
}

// An output over an input is written while a relay still reads that input, unless it is copied first.
func TestARelayReadsWhatAnOutputIsWrittenOverToItsEnd(t *testing.T) {
	e := newEnv(graph.Float32)
	x := e.x(4096, 32)
	out := x.MatMul(e.scaled(32, 32, 32)).Add(e.x(32)).Tanh()
	want := e.compile(t, Options{}, out).eval(t)[0]
	p := e.compile(t, Options{Threads: 2}, out)
	if len(membersOf(p.Program)) == 0 {
		t.Fatal("no relay: this test shows nothing")
	}
	if err := p.Run(p.in, []Buffer{p.in[0]}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(get64(p.in[0]), want) {
		t.Error("the result differs where it is written over an operand")
	}
}

// The gradient of two convolutions of the paper's CNN, with their activations and the pooling behind them, on 100 images: with relays, and step after step.
func BenchmarkRelays(b *testing.B) {
	same := graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}}
	for name, opt := range map[string]Options{"together": {}, "apart": {apart: true}} {
		b.Run(name, func(b *testing.B) {
			e := newEnv(graph.Float32)
			h := e.weights(100, 32, 32, 3).Conv2D(e.scaled(27, 3, 3, 3, 32), same).Add(e.x(32)).Relu()
			h = h.Conv2D(e.scaled(288, 3, 3, 32, 32), same).Add(e.x(32)).Relu().MaxPool(graph.PoolSpec{Size: [2]int{2, 2}})
			p := e.compile(b, opt, graph.Grad(h.Square().Sum(), e.xs...)...)
			for b.Loop() {
				if err := p.Run(p.in, p.out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
