package engine

import (
	"maps"
	"slices"

	"shadowflow/graph"
)

// inlineCost bounds the operations that a unit computes anew instead of reading their result from memory: a pass over an array
// in memory costs about as much as this many operations on a tile in cache.
const inlineCost = 6

// inlineReads bounds the arrays that these operations read: more would cost more traffic than the result they save.
const inlineReads = 2

// inlined finds the cheap elementwise nodes that no one needs as an array in memory and whose operands are in memory anyway:
// every unit that reads them computes them itself, unless they see arrays by other columns than it does. So a batch normalization's backward pass reads its input and the incoming
// gradient, and no standardized copy; a relu's mask is found again from its result.
func (f *fuser) inlined(outs []*graph.Node) map[*graph.Node]bool {
	anchored, asked := f.anchors(outs), f.askedOf()
	cost := map[*graph.Node]int{}
	arrays := map[*graph.Node]map[*graph.Node]bool{} // that an inlined node reads
	in := map[*graph.Node]bool{}
	for _, n := range f.live {
		if !f.elementwise(n) || anchored[n] || n.Size() <= smallMax || apart(asked[n], f.colsOf(n)) {
			continue
		}
		sum, reads := f.rows[n.Op()].cost, map[*graph.Node]bool{}
		for _, m := range n.In() {
			o := operandOf(m)
			switch {
			case o.kind != readWhole:
			case anchored[o.n]:
				reads[o.n] = true
			case in[o.n]:
				sum += cost[o.n]
				maps.Copy(reads, arrays[o.n])
			default:
				sum = inlineCost + 1
			}
		}
		if sum <= inlineCost && len(reads) <= inlineReads {
			in[n], cost[n], arrays[n] = true, sum, reads
		}
	}
	return in
}

// askedOf returns the columns that those ask for who read a node whole.
func (f *fuser) askedOf() map[*graph.Node][]int {
	asked := map[*graph.Node][]int{}
	for _, n := range f.live {
		cols, walks := f.columnsOf(n)
		if !walks {
			continue
		}
		for _, m := range n.In() {
			if o := operandOf(m); o.kind == readWhole {
				asked[o.n] = append(asked[o.n], cols...)
			}
		}
	}
	return asked
}

// apart reports whether two lists of columns have different ones, which a unit cannot see its arrays by.
func apart(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.ContainsFunc(b, func(y int) bool { return x != y }) })
}

// anchors returns the nodes whose arrays are in memory whatever happens: inputs, results of single operations and reductions, and
// what these, or the caller, read.
func (f *fuser) anchors(outs []*graph.Node) map[*graph.Node]bool {
	a := map[*graph.Node]bool{}
	for _, n := range outs {
		a[peel(n)] = true
	}
	for _, n := range f.live {
		r, _ := f.reduction(n)
		walks := f.elementwise(n) || r != reduceNone
		if !f.elementwise(n) {
			a[n] = true
		}
		for _, m := range f.stacks.operands(n) {
			if o := operandOf(m); !walks || o.kind != readWhole {
				if !isRename(n) || f.stacks.of[n] != nil {
					a[peel(m)] = true
				}
				if o.n != nil {
					a[o.n] = a[o.n] || o.kind != readWhole
				}
			}
		}
	}
	return a
}

func isRename(n *graph.Node) bool {
	return n.Op() == graph.OpReshape || n.Op() == graph.OpAlias || n.Op() == graph.OpStop
}

// expand inserts, before each node, the inlined nodes that it is made from and that are not there yet.
func expand(nodes []*graph.Node, in map[*graph.Node]bool) []*graph.Node {
	var out []*graph.Node
	have := map[*graph.Node]bool{}
	var visit func(n *graph.Node)
	visit = func(n *graph.Node) {
		if have[n] {
			return
		}
		have[n] = true
		for _, m := range n.In() {
			if o := operandOf(m); o.kind == readWhole && in[o.n] {
				visit(o.n)
			}
		}
		out = append(out, n)
	}
	for _, n := range nodes {
		visit(n)
	}
	return out
}
