package engine

import (
	"slices"
	"sync/atomic"

	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
)

// relayBytes is how large an array is that a relay is worth its while for: smaller ones stay in the caches anyway.
const relayBytes = 128 << 10

// leastLead is how many chunks a leader has at least, so that all workers have what to do.
const leastLead = 8

// leads reports whether others can take what unit u makes as it is made.
func (c *compiler) leads(u *unit) bool {
	if c.parts(u) {
		return true
	}
	n := u.nodes[0]
	if u.fused || u.stack != nil || !c.rows.product(n) || u.result().Size()*u.dtype.Size() < relayBytes {
		return false
	}
	if u.dtype == graph.Float32 {
		return reports[float32](c, u)
	}
	return reports[float64](c, u)
}

// reports says whether a product's plan, that of the last of its terms, reports what is done of its result.
func reports[T graph.Float](c *compiler, u *unit) bool {
	terms := likeProducts(u.nodes)
	last := terms[len(terms)-1]
	plan := planOf[T](c, last[0], len(last))
	return plan.Chunks() >= min(leastLead, c.pool.Workers()) && plan.Reports()
}

// parts reports whether u's step is parted, and worth a relay.
func (c *compiler) parts(u *unit) bool {
	if u.stack != nil {
		return false
	}
	if u.fused {
		return u.size*u.dtype.Size() >= relayBytes
	}
	a, pools := u.nodes[0].Attr().(graph.PoolAttr)
	return pools && a.X[0] >= leastLead && numel(a.X[:])*u.dtype.Size() >= relayBytes
}

// follows reports whether unit v can be done behind a chain, chunk by chunk: it reads what the chain makes element by element.
func (c *compiler) follows(chain []*unit, v *unit, of map[*graph.Node]*unit) bool {
	if c.apart || !c.parts(v) || len(chain) == 1 && !c.leads(chain[0]) {
		return false
	}
	member := func(u *unit) bool { return slices.Contains(chain, u) }
	heard := false
	for _, n := range v.nodes {
		for _, in := range n.In() {
			if c.fuse.inline[peel(in)] || !slices.ContainsFunc(producers(in, of), member) {
				continue
			}
			o := c.readBy(v, in)
			if o.kind != readWhole || !member(of[peel(o.n)]) || c.reduces(peel(o.n)) {
				return false
			}
			heard = true
		}
	}
	return heard
}

// reduces reports whether a node is a sum or maximum that is made tile by tile: it is there when all tiles are.
func (c *compiler) reduces(n *graph.Node) bool {
	r, _ := c.rows.reduction(n)
	return r != reduceNone
}

// heard returns by which operand a unit reads what each unit of a chain makes, -1 if it does not.
func (c *compiler) heard(chain []*unit, v *unit) []int {
	heard := make([]int, len(chain))
	for k, u := range chain {
		heard[k] = -1
		for _, n := range v.nodes {
			for i, in := range n.In() {
				if c.unitOf[peel(in)] == u {
					heard[k] = i
				}
			}
		}
	}
	return heard
}

// until returns the last unit that may be running while this one is: the end of its chain.
func (u *unit) until() int { return u.chain[len(u.chain)-1].order }

// readers returns the units that read each array; nil is one that reads it as an output.
func (c *compiler) readers() map[*storage][]*unit {
	readers := map[*storage][]*unit{}
	for _, u := range c.units {
		for _, n := range u.nodes {
			for _, m := range c.readsOf(u, n) {
				if st := c.homeOf(m).st; !slices.Contains(readers[st], u) {
					readers[st] = append(readers[st], u)
				}
			}
		}
	}
	for _, n := range c.outs {
		st := c.homeOf(n).st
		readers[st] = append(readers[st], nil)
	}
	return readers
}

// placeOver lets a unit of a chain write what it makes over what it read of the chain, if nobody else reads that: it is in a cache, and takes no more memory.
func (c *compiler) placeOver() {
	readers := c.readers()
	for _, v := range c.units {
		for _, u := range v.chain[:slices.Index(v.chain, v)] {
			for _, y := range u.made {
				if st := c.homes[y].st; v.fused && st != nil && st.owned() && st.size == y.Size() && y.Size() == v.size && slices.Equal(readers[st], []*unit{v}) {
					c.writeOver(v, y)
				}
			}
		}
	}
}

// writeOver lets unit v write one of its arrays over y, which it alone reads, if that is made no sooner than y is read for the last time.
func (c *compiler) writeOver(v *unit, y *graph.Node) {
	absorbed, last := c.multiplyAdds(v), -1
	for i, n := range v.nodes {
		if add := absorbed.by[n]; add != nil {
			i = slices.Index(v.nodes, add)
		}
		for _, m := range c.readsOf(v, n) {
			switch {
			case peel(m) == y:
				last = max(last, i)
			case c.homeOf(m).st == c.homes[y].st: // a part of it
				return
			}
		}
	}
	for i, n := range v.nodes {
		if st := c.homes[n].st; i >= last && st != nil && st.owned() && st.size == y.Size() && st.dtype == y.DType() && !c.reduces(n) && slices.Contains(v.made, n) {
			st.inside = c.homes[y].st
			return
		}
	}
}

// chains calls do with each chain and its units' steps.
func (c *compiler) chains(do func(chain []*unit, steps []step)) {
	for t := 0; t < len(c.units); {
		chain := c.units[t].chain
		do(chain, c.p.steps[t:t+len(chain)])
		t += len(chain)
	}
}

// efforts returns those of the chains.
func (c *compiler) efforts() []effort {
	var all []effort
	readers := c.readers()
	c.chains(func(chain []*unit, steps []step) { all = append(all, c.effortOf(chain, steps, readers)) })
	return all
}

// relayed returns the program's steps with relays in place of those of chains.
func (c *compiler) relayed() []step {
	var out []step
	c.chains(func(chain []*unit, steps []step) {
		if len(chain) == 1 {
			out = append(out, steps[0])
			return
		}
		out = append(out, c.relayOf(chain, steps))
	})
	return append(out, c.p.steps[len(c.units):]...)
}

// relayOf makes a relay of a chain of units and their steps.
func (c *compiler) relayOf(chain []*unit, steps []step) *relay {
	r := &relay{pool: c.pool, lead: steps[0], members: make([]runner, len(chain))}
	for k, s := range steps {
		m := &r.members[k]
		if m.step, _ = s.(parted); k == 0 {
			continue
		}
		m.needs, m.left = make([]int64, m.step.parts()), make([]atomic.Int64, m.step.parts())
		for from, operand := range c.heard(chain[:k], chain[k]) {
			if operand < 0 {
				continue
			}
			l := link{to: k}
			for i := range m.needs {
				lo, hi := m.step.reads(operand, i)
				l.lo, l.hi = append(l.lo, lo), append(l.hi, hi)
				m.needs[i] += int64(hi - lo)
			}
			r.members[from].links = append(r.members[from].links, l)
		}
	}
	if p, ok := r.lead.(reporter); ok {
		p.report(func(worker int, done gemm.Area) { r.made(0, worker, done) })
	}
	return r
}
