// Package imported makes networks of ONNX files: the operators of a file become graph code, its initializers weights under their names.
//
// A file has images as [N, C, H, W] and here they lie as [N, H, W, C]. Each value remembers how it lies, so what the file has as a transposition, and what
// convolutions want otherwise, moves nothing that is recorded; weights lie in theta as their readers want them. A file is recorded anew for each number of
// examples, which is known then, so what it computes of shapes are numbers.
package imported

import (
	"errors"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/visible"
	"shadowflow/nn"
	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

// Net is a network in an ONNX file. It implements [nn.Architecture].
type Net struct {
	Path string
	// BatchNorm says what a batch normalization is that the file has in evaluation mode; it is refused where this is empty, or [AsExported].
	BatchNorm string
}

// What a batch normalization is that a file has in evaluation mode, as PyTorch's newer exporter writes all of them.
const (
	AsExported = "file"    // refused: what was meant is not known
	OfBatch    = "batch"   // one by the batch's statistics, in training, as it has in training mode
	OfRunning  = "running" // one by the file's running averages, in training too: a scale and a shift
)

var _ nn.Architecture = (*Net)(nil)

// The versions of ONNX's operators that are read: 13 moved the axes of several from attributes to inputs.
const (
	oldest = 13
	newest = 24
)

const (
	maxRank    = 64      // axes of an array, as files of tensors have
	mostInputs = 1 << 12 // arrays that an operator reads, as Concat may
)

// network is a file whose operators are to be recorded.
type network struct {
	path    string
	norm    string // see Net.BatchNorm
	model   *onnx.Model
	input   []int                  // shape of one example here
	known   map[string]*fold.Array // initializers that are no weights
	weights []*weight
	apart   []string            // names of initializers that the exporter had merged; see takeApart
	readers map[string][]reader // of each array
	running []string            // names of running averages in the order in which they are met
	met     func(NodeShape)     // told of each operator that is recorded; nil: nobody asks
}

// weight is an initializer that trains.
type weight struct {
	*onnx.Tensor
	derived    bool    // its exporter computed it; see isDerived
	called     string  // here: the file's, or another where its exporter made that up; see name
	transposed bool    // its exporter made it of a module's weight, of which it is the transpose
	layout     *layout // how it lies in theta; nil: as in the file, or not known yet
}

// FileError says why a file cannot be read: it is not there, or not what it should be.
type FileError struct{ Err error }

func (e *FileError) Error() string { return e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

func (a *Net) read() (*onnx.Model, error) {
	m, err := onnx.ReadFile(a.Path)
	if err != nil {
		return nil, &FileError{err}
	}
	return m, nil
}

// Build implements [nn.Architecture]: input is the shape of an example, [D], [H, W, C], or a number of tokens where the file's network reads whole
// numbers. A file that cannot be read is a *FileError.
func (a *Net) Build(input []int, outputs int) (*nn.Model, error) {
	m, err := a.read()
	if err != nil {
		return nil, err
	}
	built, err := a.modelOf(m, input, outputs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", visible.Line(a.Path), err)
	}
	return built, nil
}

// modelOf makes a network of what a file holds.
func (a *Net) modelOf(m *onnx.Model, input []int, outputs int) (*nn.Model, error) {
	n := &network{path: a.Path, norm: a.BatchNorm, model: m, input: slices.Clone(input)}
	if err := n.check(); err != nil {
		return nil, err
	}
	return n.build(outputs)
}

func (n *network) check() error {
	g := n.model.Graph
	if v := n.model.Opsets[""]; v < oldest || v > newest {
		return fmt.Errorf("its operators are those of opset %d, want %d to %d: export with opset_version=20", v, oldest, newest)
	}
	if len(g.Inputs) != 1 {
		return fmt.Errorf("it has %d inputs, want one, the examples", len(g.Inputs))
	}
	if len(g.Outputs) != 1 {
		return fmt.Errorf("it has %d outputs, want one, the logits or predictions", len(g.Outputs))
	}
	in := g.Inputs[0]
	if !in.Type.Floating() && in.Type != onnx.Int64 && in.Type != onnx.Int32 {
		return fmt.Errorf("input %q is of %s, want floating-point numbers or tokens", visible.Name(in.Name), in.Type)
	}
	n.known, n.apart = map[string]*fold.Array{}, takeApart(g)
	n.readers = readersOf(g)
	isDerived := n.isDerived()
	for i := range g.Initializers {
		t := &g.Initializers[i]
		averages := 0
		for _, r := range n.readers[t.Name] {
			if r.ofAverage() {
				averages++
			}
		}
		derived := isDerived(t)
		switch all := len(n.readers[t.Name]); {
		case all == 0:
		case !t.Type.Floating() || len(t.Shape) == 0 || t.Size() == 0 || averages == all || isConstant(t, derived) || n.isMask(t.Name):
			n.known[t.Name] = fold.Of(t)
		case averages > 0:
			return fmt.Errorf("initializer %q is a running average of one operator and a weight of another: exporters that optimize make one of initializers of equal value; %s", visible.Name(t.Name), howToKeep)
		default:
			n.weights = append(n.weights, &weight{Tensor: t, derived: derived})
		}
	}
	if len(in.Shape) == 0 {
		return fmt.Errorf("input %q has no axes, want [N, D], or images [N, C, H, W] or [N, H, W, C]", visible.Name(in.Name))
	}
	if len(n.weights) == 0 {
		return fmt.Errorf("it has no weights: no operator reads an initializer of floating-point numbers")
	}
	n.name()
	return nil
}

// tokens reports whether examples are whole numbers.
func (n *network) tokens() bool { return !n.model.Graph.Inputs[0].Type.Floating() }

// build records the network once to find how weights are wanted, and what of it cannot be recorded. Outputs of 0 are as many as there are.
func (n *network) build(outputs int) (*nn.Model, error) {
	net := &nn.Network{Input: n.input, Tokens: n.tokens(), Outputs: outputs, Sum: n.model.Sum, Notes: n.notes()}
	const examples = described
	b := graph.NewBuilder()
	r := &nn.Recording{}
	for _, t := range n.weights {
		r.Weights = append(r.Weights, b.Param(t.Name, graph.Float64, t.Shape...))
	}
	dtype := graph.Float64
	if n.tokens() {
		dtype = graph.Int32
	}
	l, y, err := n.record(r, b.Param("x", dtype, append([]int{examples}, n.input...)...))
	if err != nil {
		if first := n.model.Graph.Inputs[0].Shape; len(first) > 0 && first[0].Size >= 0 {
			err = fmt.Errorf("%w (the file is for batches of %d alone: export it with a number of examples that is open, as dynamic_shapes or dynamic_axes say)", err, first[0].Size)
		}
		return nil, err
	}
	rows := examples
	if n.tokens() {
		rows *= n.input[0]
	}
	if s := y.Shape(); outputs == 0 && len(s) == 2 {
		outputs, net.Outputs = s[1], s[1]
	}
	if !slices.Equal(y.Shape(), []int{rows, outputs}) {
		return nil, fmt.Errorf("%d examples give outputs of shape %v, want %d of each: the file is for other data", examples, y.Shape(), outputs)
	}
	n.running = l.running
	for i, t := range n.weights {
		t.layout = l.wanted[i]
		w := t.layout.weight(t.called, t.Shape, fold.Of(t.Tensor).Floats)
		if t.transposed {
			w = asPyTorch(w, t.layout.rows())
		}
		net.Weights = append(net.Weights, w)
	}
	for _, name := range n.running {
		net.Running = append(net.Running, nn.RunningAverage{Name: name, Start: n.known[name].Floats})
	}
	net.Fixed = n.fixed
	net.Record = func(r *nn.Recording, x graph.Value) (graph.Value, error) {
		l, y, err := n.record(r, x)
		if err != nil {
			return y, fmt.Errorf("%s: %w", visible.Line(n.path), err)
		}
		r.Batch(l.batch...)
		return y, nil
	}
	return net.Model(), nil
}

// fixed returns an initializer that is no weight: without numbers, if nothing reads it.
func (n *network) fixed(name string) (shape []int, numbers []float64, ok bool) {
	a := n.known[name]
	if a == nil {
		unread := slices.ContainsFunc(n.model.Graph.Initializers, func(t onnx.Tensor) bool { return t.Name == name && len(n.readers[name]) == 0 })
		return nil, nil, unread
	}
	if a.Type.Floating() {
		return a.Shape, a.Floats, true
	}
	numbers = make([]float64, len(a.Ints))
	for i, v := range a.Ints {
		numbers[i] = float64(v)
	}
	return a.Shape, numbers, true
}

// lowering is one recording of a file.
type lowering struct {
	written // what operators need that no file has
	*network
	b      *graph.Builder
	dtype  graph.DType
	from   *nn.Recording
	folder fold.Folder
	values map[string]value
	// constants are the known arrays that are recorded.
	constants map[*fold.Array]graph.Value
	wanted    []*layout // of each weight, what its first reader wants
	batch     []graph.Value
	running   []string
	places    map[string]int // of the running averages that are met
}

// record records the outputs of examples.
func (n *network) record(r *nn.Recording, x graph.Value) (*lowering, graph.Value, error) {
	l := &lowering{network: n, b: x.Builder(), dtype: r.Weights[0].DType(), from: r, values: map[string]value{"": {}}, constants: map[*fold.Array]graph.Value{}, wanted: make([]*layout, len(n.weights)), places: map[string]int{}}
	for name, a := range n.known {
		l.values[name] = value{known: a}
	}
	for i, t := range n.weights {
		l.values[t.Name] = t.layout.value(r.Weights[i], t.Shape, i)
	}
	in, err := l.examples(x)
	if err != nil {
		return nil, graph.Value{}, err
	}
	l.values[n.model.Graph.Inputs[0].Name] = in
	for i := range n.model.Graph.Nodes {
		node := &n.model.Graph.Nodes[i]
		if err := l.node(node); err != nil {
			return nil, graph.Value{}, fmt.Errorf("%s: %w", node, err)
		}
	}
	y, err := l.outputs(x)
	return l, y, err
}

// outputs returns what the file gives, a row for each example, or each token.
func (l *lowering) outputs(x graph.Value) (graph.Value, error) {
	name := l.model.Graph.Outputs[0].Name
	out := l.values[name]
	if out.known != nil || out.list != nil || !out.v.Valid() && !out.image.Valid() {
		return graph.Value{}, fmt.Errorf("output %q depends on no example", visible.Name(name))
	}
	y, err := l.plain(out)
	if err != nil {
		return y, err
	}
	if y.Valid() && l.tokens() && len(y.Shape()) == 3 {
		y = y.Reshape(-1, y.Shape()[2])
	}
	return y, x.Builder().Err()
}

// node records one operator, or evaluates it where nothing that it reads is recorded.
func (l *lowering) node(n *onnx.Node) error {
	if len(n.Inputs) > mostInputs {
		return fmt.Errorf("it reads %d arrays, want at most %d", len(n.Inputs), mostInputs)
	}
	in := make([]value, len(n.Inputs))
	known := make([]*fold.Array, len(n.Inputs))
	recorded := false
	for i, name := range n.Inputs {
		in[i] = l.values[name]
		known[i] = in[i].known
		recorded = recorded || name != "" && in[i].known == nil
	}
	var out []value
	if !recorded && fold.Knows(n) {
		arrays, err := l.folder.Eval(n, known)
		if err != nil {
			return err
		}
		for _, a := range arrays {
			out = append(out, value{known: a})
		}
	} else {
		operator := operators[n.Op]
		if n.Domain != "" || operator == nil {
			return absent(n)
		}
		c := &call{lowering: l, node: n, in: in, attributes: n.Read()}
		var err error
		if out, err = operator(c); err == nil {
			err = c.attributes.Done()
		}
		if err == nil {
			err = l.fault()
		}
		if err != nil {
			return err
		}
	}
	for _, v := range out {
		if rank := l.rank(v); rank > maxRank {
			return fmt.Errorf("it gives an array of %d axes, want at most %d", rank, maxRank)
		}
	}
	if l.met != nil {
		l.met(l.shapes(n, out))
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(out) {
			if l.isRead(name) {
				return fmt.Errorf("its output %d is read, which is not there yet", i)
			}
			continue
		}
		l.values[name] = out[i]
	}
	return nil
}

// fault returns why something could not be recorded, without the place in this program.
func (l *lowering) fault() error {
	err := l.b.Err()
	if op := (*graph.OpError)(nil); errors.As(err, &op) {
		return fmt.Errorf("%s of arrays of shapes %v: %s", op.Op, op.Shapes, op.Reason)
	}
	return err
}

func (l *lowering) isRead(name string) bool {
	return len(l.readers[name]) > 0 || l.model.Graph.Outputs[0].Name == name
}
