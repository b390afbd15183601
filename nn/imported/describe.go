package imported

import (
	"fmt"
	"slices"

	"shadowflow/internal/visible"
	"shadowflow/nn"
	"shadowflow/onnx"
)

// Description is what a file holds.
type Description struct {
	Model         *nn.Model
	Producer      string // may be empty
	Opset         int64
	Input, Output onnx.ValueInfo
	Nodes         []NodeShape
	Weights       []WeightUse // in the order of the model's parameters
}

// WeightUse is what a file says of a weight.
type WeightUse struct {
	FileName string // the file's name, which is not the weight's where its exporter made it up
	Readers  int    // operators that read it: it is tied where there are more than one
	// Transposed says that the file has the transpose of it, as its exporter made that of a module's weight.
	Transposed bool
	Merged     bool // it is likely several weights that an exporter made one, as they were equal
}

// NodeShape is an operator with the shapes of what it gives, for described examples.
type NodeShape struct {
	Name    string // may be empty
	Op      string
	Outputs [][]int // as the file has them; nil for a sequence, or one that is not there
	Known   bool    // what it gives depends on no example and no weight, and is computed before the run
}

// described is the number of examples for which shapes are told.
const described = 2

// Describe reads a file and records its network for examples of a shape as the file has it, without their number: [D], [C, H, W], or tokens [T]; nil for the
// one that the file says. Its outputs are as many as it gives. A file that cannot be read is a *FileError.
func (a *Net) Describe(example []int) (*Description, error) {
	m, err := a.read()
	if err != nil {
		return nil, err
	}
	d, err := a.describe(m, example)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", visible.Line(a.Path), err)
	}
	return d, nil
}

func (a *Net) describe(m *onnx.Model, example []int) (*Description, error) {
	n := &network{path: a.Path, norm: a.BatchNorm, model: m}
	if err := n.check(); err != nil {
		return nil, err
	}
	in := m.Graph.Inputs[0]
	if example == nil {
		for _, d := range in.Shape[1:] {
			if d.Size < 0 {
				return nil, fmt.Errorf("input %q leaves the length %s open: say the shape of an example, as the file has it", visible.Name(in.Name), d)
			}
			example = append(example, d.Size)
		}
	}
	if slices.ContainsFunc(example, func(d int) bool { return d < 1 }) {
		return nil, fmt.Errorf("examples of shape %v: want lengths of at least 1", example)
	}
	n.input = slices.Clone(example)
	if len(example) == 3 && !n.channelsLast() {
		n.input = []int{example[1], example[2], example[0]}
	}
	d := &Description{Producer: m.Producer, Opset: m.Opsets[""], Input: in, Output: m.Graph.Outputs[0]}
	n.met = func(s NodeShape) { d.Nodes = append(d.Nodes, s) }
	var err error
	d.Model, err = n.build(0)
	n.met = nil
	for _, t := range n.weights {
		d.Weights = append(d.Weights, WeightUse{FileName: t.Name, Readers: len(n.readers[t.Name]), Transposed: t.transposed, Merged: n.merged(t)})
	}
	return d, err
}

// shapes tells of a node what it gives.
func (l *lowering) shapes(n *onnx.Node, out []value) NodeShape {
	s := NodeShape{Name: n.Name, Op: n.Op, Known: true, Outputs: make([][]int, len(n.Outputs))}
	for i := range min(len(out), len(n.Outputs)) {
		s.Known = s.Known && out[i].known != nil
		if out[i].list == nil {
			s.Outputs[i] = append([]int{}, l.shapeOf(out[i])...)
		}
	}
	return s
}
