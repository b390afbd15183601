package engine

import "slices"

// access is the use of a part of a storage by a step.
type access struct {
	step     int // the number of steps where outputs are copied behind the last one
	until    int // the last step that may be done at the same time
	off, len int
}

func (a access) overlaps(b access) bool { return a.off < b.off+b.len && b.off < a.off+a.len }

// findInPlace finds out which outputs may be written over which inputs: those of which every part is written after what lies there was last
// read, or by the same step in an order that allows it. An output that is a concatenation is written part by part.
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
	reads, writes := c.accesses()
	c.p.inPlace = make([][]bool, len(outs))
	for o, out := range outs {
		c.p.inPlace[o] = make([]bool, len(ins))
		written := writes[out]
		if out == nil {
			written = []access{{len(c.units), len(c.units), 0, c.p.out[o].Size()}}
		}
		for i, in := range ins {
			c.p.inPlace[o][i] = c.writable(out, in, written, reads[in])
		}
	}
}

// accesses returns where inputs are read, and where outputs are written.
func (c *compiler) accesses() (reads, writes map[*storage][]access) {
	reads, writes = map[*storage][]access{}, map[*storage][]access{}
	for t, u := range c.units {
		for _, n := range u.nodes {
			if h, ok := c.homes[n]; ok {
				if h = h.resolve(); h.st.output >= 0 {
					writes[h.st] = append(writes[h.st], access{t, t, h.off, n.Size()})
				}
			}
			for _, m := range c.readsOf(u, n) {
				if h := c.homeOf(m); h.st.input >= 0 {
					reads[h.st] = append(reads[h.st], access{t, u.until(), h.off, m.Size()})
				}
			}
		}
	}
	for _, n := range c.outs {
		if h := c.homeOf(n); h.st.input >= 0 {
			reads[h.st] = append(reads[h.st], access{len(c.units), len(c.units), h.off, n.Size()})
		}
	}
	return reads, writes
}

// writable reports whether an output's parts may be written over what is read of an input; out is nil if it is copied at the end.
func (c *compiler) writable(out, in *storage, written, read []access) bool {
	for _, w := range written {
		for _, r := range read {
			switch {
			case !w.overlaps(r) || r.until < w.step:
			case r.step != w.step || out == nil || in.dtype != out.dtype:
				return false
			default:
				s, ok := c.p.steps[r.step].(interface{ inPlace(in, out int) bool })
				if !ok || !s.inPlace(in.id, out.id) {
					return false
				}
			}
		}
	}
	return true
}

// inPlace reports whether array out may be written over array in, each part of it over the same: every read of what is written over is of
// the very elements, and comes, within a tile, no later than the operation that writes them.
func (s *fusedStep[T]) inPlace(in, out int) bool {
	for i := range s.code {
		if op := &s.code[i]; op.reduce != reduceNone && op.out.id == out {
			return false
		}
	}
	for _, to := range s.loads {
		write := s.writes(to)
		if to.src.bank == nil || to.src.id != out || write < 0 {
			continue
		}
		for _, from := range s.loads {
			if from.src.bank == nil || from.src.id != in || !from.src.overlaps(to.src) {
				continue
			}
			if from.kind != readWhole || from.src.off != to.src.off || s.lastRead(from) > write {
				return false
			}
		}
	}
	return true
}

// writes returns the operation that writes what a load stands for, -1 if it is read alone.
func (s *fusedStep[T]) writes(l load[T]) int {
	return slices.IndexFunc(s.code, func(op instr[T]) bool { return op.reduce == reduceNone && op.dst == l.slot })
}

// lastRead returns the last operation that reads a load.
func (s *fusedStep[T]) lastRead(l load[T]) int {
	last := -1
	for i := range s.code {
		if op := &s.code[i]; op.a == l.slot || op.b == l.slot || op.c == l.slot {
			last = i
		}
	}
	return last
}
