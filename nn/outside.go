package nn

import (
	"slices"

	"shadowflow/graph"
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
	m.layer = func(p *pass, x graph.Value) graph.Value {
		y, err := n.Record(&Recording{Weights: p.params, Eval: p.eval, pass: p, stats: m.stats}, x)
		if err != nil && p.err == nil {
			p.err = err
		}
		return y
	}
	return m
}
