package engine

import "shadowflow/graph"

// recorder records a part of a program anew, in a builder of its own, made of parameters that stand for some nodes.
type recorder struct {
	b     *graph.Builder
	of    map[*graph.Node]graph.Value
	shape func(n *graph.Node) []int // that a node has there
}

func newRecorder(shape func(n *graph.Node) []int) *recorder {
	return &recorder{graph.NewBuilder(), map[*graph.Node]graph.Value{}, shape}
}

// param makes a parameter stand for a node.
func (r *recorder) param(n *graph.Node) graph.Value {
	name := ""
	if attr, ok := n.Attr().(graph.ParamAttr); ok {
		name = attr.Name
	}
	r.of[n] = r.b.Param(name, n.DType(), r.shape(n)...)
	return r.of[n]
}

// value returns the copy of a node: of a parameter's, of a known one, or of one that is made of such.
func (r *recorder) value(n *graph.Node) graph.Value {
	v, ok := r.of[n]
	if ok {
		return v
	}
	if c, known := n.Constant(); known {
		v = r.b.Const(n.DType(), c).BroadcastTo(r.shape(n)...)
	} else {
		var in []graph.Value
		for _, m := range n.In() {
			in = append(in, r.value(m))
		}
		if n.Op() == graph.OpBroadcast {
			v = in[0].BroadcastTo(r.shape(n)...) // which in another shape may be nothing to do
		} else {
			v = r.b.Again(n, r.shape(n), in...)
		}
	}
	r.of[n] = v
	return v
}
