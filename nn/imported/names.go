package imported

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

// reader is a place where an operator reads an array.
type reader struct {
	node  *onnx.Node
	input int
}

// readersOf returns where each array of a graph is read, in the order of its operators.
func readersOf(g *onnx.Graph) map[string][]reader {
	readers := map[string][]reader{}
	for i := range g.Nodes {
		node := &g.Nodes[i]
		for j, name := range node.Inputs {
			if name != "" {
				readers[name] = append(readers[name], reader{node, j})
			}
		}
	}
	return readers
}

// ofAverage reports whether what is read is a running average.
func (r reader) ofAverage() bool { return r.node.Op == "BatchNormalization" && r.input >= 3 }

// role is what PyTorch calls a weight that is read there.
func (r reader) role() string {
	switch r.node.Op {
	case "Add", "Sub":
		return "bias"
	case "Gemm", "Conv", "BatchNormalization", "LayerNormalization", "GroupNormalization", "InstanceNormalization":
		if r.input == 2 {
			return "bias"
		}
	}
	return "weight"
}

// scaleOrShift reports whether what is read there is the scale or shift of a normalization, or what is added to a product.
func (r reader) scaleOrShift() bool {
	switch r.node.Op {
	case "Add", "Mul":
		return true
	case "BatchNormalization", "LayerNormalization", "GroupNormalization", "InstanceNormalization":
		return r.input == 1 || r.input == 2
	}
	return r.role() == "bias"
}

// movers are operators that compute nothing.
var movers = []string{"Transpose", "Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand"}

// use returns where an array is first computed with, through what only moves it, and the path of the first module on the way; the zero reader if nothing reads it.
func (n *network) use(name string) (r reader, scope string) {
	for {
		readers := n.readers[name]
		if len(readers) == 0 {
			return r, scope
		}
		r = readers[0]
		if scope == "" {
			scope = r.node.Scope()
		}
		if r.input != 0 || !slices.Contains(movers, r.node.Op) || len(r.node.Outputs) == 0 {
			return r, scope
		}
		name = r.node.Outputs[0]
	}
}

// made matches names that exporters make up with a running number, of which another export makes others.
var made = regexp.MustCompile(`^(onnx::\w+_\d+|_?val_\d+|[Cc]onst(ant)?_\d+|initializer_\d+|.+_output_\d+)$`)

var number = regexp.MustCompile(`^\d+$`)

// isMade returns whether a name of the file is made up; numbers alone are in files that number what operators give, too.
func (n *network) isMade() func(name string) bool {
	numbered := slices.ContainsFunc(n.model.Graph.Nodes, func(node onnx.Node) bool { return slices.ContainsFunc(node.Outputs, number.MatchString) })
	return func(name string) bool { return made.MatchString(name) || numbered && number.MatchString(name) }
}

// isDerived returns whether an initializer is one that an exporter computed, of constants or of weights: by its name, or where a file says of the others what they are.
func (n *network) isDerived() func(t *onnx.Tensor) bool {
	isMade := n.isMade()
	said := slices.ContainsFunc(n.model.Graph.Initializers, func(t onnx.Tensor) bool { return t.Kind == onnx.Parameter })
	return func(t *onnx.Tensor) bool { return t.Kind == "" && (said || isMade(t.Name)) }
}

// isConstant reports whether an initializer of floating-point numbers is no weight: the file says so, or it is derived and a single number, or a mask that hides by
// infinities.
func isConstant(t *onnx.Tensor, derived bool) bool {
	if t.Kind == onnx.Buffer || t.Kind == onnx.Constant {
		return true
	}
	return derived && (t.Size() == 1 || slices.ContainsFunc(fold.Of(t).Floats, func(v float64) bool { return math.Abs(v) >= largest }))
}

// deciding are operators through which nothing has a derivative.
var deciding = []string{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "Shape", "Size"}

// isMask reports whether an array only decides something: whole numbers or truth values are made of it, or it is compared. So it is a buffer, like the mask of nanoGPT's
// attention, which PyTorch's older exporter does not tell from a weight.
func (n *network) isMask(name string) bool {
	open := []string{name}
	for len(open) > 0 {
		name, open = open[0], open[1:]
		if name == n.model.Graph.Outputs[0].Name || len(n.readers[name]) == 0 {
			return false
		}
		for _, r := range n.readers[name] {
			switch op := r.node.Op; {
			case slices.Contains(deciding, op), op == "Cast" && r.input == 0 && !onnx.Type(r.node.Read().Int("to", 0)).Floating():
			case r.input == 0 && len(r.node.Outputs) > 0 && (op == "Slice" || op == "Gather" || slices.Contains(movers, op)):
				open = append(open, r.node.Outputs[0])
			default:
				return false
			}
		}
	}
	return true
}

// name gives the weights their names: the file's, but for those that an exporter made up. These are called by the module whose operators read them first, as
// PyTorch calls a module's weights, or without one by the operator and its number among those of its kind that compute with weights.
func (n *network) name() {
	isMade, taken := n.isMade(), map[string]bool{}
	for name := range n.known {
		taken[name] = true
	}
	for _, t := range n.weights {
		if !isMade(t.Name) {
			t.called = t.Name
			taken[t.Name] = true
		}
	}
	places := n.numbered()
	next := map[string]int{} // counter of each name that is taken
	for _, t := range n.weights {
		if t.called != "" {
			continue
		}
		r, scope := n.use(t.Name)
		role := r.role()
		switch {
		case scope == "":
			scope = places[r.node]
		case n.isTransposed(t, r):
			t.transposed = true
			if taken[scope+".in_proj_bias"] { // as MultiheadAttention calls both
				role = "in_proj_weight"
			}
		}
		base := scope + "." + role
		name := base
		for taken[name] {
			next[base] = max(next[base], 1) + 1
			name = fmt.Sprintf("%s_%d", base, next[base])
		}
		t.called, taken[name] = name, true
	}
}

// isTransposed reports whether a matrix that an exporter made is what a module multiplies with: PyTorch's modules have it as [out, in], and a product reads [in, out].
func (n *network) isTransposed(t *weight, r reader) bool {
	direct := n.readers[t.Name][0] == r
	return direct && len(t.Shape) == 2 && r.input == 1 && (r.node.Op == "MatMul" || r.node.Op == "Gemm" && r.node.Read().Int("transB", 0) == 0)
}

// numbered names the operators that compute with weights, each kind counted from 0.
func (n *network) numbered() map[*onnx.Node]string {
	computing := map[*onnx.Node]bool{}
	for _, t := range n.weights {
		r, _ := n.use(t.Name)
		computing[r.node] = true
	}
	places, counts := map[*onnx.Node]string{}, map[string]int{}
	for i := range n.model.Graph.Nodes {
		node := &n.model.Graph.Nodes[i]
		if !computing[node] || operators[node.Op] == nil { // which no recording gets beyond
			continue
		}
		places[node] = fmt.Sprintf("%s_%d", strings.ToLower(node.Op), counts[node.Op])
		counts[node.Op]++
	}
	return places
}
