package engine

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// step is one unit of a compiled program, bound to its memory.
type step interface {
	run(*Program) error
}

// compiler turns live nodes into steps and places their arrays.
type compiler struct {
	p         *Program
	rows      *table
	set       isa.Set
	pool      *par.Pool
	fuse      *fuser
	units     []*unit
	unitOf    map[*graph.Node]*unit
	homes     map[*graph.Node]home
	constants map[string]*storage
	storages  []*storage
	work      [2]int // elements of scratch that products need, by type
}

// live returns the nodes that outs are made from, in topological order.
func live(outs []*graph.Node) []*graph.Node {
	seen := map[*graph.Node]bool{}
	var order []*graph.Node
	stack := slices.Clone(outs)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		order = append(order, n)
		stack = append(stack, n.In()...)
	}
	slices.SortFunc(order, func(a, b *graph.Node) int { return a.ID() - b.ID() })
	return order
}

// compile fills p with steps and memory.
func (p *Program) compile(rows *table, set isa.Set, pool *par.Pool) error {
	nodes := live(p.outs)
	for _, n := range nodes {
		if n.Op() == graph.OpParam && !slices.Contains(p.inNodes, n) {
			return fmt.Errorf("compile: an output depends on parameter %q, which is not among the inputs", n.Attr().(graph.ParamAttr).Name)
		}
		if rows[n.Op()].role == roleNone {
			return fmt.Errorf("compile: primitive %v, which makes an array of shape %v, has no row: the engine does not know how to run it",
				n.Op(), n.Shape())
		}
	}
	c := &compiler{p: p, rows: rows, set: set, pool: pool, unitOf: map[*graph.Node]*unit{}, homes: map[*graph.Node]home{}, constants: map[string]*storage{}}
	c.fuse = partition(rows, nodes, p.outs)
	c.dropVirtual()
	c.units = c.fuse.units()
	for _, u := range c.units {
		for _, n := range u.made {
			c.unitOf[n] = u
			if flops := rows[n.Op()].flops; flops != nil {
				p.flops += flops(n)
			}
		}
	}
	for i, n := range p.inNodes {
		st := c.newStorage(n.DType(), n.Size())
		st.input = i
		c.homes[n] = home{st: st}
	}
	c.placeArrays()
	c.placeOutputs()
	c.placeConcats()
	c.setLifetimes()
	for _, u := range c.units {
		p.steps = append(p.steps, c.stepOf(u))
	}
	for i, n := range p.outs {
		if h := c.homeOf(n); h.st.output != i || h.off != 0 {
			p.steps = append(p.steps, c.copyOut(n, i))
		}
	}
	c.allocate()
	c.findInPlace()
	return nil
}

// dropVirtual leaves out the broadcasts that every reader expands itself.
func (c *compiler) dropVirtual() {
	needed := map[*graph.Node]bool{}
	need := func(n *graph.Node) {
		if n = peel(n); n.Op() == graph.OpBroadcast {
			needed[n] = true
		}
	}
	for _, n := range c.p.outs {
		need(n)
	}
	for _, n := range slices.Backward(c.fuse.live) {
		if c.fuse.inline[n] {
			continue
		}
		if g, ok := c.fuse.group[n]; ok {
			for _, m := range expand([]*graph.Node{n}, c.fuse.inline) {
				for _, in := range m.In() {
					if o := operandOf(in); o.kind == readWhole || (o.cols > 0 && o.cols != c.fuse.groups[c.fuse.find(g)].cols) {
						need(in)
					}
				}
			}
			continue
		}
		if isView(n) && !(n.Op() == graph.OpSlice) {
			continue
		}
		if n.Op() == graph.OpBroadcast && !needed[n] {
			continue
		}
		for _, in := range n.In() {
			need(in)
		}
	}
	c.fuse.singles = slices.DeleteFunc(c.fuse.singles, func(n *graph.Node) bool {
		if n.Op() != graph.OpBroadcast {
			return false
		}
		_, known := n.Constant()
		return known || !needed[n]
	})
}

func (c *compiler) newStorage(t graph.DType, size int) *storage {
	s := &storage{dtype: t, size: size, input: -1, output: -1, first: math.MaxInt, last: -1}
	for _, o := range c.storages {
		if o.dtype == t {
			s.id++
		}
	}
	c.storages = append(c.storages, s)
	return s
}

// homeOf returns where n's elements lie; a known number gets an array of its own.
func (c *compiler) homeOf(n *graph.Node) home {
	if v, ok := n.Constant(); ok {
		return home{st: c.fixed(fmt.Sprintf("%v/%d/%v", v, n.Size(), n.DType()), n, func() []float64 { return slices.Repeat([]float64{v}, n.Size()) })}
	}
	switch n.Op() {
	case graph.OpConstArray:
		a := n.Attr().(*graph.ArrayAttr)
		return home{st: c.fixed(fmt.Sprintf("#%d", n.ID()), n, func() []float64 { return a.Data })}
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

func (c *compiler) fixed(key string, n *graph.Node, data func() []float64) *storage {
	if s, ok := c.constants[key]; ok {
		return s
	}
	s := c.newStorage(n.DType(), n.Size())
	s.fixed = data()
	c.constants[key] = s
	return s
}

// readsOf returns the nodes whose memory unit u reads for its member n.
func (c *compiler) readsOf(u *unit, n *graph.Node) []*graph.Node {
	var out []*graph.Node
	for _, in := range n.In() {
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
	for _, n := range c.p.outs {
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
	for i, n := range c.p.outs {
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
	touch := func(h home, t int) {
		s := h.resolve().st
		s.first, s.last = min(s.first, t), max(s.last, t)
	}
	for t, u := range c.units {
		for _, n := range u.nodes {
			if h, ok := c.homes[n]; ok {
				touch(h, t)
			}
			for _, m := range c.readsOf(u, n) {
				touch(c.homeOf(m), t)
			}
		}
	}
	for _, n := range c.p.outs {
		touch(c.homeOf(n), len(c.units))
	}
}

// allocate makes the memory.
func (c *compiler) allocate() {
	p := c.p
	allocateBank(&p.f32, c.storages, graph.Float32, func(v float64) float32 { return float32(v) })
	allocateBank(&p.f64, c.storages, graph.Float64, func(v float64) float64 { return v })
	allocateBank(&p.i32, c.storages, graph.Int32, func(v float64) int32 { return int32(v) })
	p.work32, p.work64 = make([]float32, c.work[graph.Float32]), make([]float64, c.work[graph.Float64])
	p.inputAt, p.outputAt = make([]int, len(p.in)), make([]int, len(p.out))
	p.inSpans, p.outSpans = make([]span, len(p.in)), make([]span, len(p.out))
	for i := range p.outputAt {
		p.outputAt[i] = -1
	}
	for _, s := range c.storages {
		switch {
		case s.input >= 0:
			p.inputAt[s.input] = s.id
		case s.output >= 0:
			p.outputAt[s.output] = s.id
		}
	}
}

// allocateBank makes the arena of one type and cuts it into the storages' arrays.
func allocateBank[T any](b *bank[T], all []*storage, t graph.DType, from func(float64) T) {
	arena := make([]T, assign(all, t))
	b.size = len(arena)
	for _, s := range all {
		if s.dtype != t {
			continue
		}
		var array []T
		switch {
		case s.fixed != nil:
			array = make([]T, s.size)
			for i, v := range s.fixed {
				array[i] = from(v)
			}
			b.size += s.size
		case s.owned():
			array = arena[s.offset : s.offset+s.size : s.offset+s.size]
		}
		for len(b.arrays) <= s.id {
			b.arrays = append(b.arrays, nil)
		}
		b.arrays[s.id] = array
	}
}

// bankOf returns the program's memory of type T.
func bankOf[T any](p *Program) *bank[T] {
	var zero T
	switch any(zero).(type) {
	case float32:
		return any(&p.f32).(*bank[T])
	case float64:
		return any(&p.f64).(*bank[T])
	}
	return any(&p.i32).(*bank[T])
}

func refOf[T any](c *compiler, n *graph.Node) ref[T] {
	h := c.homeOf(n)
	return ref[T]{bank: bankOf[T](c.p), id: h.st.id, off: h.off, n: n.Size()}
}

// stepOf binds a unit to its memory.
func (c *compiler) stepOf(u *unit) step {
	switch {
	case u.fused && u.dtype == graph.Float32:
		return fusedOf(c, u, vec.For[float32](c.set))
	case u.fused:
		return fusedOf(c, u, vec.For[float64](c.set))
	}
	return c.rows[u.nodes[0].Op()].alone(c, u)
}

// findInPlace finds out which outputs may be written over which inputs: those first written after the input was last read, or by
// the same fused step, tile by tile, after the last operation that reads it.
func (c *compiler) findInPlace() {
	ins, outs := make([]*storage, len(c.p.in)), make([]*storage, len(c.p.out))
	for _, s := range c.storages {
		if s.input >= 0 {
			ins[s.input] = s
		}
		if s.output >= 0 {
			outs[s.output] = s
		}
	}
	c.p.inPlace = make([][]bool, len(outs))
	for o, out := range outs {
		c.p.inPlace[o] = make([]bool, len(ins))
		for i, in := range ins {
			switch {
			case in.last < 0 || out == nil || in.last < out.first:
				c.p.inPlace[o][i] = out != nil || in.last < len(c.units)
			case in.last == out.first && in.last < len(c.units):
				if s, ok := c.p.steps[in.last].(interface{ inPlace(in, out int) bool }); ok && in.dtype == out.dtype {
					c.p.inPlace[o][i] = s.inPlace(in.id, out.id)
				}
			}
		}
	}
}
