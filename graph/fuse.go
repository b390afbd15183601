package graph

import (
	"container/heap"
	"slices"
)

// unit is one step of a compiled program: a single operation, or a group of elementwise operations and reductions that run as
// one pass over tiles.
type unit struct {
	nodes []*node // operands first; inlined ones among them
	made  []*node // those that no other unit computes, in id order
	fused bool
	size  int // elements of the arrays that a fused unit walks over
	cols  int // fused: the arrays are seen as [size/cols, cols]; 0 while nothing asks for two axes
	dtype DType
	order int // position in the schedule
}

// maxFused bounds the operations of a fused unit, and maxOpen the units that may still grow while others are made.
const (
	maxFused = 4096
	maxOpen  = 64
)

// fuser cuts the live nodes into units. A node joins the units of its operands where that closes no circle: for every unit it
// knows which units it depends on.
type fuser struct {
	live    []*node
	group   map[*node]int // node -> index in groups, before find
	groups  []*fuseGroup
	parent  []int
	reach   map[*node]bitset  // single nodes: the groups they depend on
	reader  map[*node]int     // array -> the last group that reads it whole
	inline  map[*node]bool    // computed by every unit that reads them
	sums    map[*node][]*node // additions of products -> what they are made of
	summed  map[*node]bool    // the products, and the additions, that such an addition is made of
	sealed  int               // groups below this index take no more members
	singles []*node
}

type fuseGroup struct {
	nodes []*node
	size  int
	cols  int
	dtype DType
	deps  bitset // groups that members depend on, itself excluded
}

type bitset []uint64

func (s *bitset) add(i int) {
	for len(*s) <= i>>6 {
		*s = append(*s, 0)
	}
	(*s)[i>>6] |= 1 << (i & 63)
}

func (s *bitset) union(t bitset) {
	for len(*s) < len(t) {
		*s = append(*s, 0)
	}
	for i, w := range t {
		(*s)[i] |= w
	}
}

func (s bitset) each(f func(i int)) {
	for w, word := range s {
		for b := 0; word != 0; b, word = b+1, word>>1 {
			if word&1 != 0 {
				f(w<<6 + b)
			}
		}
	}
}

// fusible reports whether the node is an elementwise operation.
func fusible(n *node) bool {
	switch n.prim {
	case primSelect, primSign, primStep, primGreater, primGreatEq, primEqual, primAdd, primSub, primMul:
		return true
	}
	return n.prim.kind == kindElementwise
}

// elementwise reports whether the node is computed tile by tile.
func (f *fuser) elementwise(n *node) bool { return fusible(n) && f.sums[n] == nil && !f.summed[n] }

// productSums finds the additions whose operands are products that nothing else reads: the later product adds to the result of
// the earlier. An addition comes with the products, and the additions of products, that it is made of.
func productSums(live, outs []*node) map[*node][]*node {
	uses := map[*node]int{}
	for _, n := range live {
		for _, in := range n.in {
			uses[in]++
		}
	}
	for _, n := range outs {
		uses[n]++
	}
	sums := map[*node][]*node{}
	terms := func(n *node) []*node {
		switch n.prim {
		case primMatMul, primConv, primConvInput, primConvKernel:
			return []*node{n}
		}
		return sums[n]
	}
	for _, n := range live {
		if n.prim != primAdd || n.in[0] == n.in[1] || uses[n.in[0]] != 1 || uses[n.in[1]] != 1 {
			continue
		}
		x, y := terms(n.in[0]), terms(n.in[1])
		if x == nil || y == nil {
			continue
		}
		delete(sums, n.in[0])
		delete(sums, n.in[1])
		sums[n] = slices.Concat(x, y)
		for _, in := range n.in {
			if in.prim == primAdd {
				sums[n] = append(sums[n], in)
			}
		}
	}
	return sums
}

// reduction says how a sum or maximum over axes looks when its operand is seen as [rows, cols].
type reduction uint8

const (
	reduceNone reduction = iota
	reduceAll            // over everything
	reduceRows           // over the rows: one result a column
	reduceCols           // over the columns: one result a row
)

// reductionOf returns the kind of the reduction n and the columns it asks for (0: any).
func reductionOf(n *node) (reduction, int) {
	if n.prim != primSum && n.prim != primAmax {
		return reduceNone, 0
	}
	shape, axes := n.in[0].shape, n.attr.(axesAttr).Axes
	return twoAxes(shape, func(i int) bool { return slices.Contains(axes, i) })
}

// twoAxes sees an array as [rows, cols] such that the marked axes are all of it, its rows, or its columns.
func twoAxes(shape []int, marked func(axis int) bool) (reduction, int) {
	var marks []bool
	var dims []int
	for i, d := range shape {
		if d == 1 {
			continue
		}
		if k := len(marks); k > 0 && marks[k-1] == marked(i) {
			dims[k-1] *= d
			continue
		}
		marks, dims = append(marks, marked(i)), append(dims, d)
	}
	switch {
	case len(marks) == 1 && marks[0]:
		return reduceAll, 0
	case len(marks) == 2 && marks[0]:
		return reduceRows, dims[1]
	case len(marks) == 2:
		return reduceCols, dims[1]
	}
	return reduceNone, 0
}

// operandKind says how an operand of an elementwise operation is read.
type operandKind uint8

const (
	readWhole  operandKind = iota // element by element
	readScalar                    // one number
	readRow                       // [cols], the same for every row
	readColumn                    // [rows], the same for every column
	readConst                     // a known number
)

type operand struct {
	kind operandKind
	n    *node // whose elements are read
	cols int
	c    float64
}

// operandOf looks through views to what an elementwise operation reads.
func operandOf(n *node) operand {
	if c, ok := (Value{n}).constant(); ok {
		return operand{kind: readConst, c: c}
	}
	size := n.size()
	n = peel(n)
	if n.prim != primBroadcast {
		return operand{kind: readWhole, n: n}
	}
	src := n.in[0]
	kind, cols := twoAxes(n.shape, func(i int) bool { return src.shape[i] != n.shape[i] })
	inner := peel(src)
	if inner.prim == primBroadcast && inner.size() != 1 {
		return operand{kind: readWhole, n: n}
	}
	switch {
	case src.size() == 1 && size > 1:
		return operand{kind: readScalar, n: inner}
	case kind == reduceRows:
		return operand{kind: readRow, n: inner, cols: cols}
	case kind == reduceCols:
		return operand{kind: readColumn, n: inner, cols: cols}
	}
	return operand{kind: readWhole, n: n}
}

// peel looks through operations that only rename an array.
func peel(n *node) *node {
	for n.prim == primReshape || n.prim == primAlias || n.prim == primStop {
		n = n.in[0]
	}
	return n
}

func (f *fuser) find(g int) int {
	for f.parent[g] != g {
		f.parent[g] = f.parent[f.parent[g]]
		g = f.parent[g]
	}
	return g
}

// partition cuts the live nodes, in topological order, into units.
func partition(live, outs []*node) *fuser {
	f := &fuser{live: live, group: map[*node]int{}, reach: map[*node]bitset{}, reader: map[*node]int{}, sums: productSums(live, outs), summed: map[*node]bool{}}
	for _, terms := range f.sums {
		for _, x := range terms {
			f.summed[x] = true
		}
	}
	f.inline = f.inlined(outs)
	for _, n := range live {
		kind, cols := reductionOf(n)
		switch {
		case f.elementwise(n) && !f.inline[n]:
			f.place(n, n.size(), f.colsOf(n))
		case kind != reduceNone:
			f.place(n, n.in[0].size(), append([]int{cols}, f.colsOf(n)...))
		default:
			var deps bitset
			for _, in := range n.in {
				deps.union(f.dependsOn(in))
			}
			f.reach[n] = deps
			if len(n.in) > 0 && !isView(n) && !f.inline[n] && !f.summed[n] {
				f.singles = append(f.singles, n)
			}
		}
		if len(f.groups)-f.sealed >= maxOpen {
			f.sealed = len(f.groups)
		}
	}
	return f
}

// isView reports whether the node's elements lie in its operand's memory, or nowhere.
func isView(n *node) bool {
	switch n.prim {
	case primReshape, primAlias, primStop, primConst:
		return true
	case primSlice:
		_, ok := contiguous(n)
		return ok
	}
	return false
}

// contiguous returns where the elements of a slice begin in its operand, if they lie there without gaps.
func contiguous(n *node) (int, bool) {
	a, from := n.attr.(sliceAttr), n.in[0].shape
	offset, cut := 0, false
	for i, d := range n.shape {
		offset = offset*from[i] + a.Start[i]
		if cut && d != from[i] {
			return 0, false
		}
		if d > 1 {
			if a.Step[i] != 1 {
				return 0, false
			}
			cut = true
		}
	}
	return offset, true
}

// dependsOn returns the groups that a node depends on, its own included.
func (f *fuser) dependsOn(n *node) bitset {
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
func (f *fuser) leaves(n *node) []operand {
	var out []operand
	for _, in := range n.in {
		o := operandOf(in)
		if o.kind == readWhole && f.inline[o.n] {
			out = append(out, f.leaves(o.n)...)
			continue
		}
		out = append(out, o)
	}
	return out
}

// colsOf returns the columns that n's operands ask for.
func (f *fuser) colsOf(n *node) []int {
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
func (f *fuser) place(n *node, size int, cols []int) {
	want := 0
	for _, c := range cols {
		if c > 0 {
			want = c
			break
		}
	}
	var candidates []int
	consider := func(g int) {
		g = f.find(g)
		if q := f.groups[g]; g >= f.sealed && q.size == size && q.dtype == n.dtype && len(q.nodes) < maxFused && !slices.Contains(candidates, g) {
			candidates = append(candidates, g)
		}
	}
	reads := f.leaves(n)
	for _, o := range reads {
		if g, ok := f.group[o.n]; ok && o.kind == readWhole && o.n.size() == size {
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
	merged := &fuseGroup{size: size, cols: want, dtype: n.dtype}
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

// mergeable returns what n and the chosen groups as one would depend on, and whether that closes no circle.
func (f *fuser) mergeable(n *node, chosen []int) (bitset, bool) {
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

// units returns the units in an order of execution: as late as their last member was recorded, so that little is alive at once.
func (f *fuser) units() []*unit {
	var all []*unit
	of := map[*node]*unit{}
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
		slices.SortFunc(g.nodes, func(a, b *node) int { return a.id - b.id })
		add(&unit{nodes: expand(g.nodes, f.inline), made: g.nodes, fused: true, size: g.size, cols: g.cols, dtype: g.dtype})
	}
	for _, n := range f.singles {
		all := append(slices.Clone(f.sums[n]), n)
		add(&unit{nodes: all, made: all, dtype: n.dtype})
	}
	return schedule(all, of)
}

func schedule(all []*unit, of map[*node]*unit) []*unit {
	waiting := make(map[*unit]int)
	users := make(map[*unit][]*unit)
	for _, u := range all {
		before := map[*unit]bool{}
		for _, n := range u.nodes {
			for _, in := range n.in {
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
		u := heap.Pop(&ready).(*unit)
		u.order = len(out)
		out = append(out, u)
		for _, v := range users[u] {
			if waiting[v]--; waiting[v] == 0 {
				heap.Push(&ready, v)
			}
		}
	}
	return out
}

// producers returns the units that make what n reads, looking through views and broadcasts that are not made.
func producers(n *node, of map[*node]*unit) []*unit {
	if u, ok := of[n]; ok {
		return []*unit{u}
	}
	var out []*unit
	for _, in := range n.in {
		out = append(out, producers(in, of)...)
	}
	return out
}

type unitHeap []*unit

func (h unitHeap) Len() int           { return len(h) }
func (h unitHeap) Less(i, j int) bool { return h[i].last() < h[j].last() }
func (h unitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *unitHeap) Push(x any)        { *h = append(*h, x.(*unit)) }
func (h *unitHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	*h = old[:len(old)-1]
	return u
}

func (u *unit) last() int { return u.made[len(u.made)-1].id }
