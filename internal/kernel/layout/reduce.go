package layout

import (
	"math"
	"slices"

	"shadowflow/internal/kernel/vec"
)

// Reduction is a plan to sum, or take the maximum, over some axes of an array. The order in which elements are combined
// depends on the shape alone.
//
// Neighbouring axes that are all reduced, or all kept, are one group. The innermost reduced group is done by vector
// kernels: along contiguous rows if it is the last group, else as the columns of the kept group behind it. Loops run
// over the other groups. A large reduction to few elements is cut into parts, whose results wait in scratch memory for
// Finish.
type Reduction[T vec.Float] struct {
	reducer[T]
	kept, reduced loops
	rows, cols    int // of the innermost block; cols is 1 if its rows are contiguous
	results       int
	keptCount     int  // iterations of the kept loops
	keptPer       int  // of which in a chunk
	colsPer       int  // columns of a chunk
	across        int  // ranges of columns
	ranges        int  // ranges of results: each part has so many chunks
	parts         int  // of the first reduced group
	perPart       int  // indices of that group in a part
	splitRows     bool // that group is the block's rows
}

// reducer is what sums and maxima differ in.
type reducer[T vec.Float] struct {
	neutral T
	of      func(x []T) T
	ofRows  vec.Unary[T]
	combine func(a, b T) T
	fill    func(dst []T, v T)
	columns func(acc, x []T) // combines the rows of x with acc
}

// NewSum plans sums over the given axes.
func NewSum[T vec.Float](k *vec.Kernels[T], shape, axes []int) *Reduction[T] {
	add := func(a, b T) T { return a + b }
	return newReduction(reducer[T]{0, k.Sum, k.SumRows, add, k.Fill, k.AddRowsInto}, shape, axes)
}

// NewMax plans maxima over the given axes: NaN if an element is, and -Inf over no elements.
func NewMax[T vec.Float](k *vec.Kernels[T], shape, axes []int) *Reduction[T] {
	larger := func(a, b T) T { return max(a, b) }
	columns := func(acc, x []T) {
		for ; len(x) >= len(acc) && len(x) > 0; x = x[len(acc):] {
			k.Max(acc, acc, x)
		}
	}
	return newReduction(reducer[T]{T(math.Inf(-1)), k.MaxOf, k.MaxRows, larger, k.Fill, columns}, shape, axes)
}

// loops are nested loops over the source, the outermost first. Only n and src of an axis matter.
type loops []axis

func (l loops) count() int {
	n := 1
	for _, a := range l {
		n *= a.n
	}
	return n
}

// at returns the offset in the source of the i-th iteration.
func (l loops) at(i int) int {
	offset := 0
	for j := len(l) - 1; j > 0; j-- {
		offset += i % l[j].n * l[j].src
		i /= l[j].n
	}
	if len(l) > 0 {
		offset += i * l[0].src
	}
	return offset
}

// maxParts bounds the scratch memory.
const maxParts = 64

// wideColumns is the number of columns that make a row of a block worth a call of its own.
const wideColumns = 4096

func newReduction[T vec.Float](f reducer[T], shape, axes []int) *Reduction[T] {
	r := &Reduction[T]{reducer: f, rows: 1, cols: 1, results: 1, parts: 1}
	r.group(shape, axes)
	r.cut(product(shape))
	return r
}

// group merges the axes, and takes the innermost block off the loops.
func (r *Reduction[T]) group(shape, axes []int) {
	type group struct {
		axis
		reduced bool
	}
	var groups []group
	src := strides(shape)
	for i, n := range shape {
		reduced := slices.Contains(axes, i)
		if !reduced {
			r.results *= n
		}
		if n == 1 {
			continue
		}
		if last := len(groups) - 1; last >= 0 && groups[last].reduced == reduced {
			groups[last].n, groups[last].src = groups[last].n*n, src[i]
			continue
		}
		groups = append(groups, group{axis{n: n, src: src[i]}, reduced})
	}
	if last := len(groups) - 1; last >= 0 && !groups[last].reduced {
		r.cols, groups = groups[last].n, groups[:last]
	}
	if last := len(groups) - 1; last >= 0 {
		r.rows, groups = groups[last].n, groups[:last]
	}
	for _, g := range groups {
		if g.reduced {
			r.reduced = append(r.reduced, g.axis)
		} else {
			r.kept = append(r.kept, g.axis)
		}
	}
}

// cut decides on chunks: ranges of results as far as they go, then parts of the first reduced group.
func (r *Reduction[T]) cut(elements int) {
	r.keptCount = r.kept.count()
	r.keptPer = max(1, chunkElements*r.keptCount/max(1, elements))
	r.colsPer = max(1, r.cols)
	if r.cols >= 2*wideColumns {
		r.colsPer = wideColumns
	}
	r.across = ceilDiv(r.cols, r.colsPer)
	r.ranges = ceilDiv(r.keptCount, r.keptPer) * r.across
	extent := r.rows
	if r.splitRows = len(r.reduced) == 0; !r.splitRows {
		extent = r.reduced[0].n
	}
	r.perPart = extent
	want := min(maxParts, elements/chunkElements)
	if r.ranges > 0 && r.ranges < want {
		r.perPart = ceilDiv(extent, min(extent, ceilDiv(want, r.ranges)))
		r.parts = ceilDiv(extent, r.perPart)
	}
}

// Scratch returns the number of elements of the scratch memory that RunChunk and Finish share.
func (r *Reduction[T]) Scratch() int {
	if r.parts == 1 {
		return 0
	}
	return r.parts * r.results
}

// Chunks returns the number of chunks.
func (r *Reduction[T]) Chunks() int { return r.parts * r.ranges }

// RunChunk reduces the i-th part of src, to dst or to scratch memory.
func (r *Reduction[T]) RunChunk(dst, scratch, src []T, i int) {
	part := 0
	if r.parts > 1 {
		part, i = i/r.ranges, i%r.ranges
		dst = scratch[part*r.results : (part+1)*r.results]
	}
	first, limit := part*r.perPart, part*r.perPart+r.perPart
	keptFrom, colFrom := i*r.keptPer, 0
	if r.across > 1 {
		keptFrom, colFrom = i/r.across*r.keptPer, i%r.across*r.colsPer
	}
	keptTo, colTo := min(keptFrom+r.keptPer, r.keptCount), min(colFrom+r.colsPer, r.cols)

	if r.cols == 1 && r.parts == 1 && len(r.reduced) == 0 && len(r.kept) == 1 {
		r.ofRows(dst[keptFrom:keptTo], src[keptFrom*r.rows:keptTo*r.rows])
		return
	}
	from, to := first, min(limit, r.rows)
	outerFrom, outerTo := 0, r.reduced.count()
	if !r.splitRows {
		inner := outerTo / max(1, r.reduced[0].n)
		from, to = 0, r.rows
		outerFrom, outerTo = first*inner, min(limit, r.reduced[0].n)*inner
	}
	for k := keptFrom; k < keptTo; k++ {
		acc, at := dst[k*r.cols+colFrom:k*r.cols+colTo], r.kept.at(k)+from*r.cols
		r.fill(acc, r.neutral)
		for o := outerFrom; o < outerTo; o++ {
			s := at + r.reduced.at(o)
			r.block(acc, src[s:s+(to-from)*r.cols], colFrom)
		}
	}
}

// block combines an innermost block of whole rows, of which only the columns of acc count, with acc.
func (r *Reduction[T]) block(acc, x []T, colFrom int) {
	switch {
	case r.cols == 1:
		acc[0] = r.combine(acc[0], r.of(x))
	case len(acc) == r.cols:
		r.columns(acc, x)
	default:
		for ; len(x) > 0; x = x[r.cols:] {
			r.columns(acc, x[colFrom:colFrom+len(acc)])
		}
	}
}

// Finish combines the parts, after all chunks. Without scratch memory there is nothing to do.
func (r *Reduction[T]) Finish(dst, scratch []T) {
	if r.parts == 1 {
		return
	}
	r.fill(dst, r.neutral)
	r.columns(dst[:r.results], scratch[:r.parts*r.results])
}
