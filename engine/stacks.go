package engine

import (
	"slices"

	"shadowflow/graph"
)

// A chain of operations on stacks of matrices, one for each item (of attention: for each head of each example), that begins with products
// larger than their operands and ends with what is smaller again, is run item by item: then the large matrices of a few items are all that
// is ever in memory, and those in a cache. What the chain ends with is made once and stored. The large matrices are made anew, from what is
// stored, by every part of a program that reads them: by the gradient, say, which comes long after the loss. That is looked for among the
// nodes of a program, so it holds for whatever the transformations made of one.
//
// A stack is one such chain, as long as nothing outside of it comes in between.

// The bounds of what is worth it.
const (
	minItems   = 16      // fewer would not occupy the workers
	stackBytes = 1 << 19 // of a large array, which would not stay in a core's own caches as a whole
	itemBytes  = 1 << 18 // of the large arrays of the items that are done at a time, a few of which are in use
)

// stack is a unit that is run item by item.
type stack struct {
	of     *family
	made   []*graph.Node        // what is made once, operands first
	inputs []*graph.Node        // what is read, and made elsewhere
	remade map[*graph.Node]bool // what is made anew
}

// family is all that is done item by item with stacks of the same leading axes.
type family struct {
	lead  []int
	items int
	large int // elements of an item from which on an array is made anew instead of stored
}

// stacks are those of a program.
type stacks struct {
	all    []*stack
	of     map[*graph.Node]*stack // of what is made once
	remade map[*graph.Node]bool
}

// operands returns what has to be in memory before n can be made.
func (s *stacks) operands(n *graph.Node) []*graph.Node {
	if st := s.of[n]; st != nil {
		return st.inputs
	}
	return n.In()
}

// stacker looks for stacks.
type stacker struct {
	rows   *table
	nodes  []*graph.Node // in topological order
	outs   map[*graph.Node]bool
	users  map[*graph.Node][]*graph.Node
	made   map[*graph.Node]*family // of what is made once
	remade map[*graph.Node]*family
}

// findStacks looks at nodes in topological order.
func findStacks(rows *table, nodes, outs []*graph.Node) *stacks {
	s := &stacker{rows: rows, nodes: nodes, outs: map[*graph.Node]bool{}, users: map[*graph.Node][]*graph.Node{},
		made: map[*graph.Node]*family{}, remade: map[*graph.Node]*family{}}
	families := s.families()
	if len(families) == 0 {
		return &stacks{}
	}
	for _, n := range outs {
		s.outs[n] = true
	}
	for _, n := range nodes {
		for _, in := range n.In() {
			s.users[in] = append(s.users[in], n)
		}
	}
	for _, f := range families {
		s.claim(f)
	}
	return s.cut()
}

// families returns what the products that are larger than their operands have for leading axes.
func (s *stacker) families() []*family {
	var all []*family
	for _, n := range s.nodes {
		if !seed(n) {
			continue
		}
		rank := len(n.Shape())
		lead, large := n.Shape()[:rank-2], n.Shape()[rank-1]*n.Shape()[rank-2]
		i := slices.IndexFunc(all, func(f *family) bool { return slices.Equal(f.lead, lead) })
		if i < 0 {
			i, all = len(all), append(all, &family{lead: lead, items: numel(lead), large: large})
		}
		all[i].large = min(all[i].large, large)
	}
	return all
}

// seed says whether n is a product much larger than its operands, of many items.
func seed(n *graph.Node) bool {
	rank := len(n.Shape())
	if n.Op() != graph.OpMatMul || rank < 3 || n.Size()*n.DType().Size() < stackBytes || numel(n.Shape()[:rank-2]) < minItems {
		return false
	}
	return min(n.Shape()[rank-1], n.Shape()[rank-2]) >= 2*innerOf(n)
}

// has says whether an array has the family's leading axes.
func (f *family) has(n *graph.Node) bool {
	return len(n.Shape()) >= len(f.lead) && slices.Equal(n.Shape()[:len(f.lead)], f.lead)
}

// isLarge says whether an array of the family is too large to be stored.
func (f *family) isLarge(n *graph.Node) bool { return n.Size() >= f.large*f.items }

// repeats says whether n is one array that all items have alike.
func (f *family) repeats(n *graph.Node) bool {
	if n.Op() != graph.OpBroadcast || !f.has(n) {
		return false
	}
	return numel(n.In()[0].Shape()[:len(f.lead)]) == 1
}

// stretches says whether n is an array whose items are such of a smaller array, stretched: it need not be in memory, who reads it can stretch.
func (f *family) stretches(n *graph.Node) bool {
	return n.Op() == graph.OpBroadcast && f.has(n) && f.has(n.In()[0])
}

// spread says whether n is a large array that would not be in memory but for a stack that reads it.
func (f *family) spread(n *graph.Node) bool {
	_, known := n.Constant()
	return !known && f.isLarge(n) && peel(n).Op() == graph.OpBroadcast && !f.repeats(n)
}

// itemwise says whether each item of n is made of the same items of its operands, and of what all items have alike.
func (f *family) itemwise(rows *table, n *graph.Node) bool {
	if _, known := n.Constant(); known || !f.has(n) {
		return false
	}
	for _, in := range n.In() {
		if _, known := in.Constant(); !known && !f.has(in) {
			return f.repeats(n)
		}
	}
	axes := len(f.lead)
	switch n.Op() {
	case graph.OpAlias, graph.OpStop, graph.OpReshape, graph.OpBroadcast:
		return true
	case graph.OpMatMul:
		return len(n.Shape()) >= axes+2
	case graph.OpTranspose:
		for i, a := range n.Attr().(graph.AxesAttr).Axes[:axes] {
			if a != i {
				return false
			}
		}
		return true
	case graph.OpSum, graph.OpAmax:
		return n.Attr().(graph.AxesAttr).Axes[0] >= axes
	}
	return rows.elementwise(n)
}

// claim decides, for what is done item by item in a family's chains, whether it is made once or anew.
func (s *stacker) claim(f *family) {
	chained := map[*graph.Node]bool{}
	for _, n := range s.nodes {
		if s.made[n] != nil || s.remade[n] != nil || !f.itemwise(s.rows, n) {
			continue
		}
		chained[n] = seed(n) || slices.ContainsFunc(n.In(), func(in *graph.Node) bool { return chained[in] })
	}
	if slices.ContainsFunc(s.nodes, func(n *graph.Node) bool {
		return chained[n] && slices.ContainsFunc(n.In(), func(in *graph.Node) bool { return !chained[in] && f.spread(in) })
	}) {
		return
	}
	anew, ends, feeds := map[*graph.Node]bool{}, map[*graph.Node]bool{}, map[*graph.Node]bool{}
	for _, n := range slices.Backward(s.nodes) {
		if !chained[n] || !f.isLarge(n) || s.outs[n] || n.Op() == graph.OpMatMul && slices.ContainsFunc(n.In(), f.isLarge) {
			continue
		}
		anew[n] = !slices.ContainsFunc(s.users[n], func(u *graph.Node) bool { return !chained[u] || isView(u) && !anew[u] })
	}
	for _, n := range s.nodes {
		ends[n] = chained[n] && !anew[n] && slices.ContainsFunc(n.In(), func(in *graph.Node) bool { return anew[in] })
	}
	between := func(n *graph.Node) bool { return chained[n] && !anew[n] && !ends[n] && n.Op() != graph.OpMatMul }
	for _, n := range slices.Backward(s.nodes) {
		feeds[n] = slices.ContainsFunc(s.users[n], func(u *graph.Node) bool { return anew[u] || ends[u] || between(u) && feeds[u] })
	}
	for _, n := range s.nodes {
		fed := slices.ContainsFunc(n.In(), func(in *graph.Node) bool { return s.made[in] == f })
		switch {
		case anew[n]:
			s.remade[n] = f
		case ends[n], between(n) && feeds[n] && fed:
			s.made[n] = f
		}
	}
}

// cut cuts the families' nodes into stacks: a node's stage counts how often the way to it leaves one, so that stacks of a later stage never
// come before those of an earlier one.
func (s *stacker) cut() *stacks {
	type place struct {
		of    *family
		stage int
	}
	out := &stacks{of: map[*graph.Node]*stack{}, remade: map[*graph.Node]bool{}}
	stages, at := map[*graph.Node]int{}, map[place]*stack{}
	for _, n := range s.nodes {
		f := s.made[n]
		if f == nil {
			f = s.remade[n]
		}
		if f == nil {
			if f = s.tail(n, stages); f != nil {
				s.made[n] = f
			}
		}
		for _, in := range n.In() {
			stage := stages[in]
			if of := s.made[in]; of != nil && of != f {
				stage++
			}
			stages[n] = max(stages[n], stage)
		}
		if s.remade[n] != nil {
			out.remade[n] = true
		}
		if s.made[n] == nil {
			continue
		}
		p := place{f, stages[n]}
		if at[p] == nil {
			at[p] = &stack{of: f, remade: map[*graph.Node]bool{}}
			out.all = append(out.all, at[p])
		}
		at[p].made = append(at[p].made, n)
		out.of[n] = at[p]
	}
	for _, st := range out.all {
		st.close(out)
	}
	return out
}

// tail returns the family of the stack that makes all operands of n, if n is elementwise and the first that reads them: it is made while they are near.
func (s *stacker) tail(n *graph.Node, stages map[*graph.Node]int) *family {
	if !s.rows.elementwise(n) {
		return nil
	}
	var of *family
	stage := 0
	for _, in := range n.In() {
		if _, known := in.Constant(); known {
			continue
		}
		f := s.made[in]
		if f == nil || of != nil && (of != f || stage != stages[in]) || s.users[in][0] != n && !f.stretches(in) {
			return nil
		}
		of, stage = f, stages[in]
	}
	return of
}

// close finds what a stack makes anew, and what it reads.
func (st *stack) close(all *stacks) {
	seen := map[*graph.Node]bool{}
	var visit func(n *graph.Node)
	visit = func(n *graph.Node) {
		for _, in := range n.In() {
			_, known := in.Constant()
			switch {
			case known || seen[in] || all.of[in] == st:
				continue
			case all.remade[in] || all.of[in] == nil && st.of.repeats(in) || st.of.stretches(in):
				st.remade[in] = true
				visit(in)
			case peel(in).Op() != graph.OpConstArray || st.of.has(in):
				st.inputs = append(st.inputs, in)
			}
			seen[in] = true
		}
	}
	for _, n := range st.made {
		visit(n)
	}
	slices.SortFunc(st.inputs, func(a, b *graph.Node) int { return a.ID() - b.ID() })
}

// order returns the nodes that are in memory at some time, each behind what it is made of, and those of a stack behind all that the stack reads.
func (s *stacks) order(nodes []*graph.Node) []*graph.Node {
	if len(s.all) == 0 {
		return nodes
	}
	done := map[*graph.Node]bool{}
	var out []*graph.Node
	var emit func(n *graph.Node)
	emit = func(n *graph.Node) {
		if done[n] {
			return
		}
		for _, in := range s.operands(n) {
			emit(in)
		}
		made := []*graph.Node{n}
		if st := s.of[n]; st != nil {
			made = st.made
		}
		for _, m := range made {
			done[m] = true
		}
		out = append(out, made...)
	}
	for _, n := range nodes {
		if !s.remade[n] {
			emit(n)
		}
	}
	return out
}
