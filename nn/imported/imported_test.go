package imported

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
	"shadowflow/safetensors"
)

// networks are those that testdata/networks.py and torchvision_networks.py export, with the shape of an example here.
var networks = []struct {
	name  string
	input []int
}{
	{"mlp", []int{7}},
	{"flattened", []int{4, 3, 3}},
	{"convolutional", []int{7, 6, 3}},
	{"residual", []int{6, 5, 3}},
	{"grouped", []int{6, 5, 3}},
	{"grouped_older", []int{6, 5, 3}},
	{"vision", []int{6, 6, 3}},
	{"vision_older", []int{6, 6, 3}},
	{"language", []int{7}},
	{"resnet_built_in", []int{6, 6, 3}},
	{"resnet_basic", []int{30, 26, 3}},
	{"resnet_bottleneck", []int{30, 26, 3}},
	{"vit", []int{12, 12, 3}},
}

const classes = 5

func build(t *testing.T, name string, input []int) *nn.Model {
	return buildIn(t, "testdata", name, input)
}

func buildIn(t *testing.T, folder, name string, input []int) *nn.Model {
	t.Helper()
	m, err := (&Net{Path: filepath.Join(folder, name+".onnx")}).Build(input, classes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// golden is what PyTorch computed.
type golden struct {
	tensors map[string]safetensors.Tensor
	eps     float64
}

func readGolden(t *testing.T, name string) golden { return readGoldenIn(t, "testdata", name) }

func readGoldenIn(t *testing.T, folder, name string) golden {
	t.Helper()
	file, err := safetensors.ReadFile(filepath.Join(folder, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	g := golden{tensors: map[string]safetensors.Tensor{}}
	for _, tensor := range file.Tensors {
		g.tensors[tensor.Name] = tensor
	}
	if g.eps, err = strconv.ParseFloat(file.Metadata["eps"], 64); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g golden) floats(t *testing.T, name string) []float64 {
	t.Helper()
	data, ok := g.tensors[name].Float64s()
	if !ok {
		t.Fatalf("the golden file has no %s", name)
	}
	return data
}

func (g golden) integers(name string) []int32 {
	var out []int32
	for _, v := range g.tensors[name].Data.([]int64) {
		out = append(out, int32(v))
	}
	return out
}

// examples returns x as it lies here.
func (g golden) examples(t *testing.T, m *nn.Model) engine.Buffer {
	if m.Tokens() {
		return engine.Of(g.integers("x"))
	}
	x := g.floats(t, "x")
	if in := m.Input(); len(in) == 3 {
		h, w, c := in[0], in[1], in[2]
		out := make([]float64, len(x))
		for i := range out {
			n, r, q, ch := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
			out[i] = x[((n*c+ch)*h+r)*w+q]
		}
		x = out
	}
	return engine.Of(x)
}

func run(t *testing.T, in, out []graph.Value, arrays ...engine.Buffer) [][]float64 {
	t.Helper()
	p, err := engine.Compile(in, out, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var outputs []engine.Buffer
	for _, v := range out {
		outputs = append(outputs, engine.NewBuffer(v.DType(), v.Size()))
	}
	if err := p.Run(arrays, outputs); err != nil {
		t.Fatal(err)
	}
	var results [][]float64
	for _, b := range outputs {
		results = append(results, b.Float64s())
	}
	return results
}

// closeTo compares arrays up to 1e-9 times the largest element wanted.
func closeTo(t *testing.T, what string, got, want []float64) {
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
	if !(worst <= 1e-9*math.Max(top, 1e-4)) { // what ought to be 0, as a bias before a normalization has for a gradient, is rounding on both sides
		t.Errorf("%s: off by %.3g of a largest element %.3g, want 1e-9 of it", what, worst, top)
	}
}

// compare holds a vector in the layout of theta to PyTorch's tensors, in the layout of files.
func (g golden) compare(t *testing.T, m *nn.Model, prefix string, got []float64) {
	t.Helper()
	tensors, err := nn.Tensors(m, prefix, got)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range tensors {
		data, _ := tensor.Float64s()
		closeTo(t, tensor.Name, data, g.floats(t, tensor.Name))
	}
	wanted := 0
	for name := range g.tensors {
		if strings.HasPrefix(name, prefix) {
			wanted++
		}
	}
	if wanted != len(tensors) {
		t.Errorf("%d tensors %s, want %d", len(tensors), prefix, wanted)
	}
}

func TestLossGradientAndHVPAgreeWithPyTorch(t *testing.T) {
	for _, c := range networks {
		t.Run(c.name, func(t *testing.T) {
			readGolden(t, c.name).compareDerivatives(t, build(t, c.name, c.input))
		})
	}
}

// compareDerivatives holds loss, gradient, Hessian-vector product and running averages, and the outputs in evaluation mode, to PyTorch's.
func (g golden) compareDerivatives(t *testing.T, m *nn.Model) {
	t.Helper()
	in := m.Inputs(graph.NewBuilder(), graph.Float64, g.tensors["x"].Shape[0])
	r, err := m.TrainLoss(in, nn.CrossEntropy)
	if err != nil {
		t.Fatal(err)
	}
	theta := []graph.Value{in.Theta}
	gradient := graph.Grad(r.Loss, theta...)[0]
	direction := gradient.Div(gradient.Square().Add(gradient.Like(g.eps)).Sqrt()).StopGradient()
	hvp := graph.JVP([]graph.Value{gradient}, theta, []graph.Value{direction})[0]
	out := []graph.Value{r.Logits, r.Loss, gradient, hvp}
	if r.Batch.Valid() {
		out = append(out, r.Batch)
	}
	state := m.Init(1)
	got := run(t, []graph.Value{in.Theta, in.X, in.Labels}, out, engine.Of(state.Theta), g.examples(t, m), engine.Of(g.integers("labels")))
	closeTo(t, "logits", got[0], g.floats(t, "logits"))
	closeTo(t, "loss", got[1], g.floats(t, "loss"))
	g.compare(t, m, "grad.", got[2])
	g.compare(t, m, "hvp.", got[3])
	if r.Batch.Valid() {
		nn.UpdateRunning(state.Running, got[4])
	}
	for _, s := range m.Stats() {
		closeTo(t, s.Name, state.Running[s.Offset:][:s.Size], g.floats(t, "after."+s.Name))
	}
	g.compareEvaluation(t, m, state)
}

// compareEvaluation holds the outputs in evaluation mode to PyTorch's.
func (g golden) compareEvaluation(t *testing.T, m *nn.Model, state *nn.State) {
	t.Helper()
	in := m.Inputs(graph.NewBuilder(), graph.Float64, g.tensors["x"].Shape[0])
	r, err := m.EvalLoss(in, nn.CrossEntropy)
	if err != nil {
		t.Fatal(err)
	}
	ins, arrays := []graph.Value{in.Theta, in.X}, []engine.Buffer{engine.Of(state.Theta), g.examples(t, m)}
	if m.NumStats() > 0 {
		ins, arrays = append(ins, in.Running), append(arrays, engine.Of(state.Running))
	}
	closeTo(t, "logits in evaluation mode", run(t, ins, []graph.Value{r.Logits}, arrays...)[0], g.floats(t, "eval_logits"))
}

// moves counts the transpositions in a program, but for those that a product reads through.
func moves(m *nn.Model, n int) (int, error) {
	in := m.Inputs(graph.NewBuilder(), graph.Float64, n)
	r, err := m.TrainLoss(in, nn.CrossEntropy)
	if err != nil {
		return 0, err
	}
	count, seen := 0, map[*graph.Node]bool{}
	var visit func(*graph.Node)
	visit = func(n *graph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if n.Op() == graph.OpTranspose {
			count++
		}
		for _, operand := range n.In() {
			visit(operand)
		}
	}
	visit(r.Loss.Node())
	return count, nil
}

// TestTorchvisionsNetworksAgreeLong exports torchvision's own networks and compares them: they are too large to keep.
func TestTorchvisionsNetworksAgreeLong(t *testing.T) {
	python := os.Getenv("SHADOWFLOW_PYTHON")
	if os.Getenv("SHADOWFLOW_LONG") == "" || python == "" {
		t.Skip("SHADOWFLOW_LONG is not set, or SHADOWFLOW_PYTHON names no interpreter with torchvision")
	}
	folder := t.TempDir()
	cmd := exec.Command(python, "torchvision_networks.py", folder)
	cmd.Dir = "testdata"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		name  string
		input []int
	}{{"resnet18", []int{64, 64, 3}}, {"resnet50", []int{64, 64, 3}}} {
		t.Run(c.name, func(t *testing.T) {
			m := buildIn(t, folder, c.name, c.input)
			readGoldenIn(t, folder, c.name).compareDerivatives(t, m)
			compareFlops(t, folder, c.name, m)
		})
	}
}

// compareFlops holds what a gradient computes in products to what PyTorch counts.
func compareFlops(t *testing.T, folder, name string, m *nn.Model) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "flops.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut("\n"+string(text), "\n"+name+" ")
	line, _, _ := strings.Cut(after, "\n")
	want, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	in, out := derivatives(t, m, graph.Float64, readGoldenIn(t, folder, name).tensors["x"].Shape[0], false)
	cost, err := engine.Measure(in, out, engine.Options{Threads: 1})
	if err != nil || cost.Flops != want {
		t.Errorf("a gradient has %d FLOP in products, %v; want %d", cost.Flops, err, want)
	}
}

func TestTheFlopsOfAGradientAreThoseThatPyTorchCounts(t *testing.T) {
	for _, c := range networks {
		if slices.Contains([]string{"resnet_built_in", "resnet_basic", "resnet_bottleneck", "vit"}, c.name) {
			t.Run(c.name, func(t *testing.T) { compareFlops(t, "testdata", c.name, build(t, c.name, c.input)) })
		}
	}
}

func TestImagesAreNeverTransposed(t *testing.T) {
	for _, c := range networks {
		if !slices.Contains([]string{"flattened", "convolutional", "residual", "grouped", "grouped_older", "resnet_built_in", "resnet_basic", "resnet_bottleneck"}, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if n, err := moves(build(t, c.name, c.input), 4); n != 0 || err != nil {
				t.Errorf("%d transpositions, %v, want none", n, err)
			}
		})
	}
}

// TensorFlow's exporters write networks of images [N, H, W, C], and transpositions before their convolutions.
func TestImagesMayHaveTheirChannelsLast(t *testing.T) {
	want := readGolden(t, "convolutional")
	perm := []onnx.Attribute{{Name: "perm", Value: []int64{0, 3, 1, 2}}}
	for name, before := range map[string][]onnx.Node{
		"transposed first": {{Op: "Transpose", Inputs: []string{"x"}, Outputs: []string{"nchw"}, Attributes: perm}},
		"by their lengths": {{Op: "Identity", Inputs: []string{"x"}, Outputs: []string{"z"}}, {Op: "Transpose", Inputs: []string{"z"}, Outputs: []string{"nchw"}, Attributes: perm}},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := onnx.ReadFile(filepath.Join("testdata", "convolutional.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			g := file.Graph
			for i := range g.Nodes {
				for j, input := range g.Nodes[i].Inputs {
					if input == g.Inputs[0].Name {
						g.Nodes[i].Inputs[j] = "nchw"
					}
				}
			}
			g.Nodes = slices.Concat(before, g.Nodes)
			g.Inputs[0].Name, g.Inputs[0].Shape = "x", []onnx.Dim{{Size: -1}, {Size: 7}, {Size: 6}, {Size: 3}}
			m, err := (&Net{Path: "net.onnx"}).modelOf(file, []int{7, 6, 3}, classes)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := moves(m, 4); n != 0 || err != nil {
				t.Errorf("%d transpositions, %v, want none", n, err)
			}
			want.compareDerivatives(t, m)
		})
	}
}

func TestWeightsAreSavedAndReadUnderTheNamesAndShapesOfTheFile(t *testing.T) {
	for _, c := range networks {
		m := build(t, c.name, c.input)
		path := filepath.Join(t.TempDir(), "weights.safetensors")
		start := m.Init(0)
		if err := m.Save(path, start, graph.Float64); err != nil {
			t.Fatal(err)
		}
		again, err := m.Load(path)
		if err != nil || fmt.Sprint(again.Theta, again.Running) != fmt.Sprint(start.Theta, start.Running) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
