package nn

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"shadowflow/graph"
)

func build(t testing.TB, a Architecture, input []int, classes int) *Model {
	t.Helper()
	m, err := a.Build(input, classes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The counts are those that PyTorch reports for the modules in docs/weights.md (the script in testdata prints them).
func TestFullSizesHavePyTorchsNumberOfParameters(t *testing.T) {
	for name, want := range map[string]int{
		"cnn": 1_341_226, "resnet18": 11_173_962, "resnet34": 21_282_122, "resnet50": 23_520_842, "resnet101": 42_512_970, "vit": 18_928_234,
	} {
		a, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := build(t, a, []int{32, 32, 3}, 10).NumParams(); got != want {
			t.Errorf("%s has %d parameters, want %d", name, got, want)
		}
	}
	a, _ := Named("mlp")
	if got := build(t, a, []int{64}, 10).NumParams(); got != 8970 {
		t.Errorf("mlp has %d parameters, want 8970", got)
	}
}

// exampleOf returns the shape of an example that a network by its name takes.
func exampleOf(name string) []int {
	if name == "gpt" {
		return []int{64}
	}
	return []int{32, 32, 3}
}

func TestParametersLieSideBySideInTheta(t *testing.T) {
	for _, name := range Names() {
		a, _ := Named(name)
		m := build(t, a, exampleOf(name), 10)
		at := 0
		for _, p := range m.Params() {
			if p.Offset != at || p.Size() != numel(p.Torch) {
				t.Fatalf("%s: %s starts at %d, want %d; shapes %v and %v", name, p.Name, p.Offset, at, p.Shape, p.Torch)
			}
			at += p.Size()
		}
		if at != m.NumParams() {
			t.Errorf("%s: the parameters fill %d of %d", name, at, m.NumParams())
		}
	}
}

func TestInitializationHasPyTorchsDistributions(t *testing.T) {
	for _, c := range []struct {
		arch  string
		param string
		std   float64
		most  float64 // largest possible magnitude
	}{
		{"mlp", "0.weight", 1 / math.Sqrt(3*3072), 1 / math.Sqrt(3072)},
		{"cnn", "2.weight", 1 / math.Sqrt(3*288), 1 / math.Sqrt(288)},
		{"cnn", "16.bias", 1 / math.Sqrt(3*2048), 1 / math.Sqrt(2048)},
		{"resnet18", "layer2.0.conv1.weight", math.Sqrt(2. / (128 * 9)), math.Inf(1)},
		{"resnet18", "fc.weight", 1 / math.Sqrt(3*512), 1 / math.Sqrt(512)},
		{"vit", "transformer.layers.0.0.to_qkv.weight", 1 / math.Sqrt(3*512), 1 / math.Sqrt(512)},
		{"gpt", "transformer.wpe.weight", 0.02, math.Inf(1)},
		{"gpt", "transformer.h.0.mlp.c_fc.weight", 0.02, math.Inf(1)},
		{"gpt", "transformer.h.3.mlp.c_proj.weight", 0.02 / math.Sqrt(8), math.Inf(1)},
	} {
		a, _ := Named(c.arch)
		m := build(t, a, exampleOf(c.arch), 10)
		theta := m.Init(3).Theta
		i := slices.IndexFunc(m.Params(), func(p Param) bool { return p.Name == c.param })
		p := m.Params()[i]
		values := theta[p.Offset:][:p.Size()]
		mean, std := stat.MeanStdDev(values, nil)
		sigma := 1 / math.Sqrt(float64(len(values)))
		if math.Abs(mean) > 5*sigma*c.std || math.Abs(std/c.std-1) > 5*sigma {
			t.Errorf("%s %s: mean %.3g, deviation %.4g, want 0 and %.4g", c.arch, c.param, mean, std, c.std)
		}
		if top := max(slices.Max(values), -slices.Min(values)); top > c.most || top < 2*std && math.IsInf(c.most, 1) {
			t.Errorf("%s %s: largest magnitude %.4g, want at most %.4g", c.arch, c.param, top, c.most)
		}
	}
}

func TestInitializationIsAFunctionOfTheSeed(t *testing.T) {
	m := build(t, &CNN{Channels: []int{4}, Dense: 5}, []int{8, 8, 1}, 3)
	if !slices.Equal(m.Init(1).Theta, m.Init(1).Theta) {
		t.Error("the same seed gives other parameters")
	}
	if slices.Equal(m.Init(1).Theta, m.Init(2).Theta) {
		t.Error("another seed gives the same parameters")
	}
	// The first layer does not depend on the widths after it.
	wide := build(t, &CNN{Channels: []int{4}, Dense: 9}, []int{8, 8, 1}, 3)
	n := m.Params()[2].Offset
	if !slices.Equal(m.Init(1).Theta[:n], wide.Init(1).Theta[:n]) {
		t.Error("the first layer's parameters depend on later widths")
	}
}

func TestRunningAveragesStartAtZeroAndOneAndMoveByATenth(t *testing.T) {
	m := build(t, &ResNet{Blocks: []int{1}, Width: 2}, []int{4, 4, 1}, 3)
	s := m.Init(0)
	for _, st := range m.Stats() {
		want := 0.
		if strings.HasSuffix(st.Name, "running_var") {
			want = 1
		}
		for _, v := range s.Running[st.Offset:][:st.Size] {
			if v != want {
				t.Fatalf("%s starts at %v, want %v", st.Name, v, want)
			}
		}
	}
	running := []float64{0, 1}
	UpdateRunning(running, []float64{10, 3})
	if math.Abs(running[0]-1) > 1e-15 || math.Abs(running[1]-1.2) > 1e-15 {
		t.Errorf("running averages %v, want [1 1.2]", running)
	}
}

func TestSettingsOutOfRangeAreNamed(t *testing.T) {
	image := []int{8, 8, 3}
	for _, c := range []struct {
		arch  Architecture
		input []int
		field string
	}{
		{&MLP{Hidden: []int{4, 0}, Activation: "tanh"}, image, "hidden[1]"},
		{&MLP{Hidden: []int{4}, Activation: "swish"}, image, "activation"},
		{&MLP{Activation: "tanh"}, []int{8, 8}, "the shape of an example"},
		{&MLP{Activation: "tanh"}, []int{0}, "the shape of an example"},
		{&CNN{Dense: 4}, image, "channels"},
		{&CNN{Channels: []int{4, -1}, Dense: 4}, image, "channels[1]"},
		{&CNN{Channels: []int{4, 4, 4, 4}, Dense: 4}, image, "channels"},
		{&CNN{Channels: []int{4}}, image, "dense"},
		{&CNN{Channels: []int{4}, Dense: 4}, []int{64}, "the shape of an example"},
		{&ResNet{Width: 4}, image, "blocks"},
		{&ResNet{Blocks: []int{1, 0}, Width: 4}, image, "blocks[1]"},
		{&ResNet{Blocks: []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, Width: 4}, image, "blocks"},
		{&ResNet{Blocks: []int{1}}, image, "width"},
		{&ViT{Patch: 3, Dim: 8, Depth: 1, Heads: 1, DimHead: 4, MLP: 4}, image, "patch"},
		{&ViT{Patch: 4, Dim: 10, Depth: 1, Heads: 1, DimHead: 4, MLP: 4}, image, "dim"},
		{&ViT{Patch: 4, Dim: 4, Depth: 1, Heads: 1, DimHead: 4, MLP: 4}, image, "dim"},
		{&ViT{Patch: 4, Dim: 8, Heads: 1, DimHead: 4, MLP: 4}, image, "depth"},
		{&ViT{Patch: 4, Dim: 8, Depth: 1, DimHead: 4, MLP: 4}, image, "heads"},
		{&ViT{Patch: 4, Dim: 8, Depth: 1, Heads: 1, MLP: 4}, image, "dim_head"},
		{&ViT{Patch: 4, Dim: 8, Depth: 1, Heads: 1, DimHead: 4}, image, "mlp"},
		{&GPT{Heads: 1, Dim: 4, Context: 8}, []int{8}, "depth"},
		{&GPT{Depth: 1, Heads: 3, Dim: 4, Context: 8}, []int{8}, "heads"},
		{&GPT{Depth: 1, Heads: 1, Dim: 4, Context: 7}, []int{8}, "the shape of an example"},
		{&GPT{Depth: 1, Heads: 1, Dim: 4, Context: 8}, image, "the shape of an example"},
	} {
		_, err := c.arch.Build(c.input, 10)
		var e *FieldError
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%T %+v on %v: %v, want an error about %s", c.arch, c.arch, c.input, err, c.field)
		}
	}
	if _, err := (&MLP{Hidden: make([]int, 20_001), Activation: "tanh"}).Build([]int{8}, 10); err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "0 to 1024 numbers") {
		t.Errorf("of very many layers: %.300v", err)
	}
	for _, name := range Names() {
		a, _ := Named(name)
		var e *FieldError
		if _, err := a.Build([]int{32, 32, 3}, 0); !errors.As(err, &e) {
			t.Errorf("%s without outputs: %v", name, err)
		}
	}
	if _, err := Named("resnet19"); err == nil || !strings.Contains(err.Error(), "resnet18") {
		t.Errorf("an unknown name: %v, want the names there are", err)
	}
}

func TestValuesThatDoNotFitAreErrors(t *testing.T) {
	m := build(t, &ResNet{Blocks: []int{1}, Width: 2}, []int{4, 4, 1}, 3)
	inputs := func(n int) Inputs { return m.Inputs(graph.NewBuilder(), graph.Float64, n) }

	in := inputs(2)
	in.Theta = in.X.Builder().Param("other", graph.Float64, 7)
	if _, err := m.TrainLoss(in, CrossEntropy); err == nil || !strings.Contains(err.Error(), "theta has shape [7]") {
		t.Errorf("theta of another length: %v", err)
	}
	in = inputs(2)
	in.X = in.Theta.Builder().Param("other", graph.Float64, 2, 5, 5, 1)
	if _, err := m.TrainLoss(in, CrossEntropy); err == nil || !strings.Contains(err.Error(), "[2 5 5 1]") {
		t.Errorf("examples of another shape: %v", err)
	}
	in = inputs(2)
	in.Running = graph.Value{}
	if _, err := m.EvalLoss(in, CrossEntropy); err == nil || !strings.Contains(err.Error(), "running averages") {
		t.Errorf("no running averages: %v", err)
	}
	if _, _, err := m.Train(nil, inputs(2).X); err == nil {
		t.Error("no parameters: no error")
	}
	in = inputs(2)
	in.Labels = in.Theta
	if _, err := m.TrainLoss(in, CrossEntropy); err == nil {
		t.Error("labels that are not integers: no error")
	}
	// A batch normalization that sees one value a channel cannot divide by its deviation, as PyTorch says too.
	deep := build(t, &ResNet{Blocks: []int{1, 1, 1}, Width: 2}, []int{4, 4, 1}, 3)
	_, err := deep.TrainLoss(deep.Inputs(graph.NewBuilder(), graph.Float64, 1), CrossEntropy)
	if err == nil || !strings.Contains(err.Error(), "layer3.0.bn1") {
		t.Errorf("one value a channel: %v", err)
	}
}
