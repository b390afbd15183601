package nn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/graph"
)

// MLP is an nn.Sequential of nn.Linear with the activation between: 0.weight, 0.bias, 2.weight, and so on. Images are
// flattened; their weights in files have PyTorch's order of the columns, that of images [C, H, W].
type MLP struct {
	Hidden     []int  `yaml:"hidden"`     // widths of the hidden layers; none makes a linear classifier
	Activation string `yaml:"activation"` // tanh, relu, gelu (exact), silu, sigmoid or identity
}

var activations = map[string]func(graph.Value) graph.Value{
	"tanh":     graph.Value.Tanh,
	"relu":     graph.Value.Relu,
	"gelu":     graph.Value.Gelu,
	"silu":     graph.Value.Silu,
	"sigmoid":  graph.Value.Sigmoid,
	"identity": func(v graph.Value) graph.Value { return v },
}

// Activations returns the names that MLP.Activation knows.
func Activations() []string { return slices.Sorted(maps.Keys(activations)) }

// Build implements [Architecture].
func (a *MLP) Build(input []int, outputs int) (*Model, error) {
	if err := checkData(input, outputs); err != nil {
		return nil, err
	}
	if err := listInRange("hidden", a.Hidden, 0, maxWidth); err != nil {
		return nil, err
	}
	activation, ok := activations[a.Activation]
	if !ok {
		return nil, &FieldError{"activation", fmt.Sprintf("%q", a.Activation), "one of " + strings.Join(Activations(), ", ")}
	}
	d := &declaration{}
	flat := numel(input)
	layers := []layer{pointwise(func(x graph.Value) graph.Value { return x.Reshape(-1, flat) })}
	in := flat
	for i, out := range append(slices.Clone(a.Hidden), outputs) {
		name := fmt.Sprint(2 * i)
		if i > 0 {
			layers = append(layers, pointwise(activation))
		}
		if i == 0 && len(input) == 3 {
			layers = append(layers, d.linearOfImage(name, input, out))
		} else {
			layers = append(layers, d.linear(name, in, out, true))
		}
		in = out
	}
	return d.model(input, outputs, sequence(layers...)), nil
}
