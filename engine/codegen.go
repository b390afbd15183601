package engine

import (
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/vec"
)

// fusedOf builds a fused step: registers by linear scan, arrays that others read written in place.
func fusedOf[T graph.Float](c *compiler, u *unit, k *vec.Kernels[T]) step {
	if s, ok := smallOf[T](c, u); ok {
		return s
	}
	s := &fusedStep[T]{k: k, pool: c.pool, size: u.size, cols: u.cols}
	s.layOut(u.dtype.Size())
	absorbed := c.multiplyAdds(u)
	operands := func(n *graph.Node) []*graph.Node {
		if m := absorbed.in(n); m != nil {
			return []*graph.Node{m.In()[0], m.In()[1], absorbed.other(n)}
		}
		return n.In()
	}
	lastUse := map[*graph.Node]int{}
	for i, n := range u.nodes {
		if absorbed.by[n] != nil {
			continue
		}
		for _, in := range operands(n) {
			lastUse[peel(in)] = i
		}
	}
	type loadKey struct {
		kind operandKind
		n    *graph.Node
		c    float64
	}
	loaded := map[loadKey]int32{}
	slotOf := map[*graph.Node]int32{}
	newSlot := func() int32 { s.slots++; return int32(s.slots - 1) }
	read := func(in *graph.Node) int32 {
		o := c.readBy(u, in)
		if slot, ok := slotOf[o.n]; ok && o.kind == readWhole {
			return slot
		}
		key := loadKey{o.kind, o.n, o.c}
		if slot, ok := loaded[key]; ok {
			return slot
		}
		l := load[T]{kind: o.kind, slot: newSlot(), c: T(o.c)}
		if o.kind != readConst {
			l.src = refOf[T](c, o.n)
		}
		if o.kind == readWhole {
			s.sources = append(s.sources, l.src)
			if !slices.Contains(u.chain, c.unitOf[o.n]) {
				s.distant = append(s.distant, l.src)
			}
		}
		loaded[key] = l.slot
		s.loads = append(s.loads, l)
		return l.slot
	}
	var free []int32
	for i, n := range u.nodes {
		if absorbed.by[n] != nil {
			continue
		}
		in := instr[T]{a: -1, b: -1, c: -1, dst: -1}
		srcs := []*int32{&in.a, &in.b, &in.c}
		reads := operands(n)
		for j, m := range reads {
			*srcs[j] = read(m)
		}
		for j, m := range reads {
			slot, mine := slotOf[peel(m)]
			last := mine && lastUse[peel(m)] == i && !slices.Contains(reads[:j], m)
			if last && slices.Contains(s.registers, slot) && !slices.Contains(free, slot) {
				free = append(free, slot)
			}
		}
		if r, _ := c.rows.reduction(n); r != reduceNone {
			in.sum, in.reduce, in.out = n.Op() == graph.OpSum, r, refOf[T](c, n)
			switch {
			case r == reduceAll:
				in.partialLen, in.partials = 1, s.chunks
			case r == reduceRows:
				in.partialLen, in.partials = s.cols, s.chunks*s.cols
			case s.tileRows == 0:
				in.partials = s.tiles
			}
			s.code = append(s.code, in)
			continue
		}
		r := c.rows.of(n)
		if in.tiled = tiledOf[T](&r); absorbed.in(n) != nil {
			in.tiled = tiled[T]{f3: k.MulAdd}
		}
		_, kept := c.homes[n]
		switch {
		case kept && !s.stream:
			in.dst = newSlot()
			s.loads = append(s.loads, load[T]{kind: readWhole, src: refOf[T](c, n), slot: in.dst})
		case kept: // a tile of its own, for it may be the array's
			in.dst = newSlot()
			to := load[T]{kind: readWhole, src: refOf[T](c, n), slot: newSlot()}
			s.loads = append(s.loads, to)
			s.streamed = append(s.streamed, streamed[T]{value: in.dst, array: to.slot, to: to.src})
		case len(free) > 0:
			in.dst = free[len(free)-1]
			free = free[:len(free)-1]
		default:
			in.dst = newSlot()
			s.registers = append(s.registers, in.dst)
		}
		slotOf[n] = in.dst
		s.code = append(s.code, in)
		if kept && s.stream {
			s.code = append(s.code, instr[T]{tiled: tiled[T]{f1: stream[T]}, dst: s.streamed[len(s.streamed)-1].array, a: in.dst, b: -1, c: -1})
		}
	}
	c.scratch += int64(s.scratch() * u.dtype.Size())
	return s
}

// multiplyAdd pairs additions with a product that nothing else reads.
type multiplyAdd struct {
	by   map[*graph.Node]*graph.Node // product -> addition
	with map[*graph.Node]*graph.Node // addition -> product
}

func (m multiplyAdd) in(add *graph.Node) *graph.Node { return m.with[add] }

// other is the operand of the addition that is not the product.
func (m multiplyAdd) other(add *graph.Node) *graph.Node {
	if peel(add.In()[0]) == m.with[add] {
		return add.In()[1]
	}
	return add.In()[0]
}

// multiplyAdds finds the products in a fused unit that only one addition there reads: one instruction does both.
func (c *compiler) multiplyAdds(u *unit) multiplyAdd {
	uses := map[*graph.Node]int{}
	member := map[*graph.Node]bool{}
	for _, n := range u.nodes {
		member[n] = true
		for _, in := range n.In() {
			uses[peel(in)]++
		}
	}
	m := multiplyAdd{map[*graph.Node]*graph.Node{}, map[*graph.Node]*graph.Node{}}
	for _, n := range u.nodes {
		if n.Op() != graph.OpAdd {
			continue
		}
		for _, in := range n.In() {
			x := peel(in)
			_, kept := c.homes[x]
			if x.Op() == graph.OpMul && member[x] && uses[x] == 1 && !kept && m.with[n] == nil {
				m.by[x], m.with[n] = n, x
			}
		}
	}
	return m
}
