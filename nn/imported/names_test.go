package imported

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/nn"
	"shadowflow/onnx"
	"shadowflow/safetensors"
)

// namesIn returns the names of a file's weights, in their order.
func namesIn(t *testing.T, name string, example []int) []string {
	t.Helper()
	d, err := (&Net{Path: filepath.Join("testdata", name+".onnx")}).Describe(example)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range d.Model.Params() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// The exports differ in what exporters make up: val_3 in one is val_2 in another, or onnx::MatMul_17.
func TestLostNamesAreTheSameInEveryExport(t *testing.T) {
	merged := []string{"first.weight", "head.bias", "head.weight", "layers.0.bias", "layers.0.weight", "layers.1.weight", "layers.3.weight"}
	apart := []string{"first.weight", "head.bias", "head.weight", "layers.0.bias", "layers.0.weight", "layers.1.weight", "layers.2.bias", "layers.2.weight", "layers.3.weight"}
	for name, want := range map[string][]string{"lost": merged, "lost_again": merged, "lost_older": apart, "lost_older_again": apart} {
		if got := namesIn(t, name, nil); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestBuffersAndFoldedConstantsAreNoWeights(t *testing.T) {
	if got, want := namesIn(t, "buffers", nil), []string{"fc.bias", "fc.weight", "head.bias", "head.weight", "mul"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	hiding := numbers("val_1", 4)
	hiding.Data.([]float64)[2] = math.Inf(-1)
	buffer := numbers("b", 4)
	buffer.Kind = onnx.Buffer
	for name, tensor := range map[string]onnx.Tensor{"a folded number": numbers("val_1", 1), "a folded mask": hiding, "a buffer": buffer} {
		nodes := []onnx.Node{{Op: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"z"}}, node("Add", "z "+tensor.Name)}
		m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{numbers("w", 1), tensor}, nodes...), []int{4}, 4)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := paramNames(m); got != "w" {
			t.Errorf("%s: weights %s, want w", name, got)
		}
	}
}

func TestWhatOnlyDecidesIsNoWeight(t *testing.T) {
	zero := numbers("zero")
	to := func(kind onnx.Type) []onnx.Attribute { return []onnx.Attribute{{Name: "to", Value: int64(kind)}} }
	for name, c := range map[string]struct {
		nodes []onnx.Node
		want  string
	}{
		"compared":         {[]onnx.Node{{Op: "Equal", Inputs: []string{"mask", "zero"}, Outputs: []string{"hidden"}}}, "w"},
		"moved, then cast": {[]onnx.Node{{Op: "Reshape", Inputs: []string{"mask", "four"}, Outputs: []string{"z"}}, {Op: "Cast", Inputs: []string{"z"}, Outputs: []string{"hidden"}, Attributes: to(onnx.Bool)}}, "w"},
		"computed with, too": {[]onnx.Node{{Op: "Mul", Inputs: []string{"w", "mask"}, Outputs: []string{"v"}},
			{Op: "Greater", Inputs: []string{"mask", "zero"}, Outputs: []string{"hidden"}}}, "w mask"},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := append(c.nodes, onnx.Node{Op: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"u"}}, node("Where", "hidden zero u"))
			m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{numbers("w", 4), numbers("mask", 4), zero, whole("four", 4)}, nodes...), []int{4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			if got := paramNames(m); got != c.want {
				t.Errorf("weights %s, want %s", got, c.want)
			}
		})
	}
}

func TestNamesThatExportersMakeUpAreReplaced(t *testing.T) {
	at := func(name, op, inputs, output string) onnx.Node {
		return onnx.Node{Name: name, Op: op, Inputs: strings.Fields(inputs), Outputs: []string{output}}
	}
	w, b := func(name string) onnx.Tensor { return numbers(name, 4, 4) }, func(name string) onnx.Tensor { return numbers(name, 4) }
	for name, c := range map[string]struct {
		tensors []onnx.Tensor
		nodes   []onnx.Node
		want    string
	}{
		"kept":                    {[]onnx.Tensor{w("fc.weight"), b("7")}, []onnx.Node{at("", "Gemm", "x fc.weight 7", "y")}, "fc.weight 7"},
		"by the module":           {[]onnx.Tensor{w("onnx::MatMul_12"), b("val_3")}, []onnx.Node{at("/a/a.0/MatMul", "MatMul", "x onnx::MatMul_12", "z"), at("/a/a.0/Add", "Add", "z val_3", "y")}, "a.0.weight a.0.bias"},
		"through what moves":      {[]onnx.Tensor{w("val_1")}, []onnx.Node{at("/fc/Transpose", "Transpose", "val_1", "t"), at("", "MatMul", "x t", "y")}, "fc.weight"},
		"by the operator":         {[]onnx.Tensor{w("val_8"), b("val_9"), w("val_7")}, []onnx.Node{at("", "Gemm", "x val_7", "z"), at("", "Gemm", "z val_8 val_9", "y")}, "gemm_1.weight gemm_1.bias gemm_0.weight"},
		"two of one module":       {[]onnx.Tensor{w("val_1"), w("val_2"), w("val_3")}, []onnx.Node{at("/a/MatMul", "MatMul", "x val_1", "u"), at("/a/MatMul_1", "MatMul", "u val_2", "z"), at("/a/MatMul_2", "MatMul", "z val_3", "y")}, "a.weight a.weight_2 a.weight_3"},
		"one that is there":       {[]onnx.Tensor{w("val_1"), w("a.weight")}, []onnx.Node{at("/a/MatMul", "MatMul", "x val_1", "z"), at("/a/MatMul_1", "MatMul", "z a.weight", "y")}, "a.weight_2 a.weight"},
		"numbers among numbers":   {[]onnx.Tensor{w("12")}, []onnx.Node{at("", "MatMul", "x 12", "13"), at("", "Relu", "13", "y")}, "matmul_0.weight"},
		"a result of older files": {[]onnx.Tensor{w("/fc/Transpose_output_0")}, []onnx.Node{at("/fc/MatMul", "MatMul", "x /fc/Transpose_output_0", "y")}, "fc.weight"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, c.tensors, c.nodes...), []int{4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			if got := paramNames(m); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if said := len(m.Notes()) > 0; said == (name == "kept") {
				t.Errorf("notes %q", m.Notes())
			}
		})
	}
}

func paramNames(m *nn.Model) string {
	var names []string
	for _, p := range m.Params() {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

func TestWhatAnExporterMergedOrFoldedIsSaid(t *testing.T) {
	for _, c := range []struct {
		name    string
		example []int
		want    []string // in the notes, one each; there are no others
	}{
		{"lost", nil, []string{"made up the names of 2 weights", `read one weight, "layers.0.weight", whose elements are all equal (and so for 1 more)`}},
		{"lost_older", nil, []string{"made up the names of 3 weights", `made 2 arrays one with others that were equal then, and here each is its own again, like "layers.2.bias"`}},
		{"buffers", nil, []string{`"mul" is what its exporter computed ahead`}},
		{"folded", nil, []string{"(Conv) is what an exporter made of a convolution or product and the batch normalization behind it, in evaluation mode (and so for"}},
		{"folded_older", nil, []string{"made up the names of", `like "bn3.running_var"`, "(Conv) is what an exporter made of"}},
		{"language", []int{7}, nil}, // whose embedding is the last product's weight, too
		{"residual", nil, nil},
		{"vit", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := (&Net{Path: filepath.Join("testdata", c.name+".onnx"), BatchNorm: OfRunning}).Describe(c.example)
			if err != nil {
				t.Fatal(err)
			}
			notes := d.Model.Notes()
			if len(notes) != len(c.want) {
				t.Fatalf("%d notes %q, want %d", len(notes), notes, len(c.want))
			}
			for i, want := range c.want {
				if !strings.Contains(notes[i], want) {
					t.Errorf("%q, want %q", notes[i], want)
				}
			}
		})
	}
}

func TestATiedWeightIsToldFromAMergedOne(t *testing.T) {
	for name, want := range map[string]WeightUse{"language": {FileName: "wte.weight", Readers: 2}, "lost": {FileName: "layers.0.weight", Readers: 2, Merged: true}} {
		example := map[string][]int{"language": {7}}[name]
		d, err := (&Net{Path: filepath.Join("testdata", name+".onnx")}).Describe(example)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(d.Weights, want) {
			t.Errorf("%s: %v, want one %v", name, d.Weights, want)
		}
	}
}

// The same network with a name that is the file's, whose matrix lies in files as it does there, is the other road.
func TestAMatrixThatAnExporterTransposedIsTheModulesInFiles(t *testing.T) {
	for name, c := range map[string]struct {
		channels int
		nodes    func(w string) []onnx.Node
	}{
		"MatMul": {0, func(w string) []onnx.Node {
			return []onnx.Node{{Name: "/fc/MatMul", Op: "MatMul", Inputs: []string{"x", w}, Outputs: []string{"y"}}}
		}},
		"Gemm": {0, func(w string) []onnx.Node {
			return []onnx.Node{{Name: "/fc/Gemm", Op: "Gemm", Inputs: []string{"x", w}, Outputs: []string{"y"}}}
		}},
		"of flattened images": {2, func(w string) []onnx.Node {
			return []onnx.Node{{Op: "Flatten", Inputs: []string{"x"}, Outputs: []string{"f"}}, {Name: "/fc/MatMul", Op: "MatMul", Inputs: []string{"f", w}, Outputs: []string{"y"}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			in, input := 4, []int{4}
			if c.channels > 0 {
				in, input = 50, []int{5, 5, 2}
			}
			tensorsOf := func(name string) (start []float64, _ safetensors.Tensor) {
				w := numbers(name, in, in)
				for i := range w.Data.([]float64) {
					w.Data.([]float64)[i] = float64(i)
				}
				m, err := (&Net{Path: "net.onnx"}).modelOf(file(c.channels, []onnx.Tensor{w}, c.nodes(name)...), input, in)
				if err != nil {
					t.Fatal(err)
				}
				theta := m.Init(0).Theta
				tensors, err := nn.Tensors(m, "", theta)
				if err != nil {
					t.Fatal(err)
				}
				return theta, tensors[0]
			}
			numbersOf := func(x safetensors.Tensor) []float64 {
				data, _ := x.Float64s()
				return data
			}
			kept, asFile := tensorsOf("w")
			made, asModule := tensorsOf("onnx::MatMul_7")
			if asModule.Name != "fc.weight" || !slices.Equal(kept, made) {
				t.Errorf("%s starts elsewhere in theta than the file's", asModule.Name)
			}
			a, b := numbersOf(asFile), numbersOf(asModule)
			for i := range a {
				if b[i%in*in+i/in] != a[i] {
					t.Fatalf("element %d of the file, %v, is %v in the transpose", i, a[i], b[i%in*in+i/in])
				}
			}
		})
	}
	at := []onnx.Node{{Name: "/m/MatMul", Op: "MatMul", Inputs: []string{"x", "val_1"}, Outputs: []string{"z"}}, {Name: "/m/Add", Op: "Add", Inputs: []string{"z", "m.in_proj_bias"}, Outputs: []string{"y"}}}
	m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{numbers("val_1", 4, 12), numbers("m.in_proj_bias", 12)}, at...), []int{4}, 12)
	if err != nil {
		t.Fatal(err)
	}
	if got := paramNames(m); got != "m.in_proj_weight m.in_proj_bias" || !slices.Equal(m.Params()[0].Torch, []int{12, 4}) {
		t.Errorf("%s of %v", got, m.Params()[0].Torch)
	}
}

// A state_dict of PyTorch's has what is no weight here: buffers, and tied weights once more.
func TestAStateDictHasMoreThanWeights(t *testing.T) {
	w, mask, average := numbers("head.weight", 4, 4), numbers("scale", 4), numbers("bn.running_mean", 4)
	mask.Kind, average.Kind = onnx.Buffer, onnx.Buffer
	copy(mask.Data.([]float64), []float64{1, 2, 3, 4})
	nodes := []onnx.Node{{Op: "MatMul", Inputs: []string{"x", "head.weight"}, Outputs: []string{"z"}}, {Op: "Mul", Inputs: []string{"z", "scale"}, Outputs: []string{"u"}}, node("Sub", "u bn.running_mean")}
	m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{w, mask, average}, nodes...), []int{4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	floats := func(name string, shape []int, data ...float64) safetensors.Tensor {
		return safetensors.Tensor{Name: name, Shape: shape, Data: data}
	}
	varied := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	head := floats("head.weight", []int{4, 4}, varied...)
	for name, c := range map[string]struct {
		more []safetensors.Tensor
		want string // in notes, or in an error that begins with it
		fits bool
	}{
		"a buffer":                 {[]safetensors.Tensor{floats("scale", []int{4}, 1, 2, 3, 4)}, "scale: no weights", true},
		"averages and their count": {[]safetensors.Tensor{floats("bn.running_mean", []int{4}, 0, 0, 0, 0), {Name: "bn.num_batches_tracked", Data: []int64{7}}}, "bn.running_mean, bn.num_batches_tracked: no weights", true},
		"a mask that is not there": {[]safetensors.Tensor{floats("attn.bias", []int{1, 1, 2, 2}, 1, 0, 1, 1)}, "attn.bias: no weights", true},
		"a tied weight":            {[]safetensors.Tensor{floats("wte.weight", []int{4, 4}, varied...)}, "wte.weight is head.weight, to which it is tied", true},
		"another buffer":           {[]safetensors.Tensor{floats("scale", []int{4}, 1, 2, 3, 5)}, "scale has other numbers", false},
		"a weight of its own":      {[]safetensors.Tensor{floats("wte.weight", []int{4, 4}, slices.Repeat([]float64{1, 2}, 8)...)}, "unexpected: wte.weight", false},
		"the count of what is not": {[]safetensors.Tensor{{Name: "other.num_batches_tracked", Data: []int64{7}}}, "unexpected: other.num_batches_tracked", false},
	} {
		path := filepath.Join(t.TempDir(), "state.safetensors")
		if err := safetensors.WriteFile(path, append(slices.Clone(c.more), head), nil); err != nil {
			t.Fatal(err)
		}
		s, err := m.Load(path)
		said := fmt.Sprint(err)
		if err == nil {
			said = strings.Join(s.Notes, "\n")
		}
		if c.fits != (err == nil) || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s, want %s", name, said, c.want)
		}
	}
}

func TestATieThatAnExporterLostIsSaid(t *testing.T) {
	w, v := numbers("w", 4, 3), numbers("val_1", 3, 4)
	for i := range w.Data.([]float64) {
		w.Data.([]float64)[i] = float64(i)
		v.Data.([]float64)[i%3*4+i/3] = float64(i)
	}
	nodes := []onnx.Node{{Op: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"z"}}, node("MatMul", "z val_1")}
	for change, want := range map[float64]bool{0: true, 1: false} {
		v.Data.([]float64)[5] += change
		m, err := (&Net{Path: "net.onnx"}).modelOf(file(0, []onnx.Tensor{w, v}, slices.Clone(nodes)...), []int{4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(m.Notes(), "\n"), `"matmul_1.weight" is "w" transposed`); said != want {
			t.Errorf("an element off by %v: %q", change, m.Notes())
		}
		v.Data.([]float64)[5] -= change
	}
}

func TestAWeightThatIsARunningAverageTooIsRefused(t *testing.T) {
	nodes := node("BatchNormalization", "x s b b v", onnx.Attribute{Name: "training_mode", Value: int64(1)})
	_, err := (&Net{Path: "net.onnx"}).modelOf(file(2, []onnx.Tensor{numbers("s", 2), numbers("b", 2), numbers("v", 2)}, nodes), []int{5, 5, 2}, 5)
	if err == nil || !strings.Contains(err.Error(), `"b" is a running average of one operator and a weight of another`) {
		t.Error(err)
	}
}
