package network

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/safetensors"
)

// What PyTorch found for small models, in the files of package nn, comes through Evaluate in one pass.
func TestEvaluateAgreesWithPyTorch(t *testing.T) {
	for _, c := range []struct {
		name  string
		arch  nn.Architecture
		shape []int
	}{
		{"mlp_gelu_mse", &nn.MLP{Hidden: []int{9}, Activation: "gelu"}, []int{3, 4, 2}},
		{"resnet_basic", &nn.ResNet{Blocks: []int{1, 2}, Width: 4}, []int{7, 6, 2}},
		{"vit", &nn.ViT{Patch: 4, Dim: 12, Depth: 2, Heads: 3, DimHead: 4, MLP: 14}, []int{8, 12, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.arch.Build(c.shape, 5)
			if err != nil {
				t.Fatal(err)
			}
			file, err := safetensors.ReadFile(filepath.Join("../../nn/testdata", c.name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			tensors := map[string][]float64{}
			var weights []safetensors.Tensor
			var labels []int32
			for _, tensor := range file.Tensors {
				tensors[tensor.Name], _ = tensor.Float64s()
				if name, ok := strings.CutPrefix(tensor.Name, "weights."); ok {
					weights = append(weights, safetensors.Tensor{Name: name, Shape: tensor.Shape, Data: tensor.Data})
				}
				if tensor.Name == "labels" {
					for _, l := range tensor.Data.([]int64) {
						labels = append(labels, int32(l))
					}
				}
			}
			path := filepath.Join(t.TempDir(), "weights.safetensors")
			if err := safetensors.WriteFile(path, weights, nil); err != nil {
				t.Fatal(err)
			}
			state, err := m.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			loss, err := nn.ParseLoss(file.Metadata["loss"])
			if err != nil {
				t.Fatal(err)
			}
			eps, err := strconv.ParseFloat(file.Metadata["eps"], 64)
			if err != nil {
				t.Fatal(err)
			}
			part, err := dataset.NewPart(c.shape, channelsLast(tensors["x"], c.shape), labels)
			if err != nil {
				t.Fatal(err)
			}
			o, err := New[float64](m, loss, part, Options{})
			if err != nil {
				t.Fatal(err)
			}
			direction := &objective.Direction{Make: func(g, _ graph.Value) graph.Value { return g.Div(g.Square().Add(g.Like(eps)).Sqrt()) }}
			g, hf := make([]float64, o.Dim()), make([]float64, o.Dim())
			e := evaluate(t, o, state.Theta, objective.Want[float64]{Gradient: g, Direction: direction, HField: hf})
			wantClose(t, "loss", []float64{e.Loss}, tensors["loss"], 1e-9)
			for prefix, vector := range map[string][]float64{"grad.": g, "hvp.": hf} {
				parts, err := nn.Tensors(m, prefix, vector)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range parts {
					data, _ := p.Float64s()
					wantClose(t, p.Name, data, tensors[p.Name], 1e-9)
				}
			}
		})
	}
}

// channelsLast turns PyTorch's images [N,C,H,W] into [N,H,W,C].
func channelsLast(x []float64, shape []int) []float64 {
	h, w, c := shape[0], shape[1], shape[2]
	out := make([]float64, len(x))
	for i := range out {
		n, row, column, channel := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
		out[i] = x[((n*c+channel)*h+row)*w+column]
	}
	return out
}
