package imported

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestADescriptionHasTheShapesOfTheFile(t *testing.T) {
	d, err := (&Net{Path: filepath.Join("testdata", "convolutional.onnx")}).Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	if in := d.Model.Input(); !reflect.DeepEqual(in, []int{7, 6, 3}) || d.Model.Outputs() != classes || d.Opset != 20 {
		t.Errorf("input %v, %d outputs, opset %d", in, d.Model.Outputs(), d.Opset)
	}
	at := map[string][]int{}
	for _, n := range d.Nodes {
		at[n.Name] = n.Outputs[0]
	}
	for name, want := range map[string][]int{"/conv1/Conv": {2, 6, 7, 6}, "/AveragePool": {2, 6, 5, 4}, "/Flatten": {2, 24}, "/fc2/Gemm": {2, 5}} {
		if !reflect.DeepEqual(at[name], want) {
			t.Errorf("%s gives %v, want %v", name, at[name], want)
		}
	}
}

func TestWhatIsKnownBeforeARunIsToldApart(t *testing.T) {
	d, err := (&Net{Path: filepath.Join("testdata", "language.onnx")}).Describe([]int{7})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, n := range d.Nodes {
		known[n.Name] = n.Known
	}
	for name, want := range map[string]bool{"node_Shape_30": true, "node_embedding": false, "node_layer_norm": false, "node_split": false} {
		if got, there := known[name]; got != want || !there {
			t.Errorf("%s: known %v, there %v; want known %v", name, got, there, want)
		}
	}
	if !d.Model.Tokens() || d.Model.Outputs() != classes {
		t.Errorf("tokens %v, %d outputs", d.Model.Tokens(), d.Model.Outputs())
	}
}

func TestExamplesThatNoMachineHoldsAreRefused(t *testing.T) {
	path := filepath.Join("testdata", "flattened.onnx")
	if _, err := (&Net{Path: path}).Describe([]int{1 << 20, 1 << 20, 1 << 20}); err == nil || !strings.Contains(err.Error(), "2^36") {
		t.Error(err)
	}
}

func TestExamplesThatAFileDoesNotTakeAreNotDescribed(t *testing.T) {
	path := filepath.Join("testdata", "mlp.onnx")
	for name, example := range map[string][]int{"another length": {8}, "no length": {0}, "images": {3, 2, 2}} {
		if _, err := (&Net{Path: path}).Describe(example); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
