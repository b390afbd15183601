// Package nn holds networks as functions of one flat vector of parameters, written with package graph: multilayer perceptrons,
// the convolutional network of "On the Implicit Bias of Adam", residual networks for small images, a vision transformer, and GPT;
// with PyTorch's initialization, its batch normalization, its losses, and its names, shapes and layouts of weights in files.
//
// An [Architecture] is a network's kind and widths. Built for the shape of an example and a number of outputs, it is a [Model]:
// an ordered list of parameters and a way to record its outputs as graph values. Every derivative is package graph's.
//
// Activations are NHWC and convolution kernels [KH,KW,C,O], because package graph computes in these layouts. So a parameter
// may lie in theta in another order than in PyTorch's tensor; each [Param] knows the way between.
package nn

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// Momentum is the weight of a batch's statistics in batch normalization's running averages, PyTorch's default.
const Momentum = 0.1

// Model is a network for examples of one shape. It does not change once built.
type Model struct {
	input   []int
	tokens  bool // examples are int32 indices, and each has a row of logits
	outputs int
	params  []Param
	stats   []Stat
	layer   layer
	sum     string   // SHA-256 of the file that a Network was read from
	notes   []string // what a person should know of the file that a Network was read from
	adapt   adapter  // nil: files have the model's names and layouts
}

// Param is one array of parameters, and where it lies in theta.
type Param struct {
	Name   string // as in PyTorch's state_dict
	Shape  []int  // in a graph
	Torch  []int  // in PyTorch
	Offset int    // of its first element in theta
	view   []int  // Torch, with axes split where the permutation needs it
	perm   []int  // axis i in theta is axis perm[i] of view; nil: the same order
	init   initializer
	start  []float64 // in PyTorch's order, where a file says it and nothing is drawn
}

// Size returns the number of elements.
func (p Param) Size() int { return numel(p.Shape) }

// Stat is one array of a batch normalization's running averages, and where it lies in the vector of all of them.
type Stat struct {
	Name   string // as in PyTorch's state_dict: running_mean or running_var of its layer
	Size   int    // channels
	Offset int
	start  float64   // before the first batch
	starts []float64 // the same of each channel, where a file says it
}

// Input returns the shape of one example: [D], or [H, W, C].
func (m *Model) Input() []int { return slices.Clone(m.input) }

// Tokens reports whether an example is a window of tokens, int32 indices below Outputs, with logits and a label for each.
func (m *Model) Tokens() bool { return m.tokens }

// Outputs returns the number of outputs of an example, of a window of tokens that of each: logits, where classes are predicted, or numbers.
func (m *Model) Outputs() int { return m.outputs }

// Sum returns the SHA-256 of the file that the network was read from, empty for one that its settings define.
func (m *Model) Sum() string { return m.sum }

// Notes say what a person should know of the file that the network was read from; there are none of one that its settings define.
func (m *Model) Notes() []string { return slices.Clone(m.notes) }

// Params returns the parameters in the order of theta, which is the order of PyTorch's parameters().
func (m *Model) Params() []Param { return slices.Clone(m.params) }

// Stats returns the running averages in the order of their vector; none without batch normalization.
func (m *Model) Stats() []Stat { return slices.Clone(m.stats) }

// NumParams returns the length of theta.
func (m *Model) NumParams() int {
	if len(m.params) == 0 {
		return 0
	}
	last := m.params[len(m.params)-1]
	return last.Offset + last.Size()
}

// NumStats returns the length of the vector of running averages, 0 without batch normalization.
func (m *Model) NumStats() int {
	if len(m.stats) == 0 {
		return 0
	}
	last := m.stats[len(m.stats)-1]
	return last.Offset + last.Size
}

// Unflatten cuts theta into the parameters. The slices are views: they cost nothing when the program runs, and the gradient
// with respect to theta is the concatenation of theirs.
func (m *Model) Unflatten(theta graph.Value) []graph.Value {
	out := make([]graph.Value, len(m.params))
	for i, p := range m.params {
		out[i] = theta.SliceAxis(0, p.Offset, p.Offset+p.Size()).Reshape(p.Shape...)
	}
	return out
}

// Train records the outputs [N, Outputs()], of windows of tokens [N*tokens, Outputs()], called logits here, of examples x [N, Input()...] in training
// mode: batch normalization uses the batch's own statistics. These come back in the layout of the running averages, variances
// unbiased as PyTorch averages them, for [UpdateRunning]; the zero Value without batch normalization.
func (m *Model) Train(params []graph.Value, x graph.Value) (logits, batch graph.Value, err error) {
	p := &pass{params: params}
	logits, err = m.record(p, x)
	if err != nil || len(p.batch) == 0 {
		return logits, graph.Value{}, err
	}
	return logits, graph.Concat(0, p.batch...), nil
}

// Eval records the outputs [N, Outputs()] of examples x in evaluation mode: batch normalization uses the running averages, a
// vector [NumStats()]; without batch normalization it is not used and may be the zero Value.
func (m *Model) Eval(params []graph.Value, running, x graph.Value) (logits graph.Value, err error) {
	if len(m.stats) > 0 && !slices.Equal(running.Shape(), []int{m.NumStats()}) {
		return graph.Value{}, fmt.Errorf("running averages have shape %v, want [%d]", running.Shape(), m.NumStats())
	}
	return m.record(&pass{params: params, running: running, eval: true}, x)
}

func (m *Model) record(p *pass, x graph.Value) (graph.Value, error) {
	if len(p.params) != len(m.params) {
		return graph.Value{}, fmt.Errorf("%d parameter arrays, want %d", len(p.params), len(m.params))
	}
	for i, v := range p.params {
		if !slices.Equal(v.Shape(), m.params[i].Shape) {
			return graph.Value{}, fmt.Errorf("parameter %s has shape %v, want %v", m.params[i].Name, v.Shape(), m.params[i].Shape)
		}
	}
	shape := x.Shape()
	if len(shape) < 2 || !slices.Equal(shape[1:], m.input) {
		return graph.Value{}, fmt.Errorf("examples have shape %v, want the number of examples followed by %v", shape, m.input)
	}
	if m.tokens != (x.DType() == graph.Int32) {
		return graph.Value{}, fmt.Errorf("examples of type %v: want int32 tokens for a language model, floating point for others", x.DType())
	}
	logits := m.layer(p, x)
	if p.err != nil {
		return graph.Value{}, p.err
	}
	return logits, x.Builder().Err()
}

// UpdateRunning moves the running averages toward a batch's statistics by [Momentum], as PyTorch does in each training pass.
func UpdateRunning[T graph.Float](running, batch []T) {
	for i, b := range batch {
		running[i] = (1-Momentum)*running[i] + Momentum*b
	}
}

func numel(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
