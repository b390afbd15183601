package imported

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shadowflow/onnx"
)

// numbers makes a tensor of that many numbers.
func numbers(name string, shape ...int) onnx.Tensor {
	return onnx.Tensor{Name: name, Type: onnx.Float64, Shape: shape, Data: make([]float64, size(shape))}
}

func whole(name string, list ...int64) onnx.Tensor {
	return onnx.Tensor{Name: name, Type: onnx.Int64, Shape: []int{len(list)}, Data: list}
}

// file makes a file of nodes from x to y; images, where channels is not 0, else rows of 4 numbers.
func file(channels int, initializers []onnx.Tensor, nodes ...onnx.Node) *onnx.Model {
	shape := []onnx.Dim{{Size: -1, Name: "N"}, {Size: 4}}
	if channels > 0 {
		shape = []onnx.Dim{{Size: -1, Name: "N"}, {Size: channels}, {Size: 5}, {Size: 5}}
	}
	return &onnx.Model{Opsets: map[string]int64{"": 20}, Graph: &onnx.Graph{Nodes: nodes, Initializers: initializers,
		Inputs: []onnx.ValueInfo{{Name: "x", Type: onnx.Float32, Shape: shape}}, Outputs: []onnx.ValueInfo{{Name: "y"}}}}
}

func node(op string, inputs string, attributes ...onnx.Attribute) onnx.Node {
	return onnx.Node{Name: "it", Op: op, Inputs: strings.Fields(inputs), Outputs: []string{"y"}, Attributes: attributes}
}

// giving is a node in the middle of a file.
func giving(op, inputs, output string, attributes ...onnx.Attribute) onnx.Node {
	n := node(op, inputs, attributes...)
	n.Outputs = []string{output}
	return n
}

func TestWhatIsNotThereIsNamedWithItsNode(t *testing.T) {
	attribute := func(name string, v any) onnx.Attribute { return onnx.Attribute{Name: name, Value: v} }
	w := numbers("w", 4, 4)
	kernel, scale := numbers("k", 2, 2, 3, 3), numbers("s", 2)
	for _, c := range []struct {
		name     string
		channels int
		tensors  []onnx.Tensor
		node     onnx.Node
		want     string
	}{
		{"operator", 0, []onnx.Tensor{w}, node("Einsum", "x w"), `node "it" (Einsum): the operator is not there yet: want one of Abs, Add`},
		{"what helps", 0, []onnx.Tensor{w}, node("Resize", "x w"), `node "it" (Resize): the operator is not there yet (to the nearest by whole factors, write it as expand and reshape): want`},
		{"domain", 0, []onnx.Tensor{w}, onnx.Node{Op: "Gemm", Domain: "com.microsoft", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}, "(com.microsoft.Gemm): the operator is not there yet"},
		{"attribute", 0, []onnx.Tensor{w}, node("MatMul", "x w", attribute("fast", int64(1))), `attribute "fast" is not known of MatMul`},
		{"shapes", 0, []onnx.Tensor{numbers("w", 5, 4)}, node("MatMul", "x w"), `node "it" (MatMul): MatMul of arrays of shapes [[2 4] [5 4]]: inner axes 4 and 5 differ`},
		{"missing input", 0, []onnx.Tensor{w}, node("Gemm", "w"), "no input 1"},
		{"dilation of means", 2, []onnx.Tensor{scale}, node("AveragePool", "x s", attribute("kernel_shape", []int64{2, 2}), attribute("dilations", []int64{2, 2})), "dilations are [2 2], want 1: those of means"},
		{"dilation beyond images", 2, []onnx.Tensor{kernel}, node("Conv", "x k", attribute("dilations", []int64{9, 1})), "kernel with dilation [9 1] is larger than the image"},
		{"volumes", 2, []onnx.Tensor{numbers("v", 2, 2, 3, 3, 3)}, node("Conv", "v v"), "volumes [N, C, D, H, W] are not there yet"},
		{"kernel of lines", 2, []onnx.Tensor{numbers("l", 2, 2, 3)}, node("Conv", "x l"), "kernel has shape [2 2 3], want [O, C, H, W] for images"},
		{"strides of lines", 2, []onnx.Tensor{numbers("l", 2, 2, 3)}, node("Conv", "l l", attribute("strides", []int64{1, 1})), "strides is [1 1], want one number from 1"},
		{"two faults of a window", 2, []onnx.Tensor{kernel}, node("Conv", "x k", attribute("dilations", []int64{0, 0}), attribute("strides", []int64{0, 1})), "strides is [0 1], want two numbers from 1 to"},
		{"pads", 2, []onnx.Tensor{kernel}, node("Conv", "x k", attribute("pads", []int64{0, 0, -1, 0})), "pads is [0 0 -1 0], want four numbers from 0 to"},
		{"padding as wide as windows", 2, []onnx.Tensor{scale}, node("MaxPool", "x s", attribute("kernel_shape", []int64{2, 2}), attribute("pads", []int64{2, 0, 0, 0})), "padding [2 0 0 0]: want none below 0, and less than the window"},
		{"kernel_shape", 2, []onnx.Tensor{kernel}, node("Conv", "x k", attribute("kernel_shape", []int64{5, 5})), "kernel_shape is [5 5]"},
		{"batch normalization that is frozen", 2, []onnx.Tensor{scale, numbers("m", 2)}, node("BatchNormalization", "x s s m m"), "evaluation mode"},
		{"momentum", 2, []onnx.Tensor{scale, numbers("m", 2)}, node("BatchNormalization", "x s s m m", attribute("training_mode", int64(1)), attribute("momentum", float32(0.5))), "momentum is 0.5, want 0.9"},
		{"running average of two", 2, []onnx.Tensor{scale, numbers("m", 2)}, node("BatchNormalization", "x s s m m", attribute("training_mode", int64(1))), "another normalization"},
		{"running average of other channels", 2, []onnx.Tensor{scale, numbers("m", 3), numbers("v", 2)}, node("BatchNormalization", "x s s m v", attribute("training_mode", int64(1))), `running average "m" is float64 of shape [3], want one number for each of 2 channels`},
		{"random draws", 0, []onnx.Tensor{w, {Name: "r", Type: onnx.Float32, Data: []float32{0.5}}, {Name: "t", Type: onnx.Bool, Data: []int64{1}}}, node("Dropout", "x r t w"), "drops a share of 0.5"},
		{"softmax", 2, []onnx.Tensor{scale}, node("Softmax", "x s", attribute("axis", int64(4))), "axis is 4, of an array of 4 axes"},
		{"places without derivative", 0, []onnx.Tensor{w}, node("ArgMax", "x w"), "not there yet (it has no derivative): want one of"},
		{"bound that depends", 0, []onnx.Tensor{w}, node("Clip", "x w"), "input 1 depends on the examples or on weights"},
		{"several bounds", 0, []onnx.Tensor{w, whole("a", 1, 2)}, node("Clip", "x a w"), "input 1 is int64 of shape [2], want one floating-point number"},
		{"padding by what is there", 0, []onnx.Tensor{w, whole("p", 0, 1, 0, 1)}, node("Pad", "x p w", attribute("mode", "reflect")), `mode is "reflect", want constant`},
		{"padding of other axes", 0, []onnx.Tensor{w, whole("p", 0, 1)}, node("Pad", "x p w"), "pads are [0 1], want two numbers for each of 2 axes"},
		{"padding that leaves nothing", 0, []onnx.Tensor{w, whole("p", 0, -3, 0, -1)}, node("Pad", "x p w"), "elements from the ends of axis 1 of length 4, which leaves none"},
		{"a cap of attention", 0, []onnx.Tensor{w}, node("Attention", "w w w", attribute("softcap", float32(2))), "softcap is 2, want 0"},
		{"a cache of attention", 0, []onnx.Tensor{numbers("q", 1, 2, 3, 4)}, node("Attention", "q q q q q"), "it has past_key"},
		{"attention without heads", 0, []onnx.Tensor{numbers("q", 1, 3, 4)}, node("Attention", "q q q"), "q_num_heads is 0, want a divisor"},
		{"attention of other heads", 0, []onnx.Tensor{numbers("q", 1, 3, 3, 4), numbers("k", 1, 2, 3, 4)}, node("Attention", "q k k"), "a multiple of the heads"},
		{"attention among too many tokens", 0, []onnx.Tensor{numbers("q", 1, 1, 9000, 1)}, node("Attention", "q q q", attribute("is_causal", int64(1))), "it needs 81000000 numbers of its own"},
		{"a mask of other tokens", 0, []onnx.Tensor{numbers("q", 1, 3, 3, 4), numbers("m", 2, 3)}, node("Attention", "q q q m"), "its mask has shape [2 3], which does not broadcast to [1 3 3 3]"},
		{"places beyond", 0, []onnx.Tensor{w, whole("i", 2, 7)}, node("Gather", "x i w", attribute("axis", int64(1))), "place 7 of an axis of length 4"},
		{"places of several axes that are beyond", 0, []onnx.Tensor{w, {Name: "i", Type: onnx.Int64, Shape: []int{1, 2}, Data: []int64{1, 4}}}, node("GatherND", "w i"), "place 4 of axis 1 of length 4"},
		{"places of too many axes", 0, []onnx.Tensor{w, whole("i", 1, 0, 1)}, node("GatherND", "w i"), "want a last axis of 1 to 2 numbers"},
		{"no elements", 0, []onnx.Tensor{w, whole("a", 3), whole("b", 1), whole("c", 1)}, node("Slice", "w a b c"), "takes 0 elements of axis 1"},
		{"places that depend", 0, []onnx.Tensor{w}, node("Gather", "w x"), "depend on the examples"},
		{"shape that depends", 0, []onnx.Tensor{w}, node("Reshape", "x w"), "depends on the examples or on weights"},
		{"huge", 0, []onnx.Tensor{w, whole("e", 1<<21, 1<<21, 1, 1)}, node("Expand", "x e w"), "has more than 2^36 elements"},
		{"whole numbers", 0, []onnx.Tensor{w}, node("Cast", "x w", attribute("to", int64(7))), "whole numbers of floating-point ones"},
		{"many inputs", 0, []onnx.Tensor{w}, node("Concat", strings.Repeat("x ", 1<<12)+"w", attribute("axis", int64(0))), "it reads 4097 arrays, want at most 4096"},
		{"many axes", 0, []onnx.Tensor{w, whole("e", slices.Repeat([]int64{1}, 65)...)}, node("Expand", "x e w"), "it gives an array of 65 axes, want at most 64"},
		{"many lengths", 0, []onnx.Tensor{w, whole("e", slices.Repeat([]int64{1}, 1<<16+1)...)}, node("Expand", "x e w"), "its input 1 lists 65537 numbers"},
		{"no sequence", 0, []onnx.Tensor{w, whole("i", 0)}, node("SequenceAt", "x i w"), "no sequence"},
		{"other data", 0, []onnx.Tensor{numbers("w", 4, 3)}, node("MatMul", "x w"), "outputs of shape [2 3], want 5 of each"},
		{"no weights", 0, nil, node("Relu", "x"), "no weights"},
		{"no examples", 0, []onnx.Tensor{w, {Name: "c", Type: onnx.Int64, Shape: []int{1}, Data: []int64{1}}}, node("Identity", "c"), "no weights"},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := []int{4}
			if c.channels > 0 {
				input = []int{5, 5, c.channels}
			}
			if _, err := (&Net{Path: "net.onnx"}).modelOf(file(c.channels, c.tensors, c.node), input, 5); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestFilesThatDoNotFitAreRefused(t *testing.T) {
	w := []onnx.Tensor{numbers("w", 4, 5)}
	for _, c := range []struct {
		name   string
		change func(m *onnx.Model)
		input  []int
		want   string
	}{
		{"nothing", func(*onnx.Model) {}, []int{4}, ""},
		{"opset", func(m *onnx.Model) { m.Opsets[""] = 9 }, []int{4}, "opset 9, want 13 to"},
		{"two inputs", func(m *onnx.Model) { m.Graph.Inputs = append(m.Graph.Inputs, m.Graph.Inputs...) }, []int{4}, "2 inputs, want one"},
		{"two outputs", func(m *onnx.Model) { m.Graph.Outputs = append(m.Graph.Outputs, m.Graph.Outputs...) }, []int{4}, "2 outputs, want one"},
		{"truth values", func(m *onnx.Model) { m.Graph.Inputs[0].Type = onnx.Bool }, []int{4}, "is of bool"},
		{"no axes", func(m *onnx.Model) { m.Graph.Inputs[0].Shape = nil }, []int{4}, "has no axes"},
		{"images", func(*onnx.Model) {}, []int{4, 4, 3}, "shape [N, 4], which examples of shape [4 4 3] do not fit"},
		{"length", func(*onnx.Model) {}, []int{7}, "do not fit"},
		{"known output", func(m *onnx.Model) {
			m.Graph.Outputs[0].Name = "k"
			m.Graph.Initializers = append(m.Graph.Initializers, whole("k", 1))
			m.Graph.Nodes[0].Inputs = append(m.Graph.Nodes[0].Inputs, "k")
		}, []int{4}, "depends on no example"},
		{"output that nothing reads", func(m *onnx.Model) {
			m.Graph.Outputs[0].Name = "k"
			m.Graph.Initializers = append(m.Graph.Initializers, numbers("k", 5))
		}, []int{4}, "depends on no example"},
		{"a batch that is fixed", func(m *onnx.Model) {
			m.Graph.Inputs[0].Shape[0] = onnx.Dim{Size: 3}
			m.Graph.Initializers = append(m.Graph.Initializers, whole("three", 3, 4))
			m.Graph.Nodes = append([]onnx.Node{{Op: "Reshape", Inputs: []string{"x", "three"}, Outputs: []string{"z"}}}, m.Graph.Nodes...)
		}, []int{4}, "for batches of 3 alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := file(0, w, node("MatMul", "x w"))
			c.change(m)
			_, err := (&Net{Path: "net.onnx"}).modelOf(m, c.input, 5)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	if _, err := (&Net{Path: "none.onnx"}).Build([]int{4}, 5); err == nil || !strings.Contains(err.Error(), "none.onnx") {
		t.Error(err)
	}
}

func TestTheDocsNameEveryOperator(t *testing.T) {
	docs, err := os.ReadFile("../../docs/onnx.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operatorNames() {
		if !regexp.MustCompile(`\b` + name + `\b`).Match(docs) {
			t.Errorf("docs/onnx.md has no %s", name)
		}
	}
}

// FuzzBuild makes networks of what files may hold.
func FuzzBuild(f *testing.F) {
	for _, c := range networks {
		raw, err := os.ReadFile(filepath.Join("testdata", c.name+".onnx"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, len(c.input) == 3)
	}
	for _, c := range operatorNetworks {
		raw, err := os.ReadFile(filepath.Join("testdata", "operators", c.name+".onnx"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, len(c.input) == 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, image bool) {
		m, err := onnx.Read(raw, "")
		if err != nil {
			return
		}
		input := []int{7}
		if image {
			input = []int{6, 6, 3}
		}
		built, err := (&Net{Path: "net.onnx"}).modelOf(m, input, classes)
		if err != nil {
			return
		}
		if s := built.Init(0); len(s.Theta) != built.NumParams() || len(s.Running) != built.NumStats() {
			t.Errorf("%d parameters, want %d", len(s.Theta), built.NumParams())
		}
	})
}
