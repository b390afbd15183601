package imported

import (
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/onnx"
)

// operatorNetworks are those that testdata/operators.py exports into testdata/operators, with the shape of an example here, and operators that they have.
var operatorNetworks = []struct {
	name      string
	input     []int
	operators string
}{
	{"dilated", []int{9, 8, 3}, "Conv"},
	{"ceiled", []int{7, 6, 3}, "MaxPool AveragePool"},
	{"ceiled_older", []int{7, 6, 3}, "MaxPool AveragePool"},
	{"activations", []int{7}, ""},
	{"activations_older", []int{7}, ""},
	{"picked", []int{4, 4, 3}, ""},
	{"picked_older", []int{4, 4, 3}, ""},
	{"lines", []int{16}, "Conv MaxPool AveragePool BatchNormalization"},
	{"heads", []int{7}, "Attention"},
	{"flat", []int{7}, "Attention Swish Sum Mean"},
	{"made", []int{7}, ""},
	{"windows", []int{8, 8, 3}, "GatherND ScatterND"},
}

func TestEachOperatorAgreesWithPyTorch(t *testing.T) {
	folder := filepath.Join("testdata", "operators")
	for _, c := range operatorNetworks {
		t.Run(c.name, func(t *testing.T) {
			file, err := onnx.ReadFile(filepath.Join(folder, c.name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range strings.Fields(c.operators) {
				if !slices.ContainsFunc(file.Graph.Nodes, func(n onnx.Node) bool { return n.Op == op }) {
					t.Errorf("the file has no %s", op)
				}
			}
			readGolden(t, filepath.Join("operators", c.name)).compareDerivatives(t, build(t, filepath.Join("operators", c.name), c.input))
		})
	}
}

func TestEveryOpsetGivesTheSameNetwork(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "opsets", "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	met := map[int64]bool{}
	for _, path := range files {
		file := strings.TrimSuffix(filepath.Base(path), ".onnx")
		at := strings.LastIndex(file, "_")
		name, opset := file[:at], file[at+1:]
		t.Run(name+" "+opset, func(t *testing.T) {
			file, err := onnx.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if v := file.Opsets[""]; strconv.FormatInt(v, 10) != opset {
				t.Errorf("its opset is %d", v)
			}
			met[file.Opsets[""]] = true
			m, err := (&Net{Path: path}).Build(inputOf(t, name), classes)
			if err != nil {
				t.Fatal(err)
			}
			readGolden(t, name).compareDerivatives(t, m)
		})
	}
	for _, c := range networks { // for the opset that exporters choose
		m, err := onnx.ReadFile(filepath.Join("testdata", c.name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		met[m.Opsets[""]] = true
	}
	for v := int64(oldest); v <= newest; v++ {
		if !met[v] {
			t.Errorf("no network is of opset %d", v)
		}
	}
}

// inputOf returns the shape of an example of a network of networks.py.
func inputOf(t *testing.T, name string) []int {
	t.Helper()
	for _, c := range networks {
		if c.name == name {
			return c.input
		}
	}
	t.Fatalf("there is no network %s", name)
	return nil
}

func TestEveryOperatorIsInANetworkThatPyTorchComputed(t *testing.T) {
	met := map[string]bool{}
	for _, pattern := range []string{"*.onnx", "operators/*.onnx"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			m, err := onnx.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range m.Graph.Nodes {
				met[n.Op] = true
			}
		}
	}
	for _, name := range operatorNames() {
		if !met[name] {
			t.Errorf("no network has %s", name)
		}
	}
}

func TestDilatedImagesAreNeverTransposed(t *testing.T) {
	if n, err := moves(build(t, filepath.Join("operators", "dilated"), []int{9, 8, 3}), 3); n != 0 || err != nil {
		t.Errorf("%d transpositions, %v, want none", n, err)
	}
}

func TestASequenceOfKnownArraysIsKnown(t *testing.T) {
	for _, keep := range []int64{0, 1} {
		w := onnx.Tensor{Name: "w", Type: onnx.Float64, Shape: []int{4, 5}, Data: make([]float64, 20)}
		for i := range 20 {
			w.Data.([]float64)[i] = float64(i)
		}
		m := file(0, []onnx.Tensor{w, whole("k", 0, 3, 1), whole("i", -2)}, giving("MatMul", "x w", "z"), giving("SplitToSequence", "k", "s", onnx.Attribute{Name: "keepdims", Value: keep}),
			giving("SequenceAt", "s i", "p"), giving("Gather", "w p", "r"), giving("Add", "z r", "y"))
		built, err := (&Net{Path: "net.onnx"}).modelOf(m, []int{4}, 5)
		if err != nil {
			t.Fatal(err)
		}
		in := built.Inputs(graph.NewBuilder(), graph.Float64, 1)
		r, err := built.TrainLoss(in, nn.CrossEntropy)
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, []graph.Value{in.Theta, in.X}, []graph.Value{r.Logits}, engine.Of(built.Init(0).Theta), engine.Of(make([]float64, 4)))[0]
		if want := []float64{15, 16, 17, 18, 19}; !slices.Equal(got, want) {
			t.Errorf("keepdims=%d: %v, want row 3, %v", keep, got, want)
		}
	}
}

// A product with a vector is that with a matrix of one column, without its axis.
func TestAProductWithAVectorIsThatWithAColumn(t *testing.T) {
	logits := func(w onnx.Tensor, nodes ...onnx.Node) []float64 {
		axes := whole("axes", -1)
		nodes = append(nodes, onnx.Node{Op: "Unsqueeze", Inputs: []string{"z", "axes"}, Outputs: []string{"u"}}, node("Mul", "x u"))
		m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{w, axes}, nodes...), []int{4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		in := m.Inputs(graph.NewBuilder(), graph.Float64, 2)
		r, err := m.TrainLoss(in, nn.CrossEntropy)
		if err != nil {
			t.Fatal(err)
		}
		x := engine.Of([]float64{1, -2, 3, 0.5, 0.25, 1, -1, 2})
		return run(t, []graph.Value{in.Theta, in.X}, []graph.Value{r.Logits}, engine.Of(m.Init(0).Theta), x)[0]
	}
	vector := numbers("w", 4)
	copy(vector.Data.([]float64), []float64{0.5, 1, -1, 2})
	column := vector
	column.Shape = []int{4, 1}
	got := logits(vector, onnx.Node{Op: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"z"}})
	want := logits(column, onnx.Node{Op: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"v"}}, onnx.Node{Op: "Squeeze", Inputs: []string{"v", "axes"}, Outputs: []string{"z"}})
	closeTo(t, "logits", got, want)
	if by := 0.5 - 2 - 3 + 1; math.Abs(got[2]-3*by) > 1e-12 {
		t.Errorf("%v, want %v", got[2], 3*by)
	}
}

// What they are of numbers far below 0, or near it, is not lost beside 1.
func TestActivationsKeepWhatIsSmall(t *testing.T) {
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	elu := func(x float64) float64 { return max(x, 0) + math.Expm1(min(x, 0)) }
	for op, want := range map[string]func(x float64) float64{"Softplus": softplus, "Mish": func(x float64) float64 { return x * math.Tanh(softplus(x)) }, "Elu": elu, "Celu": elu} {
		w := numbers("w", 4)
		copy(w.Data.([]float64), []float64{1, 1, 1, 1})
		m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{w}, onnx.Node{Op: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"z"}}, node(op, "z")), []int{4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		in := m.Inputs(graph.NewBuilder(), graph.Float64, 1)
		r, err := m.TrainLoss(in, nn.CrossEntropy)
		if err != nil {
			t.Fatal(err)
		}
		x := []float64{-40, -20, -1e-9, 800}
		got := run(t, []graph.Value{in.Theta, in.X}, []graph.Value{r.Logits}, engine.Of(m.Init(0).Theta), engine.Of(x))[0]
		for i, v := range x {
			exact := want(v)
			if v > 700 {
				exact = v
			}
			if math.Abs(got[i]-exact) > 1e-14*math.Abs(exact) {
				t.Errorf("%s of %v is %v, want %v", op, v, got[i], exact)
			}
		}
	}
}
