package objective

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
)

// chain is the loss sum_j tanh(theta_j theta_(j+1)) + c theta_j^4 / 4 with c = i + 1 in batch i.
func chain(dim, batches int) *Function {
	start := make([]float64, dim)
	for j := range start {
		start[j] = math.Cos(float64(j))
	}
	return &Function{
		Dim: dim, Batches: batches, Start: start,
		Batch: func(theta graph.Value, i int) graph.Value {
			links := theta.SliceAxis(0, 0, dim-1).Mul(theta.SliceAxis(0, 1, dim)).Tanh().Sum()
			return links.Add(theta.Square().Square().Sum().Mul(theta.Like(float64(i+1) / 4)))
		},
	}
}

// naive is the chain's loss and gradient in plain Go.
func naive(theta []float64, c float64) (loss float64, g []float64) {
	g = make([]float64, len(theta))
	for j, x := range theta {
		loss += c * math.Pow(x, 4) / 4
		g[j] += c * math.Pow(x, 3)
		if j+1 < len(theta) {
			y := theta[j+1]
			link := math.Tanh(x * y)
			loss += link
			g[j] += (1 - link*link) * y
			g[j+1] += (1 - link*link) * x
		}
	}
	return loss, g
}

var smoothSign = &Direction{Make: func(g, _ graph.Value) graph.Value { return g.Div(g.Square().Add(g.Like(1e-2)).Sqrt()) }}

func wantClose(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestEveryWantIsWhatPlainGoComputes(t *testing.T) {
	const dim, batches = 7, 3
	f := chain(dim, batches)
	n := NewNumeric[float64](f, 1)
	theta, v := n.Start(), make([]float64, dim)
	for j := range v {
		v[j] = math.Sin(float64(1 + 3*j))
	}
	vectors := func(n int) [][]float64 {
		out := make([][]float64, n)
		for i := range out {
			out[i] = make([]float64, dim)
		}
		return out
	}
	for batch := Full; batch < batches; batch++ {
		c := float64(batch + 1)
		if batch == Full {
			c = (1 + 2 + 3) / 3.
		}
		loss, g := naive(theta, c)
		field := make([]float64, dim)
		for j, x := range g {
			field[j] = x / math.Sqrt(x*x+1e-2)
		}
		times := func(v []float64) []float64 {
			const d = 1e-5
			up, down := slices.Clone(theta), slices.Clone(theta)
			for j := range v {
				up[j], down[j] = up[j]+d*v[j], down[j]-d*v[j]
			}
			_, hv := naive(up, c)
			_, back := naive(down, c)
			for j := range hv {
				hv[j] = (hv[j] - back[j]) / (2 * d)
			}
			return hv
		}
		hv, hg, hf := times(v), times(g), times(field)
		bend := func(u []float64) []float64 { // (g(theta + d u) - 2 g(theta) + g(theta - d u)) / d^2
			const d = 1e-4
			up, down := slices.Clone(theta), slices.Clone(theta)
			for j := range u {
				up[j], down[j] = up[j]+d*u[j], down[j]-d*u[j]
			}
			_, b := naive(up, c)
			_, back := naive(down, c)
			for j := range b {
				b[j] = (b[j] - 2*g[j] + back[j]) / (d * d)
			}
			return b
		}
		for mask := range 32 {
			var w Want[float64]
			if mask&1 != 0 {
				w.Gradient = make([]float64, dim)
			}
			if mask&2 != 0 {
				w.Vectors, w.Products = [][]float64{v, g}, vectors(2)
			}
			if mask&4 != 0 {
				w.Direction, w.Field = smoothSign, make([]float64, dim)
			}
			if mask&8 != 0 {
				w.Direction, w.HField = smoothSign, make([]float64, dim)
			}
			if mask&16 != 0 {
				w.Lines, w.Bends = [][]float64{v, field, g}, vectors(3)
			}
			t.Run(fmt.Sprintf("batch %d, %+v", batch, w.Kind()), func(t *testing.T) {
				e, err := n.Evaluate(t.Context(), theta, batch, w)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(e.Loss-loss) > 1e-14*loss || !math.IsNaN(e.Correct) || !math.IsNaN(e.Accuracy()) {
					t.Errorf("%+v, want a loss of %v and nothing classified", e, loss)
				}
				if w.Gradient != nil {
					wantClose(t, "gradient", w.Gradient, g, 1e-14)
				}
				if w.Products != nil {
					wantClose(t, "H v", w.Products[0], hv, 1e-8)
					wantClose(t, "H g", w.Products[1], hg, 1e-8)
				}
				if w.Field != nil {
					wantClose(t, "field", w.Field, field, 1e-14)
				}
				if w.HField != nil {
					wantClose(t, "H field", w.HField, hf, 1e-8)
				}
				for i, u := range w.Lines {
					wantClose(t, "D^3E[u, u]", w.Bends[i], bend(u), 1e-6)
				}
			})
		}
	}
}

func TestADirectionOfAKnownGradientIsTheFieldOfTheProgram(t *testing.T) {
	n := NewNumeric[float64](chain(5, 1), 1)
	g, field, apart := make([]float64, 5), make([]float64, 5), make([]float64, 5)
	if _, err := n.Evaluate(t.Context(), n.Start(), 0, Want[float64]{Gradient: g, Direction: smoothSign, Field: field}); err != nil {
		t.Fatal(err)
	}
	direct, err := CompileDirection[float64](smoothSign, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := direct(g, n.Start(), apart); err != nil {
		t.Fatal(err)
	}
	wantClose(t, "direction", apart, field, 1e-15)
}

func TestThreadsChangeNoBit(t *testing.T) {
	const dim = 300_000
	results := func(t *testing.T, threads int) []float32 {
		n := NewNumeric[float32](chain(dim, 2), threads)
		theta, all := make([]float32, dim), make([]float32, 2*dim+1)
		for j, x := range n.Start() {
			theta[j] = float32(x)
		}
		e, err := n.Evaluate(t.Context(), theta, Full, Want[float32]{Gradient: all[:dim], Direction: smoothSign, HField: all[dim : 2*dim]})
		if err != nil {
			t.Fatal(err)
		}
		all[2*dim] = float32(e.Loss)
		return all
	}
	one := results(t, 1)
	for _, threads := range []int{2, 5} {
		t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
			if !slices.Equal(results(t, threads), one) {
				t.Error("other bits than on one thread")
			}
		})
	}
}

func TestAnEndedContextEndsAnEvaluation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := NewNumeric[float64](chain(3, 1), 1)
	if _, err := n.Evaluate(ctx, n.Start(), Full, Want[float64]{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMistakesAreErrors(t *testing.T) {
	n := NewNumeric[float64](chain(3, 2), 1)
	room := make([]float64, 3)
	for says, c := range map[string]struct {
		theta []float64
		batch int
		want  Want[float64]
	}{
		"batch 2: there are 2":                     {n.Start(), 2, Want[float64]{}},
		"batch -2: there are 2":                    {n.Start(), -2, Want[float64]{}},
		"1 parameter: want 3":                      {room[:1], 0, Want[float64]{}},
		"room for 2 numbers of a result":           {n.Start(), 0, Want[float64]{Gradient: room[:2]}},
		"2 vectors and room for 1 product":         {n.Start(), 0, Want[float64]{Vectors: [][]float64{room, room}, Products: [][]float64{room}}},
		"a vector of 1 number: want 3":             {n.Start(), 0, Want[float64]{Vectors: [][]float64{room[:1]}, Products: [][]float64{room}}},
		"room for 1 number of a product: want 3":   {n.Start(), 0, Want[float64]{Vectors: [][]float64{room}, Products: [][]float64{room[:1]}}},
		"1 line and room for 2 bends":              {n.Start(), 0, Want[float64]{Lines: [][]float64{room}, Bends: [][]float64{room, room}}},
		"room for 2 numbers of a product":          {n.Start(), 0, Want[float64]{Lines: [][]float64{room}, Bends: [][]float64{room[:2]}}},
		"want a direction and room for it":         {n.Start(), 0, Want[float64]{HField: room}},
		"want a direction and room for it or its ": {n.Start(), 0, Want[float64]{Direction: smoothSign}},
	} {
		t.Run(says, func(t *testing.T) {
			if _, err := n.Evaluate(t.Context(), c.theta, c.batch, c.want); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want an error that says %q, got %v", says, err)
			}
		})
	}
	wrong := NewNumeric[float64](&Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value { return theta.Add(theta.SliceAxis(0, 0, 1)).MatMul(theta) }}, 1)
	if _, err := wrong.Evaluate(t.Context(), room[:2], Full, Want[float64]{Gradient: room[:2]}); err == nil {
		t.Error("a loss that is no graph code: no error")
	}
}

func TestAFunctionWithoutBlocksIsOne(t *testing.T) {
	blocks := NewNumeric[float64](chain(4, 1), 1).Blocks()
	if len(blocks) != 1 || blocks[0].Name != "theta" || blocks[0].Size() != 4 || blocks[0].Offset != 0 {
		t.Errorf("%+v", blocks)
	}
}

// A loss of one's own is one function of graph code; every derivative follows.
func ExampleFunction() {
	saddle := &Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value {
		x, y := theta.At(0), theta.At(1)
		return x.Square().Sub(y.Square()).Add(x.Mul(y).Tanh())
	}}
	loss := NewNumeric[float64](saddle, 0)
	ctx, theta, g, hg := context.Background(), []float64{1, 0}, make([]float64, 2), make([]float64, 2)
	e, err := loss.Evaluate(ctx, theta, Full, Want[float64]{Gradient: g})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := loss.Evaluate(ctx, theta, Full, Want[float64]{Vectors: [][]float64{g}, Products: [][]float64{hg}}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("loss", e.Loss, "gradient", g, "Hessian times gradient", hg)
	// Output: loss 1 gradient [2 1] Hessian times gradient [5 0]
}

// The gradient, Adam's direction F made from it, and H F come from one pass.
func ExampleDirection() {
	valley := &Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.At(0).Square().Add(theta.At(1).Square().Mul(theta.Like(8))).Mul(theta.Like(0.5))
	}}
	loss := NewNumeric[float64](valley, 0)
	sign := &Direction{Make: func(g, _ graph.Value) graph.Value {
		return g.Div(g.Square().Add(g.Like(1e-12)).Sqrt())
	}}
	g, f, hf := make([]float64, 2), make([]float64, 2), make([]float64, 2)
	want := Want[float64]{Gradient: g, Direction: sign, Field: f, HField: hf}
	if _, err := loss.Evaluate(context.Background(), []float64{3, -1}, Full, want); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("g = %.0f, F = %.3f, H F = %.3f\n", g, f, hf)
	// Output: g = [3 -8], F = [1.000 -1.000], H F = [1.000 -8.000]
}
