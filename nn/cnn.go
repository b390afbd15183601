package nn

import (
	"fmt"

	"shadowflow/graph"
)

// CNN is the convolutional network of "On the Implicit Bias of Adam" (arXiv:2309.00079, and its code): stages of two padded
// 3x3 convolutions, each followed by relu, and a 2x2 maximum pooling; then a dense layer with relu, and the logits. Names are
// those of the nn.Sequential in that code: 0, 2, 5, 7, 10, 12 the convolutions, 16 and 18 the dense layers.
type CNN struct {
	Channels []int `yaml:"channels"` // of each stage
	Dense    int   `yaml:"dense"`    // width of the dense layer
}

// Build implements [Architecture].
func (a *CNN) Build(input []int, outputs int) (*Model, error) {
	if err := checkImages(input, outputs); err != nil {
		return nil, err
	}
	if err := listInRange("channels", a.Channels, 1, maxWidth); err != nil {
		return nil, err
	}
	if err := inRange(field{"dense", a.Dense, maxWidth}); err != nil {
		return nil, err
	}
	h, w, c := input[0], input[1], input[2]
	if stages := len(a.Channels); h>>stages < 1 || w>>stages < 1 {
		return nil, &FieldError{"channels", a.Channels, fmt.Sprintf("fewer stages: each halves the image of %dx%d", h, w)}
	}
	d := &declaration{}
	at := 0 // index in the nn.Sequential
	var layers []layer
	for _, out := range a.Channels {
		layers = append(layers, d.convBias(fmt.Sprint(at), c, out, 3), relu, d.convBias(fmt.Sprint(at+2), out, out, 3), relu,
			pointwise(func(x graph.Value) graph.Value { return x.MaxPool(graph.PoolSpec{Size: [2]int{2, 2}}) }))
		h, w, c = h/2, w/2, out
		at += 5
	}
	flat := h * w * c
	layers = append(layers, pointwise(func(x graph.Value) graph.Value { return x.Reshape(-1, flat) }),
		d.linearOfImage(fmt.Sprint(at+1), []int{h, w, c}, a.Dense), relu, d.linear(fmt.Sprint(at+3), a.Dense, outputs, true))
	return d.model(input, outputs, sequence(layers...)), nil
}
