package nn

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/visible"
	"shadowflow/safetensors"
)

// Network is a network that another package records: one that is read from a file.
type Network struct {
	Input   []int // shape of one example
	Tokens  bool  // examples are int32 indices, and each has a row of logits
	Outputs int
	Sum     string   // SHA-256 of what it was read from
	Notes   []string // what a person should know of how it was read
	Weights []Weight
	Running []RunningAverage
	// Fixed returns what the network has under a name that is no weight's, like a buffer of PyTorch's: its numbers, nil if nothing reads it. May be nil.
	Fixed func(name string) (shape []int, numbers []float64, ok bool)
	// Record records the outputs [N, Outputs], of windows of tokens [N*tokens, Outputs], of examples x [N, Input...].
	Record func(r *Recording, x graph.Value) (graph.Value, error)
}

// Weight is one array of a Network's parameters: as files have it, and as it lies in theta, where its axes may stand in another order.
type Weight struct {
	Name  string
	Shape []int     // in a graph
	File  []int     // in files
	View  []int     // File, with axes split where the order needs it; may be nil where Order is
	Order []int     // axis i in theta is axis Order[i] of View; nil: the same order
	Start []float64 // elements to start from, in the order of files
}

// RunningAverage is one array of batch normalization's running averages.
type RunningAverage struct {
	Name  string
	Start []float64 // one number a channel
}

// Recording is what a Network's outputs are recorded from.
type Recording struct {
	Weights []graph.Value // in the order and shapes of the Network's
	Eval    bool          // batch normalization uses the running averages
	pass    *pass
	stats   []Stat
}

// Running returns a running average, for a recording in evaluation mode.
func (r *Recording) Running(i int) graph.Value {
	st := r.stats[i]
	return r.pass.running.SliceAxis(0, st.Offset, st.Offset+st.Size)
}

// Batch takes what a batch says of the running averages, in their order.
func (r *Recording) Batch(statistics ...graph.Value) {
	r.pass.batch = append(r.pass.batch, statistics...)
}

// Model makes a model of a network that another package records. Its start is that of the weights, whatever the seed.
func (n *Network) Model() *Model {
	d := &declaration{}
	for _, w := range n.Weights {
		d.permuted(Param{Name: w.Name, Shape: slices.Clone(w.Shape), Torch: slices.Clone(w.File), view: w.View, perm: w.Order, start: w.Start})
	}
	for _, s := range n.Running {
		d.stat(s.Name, len(s.Start), 0)
		d.stats[len(d.stats)-1].starts = s.Start
	}
	m := d.model(n.Input, n.Outputs, nil)
	m.tokens, m.sum, m.notes = n.Tokens, n.Sum, n.Notes
	m.adapt = n.leaveOut
	m.layer = func(p *pass, x graph.Value) graph.Value {
		y, err := n.Record(&Recording{Weights: p.params, Eval: p.eval, pass: p, stats: m.stats}, x)
		if err != nil && p.err == nil {
			p.err = err
		}
		return y
	}
	return m
}

// leaveOut leaves out of a file of PyTorch's state_dict what is in it and no weight here: the other names of tied weights, and buffers.
func (n *Network) leaveOut(m *Model, path string, tensors []safetensors.Tensor) (rest []safetensors.Tensor, notes []string, err error) {
	var buffers []string
	for _, t := range tensors {
		if m.has(t.Name) {
			rest = append(rest, t)
			continue
		}
		fixed, same := n.isFixed(t)
		tied := slices.IndexFunc(tensors, func(o safetensors.Tensor) bool { return m.has(o.Name) && isEqual(t, o) && !isUniform(t) })
		switch {
		case fixed && !same:
			return nil, nil, fmt.Errorf("%s: %s has other numbers or another shape than in the network's file, where it is no weight: want the network exported with these", path, visible.Name(t.Name))
		case fixed, isCausalMask(t):
			buffers = append(buffers, visible.Name(t.Name))
		case tied >= 0:
			notes = append(notes, fmt.Sprintf("%s: %s is %s, to which it is tied, and left out", path, visible.Name(t.Name), visible.Name(tensors[tied].Name)))
		default:
			rest = append(rest, t)
		}
	}
	if len(buffers) > 0 {
		notes = append(notes, fmt.Sprintf("%s: %s: no weights of the network, and left out", path, summary(buffers)))
	}
	return rest, notes, nil
}

// isFixed reports whether a tensor is called like something of the network that is no weight, and whether it is that. Counts of batches are beside fixed averages.
func (n *Network) isFixed(t safetensors.Tensor) (fixed, same bool) {
	if n.Fixed == nil {
		return false, false
	}
	if layer, ok := strings.CutSuffix(t.Name, "num_batches_tracked"); ok && t.Size() == 1 {
		_, _, ok := n.Fixed(layer + "running_mean")
		return ok, ok
	}
	shape, numbers, ok := n.Fixed(t.Name)
	return ok, numbers == nil || slices.Equal(shape, t.Shape) && slices.Equal(numbersOf(t), numbers)
}

// isEqual reports whether two tensors have the same shape and elements.
func isEqual(t, o safetensors.Tensor) bool {
	return slices.Equal(t.Shape, o.Shape) && kindOf(t) == kindOf(o) && slices.Equal(numbersOf(t), numbersOf(o))
}

// isUniform reports whether all elements are equal, as they often are in several weights when training begins.
func isUniform(t safetensors.Tensor) bool {
	numbers := numbersOf(t)
	return !slices.ContainsFunc(numbers, func(v float64) bool { return v != numbers[0] })
}

func numbersOf(t safetensors.Tensor) []float64 {
	if numbers, ok := t.Float64s(); ok {
		return numbers
	}
	whole, _ := t.Data.([]int64)
	numbers := make([]float64, len(whole))
	for i, v := range whole {
		numbers[i] = float64(v)
	}
	return numbers
}
