package graph

import "maps"

// inlineCost bounds the operations that a unit computes anew instead of reading their result from memory: a pass over an array
// in memory costs about as much as this many operations on a tile in cache.
const inlineCost = 6

// inlineReads bounds the arrays that these operations read: more would cost more traffic than the result they save.
const inlineReads = 2

// inlined finds the cheap elementwise nodes that no one needs as an array in memory and whose operands are in memory anyway:
// every unit that reads them computes them itself. So a batch normalization's backward pass reads its input and the incoming
// gradient, and no standardized copy; a relu's mask is found again from its result.
func (f *fuser) inlined(outs []*node) map[*node]bool {
	anchored := f.anchors(outs)
	cost := map[*node]int{}
	arrays := map[*node]map[*node]bool{} // that an inlined node reads
	in := map[*node]bool{}
	for _, n := range f.live {
		if !f.elementwise(n) || anchored[n] || n.size() <= smallMax {
			continue
		}
		sum, reads := opCost(n), map[*node]bool{}
		for _, m := range n.in {
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

// opCost is what an elementwise operation costs beside an addition.
func opCost(n *node) int {
	switch n.prim {
	case primAdd, primSub, primMul, primNeg, primRelu, primStep, primAbs, primSign, primMax, primMin, primGreater, primGreatEq,
		primEqual, primSelect:
		return 1
	case primSqrt, primRecip, primDiv:
		return 4
	}
	return inlineCost + 1
}

// anchors returns the nodes whose arrays are in memory whatever happens: inputs, results of single operations and reductions, and
// what these, or the caller, read.
func (f *fuser) anchors(outs []*node) map[*node]bool {
	a := map[*node]bool{}
	for _, n := range outs {
		a[peel(n)] = true
	}
	for _, n := range f.live {
		r, _ := reductionOf(n)
		walks := f.elementwise(n) || r != reduceNone
		if !f.elementwise(n) {
			a[n] = true
		}
		for _, m := range n.in {
			if o := operandOf(m); !walks || o.kind != readWhole {
				if !isRename(n) {
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

func isRename(n *node) bool {
	return n.prim == primReshape || n.prim == primAlias || n.prim == primStop
}

// expand inserts, before each node, the inlined nodes that it is made from and that are not there yet.
func expand(nodes []*node, in map[*node]bool) []*node {
	var out []*node
	have := map[*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		if have[n] {
			return
		}
		have[n] = true
		for _, m := range n.in {
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
