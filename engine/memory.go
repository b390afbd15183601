package engine

import "shadowflow/graph"

// bank holds the memory of all storages of one type: the arena, constants, and the caller's buffers during a run.
type bank[T any] struct {
	arrays [][]T
}

// ref is a node's elements in a bank.
type ref[T any] struct {
	bank *bank[T]
	id   int
	off  int
	n    int
}

func (r ref[T]) get() []T { return r.bank.arrays[r.id][r.off : r.off+r.n : r.off+r.n] }

// overlaps reports whether two parts of one array have elements in common.
func (r ref[T]) overlaps(o ref[T]) bool { return r.off < o.off+o.n && o.off < r.off+r.n }

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

// placeArenas places the arrays and adds up the memory.
func (c *compiler) placeArenas() {
	var held [3]int // elements
	for t := range c.arenas {
		c.arenas[t] = assign(c.storages, graph.DType(t))
		held[t] = c.arenas[t]
	}
	for t, n := range c.work {
		held[t] += n
	}
	for _, s := range c.storages {
		if s.fixed != nil {
			held[s.dtype] += s.size
		}
	}
	c.p.cost.PeakBytes = c.scratch
	for t, n := range held {
		c.p.cost.PeakBytes += int64(n) * int64(graph.DType(t).Size())
	}
}

// allocate makes the memory.
func (c *compiler) allocate() {
	p := c.p
	allocateBank(c, &p.f32, graph.Float32)
	allocateBank(c, &p.f64, graph.Float64)
	allocateBank(c, &p.i32, graph.Int32)
	p.work32, p.work64 = make([]float32, c.work[graph.Float32]), make([]float64, c.work[graph.Float64])
	for _, s := range p.steps {
		if s, ok := s.(interface{ allocate() }); ok { // it has scratch of its own
			s.allocate()
		}
	}
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
func allocateBank[T float32 | float64 | int32](c *compiler, b *bank[T], t graph.DType) {
	arena := make([]T, c.arenas[t])
	b.arrays = make([][]T, c.counts[t])
	for _, s := range c.storages {
		switch {
		case s.dtype != t:
		case s.fixed != nil:
			b.arrays[s.id] = make([]T, s.size)
			for i := range s.size {
				b.arrays[s.id][i] = T(s.fixed[min(i, len(s.fixed)-1)])
			}
		case s.owned():
			b.arrays[s.id] = arena[s.offset : s.offset+s.size : s.offset+s.size]
		}
	}
}
