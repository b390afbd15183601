package imported

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
	"shadowflow/onnx"
)

// howToKeep says what keeps an exporter from making weights that are not the network's.
const howToKeep = "export with shadowflow.export_onnx, or as docs/onnx.md says"

// notes say what a person should know of the weights.
func (n *network) notes() []string {
	var notes []string
	for _, what := range []string{n.noteOnNames(), n.noteOnDerived(), n.noteOnApart(), n.noteOnUntied(), n.noteOnMerged(), n.noteOnFolded()} {
		if what != "" {
			notes = append(notes, visible.Line(n.path)+": "+what)
		}
	}
	return notes
}

func (n *network) noteOnNames() string {
	first, count := found(len(n.weights), func(i int) bool { return n.weights[i].called != n.weights[i].Name })
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("its exporter made up the names of %s, which are called here by what reads them, like %q for %q", plural.Count(count, "weight"), visible.Name(n.weights[first].called), visible.Name(n.weights[first].Name))
}

// noteOnDerived is on what may be a constant as well as a weight: an exporter computed it, and no product reads it.
func (n *network) noteOnDerived() string {
	first, count := found(len(n.weights), func(i int) bool {
		r, _ := n.use(n.weights[i].Name)
		return n.weights[i].derived && !slices.Contains([]string{"MatMul", "Gemm", "Conv"}, r.node.Op)
	})
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%q is what its exporter computed ahead, of constants or of weights, and a weight here%s; %s", visible.Name(n.weights[first].called), more(count), howToKeep)
}

// takeApart gives each copy of a weight a weight of its own again: PyTorch's older exporter writes one of several of equal value, and copies of it under the others'
// names. It returns these. Where elements differ, it stays tied, for then it was.
func takeApart(g *onnx.Graph) (names []string) {
	initial := map[string]int{}
	for i, t := range g.Initializers {
		if t.Type.Floating() && len(t.Shape) > 0 && t.Size() > 0 && uniform(&t) {
			initial[t.Name] = i
		}
	}
	given := func(name string) bool {
		return slices.ContainsFunc(g.Outputs, func(v onnx.ValueInfo) bool { return v.Name == name })
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n onnx.Node) bool {
		if n.Op != "Identity" || n.Domain != "" || len(n.Inputs) != 1 || len(n.Outputs) != 1 || n.Outputs[0] == "" || given(n.Outputs[0]) {
			return false
		}
		i, ok := initial[n.Inputs[0]]
		if !ok {
			return false
		}
		t := g.Initializers[i]
		t.Name = n.Outputs[0]
		initial[t.Name] = len(g.Initializers)
		g.Initializers = append(g.Initializers, t)
		names = append(names, t.Name)
		return true
	})
	return names
}

func (n *network) noteOnApart() string {
	if len(n.apart) == 0 {
		return ""
	}
	return fmt.Sprintf("its exporter made %s one with others that were equal then, and here each is its own again, like %q", plural.Count(len(n.apart), "array"), visible.Name(n.apart[0]))
}

func (n *network) noteOnMerged() string {
	first, count := found(len(n.weights), func(i int) bool { return n.merged(n.weights[i]) })
	if count == 0 {
		return ""
	}
	readers := n.readers[n.weights[first].Name]
	return fmt.Sprintf("%d operators, the first of them %s, read one weight, %q, whose elements are all equal%s: it is likely several weights of the network, which an exporter that optimizes made one as they were equal then, and here they train as one; %s",
		len(readers), readers[0].node, visible.Name(n.weights[first].called), more(count), howToKeep)
}

// noteOnUntied is on a tie that an exporter lost: it wrote the transpose of a weight, like an embedding that is the last product's too, as another.
func (n *network) noteOnUntied() string {
	type corners struct {
		rows, columns int
		first, last   float64
	}
	of := func(t *weight) corners {
		return corners{t.Shape[0], t.Shape[1], element(t, 0), element(t, t.Size()-1)}
	}
	kept := map[corners]*weight{}
	for _, t := range n.weights {
		if len(t.Shape) == 2 && !t.derived {
			kept[of(t)] = t
		}
	}
	for _, t := range n.weights {
		if len(t.Shape) != 2 || !t.derived || uniform(t.Tensor) {
			continue
		}
		c := of(t)
		c.rows, c.columns = c.columns, c.rows
		if w := kept[c]; w != nil && isTransposeOf(w, t) {
			return fmt.Sprintf("%q is %q transposed: they are likely one weight of the network, which an exporter that optimizes made two, and here they train apart; %s", visible.Name(t.called), visible.Name(w.called), howToKeep)
		}
	}
	return ""
}

// isTransposeOf reports whether a matrix is another one transposed.
func isTransposeOf(of, t *weight) bool {
	rows, columns := t.Shape[0], t.Shape[1]
	for i := range t.Size() {
		if element(t, i) != element(of, i%columns*rows+i/columns) {
			return false
		}
	}
	return true
}

func element(t *weight, i int) float64 {
	if data, ok := t.Data.([]float32); ok {
		return float64(data[i])
	}
	return t.Data.([]float64)[i]
}

// found returns which is the first of n that something is true of, and of how many it is.
func found(n int, is func(i int) bool) (first, count int) {
	for i := range n {
		if !is(i) {
			continue
		}
		if count++; count == 1 {
			first = i
		}
	}
	return first, count
}

// more says of how many besides the first something is true.
func more(count int) string {
	if count == 1 {
		return ""
	}
	return fmt.Sprintf(" (and so for %d more)", count-1)
}

// merged reports whether a weight looks like one that an exporter made of several: scales and shifts of several operators, with equal elements, as they are when
// training begins.
func (n *network) merged(t *weight) bool {
	readers := n.readers[t.Name]
	return len(readers) > 1 && uniform(t.Tensor) && !slices.ContainsFunc(readers, func(r reader) bool { return !r.scaleOrShift() })
}

// uniform reports whether all elements of a tensor of floating-point numbers are equal.
func uniform(t *onnx.Tensor) bool {
	switch data := t.Data.(type) {
	case []float32:
		return !slices.ContainsFunc(data, func(v float32) bool { return v != data[0] })
	case []float64:
		return !slices.ContainsFunc(data, func(v float64) bool { return v != data[0] })
	}
	return false
}

func (n *network) noteOnFolded() string {
	isMade, nodes := n.isMade(), n.model.Graph.Nodes
	first, count := found(len(nodes), func(i int) bool { return folded(&nodes[i], isMade) })
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%s is what an exporter made of a convolution or product and the batch normalization behind it, in evaluation mode%s: the network trains without these normalizations; %s", &nodes[first], more(count), howToKeep)
}

// says matches names in which a folded batch normalization shows.
var says = regexp.MustCompile(`(?i)batch_?norm|bn_?fold|bn_?fuse|fused_bn|_fused\b`)

// folded reports whether what a file says of a convolution or product shows that a batch normalization was folded into it: the rewriting that made it; the operator
// that it stands for; the name of a bias that it did not have; names that PyTorch's older exporter makes up of no other kernels; or others that say so.
func folded(node *onnx.Node, isMade func(string) bool) bool {
	if node.Op != "Conv" && node.Op != "Gemm" {
		return false
	}
	own := node.Namespace[strings.LastIndex(node.Namespace, "/")+1:]
	if strings.Contains(node.Rule, "FuseBatchNorm") || says.MatchString(node.Name) || says.MatchString(own) {
		return true
	}
	if len(node.Inputs) < 3 {
		return false
	}
	weight, bias := node.Inputs[1], node.Inputs[2]
	return bias == weight+"_bias" || node.Op == "Conv" && isMade(weight) && isMade(bias) || says.MatchString(weight) || says.MatchString(bias)
}
