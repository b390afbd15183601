package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/kernel/vec"
)

func TestRunsAllocateNothing(t *testing.T) {
	for _, m := range models {
		for _, threads := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s on %d threads", m.name, threads), func(t *testing.T) {
				e := newEnv(graph.Float32)
				p := e.compile(t, Options{Threads: threads}, pairOf(e, m, true).outs...)
				if n := testing.AllocsPerRun(2, func() {
					if err := p.Run(p.in, p.out); err != nil {
						t.Fatal(err)
					}
				}); n != 0 {
					t.Errorf("a run allocates %v times", n)
				}
			})
		}
	}
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			y := op.build(e)
			p := e.compile(t, Options{Threads: 1}, append(graph.Grad(y.Square().Sum(), e.xs...), y)...)
			if n := testing.AllocsPerRun(1, func() { _ = p.Run(p.in, p.out) }); n != 0 {
				t.Errorf("a run allocates %v times", n)
			}
		})
	}
}

func TestPeakMemoryIsKnownBeforeTheRunAndLessThanAllArrays(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			p := pairOf(e, m, true)
			c := e.compile(t, Options{Threads: 1}, p.outs...)
			before := c.PeakBytes()
			c.eval(t)
			var ns []*graph.Node
			for _, v := range p.outs {
				ns = append(ns, v.Node())
			}
			all := int64(0)
			for _, n := range live(ns) {
				if n.Op() != graph.OpParam {
					all += int64(n.Size() * n.DType().Size())
				}
			}
			if before <= 0 || c.PeakBytes() != before {
				t.Errorf("peak of %d bytes before the run, %d after", before, c.PeakBytes())
			}
			if before > all/2 {
				t.Errorf("peak of %d bytes: want less than half of the %d of all arrays", before, all)
			}
		})
	}
}

// TestArraysAliveTogetherDoNotOverlap places random storages.
func TestArraysAliveTogetherDoNotOverlap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var all []*storage
		for range 1 + rng.IntN(60) {
			first := rng.IntN(40)
			all = append(all, &storage{dtype: graph.Float64, size: 1 + rng.IntN(100), input: -1, output: -1, first: first, last: first + rng.IntN(12)})
		}
		size := assign(all, graph.Float64)
		alive := 0
		for i, a := range all {
			if a.offset < 0 || a.offset+a.size > size || a.offset%arenaAlign != 0 {
				t.Fatalf("%d elements at %d in an arena of %d", a.size, a.offset, size)
			}
			together := 0
			for j, b := range all {
				if a.first < b.first || b.last < a.first {
					continue
				}
				together += b.size // alive when a begins
				if i != j && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("[%d, %d) of steps %d to %d overlaps [%d, %d) of steps %d to %d", a.offset, a.offset+a.size, a.first, a.last,
						b.offset, b.offset+b.size, b.first, b.last)
				}
			}
			alive = max(alive, together)
		}
		if rounded := 3*alive + arenaAlign*len(all); size > rounded {
			t.Errorf("an arena of %d elements, where at most %d are alive together", size, alive)
		}
	}
}

// TestRunsReadNothingOfTheRunBefore runs programs on NaNs between two runs on the same numbers.
func TestRunsReadNothingOfTheRunBefore(t *testing.T) {
	check := func(t *testing.T, p *prog) {
		t.Helper()
		want := p.eval(t)
		var kept [][]float64
		for _, in := range p.in {
			kept = append(kept, get64(in))
			for i := range in.f64 {
				in.f64[i] = math.NaN()
			}
		}
		p.eval(t)
		for k, in := range p.in {
			put64(in, kept[k])
		}
		for i, got := range p.eval(t) {
			if !slices.EqualFunc(got, want[i], same) {
				t.Errorf("output %d is %v: want %v", i, head(got), head(want[i]))
			}
		}
	}
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			check(t, e.compile(t, Options{Threads: 2}, pairOf(e, m, true).outs...))
		})
	}
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			y := op.build(e)
			check(t, e.compile(t, Options{Threads: 1}, append(graph.Grad(y.Square().Sum(), e.xs...), y)...))
		})
	}
}

// inPlacePrograms update the parameters x and y, of n*n elements, by outputs of the same shapes; what an output needs may be
// overwritten by another, or by itself.
var inPlacePrograms = []struct {
	name string
	f    func(x, y graph.Value, n int) []graph.Value
}{
	{"elementwise", func(x, y graph.Value, _ int) []graph.Value { return []graph.Value{x.Sub(y.Mul(x.Like(0.1))), y.Tanh()} }},
	{"a swap", func(x, y graph.Value, _ int) []graph.Value { return []graph.Value{y, x} }},
	{"sum and difference", func(x, y graph.Value, _ int) []graph.Value { return []graph.Value{x.Add(y), x.Sub(y)} }},
	{"one by the other's result", func(x, y graph.Value, _ int) []graph.Value { z := x.Exp(); return []graph.Value{z, y.Add(z)} }},
	{"a transpose", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{x.Reshape(n, n).T().Reshape(-1), y.Reshape(n, n).T().Reshape(-1).Add(y)}
	}},
	{"a sum that comes first", func(x, y graph.Value, _ int) []graph.Value {
		return []graph.Value{x.Div(x.Square().Sum().Sqrt()), y.Sub(y.Mean())}
	}},
	{"a sum of the result", func(x, y graph.Value, _ int) []graph.Value { z := x.Exp(); return []graph.Value{z, z.Sum().Mul(y)} }},
	{"rows", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{x.Reshape(n, n).Softmax().Reshape(-1), y.Reshape(n, n).Mul(y.SliceAxis(0, 0, n)).Reshape(-1)}
	}},
	{"columns", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{x.Reshape(n, n).Add(x.SliceAxis(0, 0, n).Reshape(n, 1)).Reshape(-1),
			y.Reshape(n, n).Sub(y.Reshape(n, n).Mean(0)).Reshape(-1)}
	}},
	{"a product", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{x.Reshape(n, n).MatMul(y.Reshape(n, n)).Reshape(-1), y.Reshape(n, n).MatMul(y.Reshape(n, n)).Reshape(-1)}
	}},
	{"a shift", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.Like(7).BroadcastTo(n), x.SliceAxis(0, 0, n*n-n).Neg()),
			graph.Concat(0, y.SliceAxis(0, n, n*n).Neg(), y.SliceAxis(0, 0, n))}
	}},
	{"a shift by padding", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{x.SliceAxis(0, 0, n*n-1).Pad([]int{1}, []int{0}, nil), y.SliceAxis(0, 1, n*n).Pad([]int{0}, []int{1}, nil).Add(y)}
	}},
	{"a rotation", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, n, n*n), x.SliceAxis(0, 0, n)),
			graph.Concat(0, y.SliceAxis(0, 1, n*n).Exp(), y.SliceAxis(0, 0, 1).Exp())}
	}},
	{"parts of each, as they lie", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, 0, n).Exp(), x.SliceAxis(0, n, n*n).Mul(y.SliceAxis(0, n, n*n))),
			graph.Concat(0, y.SliceAxis(0, 0, n).Sub(x.SliceAxis(0, 0, n)), y.SliceAxis(0, n, n*n).Neg())}
	}},
	{"parts that a part before reads", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, 0, n).Exp(), x.SliceAxis(0, n, n*n).Mul(x.SliceAxis(0, 0, n*n-n))),
			graph.Concat(0, y.SliceAxis(0, 0, n).Sub(y.SliceAxis(0, n*n-n, n*n)), y.SliceAxis(0, n, n*n).Neg())}
	}},
	{"parts that overlap those they are of", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, 1, n+1).Exp(), x.SliceAxis(0, n, n*n).Neg()),
			graph.Concat(0, y.SliceAxis(0, 0, n).Neg(), y.SliceAxis(0, n-1, n*n-1).Exp())}
	}},
	{"a part that stays", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, 0, n), x.SliceAxis(0, n, n*n).Exp()),
			graph.Concat(0, y.SliceAxis(0, 0, n).Exp(), y.SliceAxis(0, n, n*n))}
	}},
	{"a part's sum", func(x, y graph.Value, n int) []graph.Value {
		return []graph.Value{graph.Concat(0, x.SliceAxis(0, 0, n).Exp(), x.SliceAxis(0, n, n*n).Mul(x.SliceAxis(0, 0, n).Sum())),
			graph.Concat(0, y.SliceAxis(0, 0, 1).Sum().Reshape(1), y.SliceAxis(0, 1, n*n).Neg())}
	}},
	{"broadcasts of the first element", func(x, y graph.Value, _ int) []graph.Value {
		return []graph.Value{x.Mul(x.At(0)), y.Add(x.At(1)).Mul(y.At(-1))}
	}},
	{"constants", func(x, y graph.Value, n int) []graph.Value { return []graph.Value{x.Like(2).BroadcastTo(n * n), x} }},
	{"unchanged", func(x, y graph.Value, _ int) []graph.Value { return []graph.Value{x, y} }},
}

func TestOutputsInTheBuffersOfInputsGiveTheSame(t *testing.T) {
	for _, c := range inPlacePrograms {
		for _, n := range []int{2, 5, 40, 150} {
			for _, threads := range []int{1, 2} {
				for _, swap := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s of %d elements on %d threads, swapped %v", c.name, n*n, threads, swap), func(t *testing.T) {
						e := newEnv(graph.Float64)
						x, y := e.x(n*n), e.x(n*n)
						outs := c.f(x, y, n)
						p := e.compile(t, Options{Threads: threads}, outs...)
						want := p.eval(t)
						near(t, c.name, flatten(want), flatten(e.expect(t, outs...)), 1e-11)
						shared := slices.Clone(p.in)
						if swap {
							shared[0], shared[1] = shared[1], shared[0]
						}
						if err := p.Run(p.in, shared); err != nil {
							t.Fatal(err)
						}
						for k := range want {
							if !slices.Equal(shared[k].f64, want[k]) {
								t.Errorf("output %d is %v: want %v", k,
									head(shared[k].f64), head(want[k]))
							}
						}
					})
				}
			}
		}
	}
}

func TestAdamUpdatesItsStateInPlaceWithoutACopy(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, n := range []int{2, 16, 17, 5000, 100003, vec.StreamBytes/4 + 3} { // the last are streamed where they are written apart from what is read
			for _, threads := range []int{1, 2} {
				t.Run(fmt.Sprintf("%v, %d elements, %d threads", dtype, n, threads), func(t *testing.T) {
					e := newEnv(dtype)
					w, m, v := e.x(n), e.x(n), e.positive(n)
					loss := w.Square().Mul(e.weights(n)).Sum()
					outs := adam(w, graph.Grad(loss, w)[0], m, v)
					p := e.compile(t, Options{Threads: threads}, outs...)
					want := p.eval(t)
					near(t, "Adam", flatten(want), flatten(e.expect(t, outs...)), tolerance(dtype))
					if err := p.Run(p.in, p.in[:3]); err != nil {
						t.Fatal(err)
					}
					for k := range want {
						if !slices.Equal(get64(p.in[k]), want[k]) {
							t.Errorf("output %d in place is %v: want %v", k, head(get64(p.in[k])), head(want[k]))
						}
					}
					if n := testing.AllocsPerRun(1, func() { _ = p.Run(p.in, p.in[:3]) }); n != 0 {
						t.Errorf("an update in place allocates %v times", n)
					}
					before := p.eval(t) // apart, behind runs in place
					swapped := []Buffer{p.in[1], p.in[2], p.in[0]}
					if err := p.Run(p.in, swapped); err != nil {
						t.Fatal(err)
					}
					for k := range before {
						if !slices.Equal(get64(swapped[k]), before[k]) {
							t.Errorf("output %d over another input is %v: want %v", k, head(get64(swapped[k])), head(before[k]))
						}
					}
				})
			}
		}
	}
}

// TestRandomProgramsGiveTheSameInPlace makes a step of gradient descent on what random programs compute.
func TestRandomProgramsGiveTheSameInPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 17))
	for range 300 {
		data := make([]byte, 10+rng.IntN(100))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		g := newGrower(data)
		g.grow()
		if g.e.b.Err() != nil || elements(g.values) > 1e5 {
			continue
		}
		var outs []graph.Value
		for i, d := range graph.Grad(g.values[len(g.values)-1].Mean(), g.e.xs...) {
			outs = append(outs, g.e.xs[i].Sub(d.Mul(d.Like(0.1))))
		}
		p := g.e.compile(t, Options{Threads: 1 + rng.IntN(2)}, outs...)
		want := p.eval(t)
		if err := p.Run(p.in, p.in[:len(outs)]); err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if !slices.EqualFunc(p.in[k].f64, want[k], same) {
				t.Fatalf("output %d of %q in place is %v: want %v", k, data, head(p.in[k].f64), head(want[k]))
			}
		}
	}
}

func TestDeadCodeIsGone(t *testing.T) {
	e := newEnv(graph.Float64)
	x := e.x(30, 40)
	y := x.MatMul(x.T()).Softmax()
	loss := y.Mul(y).Sum()
	g := graph.Grad(loss, x)[0]
	alone := len(e.compile(t, Options{}, loss).steps)
	if both := len(e.compile(t, Options{}, loss, g).steps); alone >= both {
		t.Errorf("the loss takes %d steps, with its gradient %d", alone, both)
	}
	b := graph.NewBuilder()
	z := b.Param("x", graph.Float64, 30, 40)
	w := z.MatMul(z.T()).Softmax()
	p, err := Compile([]graph.Value{z}, []graph.Value{w.Mul(w).Sum()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.steps) != alone {
		t.Errorf("the loss takes %d steps where its gradient is recorded, else %d", alone, len(p.steps))
	}
	if n := len(e.compile(t, Options{}, x.Like(1)).steps) + len(e.compile(t, Options{}).steps); n > 1 {
		t.Errorf("a constant and nothing take %d steps", n)
	}
}

func TestElementwiseChainsAreOneStep(t *testing.T) {
	for _, n := range []int{8, 5000} {
		t.Run(fmt.Sprintf("%d weights", n), func(t *testing.T) {
			e := newEnv(graph.Float32)
			outs := adam(e.x(n), e.x(n), e.x(n), e.positive(n))
			if p := e.compile(t, Options{}, outs...); len(p.steps) != 1 {
				t.Errorf("an update of Adam takes %d steps", len(p.steps))
			}
		})
	}
}

// TestOutputsMayBeAnything compiles outputs that no step makes, or that are made once and wanted twice.
func TestOutputsMayBeAnything(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, n := range []int{2, 6, 80} {
			t.Run(fmt.Sprintf("%v, %d by %d", dtype, n, n), func(t *testing.T) {
				e := newEnv(dtype)
				x := e.x(n, n)
				l := e.labels(4, n)
				y := x.Exp()
				outs := []graph.Value{x, x, y, y, y.Reshape(-1), x.Reshape(-1), x.T(), y.T(), y.SliceAxis(0, 1, 2), y.SliceAxis(1, 0, 1),
					x.SliceAxis(0, 0, 1),
					x.Like(3), x.Like(3).BroadcastTo(n), e.b.ConstArray(dtype, []float64{1, 2, 3}, 3), x.At(0, 0), x.At(0, 1).BroadcastTo(2, 3),
					x.SliceAxis(0, 0, 1).BroadcastTo(n, n), l, l.Reshape(1, n), l.BroadcastTo(2, n), graph.Concat(0, l, l), x.Alias(), y.StopGradient(),
					graph.Concat(0, x, y, x), graph.Concat(1, y, x), y.Sum(), y.Sum().BroadcastTo(2),
					x.SliceAxis(0, 0, 1).BroadcastTo(2, n).Reshape(2, 1, n).BroadcastTo(2, 3, n),
					graph.JVP([]graph.Value{y}, []graph.Value{x}, []graph.Value{x.Like(0).BroadcastTo(n, n)})[0]}
				got, want := e.compile(t, Options{}, outs...).eval(t), e.expect(t, outs...)
				for i := range outs {
					near(t, fmt.Sprintf("output %d", i), got[i], want[i], tolerance(dtype))
					alone := e.compile(t, Options{}, outs[i]).eval(t)
					near(t, fmt.Sprintf("output %d alone", i), alone[0], want[i], tolerance(dtype))
				}
			})
		}
	}
}

func TestProgramsTellTheirInputsAndOutputs(t *testing.T) {
	e := newEnv(graph.Float32)
	x, l := e.x(3, 4), e.labels(4, 3)
	p := e.compile(t, Options{}, x.Gather(l), x.CrossEntropy(l))
	in, out := p.Inputs(), p.Outputs()
	if len(in) != 2 || in[0].Name != "x0" || !slices.Equal(in[0].Shape, []int{3, 4}) || in[1].DType != graph.Int32 || in[0].Size() != 12 {
		t.Errorf("inputs are %v", in)
	}
	if len(out) != 2 || !slices.Equal(out[0].Shape, []int{3}) || out[1].Size() != 1 || out[1].DType != graph.Float32 {
		t.Errorf("outputs are %v", out)
	}
}

func TestFlopsAreTwiceTheMultiplyAddsOfProducts(t *testing.T) {
	e := newEnv(graph.Float32)
	m := e.x(2, 3, 4).MatMul(e.x(2, 4, 5)).Tanh().Sum()
	c := e.x(2, 6, 6, 4).Conv2D(e.x(3, 3, 2, 8), graph.ConvSpec{Groups: 2}).Exp().Sum()
	for _, w := range []struct {
		out  graph.Value
		want int64
	}{{m, 2 * 2 * 3 * 4 * 5}, {c, 2 * 2 * 4 * 4 * 8 * 3 * 3 * 2}, {m.Add(c), 240 + 9216}, {m.Like(1), 0}} {
		if got := e.compile(t, Options{}, w.out).Flops(); got != w.want {
			t.Errorf("%v flops: want %v", got, w.want)
		}
	}
}

func TestProgramsRunBesideEachOther(t *testing.T) {
	e := newEnv(graph.Float64)
	outs := pairOf(e, models[0], false).outs
	large := newEnv(graph.Float32)
	steps := adam(large.x(50000), large.x(50000), large.x(50000), large.positive(50000))
	var wait sync.WaitGroup
	for range 3 {
		for _, p := range []*prog{e.compile(t, Options{Threads: 2}, outs...), large.compile(t, Options{Threads: 3}, steps...)} {
			want := p.eval(t)
			wait.Go(func() {
				for range 5 {
					if err := p.Run(p.in, p.out); err != nil {
						t.Error(err)
					}
				}
				for k := range want {
					if !slices.Equal(get64(p.out[k]), want[k]) {
						t.Errorf("output %d changes from run to run", k)
					}
				}
			})
		}
	}
	wait.Wait()
}
