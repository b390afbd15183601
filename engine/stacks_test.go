package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
)

// heads are queries, keys and values of attention for 18 items, whose matrices of scores are large enough in float64 to be made anew.
func heads(e *env) (q, k, v graph.Value) {
	return e.scaled(4, 9, 2, 66, 5), e.scaled(4, 9, 2, 66, 5), e.x(9, 2, 66, 5)
}

// stacksOf returns the stacks of a program, and how many of its large matrices are made as a whole.
func stacksOf(outs []graph.Value) (found *stacks, large int) {
	var ends []*graph.Node
	for _, v := range outs {
		ends = append(ends, v.Node())
	}
	nodes := live(ends)
	found = findStacks(sharedTable(), nodes, ends)
	for _, n := range nodes {
		if _, known := n.Constant(); !known && n.Size() >= 9*2*66*66 && !found.remade[n] && n.Op() != graph.OpBroadcast {
			large++
		}
	}
	return found, large
}

// withProducts returns y, a loss that is linear in it, and the loss's gradient and a product with its Hessian.
func withProducts(e *env, y graph.Value) []graph.Value {
	loss := y.Mul(e.weights(y.Shape()...)).Sum()
	g := graph.Grad(loss, e.xs...)
	return append(append([]graph.Value{loss, y}, g...), graph.JVP(g, e.xs, e.direction(e.xs))...)
}

func TestStacksGiveWhatAProgramOfWholeArraysGives(t *testing.T) {
	scores := func(e *env, q, k graph.Value) graph.Value {
		return q.MatMul(k.T()).Mul(q.Like(1 / math.Sqrt(5))).Add(maskOf(e.x(66, 66)))
	}
	shares := func(e *env, q, k graph.Value) graph.Value { return scores(e, q, k).Softmax() }
	for _, tc := range []struct {
		name          string
		build         func(e *env) []graph.Value
		stacks, large int
	}{
		{"attention", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return []graph.Value{q.MatMul(k.T()).Softmax().MatMul(v)}
		}, 1, 0},
		{"its gradient", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return graph.Grad(shares(e, q, k).MatMul(v).Transpose(0, 2, 1, 3).Square().Sum(), q, k, v)
		}, 2, 0},
		{"its gradient and a product with its Hessian, whose direction is known before", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return withProducts(e, shares(e, q, k).MatMul(v).Transpose(0, 2, 1, 3))
		}, 1, 0}, // so is what the loss is multiplied by: one pass makes all
		{"the same where the direction is made of the gradient", func(e *env) []graph.Value {
			q, k, v := heads(e)
			xs := []graph.Value{q, k, v}
			g := graph.Grad(shares(e, q, k).MatMul(v).Transpose(0, 2, 1, 3).Square().Sum(), xs...)
			var d []graph.Value
			for _, x := range g {
				d = append(d, x.Tanh().Mul(x.Sum()))
			}
			return append(g, graph.JVP(g, xs, d)...)
		}, 4, 0},
		{"the gradient where shares are divided after the product", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return graph.Grad(scores(e, q, k).SoftmaxMatMul(v).Transpose(0, 2, 1, 3).Square().Sum(), q, k, v)
		}, 2, 0},
		{"a product with the Hessian there", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return withProducts(e, scores(e, q, k).SoftmaxMatMul(v).Transpose(0, 2, 1, 3))
		}, 1, 0},
		{"two layers", func(e *env) []graph.Value {
			q, k, v := heads(e)
			h := shares(e, q, k).MatMul(v).Transpose(0, 2, 1, 3).Mul(e.x(5)).Transpose(0, 2, 1, 3)
			return withProducts(e, shares(e, h, h.Add(k)).MatMul(h).Transpose(0, 2, 1, 3))
		}, 3, 0}, // the second layer's loss and gradient are one
		{"shares that are an output", func(e *env) []graph.Value {
			q, k, v := heads(e)
			p := q.MatMul(k.T()).Softmax()
			return []graph.Value{p, p.MatMul(v)}
		}, 1, 1},
		{"scores of which a sum over the items is taken", func(e *env) []graph.Value {
			q, k, v := heads(e)
			s := q.MatMul(k.T())
			return []graph.Value{s.Sum(0), s.Softmax().MatMul(v)}
		}, 1, 1},
		{"the sum of two products, and a function of it", func(e *env) []graph.Value {
			q, k, v := heads(e)
			p := q.MatMul(k.T()).Tanh()
			return []graph.Value{p.MatMul(v).Add(p.Square().MatMul(v)).Exp()}
		}, 1, 0},
		{"a bias that all items have", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return withProducts(e, q.MatMul(k.T()).Add(e.x(66, 66)).Softmax().MatMul(v))
		}, 1, 2}, // its gradient is the sum of all items' large matrices, and so is the derivative of that
		{"a bias of each head", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return []graph.Value{q.MatMul(k.T()).Add(e.x(1, 2, 66, 66)).Softmax().MatMul(v)}
		}, 0, 5},
		{"a bias of each item", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return []graph.Value{q.MatMul(k.T()).Add(e.x(9, 2, 66, 66)).Softmax().MatMul(v)}
		}, 1, 1},
		{"a product of two large matrices", func(e *env) []graph.Value {
			q, k, v := heads(e)
			p := q.MatMul(k.T()).Tanh()
			return []graph.Value{p.MatMul(p.T()).MatMul(v)}
		}, 1, 1},
		{"something small and made elsewhere that an end is made of", func(e *env) []graph.Value {
			q, k, v := heads(e)
			p := q.MatMul(k.T()).Sigmoid()
			y := p.MatMul(v)
			total := y.Sum(0, 1)
			return []graph.Value{y.Mul(total), p.Mul(p.Sum(-1).Reshape(9, 2, 66, 1).Mul(total.Sum())).MatMul(v)}
		}, 2, 0},
		{"stacks with other leading axes, one made of the other", func(e *env) []graph.Value {
			q, k, v := heads(e)
			y := q.MatMul(k.T()).Tanh().MatMul(v).Reshape(18, 66, 5)
			return withProducts(e, y.MatMul(y.T()).Tanh().MatMul(y).Reshape(9, 2, 66, 5).Add(v).Transpose(0, 2, 1, 3))
		}, 3, 0},
		{"shares along the other axis", func(e *env) []graph.Value {
			q, k, v := heads(e)
			return withProducts(e, q.MatMul(k.T()).Transpose(0, 1, 3, 2).Softmax().MatMul(v))
		}, 1, 0},
		{"too few items", func(e *env) []graph.Value {
			q, k := e.x(3, 300, 5), e.x(3, 300, 5)
			return []graph.Value{q.MatMul(k.T()).Softmax().MatMul(k)}
		}, 0, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			outs := tc.build(e)
			if found, large := stacksOf(outs); len(found.all) != tc.stacks || large != tc.large {
				t.Errorf("%d stacks, and %d large matrices made as a whole: want %d and %d", len(found.all), large, tc.stacks, tc.large)
			}
			got, want := e.compile(t, Options{}, outs...).eval(t), e.compile(t, Options{whole: true}, outs...).eval(t)
			oracle := e.expect(t, outs...)
			for i := range outs {
				near(t, fmt.Sprintf("output %d against whole arrays", i), got[i], want[i], 1e-13)
				near(t, fmt.Sprintf("output %d against the oracle", i), got[i], oracle[i], tolerance(graph.Float64))
			}
		})
	}
}

func TestStacksGiveTheSameBitsOnAnyNumberOfThreadsAndAllocateNothing(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		t.Run(dtype.String(), func(t *testing.T) {
			e := newEnv(dtype)
			q, k, v := e.scaled(4, 40, 70, 6), e.scaled(4, 40, 70, 6), e.x(40, 70, 6)
			outs := withProducts(e, masked(q.MatMul(k.T())).SoftmaxMatMul(v).Transpose(1, 0, 2))
			first := e.compile(t, Options{Threads: 1}, outs...).eval(t)
			for i, want := range e.compile(t, Options{Threads: 1, whole: true}, outs...).eval(t) {
				near(t, fmt.Sprintf("output %d against whole arrays", i), first[i], want, tolerance(dtype)/10)
			}
			for _, threads := range []int{2, 3, 8} {
				p := e.compile(t, Options{Threads: threads}, outs...)
				for k, got := range p.eval(t) {
					for i, x := range got {
						if math.Float64bits(x) != math.Float64bits(first[k][i]) {
							t.Fatalf("%d threads: output %d, element %d is %v: want the %v of one thread", threads, k, i, x, first[k][i])
						}
					}
				}
				// The mean over many runs, rounded down: the runtime allocates now and then for a thread that waits.
				if n := testing.AllocsPerRun(20, func() { _ = p.Run(p.in, p.out) }); n != 0 {
					t.Errorf("%d threads: a run allocates %v times", threads, n)
				}
			}
		})
	}
}

func TestMemoryOfAttentionGrowsWithItsInputsAndNotWithItsScores(t *testing.T) {
	peak := func(items int, opt Options) int64 {
		e := newEnv(graph.Float32)
		q, k, v := e.x(items, 256, 16), e.x(items, 256, 16), e.x(items, 256, 16)
		loss := masked(q.MatMul(k.T())).SoftmaxMatMul(v).Square().Sum()
		c, err := Measure(e.inputs(), append(graph.Grad(loss, e.xs...), loss), opt)
		if err != nil {
			t.Fatal(err)
		}
		return c.PeakBytes
	}
	const scores = 256 * 256 * 4
	opt := Options{Threads: 2}
	if each := (peak(64, opt) - peak(32, opt)) / 32; each > scores/4 {
		t.Errorf("an item takes %d bytes, want at most a quarter of its matrix of scores, %d", each, scores/4)
	}
	if whole := (peak(64, Options{Threads: 2, whole: true}) - peak(32, Options{Threads: 2, whole: true})) / 32; whole < scores {
		t.Errorf("an item takes %d bytes in whole arrays: this test shows nothing", whole)
	}
}

func TestWhatAStackMakesIsMultipliedWhereItIsMade(t *testing.T) {
	e := newEnv(graph.Float64)
	q, k, v := heads(e)
	y := q.MatMul(k.T()).SoftmaxMatMul(v)
	found, _ := stacksOf(graph.Grad(y.Transpose(0, 2, 1, 3).Square().Sum(), q, k, v))
	if !slices.Contains(found.all[0].made, y.Node()) {
		t.Errorf("the products that are divided by the sums are made apart from the products")
	}
	for _, in := range found.all[1].inputs {
		if in.Op() == graph.OpBroadcast {
			t.Errorf("a stack reads %v %v, a broadcast, which it could do itself", in.Op(), in.Shape())
		}
	}
}

func TestAStackKnowsOfItsInputsWhatTheProgramKnows(t *testing.T) {
	// The mask hides the first row as a whole, whose largest element is then as low as the mask: a stack that reads that must not leave
	// a half of a product out, though the mask that it reads is a triangle.
	e := newEnv(graph.Float64)
	q, k, v := heads(e)
	mask := hiding(e.x(66, 66), func(i, j int) bool { return j > i || i == 0 })
	y := q.MatMul(k.T()).Add(mask).Softmax().MatMul(v)
	outs := append(graph.Grad(y.Square().Sum(), q, k, v), y)
	got, want := e.compile(t, Options{}, outs...).eval(t), e.expect(t, outs...)
	for i := range outs {
		near(t, fmt.Sprintf("output %d", i), got[i], want[i], tolerance(graph.Float64))
	}
}

// Causal attention of GPT's size, 4 examples of 6 heads, item by item and in whole arrays: the gradient, and with it a product with the Hessian whose
// direction is made of the gradient.
func BenchmarkStacks(b *testing.B) {
	e := newEnv(graph.Float32)
	q, k, v := e.scaled(64, 24, 256, 64), e.scaled(64, 24, 256, 64), e.scaled(1, 24, 256, 64)
	g := graph.Grad(masked(q.MatMul(k.T())).SoftmaxMatMul(v).Square().Transpose(1, 0, 2).Sum(), e.xs...)
	pair := append(g[:len(g):len(g)], graph.JVP(g, e.xs, []graph.Value{g[0].Tanh(), g[1].Tanh(), g[2].Tanh()})...)
	for _, work := range []struct {
		name string
		outs []graph.Value
	}{{"gradient", g}, {"gradient and product", pair}} {
		for name, opt := range map[string]Options{"by items": {Threads: 1}, "whole": {Threads: 1, whole: true}} {
			b.Run(work.name+"/"+name, func(b *testing.B) {
				p := e.compile(b, opt, work.outs...)
				for b.Loop() {
					if err := p.Run(p.in, p.out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(p.PeakBytes())/1e6, "MB")
			})
		}
	}
}

func TestAPartOfAProgramThatCannotBeMadeIsAnErrorAndNoPanic(t *testing.T) {
	b := graph.NewBuilder()
	x, y := b.Param("x", graph.Float64, 3), b.Param("y", graph.Float64, 3)
	if _, err := planReplica([]graph.Value{x}, []graph.Value{x.Add(y)}, nil, 2); err == nil || !strings.Contains(err.Error(), `parameter "y", which is not among the inputs`) {
		t.Errorf("%v", err)
	}
}
