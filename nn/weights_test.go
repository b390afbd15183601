package nn

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
	"shadowflow/safetensors"
)

func TestConvolutionKernelsLieInPyTorchsOrderInFiles(t *testing.T) {
	m := build(t, &CNN{Channels: []int{2}, Dense: 3}, []int{4, 6, 2}, 2)
	theta := make([]float64, m.NumParams())
	for i := range theta {
		theta[i] = float64(i)
	}
	tensors, err := Tensors(m, "x.", theta)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string, index ...int) float64 {
		i := slices.IndexFunc(tensors, func(t safetensors.Tensor) bool { return t.Name == name })
		k := 0
		for axis, d := range tensors[i].Shape {
			k = k*d + index[axis]
		}
		data, _ := tensors[i].Float64s()
		return data[k]
	}
	// Here [kh,kw,i,o] of [3,3,2,2], there [o,i,kh,kw].
	if got, want := at("x.0.weight", 1, 0, 2, 1), float64(((2*3+1)*2+0)*2+1); got != want {
		t.Errorf("kernel: %v, want %v", got, want)
	}
	// Here column [h,w,c] of an image [2,3,2], there [c,h,w].
	dense := m.Params()[4]
	if got, want := at("x.6.weight", 2, (1*2+0)*3+2), float64(dense.Offset+2*12+(0*3+2)*2+1); dense.Name != "6.weight" || got != want {
		t.Errorf("%s: %v, want %v", dense.Name, got, want)
	}
}

func TestStatesAreSavedAndLoadedExactly(t *testing.T) {
	for _, c := range goldenModels {
		m := build(t, c.arch, c.input, 5)
		s := m.Init(9)
		for i := range s.Running {
			s.Running[i] += float64(i) / 3
		}
		if m.NumStats() > 0 {
			s.Batches = 12
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := m.Save(path, s, graph.Float64); err != nil {
			t.Fatal(err)
		}
		back, err := m.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.Theta, s.Theta) || !slices.Equal(back.Running, s.Running) || back.Batches != s.Batches {
			t.Errorf("%s: the state changed", c.name)
		}
		if err := m.Save(path, s, graph.Float32); err != nil {
			t.Fatal(err)
		}
		if back, err = m.Load(path); err != nil {
			t.Fatal(err)
		}
		for i, x := range s.Theta {
			if back.Theta[i] != float64(float32(x)) {
				t.Fatalf("%s: parameter %d in float32 is %v, want %v", c.name, i, back.Theta[i], float32(x))
			}
		}
	}
}

func TestTensorsThatDoNotFitAreAllNamed(t *testing.T) {
	m := build(t, &ResNet{Blocks: []int{1}, Width: 2}, []int{4, 4, 1}, 3)
	s := m.Init(1)
	tensors, err := StateDict(m, s.Theta, s.Running, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, tensor := range tensors {
		switch tensor.Name {
		case "fc.weight":
			tensors[i].Shape = []int{2, 3}
		case "fc.bias":
			tensors[i].Data = []int64{1, 2, 3}
		case "bn1.num_batches_tracked":
			tensors[i].Data = []float64{1}
		case "bn1.running_var":
			tensors[i].Name = "bn1.var"
		}
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	got, err := m.Load(path)
	var e *WeightsError
	if !errors.As(err, &e) || got != nil {
		t.Fatalf("got %v, want a WeightsError and no state", err)
	}
	for _, want := range []string{
		path, "missing: bn1.running_var [2]", "unexpected: bn1.var [2]", "fc.weight is floats [2 3], want floats [3 2]",
		"fc.bias is integers [3], want floats [3]", "bn1.num_batches_tracked is floats [], want integers []",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if len(e.Missing) != 1 || len(e.Unexpected) != 1 || len(e.Misfit) != 3 {
		t.Errorf("missing %v, unexpected %v, misfit %v", e.Missing, e.Unexpected, e.Misfit)
	}
}

func TestAnotherModelsWeightsMakeAShortError(t *testing.T) {
	big := build(t, &ResNet{Blocks: []int{3, 3}, Width: 2}, []int{4, 4, 1}, 3)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := big.Save(path, big.Init(0), graph.Float32); err != nil {
		t.Fatal(err)
	}
	m := build(t, &MLP{Activation: "relu"}, []int{4, 4, 1}, 3)
	_, err := m.Load(path)
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "more") || !strings.Contains(err.Error(), "missing: 0.weight [3 16], 0.bias [3]") {
		t.Errorf("got %v", err)
	}
}

func TestVectorsOfAnotherLengthAreRefused(t *testing.T) {
	m := build(t, &MLP{Activation: "relu"}, []int{4}, 3)
	if _, err := Tensors(m, "", make([]float32, 3)); err == nil {
		t.Error("Tensors takes a short vector")
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := m.Save(path, &State{Theta: make([]float64, 3)}, graph.Float32); err == nil {
		t.Error("Save takes a short vector")
	}
	if err := m.Save(path, &State{Theta: m.Init(0).Theta, Running: []float64{1}}, graph.Float32); err == nil {
		t.Error("Save takes running averages that the model does not have")
	}
	if err := m.Save(path, m.Init(0), graph.Int32); err == nil {
		t.Error("Save takes an integer type")
	}
}

// smallState returns a small network at its start, as PyTorch's state_dict too.
func smallState(t *testing.T) (*Model, *State, []safetensors.Tensor) {
	t.Helper()
	m := build(t, &MLP{Hidden: []int{3}, Activation: "tanh"}, []int{4}, 2)
	s := m.Init(1)
	tensors, err := StateDict(m, s.Theta, s.Running, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m, s, tensors
}

// DataParallel and torch.compile put their names before those of the module that they hold.
func TestPrefixesOfWrappersAreLeftOutAndSaid(t *testing.T) {
	m, s, tensors := smallState(t)
	for prefix, noted := range map[string]string{"": "", "module.": `"module."`, "_orig_mod.": `"_orig_mod."`, "_orig_mod.module.": `"_orig_mod.module."`,
		"model.": `"model."`, "model._orig_mod.": `"model._orig_mod."`} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w.safetensors")
			named := slices.Clone(tensors)
			for i := range named {
				named[i].Name = prefix + named[i].Name
			}
			if err := safetensors.WriteFile(path, named, nil); err != nil {
				t.Fatal(err)
			}
			back, err := m.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(back.Theta, s.Theta) || !strings.Contains(strings.Join(back.Notes, "\n"), noted) || prefix == "" && back.Notes != nil {
				t.Errorf("notes %q, want %q", back.Notes, noted)
			}
			named[0].Name = "other." + named[0].Name // not all
			if err := safetensors.WriteFile(path, named, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Load(path); !errors.As(err, new(*WeightsError)) {
				t.Errorf("another name among them: %v", err)
			}
		})
	}
}

// AveragedModel of torch.optim.swa_utils counts what it averages.
func TestTheCountOfAnAveragedModelIsLeftOutAndSaid(t *testing.T) {
	m, s, tensors := smallState(t)
	for prefix, taken := range map[string]bool{"module.": true, "": false} {
		named := append(slices.Clone(tensors), safetensors.Tensor{Name: "n_averaged", Data: []int64{7}})
		for i := range tensors {
			named[i].Name = prefix + named[i].Name
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := safetensors.WriteFile(path, named, nil); err != nil {
			t.Fatal(err)
		}
		back, err := m.Load(path)
		if (err == nil) != taken || taken && (!slices.Equal(back.Theta, s.Theta) || !strings.Contains(strings.Join(back.Notes, "\n"), "n_averaged")) {
			t.Errorf("prefix %q: %+v, %v", prefix, back, err)
		}
	}
}

func TestNamesOfWrappersWithinNamesAreLeftOutAndSaid(t *testing.T) {
	m, s, tensors := smallState(t)
	for _, c := range []struct {
		before, wrapper, want string
		all                   bool
	}{
		{"", "_orig_mod", "2 names with what wrappers of parts of a model put within", false},
		{"", "module", "2 names with", false},
		{"", "_fsdp_wrapped_module._checkpoint_wrapped_module", "2 names with", false},
		{"module.", "_orig_mod", "2 names with", false},
		{"", "_orig_mod", "4 names with", true},
		{"", "other", "", false},
	} {
		t.Run(c.before+c.wrapper, func(t *testing.T) {
			named := slices.Clone(tensors)
			for i := range named {
				at := strings.LastIndexByte(named[i].Name, '.')
				if c.all || i < 2 {
					named[i].Name = named[i].Name[:at] + "." + c.wrapper + named[i].Name[at:]
				}
				named[i].Name = c.before + named[i].Name
			}
			path := filepath.Join(t.TempDir(), "w.safetensors")
			if err := safetensors.WriteFile(path, named, nil); err != nil {
				t.Fatal(err)
			}
			back, err := m.Load(path)
			if c.want == "" {
				if !errors.As(err, new(*WeightsError)) {
					t.Errorf("error %v, want *WeightsError", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(back.Notes, "\n"); !slices.Equal(back.Theta, s.Theta) || !strings.Contains(notes, c.want) || !strings.Contains(notes, named[0].Name) {
				t.Errorf("notes %q, want %q", notes, c.want)
			}
			twice := append(named, named[0])
			twice[len(named)].Name = c.before + tensors[0].Name
			if err := safetensors.WriteFile(path, twice, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Load(path); !errors.As(err, new(*WeightsError)) {
				t.Errorf("a weight twice: %v", err)
			}
		})
	}
}

func TestWeightsThatAreNoNumbersAreRefused(t *testing.T) {
	m := build(t, &MLP{Hidden: []int{3}, Activation: "tanh"}, []int{4}, 2)
	for _, v := range []float64{math.NaN(), math.Inf(-1)} {
		s := m.Init(1)
		s.Theta[m.Params()[2].Offset] = v
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := m.Save(path, s, graph.Float32); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s has %v at 0, want numbers", m.Params()[2].Name, v)
		if _, err := m.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
