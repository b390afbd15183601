package engine

import (
	"math"
	"slices"

	"shadowflow/graph"
)

func (c *compiler) newStorage(t graph.DType, size int) *storage {
	s := &storage{id: c.counts[t], dtype: t, size: size, input: -1, output: -1, first: math.MaxInt, last: -1}
	c.counts[t]++
	c.storages = append(c.storages, s)
	return s
}

// homeOf returns where n's elements lie; a known number gets an array of its own.
func (c *compiler) homeOf(n *graph.Node) home {
	if v, ok := n.Constant(); ok {
		return home{st: c.fixed(constant{bits: math.Float64bits(v), size: n.Size(), dtype: n.DType()}, []float64{v})}
	}
	switch n.Op() {
	case graph.OpConstArray:
		return home{st: c.fixed(constant{array: n.Attr().(*graph.ArrayAttr), size: n.Size(), dtype: n.DType()}, n.Attr().(*graph.ArrayAttr).Data)}
	case graph.OpReshape, graph.OpAlias, graph.OpStop:
		return c.homeOf(n.In()[0])
	case graph.OpSlice:
		if off, ok := contiguous(n); ok {
			h := c.homeOf(n.In()[0])
			return home{h.st, h.off + off}
		}
	}
	return c.homes[n].resolve()
}

// constant is what tells arrays of known numbers apart: a constant array, or one number that all elements are.
type constant struct {
	array *graph.ArrayAttr
	bits  uint64
	size  int
	dtype graph.DType
}

func (c *compiler) fixed(key constant, data []float64) *storage {
	s, ok := c.constants[key]
	if !ok {
		s = c.newStorage(key.dtype, key.size)
		s.fixed, s.constant = data, key
		c.constants[key] = s
	}
	return s
}

// readsOf returns the nodes whose memory unit u reads for its member n.
func (c *compiler) readsOf(u *unit, n *graph.Node) []*graph.Node {
	var out []*graph.Node
	for _, in := range u.reads(n) {
		out = append(out, c.readBy(u, in).n)
	}
	return slices.DeleteFunc(out, func(m *graph.Node) bool { return m == nil || c.unitOf[peel(m)] == u || c.fuse.inline[m] })
}

// readBy is how unit u reads operand in; a broadcast that asks for other columns than the unit has is read from memory.
func (c *compiler) readBy(u *unit, in *graph.Node) operand {
	if !u.fused {
		return operand{kind: readWhole, n: in}
	}
	o := operandOf(in)
	if o.cols > 0 && o.cols != u.cols {
		return operand{kind: readWhole, n: peel(in)}
	}
	return o
}

// placeInputs gives the inputs their storages, which are the caller's buffers.
func (c *compiler) placeInputs() {
	for i, n := range c.ins {
		st := c.newStorage(n.DType(), n.Size())
		st.input = i
		c.homes[n] = home{st: st}
	}
}

// placeArrays gives every array that is read outside the unit that makes it a storage of its own.
func (c *compiler) placeArrays() {
	outside := map[*graph.Node]bool{}
	mark := func(n *graph.Node) {
		for isView(n) && n.Op() != graph.OpConst {
			n = n.In()[0]
		}
		outside[n] = true
	}
	for _, u := range c.units {
		for _, n := range u.nodes {
			for _, m := range c.readsOf(u, n) {
				mark(m)
			}
		}
	}
	for _, n := range c.outs {
		mark(n)
	}
	for _, u := range c.units {
		for _, n := range u.made {
			if outside[n] {
				c.homes[n] = home{st: c.newStorage(n.DType(), n.Size())}
			}
		}
	}
}

// placeOutputs lets the arrays that are outputs be written where the caller wants them.
func (c *compiler) placeOutputs() {
	for i, n := range c.outs {
		h := c.homeOf(n)
		if h.off == 0 && h.st.size == n.Size() && h.st.owned() {
			h.st.output = i
		}
	}
}

// placeConcats lets the parts of a concatenation be written where it has them.
func (c *compiler) placeConcats() {
	for _, u := range slices.Backward(c.units) {
		n := u.nodes[0]
		if n.Op() != graph.OpConcat || numel(n.Shape()[:n.Attr().(graph.AxesAttr).Axes[0]]) != 1 {
			continue
		}
		at := 0
		for _, in := range n.In() {
			h := c.homeOf(in)
			if own := c.homes[n].st; h.off == 0 && h.st.size == in.Size() && h.st.owned() && h.st != own {
				h.st.inside, h.st.at = own, at
			}
			at += in.Size()
		}
	}
}

// setLifetimes finds the first and the last step that use each storage.
func (c *compiler) setLifetimes() {
	touch := func(h home, from, to int) {
		s := h.resolve().st
		s.first, s.last = min(s.first, from), max(s.last, to)
	}
	for t, u := range c.units {
		for _, n := range u.nodes {
			if h, ok := c.homes[n]; ok {
				touch(h, t, t)
			}
			for _, m := range c.readsOf(u, n) {
				touch(c.homeOf(m), t, u.until())
			}
		}
	}
	for _, n := range c.outs {
		touch(c.homeOf(n), len(c.units), len(c.units))
	}
}
