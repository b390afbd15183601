package engine

import "shadowflow/graph"

// An effort is the least that a step has to do.
type effort struct {
	flops float64 // of products, as they are done
	bytes float64 // of arrays that no cache holds, read and written
}

// uncachedBytes is the size from which on an array is taken to be in main memory when it is read. Where the last cache is larger than that, as some are, the bound is too high for steps that wait for memory.
const uncachedBytes = 32 << 20

// multiplier is a step that multiplies matrices or convolves.
type multiplier interface {
	multiplied() float64
}

func (s *product[T]) multiplied() float64 {
	n := 0.0
	for _, t := range s.terms {
		n += t.plan.Done()
	}
	return n
}

func (s *stackStep[T]) multiplied() float64 {
	n := 0.0
	for _, e := range s.programs[0].efforts {
		n += e.flops
	}
	return n * float64(s.groups)
}

// effortOf returns what unit u has to do, by its step.
func (c *compiler) effortOf(u *unit, s step) effort {
	var e effort
	if m, ok := s.(multiplier); ok {
		e.flops = m.multiplied()
	}
	counted := map[*graph.Node]bool{}
	count := func(n *graph.Node, elements, times int) {
		if size := elements * n.DType().Size(); size >= uncachedBytes && !counted[n] {
			e.bytes += float64(times * size)
			counted[n] = true
		}
	}
	if n := u.nodes[0]; n.Op() == graph.OpConcat {
		c.joinParts(n, func(part *graph.Node, _ []int) { count(part, part.Size(), 2) }) // read and written, but for parts that lie there
		return e
	}
	for _, n := range u.nodes {
		if _, kept := c.homes[n]; kept {
			count(n, n.Size(), 1)
		}
		for _, m := range c.readsOf(u, n) {
			elements := m.Size()
			if c.rows[n.Op()].part {
				elements = min(elements, n.Size())
			}
			count(m, elements, 1)
		}
	}
	return e
}

// Bound returns the seconds that a run takes at least, at so many floating-point operations and bytes of main memory a second: in each step its products, those that are done, with their transforms, or its
// large arrays, read and written once, whichever takes longer. What else it does, and arrays that a cache may hold, cost nothing.
func (p *Program) Bound(flops, bandwidth float64) float64 {
	t := 0.0
	for _, e := range p.efforts {
		t += max(e.flops/flops, e.bytes/bandwidth)
	}
	return t
}
