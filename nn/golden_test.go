package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/safetensors"
)

// goldenModels are the reduced models that testdata/golden.py evaluates in PyTorch.
var goldenModels = []struct {
	name  string
	arch  Architecture
	input []int
}{
	{"mlp_tanh", &MLP{Hidden: []int{10, 7}, Activation: "tanh"}, []int{4, 4, 3}},
	{"mlp_gelu_mse", &MLP{Hidden: []int{9}, Activation: "gelu"}, []int{3, 4, 2}},
	{"mlp_silu", &MLP{Hidden: []int{8, 6}, Activation: "silu"}, []int{4, 3, 1}},
	{"mlp_sigmoid", &MLP{Hidden: []int{8}, Activation: "sigmoid"}, []int{4, 3, 1}},
	{"cnn", &CNN{Channels: []int{4, 6}, Dense: 10}, []int{8, 12, 3}},
	{"resnet_bottleneck", &ResNet{Blocks: []int{2, 1}, Width: 4, Bottleneck: true}, []int{6, 6, 3}},
	{"resnet_basic", &ResNet{Blocks: []int{1, 2}, Width: 4}, []int{7, 6, 2}},
	{"vit", &ViT{Patch: 4, Dim: 12, Depth: 2, Heads: 3, DimHead: 4, MLP: 14}, []int{8, 12, 3}},
	{"gpt", &GPT{Depth: 2, Heads: 3, Dim: 12, Context: 9}, []int{7}},
	{"gpt_tied", &GPT{Depth: 2, Heads: 3, Dim: 12, Context: 9, Tied: true}, []int{7}},
}

// golden is a file of values that PyTorch computed.
type golden struct {
	tensors map[string]safetensors.Tensor
	state   *State // before the pass
	x       any    // []float64, tokens []int32
	labels  []int32
	loss    Loss
	eps     float64
}

func readGolden(t *testing.T, name string, m *Model) golden {
	t.Helper()
	path := filepath.Join("testdata", name+".safetensors")
	file, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{tensors: map[string]safetensors.Tensor{}}
	var weights []safetensors.Tensor
	for _, tensor := range file.Tensors {
		g.tensors[tensor.Name] = tensor
		if rest, ok := strings.CutPrefix(tensor.Name, "weights."); ok {
			tensor.Name = rest
			weights = append(weights, tensor)
		}
	}
	if g.state, err = m.fromStateDict(path, weights); err != nil {
		t.Fatal(err)
	}
	if labels, ok := g.tensors["labels"].Data.([]int64); ok {
		for _, l := range labels {
			g.labels = append(g.labels, int32(l))
		}
	}
	if g.loss, err = ParseLoss(file.Metadata["loss"]); err != nil {
		t.Fatal(err)
	}
	if g.eps, err = strconv.ParseFloat(file.Metadata["eps"], 64); err != nil {
		t.Fatal(err)
	}
	if m.Tokens() {
		var tokens []int32
		for _, x := range g.tensors["x"].Data.([]int64) {
			tokens = append(tokens, int32(x))
		}
		g.x = tokens
	} else if x := g.floats("x"); len(m.input) == 1 {
		g.x = x
	} else {
		g.x = channelsLast(x, m.input)
	}
	return g
}

// channelsLast turns PyTorch's images [N,C,H,W] into [N,H,W,C].
func channelsLast(x []float64, shape []int) []float64 {
	out := make([]float64, len(x))
	h, w, c := shape[0], shape[1], shape[2]
	for i := range out {
		n, r, q, ch := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
		out[i] = x[((n*c+ch)*h+r)*w+q]
	}
	return out
}

func (g golden) examples() int { return g.tensors["x"].Shape[0] }

func (g golden) floats(name string) []float64 {
	data, ok := g.tensors[name].Float64s()
	if !ok {
		panic("the golden file has no floating-point tensor " + name)
	}
	return data
}

// closeTo compares arrays up to tol times the largest element wanted.
func closeTo(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	top, worst := 0.0, 0.0
	for i, w := range want {
		top = math.Max(top, math.Abs(w))
		worst = math.Max(worst, math.Abs(got[i]-w)) // NaN once one is
	}
	if !(worst <= tol*top) {
		t.Errorf("%s: off by %.3g of a largest element %.3g: relative %.3g, want %g", what, worst, top, worst/top, tol)
	}
}

// run compiles and runs a program. Arrays of float64 are converted to and from the program's types.
func run(t testing.TB, in, out []graph.Value, arrays ...any) [][]float64 {
	t.Helper()
	p, err := engine.Compile(in, out, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var inputs, outputs []engine.Buffer
	for i, s := range p.Inputs() {
		switch a := arrays[i].(type) {
		case []int32:
			inputs = append(inputs, engine.Of(a))
		case []float64:
			if s.DType == graph.Float64 {
				inputs = append(inputs, engine.Of(a))
			} else {
				inputs = append(inputs, engine.Of(to32(a)))
			}
		}
	}
	for _, s := range p.Outputs() {
		outputs = append(outputs, engine.NewBuffer(s.DType, numel(s.Shape)))
	}
	if err := p.Run(inputs, outputs); err != nil {
		t.Fatal(err)
	}
	results := make([][]float64, len(outputs))
	for i, b := range outputs {
		results[i] = b.Float64s()
		for _, x := range b.Float32s() {
			results[i] = append(results[i], float64(x))
		}
	}
	return results
}

// trainProgram records loss, gradient and, along g/sqrt(g^2+eps), Hessian-vector product.
func trainProgram(t testing.TB, m *Model, dtype graph.DType, n int, loss Loss, eps float64) (in []graph.Value, r Result, g, hvp graph.Value) {
	t.Helper()
	return derived(t, m, m.Inputs(graph.NewBuilder(), dtype, n), loss, eps)
}

// derived is trainProgram for parameters that are there.
func derived(t testing.TB, m *Model, inputs Inputs, loss Loss, eps float64) (in []graph.Value, r Result, g, hvp graph.Value) {
	t.Helper()
	r, err := m.TrainLoss(inputs, loss)
	if err != nil {
		t.Fatal(err)
	}
	theta := []graph.Value{inputs.Theta}
	g = graph.Grad(r.Loss, theta...)[0]
	direction := g.Div(g.Square().Add(g.Like(eps)).Sqrt()).StopGradient()
	hvp = graph.JVP([]graph.Value{g}, theta, []graph.Value{direction})[0]
	return []graph.Value{inputs.Theta, inputs.X, inputs.Answer()}, r, g, hvp
}

func TestLossGradientAndHVPAgreeWithPyTorch(t *testing.T) {
	for _, c := range goldenModels {
		for _, at := range []struct {
			dtype graph.DType
			tol   float64
		}{{graph.Float64, 1e-9}, {graph.Float32, 1e-4}} {
			t.Run(fmt.Sprint(c.name, "/", at.dtype), func(t *testing.T) {
				m, err := c.arch.Build(c.input, 5)
				if err != nil {
					t.Fatal(err)
				}
				want := readGolden(t, c.name, m)
				in, r, g, hvp := trainProgram(t, m, at.dtype, want.examples(), want.loss, want.eps)
				out := []graph.Value{r.Logits, r.Loss, g, hvp}
				if r.Batch.Valid() {
					out = append(out, r.Batch)
				}
				got := run(t, in, out, want.state.Theta, want.x, want.labels)
				closeTo(t, "logits", got[0], want.floats("logits"), at.tol)
				closeTo(t, "loss", got[1], want.floats("loss"), at.tol)
				want.compare(t, m, "grad.", got[2], at.tol)
				want.compare(t, m, "hvp.", got[3], at.tol)
				if r.Batch.Valid() {
					want.compareRunning(t, m, got[4], at.tol)
				}
			})
		}
	}
}

// compare holds a vector in the layout of theta against PyTorch's tensors, one by one.
func (g golden) compare(t *testing.T, m *Model, prefix string, got []float64, tol float64) {
	t.Helper()
	tensors, err := Tensors(m, prefix, got)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range tensors {
		data, _ := tensor.Float64s()
		closeTo(t, tensor.Name, data, g.floats(tensor.Name), tol)
	}
}

// compareRunning updates the running averages and holds them against PyTorch's after its pass.
func (g golden) compareRunning(t *testing.T, m *Model, batch []float64, tol float64) {
	t.Helper()
	UpdateRunning(g.state.Running, batch)
	for _, s := range m.Stats() {
		closeTo(t, s.Name, g.state.Running[s.Offset:][:s.Size], g.floats("after."+s.Name), tol)
	}
}

func TestEvaluationWithRunningAveragesAgreesWithPyTorch(t *testing.T) {
	for _, c := range goldenModels {
		if _, ok := c.arch.(*ResNet); !ok {
			continue
		}
		m, err := c.arch.Build(c.input, 5)
		if err != nil {
			t.Fatal(err)
		}
		want := readGolden(t, c.name, m)
		for _, s := range m.Stats() {
			copy(want.state.Running[s.Offset:], want.floats("after."+s.Name))
		}
		in := m.Inputs(graph.NewBuilder(), graph.Float64, len(want.labels))
		r, err := m.EvalLoss(in, want.loss)
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, []graph.Value{in.Theta, in.X, in.Running}, []graph.Value{r.Logits}, want.state.Theta, want.x, want.state.Running)
		closeTo(t, c.name, got[0], want.floats("eval_logits"), 1e-9)
	}
}

func TestHessiansAreSymmetricToRounding(t *testing.T) {
	for _, c := range goldenModels {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.arch.Build(c.input, 5)
			if err != nil {
				t.Fatal(err)
			}
			want := readGolden(t, c.name, m)
			b := graph.NewBuilder()
			in := m.Inputs(b, graph.Float64, want.examples())
			r, err := m.TrainLoss(in, want.loss)
			if err != nil {
				t.Fatal(err)
			}
			theta := []graph.Value{in.Theta}
			v := b.Param("v", graph.Float64, m.NumParams())
			hvp := graph.JVP(graph.Grad(r.Loss, theta...), theta, []graph.Value{v})
			direction := func(seed uint64) []float64 {
				d, r := make([]float64, m.NumParams()), rand.New(rand.NewPCG(seed, 7))
				for i := range d {
					d[i] = r.NormFloat64()
				}
				return d
			}
			du, dv := direction(1), direction(2)
			ins := []graph.Value{in.Theta, in.X, in.Labels, v}
			hu := run(t, ins, hvp, want.state.Theta, want.x, want.labels, du)[0]
			hv := run(t, ins, hvp, want.state.Theta, want.x, want.labels, dv)[0]
			uhv, vhu := floats.Dot(du, hv), floats.Dot(dv, hu)
			scale := floats.Norm(du, 2) * floats.Norm(hv, 2)
			if math.Abs(uhv-vhu) > 1e-13*scale || scale == 0 {
				t.Errorf("u.Hv = %v, v.Hu = %v differ by %.3g of |u||Hv|", uhv, vhu, math.Abs(uhv-vhu)/scale)
			}
		})
	}
}
