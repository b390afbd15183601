package engine

import (
	"slices"

	"shadowflow/graph"
)

// keeper cuts what outputs are made of in two: what is made of fixed inputs alone and kept, and what is made of this and of inputs that change, which it records
// anew.
type keeper struct {
	rows   *table
	fixed  []*graph.Node
	varies map[*graph.Node]bool
	keeps  map[*graph.Node]bool

	*recorder
	in, out []graph.Value // of the new program: given, made, those that change
	made    []graph.Value // what is kept, of the old one
	given   []int
}

func newKeeper(fixed, in, out []graph.Value) (*keeper, error) {
	c, err := newCompiler(slices.Concat(fixed, in), out, Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	nodes := live(c.outs)
	if err := c.check(nodes); err != nil {
		return nil, err
	}
	k := &keeper{rows: sharedTable(), varies: map[*graph.Node]bool{}, keeps: map[*graph.Node]bool{}, recorder: newRecorder((*graph.Node).Shape)}
	for _, v := range fixed {
		k.fixed = append(k.fixed, v.Node())
	}
	for _, v := range in {
		k.varies[v.Node()] = true
	}
	for _, n := range nodes {
		k.varies[n] = k.varies[n] || slices.ContainsFunc(n.In(), func(m *graph.Node) bool { return k.varies[m] })
	}
	k.choose(nodes, c.outs)
	k.record(in, out)
	return k, k.b.Err()
}

// choose finds what is kept: what is read together with something that changes, unless it is made again at little cost from as much or less.
func (k *keeper) choose(nodes, outs []*graph.Node) {
	for _, n := range nodes {
		if k.varies[n] {
			for _, m := range n.In() {
				k.keep(m)
			}
		}
	}
	for _, n := range outs {
		k.keep(n)
	}
	for _, n := range slices.Backward(nodes) {
		if k.keeps[n] && k.cheap(n) && k.lacks(n) < n.Size() {
			delete(k.keeps, n)
			for _, m := range n.In() {
				k.keep(m)
			}
		}
	}
}

// keep has what a node is a view of kept, unless it changes or is known.
func (k *keeper) keep(n *graph.Node) {
	if m := k.base(n); !k.varies[m] && !k.known(m) {
		k.keeps[m] = true
	}
}

// base is what a node is a view of: of a part of something, only if that is a fixed input.
func (k *keeper) base(n *graph.Node) *graph.Node {
	m := n
	for k.rows[m.Op()].role == roleView {
		m = m.In()[0]
	}
	if m.Op() == graph.OpParam {
		return m
	}
	for k.rows[n.Op()].role == roleView && n.Op() != graph.OpSlice {
		n = n.In()[0]
	}
	return n
}

func (k *keeper) known(n *graph.Node) bool {
	_, constant := n.Constant()
	return constant || n.Op() == graph.OpConstArray
}

func (k *keeper) cheap(n *graph.Node) bool {
	r := k.rows[n.Op()]
	return r.role == roleElementwise && r.cost == cheap && r.with == nil
}

// lacks returns the elements of a node's operands that are not kept anyway.
func (k *keeper) lacks(n *graph.Node) int {
	size := 0
	for _, m := range n.In() {
		if m = k.base(m); !k.keeps[m] && !k.known(m) && !slices.Contains(k.fixed, m) {
			size += m.Size()
		}
	}
	return size
}

// record makes the new program.
func (k *keeper) record(in, out []graph.Value) {
	var own []graph.Value
	for i, n := range k.fixed {
		if k.keeps[n] {
			k.given = append(k.given, i)
			k.in = append(k.in, k.param(n))
		}
	}
	for _, o := range out {
		for _, v := range o.Passed() {
			n := v.Node()
			if _, done := k.of[n]; k.keeps[n] && !done {
				k.made, own = append(k.made, v), append(own, k.param(n))
			}
		}
	}
	k.in = append(k.in, own...)
	for _, v := range in {
		k.in = append(k.in, k.param(v.Node()))
	}
	for _, v := range out {
		k.out = append(k.out, k.value(v.Node()))
	}
}

// bytes returns the memory of what is kept.
func (k *keeper) bytes() int64 {
	n := int64(0)
	for _, v := range k.made {
		n += int64(v.Size() * v.DType().Size())
	}
	return n
}
