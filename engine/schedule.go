package engine

import (
	"container/heap"
	"slices"

	"shadowflow/graph"
)

// units returns the units in an order of execution: as late as their last member was recorded, so that little is alive at once, but for those that follow
// a chain, which are part of it.
func (f *fuser) units(follows follower) []*unit {
	var all []*unit
	of := map[*graph.Node]*unit{}
	add := func(u *unit) {
		all = append(all, u)
		for _, n := range u.made {
			of[n] = u
		}
	}
	for i, g := range f.groups {
		if g == nil || f.find(i) != i {
			continue
		}
		slices.SortFunc(g.nodes, func(a, b *graph.Node) int { return a.ID() - b.ID() })
		add(&unit{nodes: expand(g.nodes, f.inline), made: g.nodes, fused: true, size: g.size, cols: g.cols, dtype: g.dtype})
	}
	for _, n := range f.singles {
		all := append(slices.Clone(f.sums[n]), n)
		add(&unit{nodes: all, made: all, dtype: n.DType()})
	}
	for _, st := range f.stacks.all {
		add(&unit{nodes: st.made, made: st.made, stack: st, dtype: st.made[0].DType()})
	}
	return schedule(all, of, follows)
}

// follower says whether a unit is to be done behind a chain of others; of is who makes what.
type follower func(chain []*unit, v *unit, of map[*graph.Node]*unit) bool

func schedule(all []*unit, of map[*graph.Node]*unit, follows follower) []*unit {
	waiting := make(map[*unit]int)
	users := make(map[*unit][]*unit)
	for _, u := range all {
		before := map[*unit]bool{}
		for _, n := range u.nodes {
			for _, in := range u.reads(n) {
				for _, m := range producers(in, of) {
					if m != u && !before[m] {
						before[m] = true
						users[m] = append(users[m], u)
					}
				}
			}
		}
		waiting[u] = len(before)
	}
	var ready unitHeap
	for _, u := range all {
		if waiting[u] == 0 {
			heap.Push(&ready, u)
		}
	}
	var out []*unit
	for ready.Len() > 0 {
		chain := []*unit{heap.Pop(&ready).(*unit)}
		var fresh []*unit // what the chain has made ready
		for len(chain) > 0 {
			u := chain[len(chain)-1]
			u.order = len(out)
			out = append(out, u)
			for _, v := range users[u] {
				if waiting[v]--; waiting[v] == 0 {
					fresh = append(fresh, v)
				}
			}
			i := slices.IndexFunc(fresh, func(v *unit) bool { return follows(chain, v, of) })
			if i < 0 {
				break
			}
			chain = append(chain, fresh[i])
			fresh = slices.Delete(fresh, i, i+1)
		}
		for _, v := range fresh {
			heap.Push(&ready, v)
		}
		for _, u := range chain {
			u.chain = chain
		}
	}
	return out
}

// producers returns the units that make what n reads, looking through views and broadcasts that are not made.
func producers(n *graph.Node, of map[*graph.Node]*unit) []*unit {
	if u, ok := of[n]; ok {
		return []*unit{u}
	}
	var out []*unit
	for _, in := range n.In() {
		out = append(out, producers(in, of)...)
	}
	return out
}

type unitHeap []*unit

func (h unitHeap) Len() int           { return len(h) }
func (h unitHeap) Less(i, j int) bool { return h[i].result().ID() < h[j].result().ID() }
func (h unitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *unitHeap) Push(x any)        { *h = append(*h, x.(*unit)) }
func (h *unitHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	*h = old[:len(old)-1]
	return u
}
