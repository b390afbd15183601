package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
)

// model is a network with a loss, in a size for difference quotients and one of many tiles and chunks.
type model struct {
	name  string
	build func(e *env, large bool) graph.Value
}

var models = []model{{"MLP", mlp}, {"CNN", cnn}, {"residual bottleneck", bottleneck}, {"attention block", attention}, {"causal attention", causalAttention}, {"embeddings", embeddings}}

func pick(large bool, big, small int) int {
	if large {
		return big
	}
	return small
}

// scaled adds a variable whose elements have the standard deviation of a layer with that many inputs.
func (e *env) scaled(inputs int, shape ...int) graph.Value {
	x := e.x(shape...)
	for i := range e.data[x.Node()] {
		e.data[x.Node()][i] /= math.Sqrt(float64(inputs))
		if e.dtype == graph.Float32 {
			e.data[x.Node()][i] = float64(float32(e.data[x.Node()][i]))
		}
	}
	return x
}

// mlp takes its weights from one flat vector, as optimizers have them.
func mlp(e *env, large bool) graph.Value {
	n, sizes := pick(large, 1500, 6), []int{5, 4, 3}
	if large {
		sizes = []int{64, 48, 10}
	}
	total := 0
	for i := 1; i < len(sizes); i++ {
		total += sizes[i] * (sizes[i-1] + 1)
	}
	theta := e.scaled(sizes[0], total)
	h, at := e.weights(n, sizes[0]), 0
	next := func(size int) graph.Value { at += size; return theta.SliceAxis(0, at-size, at) }
	for i := 1; i < len(sizes); i++ {
		w := next(sizes[i]*sizes[i-1]).Reshape(sizes[i], sizes[i-1])
		if h = h.MatMul(w.T()).Add(next(sizes[i])); i < len(sizes)-1 {
			h = h.Gelu()
		}
	}
	return h.CrossEntropy(e.labels(sizes[len(sizes)-1], n))
}

func cnn(e *env, large bool) graph.Value {
	n, side, c, o := pick(large, 12, 2), pick(large, 16, 6), pick(large, 3, 2), pick(large, 16, 3)
	same := graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}}
	half := graph.PoolSpec{Size: [2]int{2, 2}}
	h := e.weights(n, side, side, c)
	h = h.Conv2D(e.scaled(9*c, 3, 3, c, o), same).Add(e.x(o)).Relu().MaxPool(half)
	h = h.Conv2D(e.scaled(9*o, 3, 3, o, 2*o), same).Add(e.x(2 * o)).Relu()
	h = h.MaxPool(graph.PoolSpec{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})
	h = h.Reshape(n, -1)
	in := h.Shape()[1]
	return h.MatMul(e.scaled(in, in, 4)).Add(e.x(4)).CrossEntropy(e.labels(4, n))
}

func bottleneck(e *env, large bool) graph.Value {
	n, side, c, mid := pick(large, 8, 2), pick(large, 14, 4), pick(large, 24, 3), pick(large, 16, 2)
	norm := func(v graph.Value) graph.Value {
		o := v.Shape()[3]
		y, _, _ := v.BatchNorm(e.x(o), e.x(o), 1e-2)
		return y
	}
	x := e.weights(n, side, side, c)
	stride := graph.ConvSpec{Stride: [2]int{2, 2}}
	h := norm(x.Conv2D(e.scaled(c, 1, 1, c, mid), graph.ConvSpec{})).Relu()
	h = norm(h.Conv2D(e.scaled(9*mid, 3, 3, mid, mid), graph.ConvSpec{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})).Relu()
	h = norm(h.Conv2D(e.scaled(mid, 1, 1, mid, 2*c), graph.ConvSpec{}))
	h = h.Add(norm(x.Conv2D(e.scaled(c, 1, 1, c, 2*c), stride))).Relu()
	return h.Mean(1, 2).MatMul(e.scaled(2*c, 2*c, 3)).CrossEntropy(e.labels(3, n))
}

func attention(e *env, large bool) graph.Value {
	batch, tokens, heads, d := pick(large, 12, 2), pick(large, 40, 3), pick(large, 4, 2), pick(large, 8, 2)
	width := heads * d
	x := e.weights(batch*tokens, width)
	split := func(v graph.Value, axes ...int) graph.Value {
		return v.Reshape(batch, tokens, heads, d).Transpose(axes...)
	}
	dense := func(v graph.Value, out int) graph.Value {
		in := v.Shape()[1]
		return v.MatMul(e.scaled(in, in, out)).Add(e.x(out))
	}
	h := x.LayerNorm(e.x(width), e.x(width), 1e-2)
	q, k, v := split(dense(h, width), 0, 2, 1, 3), split(dense(h, width), 0, 2, 1, 3), split(dense(h, width), 0, 2, 1, 3)
	a := q.MatMul(k.T()).Mul(q.Like(1 / math.Sqrt(float64(d)))).Softmax().MatMul(v)
	x = x.Add(dense(a.Transpose(0, 2, 1, 3).Reshape(batch*tokens, width), width))
	h = dense(dense(x.LayerNorm(e.x(width), e.x(width), 1e-2), 2*width).Gelu(), width)
	y := x.Add(h).Reshape(batch, tokens, width).Mean(1)
	return dense(y, 3).CrossEntropy(e.labels(3, batch))
}

// causalAttention gives each token the values of those up to it, with the mask that lets half of its products be left out.
func causalAttention(e *env, large bool) graph.Value {
	batch, tokens, d := pick(large, 20, 2), pick(large, 70, 33), pick(large, 16, 2)
	x := e.scaled(1, batch, tokens, d)
	project := func() graph.Value {
		return x.Reshape(-1, d).MatMul(e.scaled(d, d, d)).Reshape(batch, tokens, d)
	}
	q, k, v := project(), project(), project()
	y := masked(q.MatMul(k.T())).SoftmaxMatMul(v)
	return y.Sub(e.x(batch, tokens, d)).Square().Mean()
}

// masked hides what is behind the diagonal of each row from a softmax.
func masked(dots graph.Value) graph.Value {
	n := dots.Shape()[1]
	mask := make([]float64, n*n)
	for i := range n {
		for j := i + 1; j < n; j++ {
			mask[i*n+j] = -1e30
		}
	}
	return dots.Add(dots.Builder().ConstArray(dots.DType(), mask, n, n))
}

// embeddings adds up what a table has for tokens and what another has for their places, and averages over each text.
func embeddings(e *env, large bool) graph.Value {
	texts, length, words, width := pick(large, 60, 2), pick(large, 30, 3), pick(large, 700, 5), pick(large, 48, 2)
	h := e.x(words, width).Rows(e.labels(words, texts, length)).Add(e.x(length, width))
	h = h.LayerNorm(e.x(width), e.x(width), 1e-2).Gelu().Mean(1)
	return h.MatMul(e.scaled(width, width, 4)).Add(e.x(4)).CrossEntropy(e.labels(4, texts))
}

// pair is a model's loss, its gradient, and the products of its Hessian with two directions.
type pair struct {
	loss         graph.Value
	g, u, v      []graph.Value
	hu, hv, outs []graph.Value
}

func pairOf(e *env, m model, large bool) pair {
	p := pair{loss: m.build(e, large)}
	p.u, p.v = e.direction(e.xs), e.direction(e.xs)
	p.g = graph.Grad(p.loss, e.xs...)
	p.hu, p.hv = graph.JVP(p.g, e.xs, p.u), graph.JVP(p.g, e.xs, p.v)
	p.outs = append(append(append([]graph.Value{p.loss}, p.g...), p.hu...), p.hv...)
	return p
}

func TestHessiansOfModelsAreSymmetric(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			for _, dtype := range []graph.DType{graph.Float64, graph.Float32} {
				e := newEnv(dtype)
				p := pairOf(e, m, false)
				uhv, vhu := inner(p.u, p.hv), inner(p.v, p.hu)
				outs := append([]graph.Value{uhv, vhu}, p.outs...)
				got, want := e.compile(t, Options{}, outs...).eval(t), e.expect(t, outs...)
				near(t, fmt.Sprintf("%v symmetry", dtype), got[0], got[1], tolerance(dtype))
				for i := range outs {
					near(t, fmt.Sprintf("%v output %d against the oracle", dtype, i), got[i], want[i], 10*tolerance(dtype))
				}
				if scale := math.Abs(got[0][0]); scale < 1e-3 {
					t.Errorf("u.Hv is %v: too small to show anything", scale)
				}
			}
		})
	}
}

func TestDerivativesOfModels(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			e := newEnv(graph.Float64)
			p := pairOf(e, m, false)
			s := differences{t: t, e: e, n: len(e.xs)}
			s.quotients("Grad", []graph.Value{p.loss}, p.u, []graph.Value{inner(p.g, p.u)}, 1e-7)
			s.quotients("Hessian-vector product", p.g, p.u, p.hu, 1e-7)
			s.same("Grad of Grad", graph.Grad(inner(p.g, p.u), e.xs...), p.hu)
			j := graph.NewJet()
			for i, x := range e.xs {
				j.Set(x, func(a, _ int) graph.Value { return []graph.Value{{}, p.u[i], {}}[a] })
			}
			second := j.Coef(p.loss, 2, 0)
			s.same("Jet", []graph.Value{second.Mul(second.Like(2))}, []graph.Value{inner(p.hu, p.u)})
			s.verify()
		})
	}
}

func TestLargeModelsGiveTheSameBitsOnAnyNumberOfThreads(t *testing.T) {
	for _, m := range models {
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
			t.Run(fmt.Sprintf("%s %v", m.name, dtype), func(t *testing.T) {
				e := newEnv(dtype)
				p := pairOf(e, m, true)
				outs := p.outs
				var first [][]float64
				for _, threads := range []int{1, 2, 8} {
					got := e.compile(t, Options{Threads: threads}, outs...).eval(t)
					if first == nil {
						first = got
						if dtype == graph.Float64 {
							n := 1 + len(p.g)
							near(t, "loss and gradient", flatten(got[:n]), flatten(e.expect(t, outs[:n]...)), tolerance(dtype))
						}
						continue
					}
					for k := range got {
						for i, v := range got[k] {
							if math.Float64bits(v) != math.Float64bits(first[k][i]) {
								t.Fatalf("%d threads: output %d, element %d is %v: want the %v of one thread", threads, k, i, v, first[k][i])
							}
						}
					}
				}
			})
		}
	}
}

// valuesEnv names the file to which a copy of this test binary writes the models' values.
const valuesEnv = "SHADOWFLOW_TEST_VALUES"

// TestModelsGiveTheSameWithEveryInstructionSet compares the models' values in float64 with those of plain Go, and those in float32
// with them too, each in a process of its own: the choice is made once in a process.
func TestModelsGiveTheSameWithEveryInstructionSet(t *testing.T) {
	if path := os.Getenv(valuesEnv); path != "" {
		writeValues(t, path)
		return
	}
	var plain map[string][]float64
	for _, set := range isa.Available() {
		path := t.TempDir() + "/values.json"
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), isa.Env+"="+set.String(), valuesEnv+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", set, err, out)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var values map[string][]float64
		if err := json.Unmarshal(data, &values); err != nil {
			t.Fatal(err)
		}
		if plain == nil {
			plain = values
		}
		for name := range plain {
			dtype := graph.Float64
			if _, err := fmt.Sscanf(name, "float32"); err == nil {
				dtype = graph.Float32
			}
			near(t, fmt.Sprintf("%v: %s", set, name), values[name], plain[name], 10*tolerance(dtype))
		}
	}
}

func writeValues(t *testing.T, path string) {
	values := map[string][]float64{}
	for _, m := range models {
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
			e := newEnv(dtype)
			p := pairOf(e, m, true)
			for i, out := range e.compile(t, Options{Threads: 2}, p.outs...).eval(t) {
				values[fmt.Sprintf("%v %s %d", dtype, m.name, i)] = out
			}
		}
	}
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
