package nn

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shadowflow/safetensors"
)

func buildGolden(t *testing.T, name string) *Model {
	t.Helper()
	for _, g := range goldenModels {
		if g.name == name {
			m, err := g.arch.Build(g.input, 5)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal(name)
	return nil
}

func TestWeightsThatPyTorchSavedAreTheSameInEveryFormat(t *testing.T) {
	m := buildGolden(t, "resnet_basic")
	want := readGolden(t, "resnet_basic", m).state
	for _, name := range []string{"resnet_basic.pt", "resnet_basic_older.pt"} {
		got, err := m.Load(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is another state than the safetensors file", name)
		}
	}
	_, err := buildGolden(t, "resnet_bottleneck").Load("testdata/resnet_basic.pt")
	if err == nil || !strings.Contains(err.Error(), "missing: ") || !strings.Contains(err.Error(), "resnet_basic.pt") {
		t.Errorf("weights of another model: %v", err)
	}
}

// TestParametersStandInPyTorchsOrder matters for an optimizer's state_dict, which numbers them. The golden files have the gradients in the
// order of named_parameters().
func TestParametersStandInPyTorchsOrder(t *testing.T) {
	for _, g := range goldenModels {
		t.Run(g.name, func(t *testing.T) {
			file, err := safetensors.ReadFile(filepath.Join("testdata", g.name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, tensor := range file.Tensors {
				if name, ok := strings.CutPrefix(tensor.Name, "grad."); ok {
					want = append(want, name)
				}
			}
			for _, p := range buildGolden(t, g.name).Params() {
				got = append(got, p.Name)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, PyTorch has %v", got, want)
			}
		})
	}
}
