package engine

import (
	"slices"

	"shadowflow/graph"
)

// An effort is the least that a step has to do.
type effort struct {
	flops float64 // of products, as they are done, and of what is made element by element
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

// effortOf returns what a chain of units has to do, by their steps. What is made and read in the chain alone need not be in memory.
func (c *compiler) effortOf(chain []*unit, steps []step, readers map[*storage][]*unit) effort {
	var e effort
	for _, s := range steps {
		if m, ok := s.(multiplier); ok {
			e.flops += m.multiplied()
		}
	}
	count := func(n *graph.Node, elements, times int) {
		if size := elements * n.DType().Size(); size >= uncachedBytes {
			e.bytes += float64(times * size)
		}
	}
	if n := chain[0].nodes[0]; n.Op() == graph.OpConcat {
		c.joinParts(n, func(part *graph.Node, _ []int) { count(part, part.Size(), 2) }) // read and written, but for parts that lie there
		return e
	}
	inside := func(u *unit) bool { return slices.Contains(chain, u) }
	written, read := map[home]bool{}, map[*graph.Node]bool{}
	for _, u := range chain {
		for _, n := range u.nodes {
			if u.fused {
				e.flops += c.rows.operations(n)
			}
			if _, kept := c.homes[n]; kept {
				h := c.homeOf(n)
				passing := !slices.ContainsFunc(readers[h.st], func(u *unit) bool { return !inside(u) })
				if !passing && !written[h] {
					count(n, n.Size(), 1)
				}
				written[h] = true
			}
			for _, m := range c.readsOf(u, n) {
				if read[m] || inside(c.unitOf[peel(m)]) {
					continue
				}
				read[m] = true
				elements := m.Size()
				if c.rows[n.Op()].part {
					elements = min(elements, n.Size())
				}
				count(m, elements, 1)
			}
		}
	}
	return e
}

// Bound returns the seconds that a run takes at least, at so many floating-point operations and bytes of main memory a second: in each step its products, those that are done, with their transforms, and the
// operations of its functions, or its large arrays, read and written once, whichever takes longer. What else it does, and arrays that a cache may hold, cost nothing.
func (p *Program) Bound(flops, bandwidth float64) float64 {
	t := 0.0
	for _, e := range p.efforts {
		t += max(e.flops/flops, e.bytes/bandwidth)
	}
	return t
}
