package engine

import (
	"slices"

	"shadowflow/graph"
)

// unit is one step of a compiled program: a single operation, or a group of elementwise operations and reductions that run as
// one pass over tiles.
type unit struct {
	nodes []*graph.Node // operands first; inlined ones among them
	made  []*graph.Node // those that no other unit computes, in id order
	fused bool
	stack *stack // what is run item by item, or nil
	size  int    // elements of the arrays that a fused unit walks over
	cols  int    // fused: the arrays are seen as [size/cols, cols]; 0 while nothing asks for two axes
	dtype graph.DType
	order int     // position in the schedule
	chain []*unit // those that are done together with it, in their order, itself included
}

// reads returns what has to be in memory for the unit's node n.
func (u *unit) reads(n *graph.Node) []*graph.Node {
	if u.stack != nil {
		return u.stack.inputs
	}
	return n.In()
}

// result is what the unit makes last.
func (u *unit) result() *graph.Node { return u.made[len(u.made)-1] }

// maxFused bounds the operations of a fused unit, and maxOpen the units that may still grow while others are made.
const (
	maxFused = 4096
	maxOpen  = 64
)

// fuser cuts the live nodes into units. A node joins the units of its operands where that closes no cycle: for every unit it
// knows which units it depends on.
type fuser struct {
	rows    *table
	stacks  *stacks
	live    []*graph.Node
	group   map[*graph.Node]int // node -> index in groups, before find
	groups  []*fuseGroup
	parent  []int
	reach   map[*graph.Node]bitset        // single nodes: the groups they depend on
	reader  map[*graph.Node]int           // array -> the last group that reads it whole
	inline  map[*graph.Node]bool          // computed by every unit that reads them
	sums    map[*graph.Node][]*graph.Node // additions of products -> what they are made of
	summed  map[*graph.Node]bool          // the products, and the additions, that such an addition is made of
	sealed  int                           // groups below this index take no more members
	singles []*graph.Node
}

type fuseGroup struct {
	nodes []*graph.Node
	size  int
	cols  int
	dtype graph.DType
	deps  bitset // groups that members depend on, itself excluded
}

// elementwise reports whether the node is computed tile by tile.
func (f *fuser) elementwise(n *graph.Node) bool {
	return f.rows.elementwise(n) && f.sums[n] == nil && !f.summed[n] && f.stacks.of[n] == nil
}

// reduction returns the kind of the reduction n and the columns it asks for, if it is computed tile by tile.
func (f *fuser) reduction(n *graph.Node) (reduction, int) {
	if f.stacks.of[n] != nil {
		return reduceNone, 0
	}
	return f.rows.reduction(n)
}

// productSums finds the additions whose operands are products that nothing else reads: the later product adds to the result of
// the earlier. An addition comes with the products, and the additions of products, that it is made of.
func productSums(rows *table, stacks *stacks, live, outs []*graph.Node) map[*graph.Node][]*graph.Node {
	uses := map[*graph.Node]int{}
	for _, n := range live {
		for _, in := range stacks.operands(n) {
			uses[in]++
		}
	}
	for _, n := range outs {
		uses[n]++
	}
	sums := map[*graph.Node][]*graph.Node{}
	terms := func(n *graph.Node) []*graph.Node {
		if rows.product(n) && stacks.of[n] == nil {
			return []*graph.Node{n}
		}
		return sums[n]
	}
	for _, n := range live {
		if n.Op() != graph.OpAdd || stacks.of[n] != nil || n.In()[0] == n.In()[1] || uses[n.In()[0]] != 1 || uses[n.In()[1]] != 1 {
			continue
		}
		x, y := terms(n.In()[0]), terms(n.In()[1])
		if x == nil || y == nil {
			continue
		}
		delete(sums, n.In()[0])
		delete(sums, n.In()[1])
		sums[n] = slices.Concat(x, y)
		for _, in := range n.In() {
			if in.Op() == graph.OpAdd {
				sums[n] = append(sums[n], in)
			}
		}
	}
	return sums
}

func (f *fuser) find(g int) int {
	for f.parent[g] != g {
		f.parent[g] = f.parent[f.parent[g]]
		g = f.parent[g]
	}
	return g
}

// partition cuts the live nodes, in topological order and without those that stacks make anew, into units.
func partition(rows *table, stacks *stacks, live, outs []*graph.Node) *fuser {
	f := &fuser{rows: rows, stacks: stacks, live: live, group: map[*graph.Node]int{}, reach: map[*graph.Node]bitset{}, reader: map[*graph.Node]int{},
		sums: productSums(rows, stacks, live, outs), summed: map[*graph.Node]bool{}}
	for _, terms := range f.sums {
		for _, x := range terms {
			f.summed[x] = true
		}
	}
	f.inline = f.inlined(outs)
	for _, n := range live {
		cols, walks := f.columnsOf(n)
		switch {
		case walks && !f.inline[n]:
			f.place(n, n.In()[0].Size(), cols)
		default:
			var deps bitset
			for _, in := range stacks.operands(n) {
				deps.union(f.dependsOn(in))
			}
			f.reach[n] = deps
			if len(n.In()) > 0 && !isView(n) && !f.inline[n] && !f.summed[n] && stacks.of[n] == nil {
				f.singles = append(f.singles, n)
			}
		}
		if len(f.groups)-f.sealed >= maxOpen {
			f.sealed = len(f.groups)
		}
	}
	return f
}

// dependsOn returns the groups that a node depends on, its own included.
func (f *fuser) dependsOn(n *graph.Node) bitset {
	if g, ok := f.group[n]; ok {
		var s bitset
		s.add(g)
		return s
	}
	return f.reach[n]
}

// closure adds to s every open group that a group of s depends on. A sealed group depends on no open one.
func (f *fuser) closure(s bitset) bitset {
	out := slices.Clone(s)
	var todo []int
	seen := make([]bool, len(f.groups)-f.sealed)
	visit := func(i int) {
		if g := f.find(i); g >= f.sealed && !seen[g-f.sealed] {
			seen[g-f.sealed] = true
			todo = append(todo, g)
		}
	}
	s.each(visit)
	for len(todo) > 0 {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		out.union(f.groups[g].deps)
		f.groups[g].deps.each(visit)
	}
	for w := range min(len(out), f.sealed>>6) {
		out[w] = 0
	}
	return out
}

func (f *fuser) containsAny(s bitset, groups []int) bool {
	found := false
	s.each(func(i int) { found = found || slices.Contains(groups, f.find(i)) })
	return found
}

// leaves returns the operands that n reads, those of the inlined nodes it is made from in their place.
func (f *fuser) leaves(n *graph.Node) []operand {
	var out []operand
	for _, in := range n.In() {
		o := operandOf(in)
		if o.kind == readWhole && f.inline[o.n] {
			out = append(out, f.leaves(o.n)...)
			continue
		}
		out = append(out, o)
	}
	return out
}

// columnsOf returns the columns that n asks for, a reduction's own first, if it is computed tile by tile.
func (f *fuser) columnsOf(n *graph.Node) (cols []int, walks bool) {
	kind, own := f.reduction(n)
	if kind == reduceNone {
		return f.colsOf(n), f.elementwise(n)
	}
	if own > 0 {
		cols = []int{own}
	}
	return append(cols, f.colsOf(n)...), true
}

// colsOf returns the columns that n's operands ask for.
func (f *fuser) colsOf(n *graph.Node) []int {
	var cols []int
	for _, o := range f.leaves(n) {
		if o.cols > 0 {
			cols = append(cols, o.cols)
		}
	}
	return cols
}

// place puts n, which walks over arrays of the size, into the groups of its operands where it can, else into a new one. Where
// n's own operands ask for different columns, those that do not fit the first are read from memory (see reads).
func (f *fuser) place(n *graph.Node, size int, cols []int) {
	want := 0
	if len(cols) > 0 {
		want = cols[0]
	}
	var candidates []int
	consider := func(g int) {
		g = f.find(g)
		q := f.groups[g]
		fits := g >= f.sealed && q.size == size && q.dtype == n.DType() && len(q.nodes) < maxFused
		if fits && !slices.Contains(candidates, g) {
			candidates = append(candidates, g)
		}
	}
	reads := f.leaves(n)
	for _, o := range reads {
		if g, ok := f.group[o.n]; ok && o.kind == readWhole && o.n.Size() == size {
			consider(g)
		}
	}
	if len(candidates) == 0 {
		for _, o := range reads {
			if g, ok := f.reader[o.n]; ok && o.kind == readWhole {
				consider(g)
			}
		}
	}
	slices.SortFunc(candidates, func(a, b int) int { return b - a })
	var chosen []int
	merged := &fuseGroup{size: size, cols: want, dtype: n.DType()}
	for _, g := range candidates {
		q := f.groups[g]
		if merged.cols != 0 && q.cols != 0 && merged.cols != q.cols {
			continue
		}
		if deps, ok := f.mergeable(n, append(slices.Clone(chosen), g)); ok {
			chosen = append(chosen, g)
			merged.deps = deps
			merged.cols = max(merged.cols, q.cols)
		}
	}
	if len(chosen) == 0 {
		merged.deps, _ = f.mergeable(n, nil)
	}
	id := len(f.groups)
	for _, g := range chosen {
		merged.nodes = append(merged.nodes, f.groups[g].nodes...)
		f.parent[g] = id
		f.groups[g] = nil
	}
	merged.nodes = append(merged.nodes, n)
	f.groups = append(f.groups, merged)
	f.parent = append(f.parent, id)
	f.group[n] = id
	for _, o := range reads {
		if o.kind == readWhole {
			f.reader[o.n] = id
		}
	}
}

// mergeable returns what n and the chosen groups as one would depend on, and whether that closes no cycle.
func (f *fuser) mergeable(n *graph.Node, chosen []int) (bitset, bool) {
	var deps bitset
	for _, g := range chosen {
		deps.union(f.groups[g].deps)
	}
	for _, o := range f.leaves(n) {
		if o.kind == readConst {
			continue
		}
		if g, ok := f.group[o.n]; ok && o.kind == readWhole && slices.Contains(chosen, f.find(g)) {
			continue
		}
		deps.union(f.dependsOn(o.n))
	}
	deps = f.closure(deps)
	return deps, !f.containsAny(deps, chosen)
}
