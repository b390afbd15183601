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
	c.p.cost.RoomBytes = bytesOf(held)
	known := map[constant]bool{}
	for k := range c.constants {
		known[k] = true
	}
	c.p.cost.PeakBytes = c.scratch
	for _, r := range c.replicas {
		for k := range r.byWorker[0].constants {
			known[k] = true
		}
		c.p.cost.PeakBytes += r.byWorker[0].scratch * int64(len(r.byWorker))
	}
	for k := range known {
		held[k.dtype] += k.size
	}
	for t, n := range c.replicaRoom() {
		held[t] += n * c.pool.Workers()
	}
	c.p.cost.PeakBytes += bytesOf(held)
}

// bytesOf returns the memory of so many elements of each type.
func bytesOf(n [3]int) (bytes int64) {
	for t, n := range n {
		bytes += int64(n) * int64(graph.DType(t).Size())
	}
	return bytes
}

// room returns the elements that the program needs of a [Room], by type.
func (c *compiler) room() [3]int {
	n := c.arenas
	for t, work := range c.work {
		n[t] += work
	}
	return n
}

// replicaRoom returns the elements that a worker's replicas need, by type.
func (c *compiler) replicaRoom() [3]int {
	var most [3]int
	for _, r := range c.replicas {
		for t, n := range r.byWorker[0].room() {
			most[t] = max(most[t], n)
		}
	}
	return most
}

// allocate makes the memory, in a room; known are the constants that others have made.
func (c *compiler) allocate(r *Room, known map[constant]any) {
	p := c.p
	allocateBank(c, &p.f32, graph.Float32, known)
	allocateBank(c, &p.f64, graph.Float64, known)
	allocateBank(c, &p.i32, graph.Int32, known)
	r.take(c)
	rooms := make([]Room, c.pool.Workers())
	for w := range rooms {
		rooms[w].grow(c.replicaRoom())
	}
	for _, replica := range c.replicas {
		for w, inner := range replica.byWorker {
			inner.allocate(&rooms[w], known)
		}
	}
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

// allocateBank makes the list of the arrays of one type, with those that are known.
func allocateBank[T float32 | float64 | int32](c *compiler, b *bank[T], t graph.DType, known map[constant]any) {
	b.arrays = make([][]T, c.counts[t])
	for _, s := range c.storages {
		if s.dtype != t || s.fixed == nil {
			continue
		}
		if known[s.constant] == nil {
			known[s.constant] = constantOf[T](s)
		}
		b.arrays[s.id] = known[s.constant].([]T)
	}
}

// constantOf makes the elements of an array that is known.
func constantOf[T float32 | float64 | int32](s *storage) []T {
	a := make([]T, s.size)
	for i := range a {
		a[i] = T(s.fixed[min(i, len(s.fixed)-1)])
	}
	return a
}
