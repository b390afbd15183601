package layout

import (
	"fmt"
	"slices"
	"unsafe"

	"shadowflow/internal/kernel/vec"
)

// axis is one loop of a strided copy: n steps of these distances.
type axis struct{ n, dst, src int }

// Copy is a plan to copy a box of elements, of any strides on both sides: dst[dstAt + i.dstStrides] =
// src[srcAt + i.srcStrides] for every index i of the box. A source stride of zero repeats.
//
// The loops are ordered by the destination's strides and merged where both sides allow. The two innermost are run in
// tiles by the kernel that fits them: contiguous runs, repeated elements, or a blocked transpose.
type Copy[T any] struct {
	dstAt, srcAt int
	outer        []axis  // the outermost first
	inner        [2]axis // the tiled loops; inner[1] is the innermost
	tile         [2]int
	tiles        [2]int
	kernel       func(dst, src []T, d, s int, a, b axis)
	units        int // all tiles of all outer indices
	perChunk     int // units of a chunk
	chunks       int
}

// NewCopy plans the copy of a box.
func NewCopy[T any](shape []int, dstAt int, dstStrides []int, srcAt int, srcStrides []int) *Copy[T] {
	sameRank("copy", len(shape), dstStrides, srcStrides)
	var axes []axis
	for i, n := range shape {
		axes = append(axes, axis{n, dstStrides[i], srcStrides[i]})
	}
	c := planCopy[T](dstAt, srcAt, axes)
	return &c
}

// NewPermute plans the transpose of an array: axis i of the result is axis perm[i] of the source.
func NewPermute[T any](shape, perm []int) *Copy[T] {
	sameRank("permute", len(shape), perm)
	from := strides(shape)
	to, src := make([]int, len(perm)), make([]int, len(perm))
	seen := make([]bool, len(perm))
	for i, p := range perm {
		if p < 0 || p >= len(perm) || seen[p] {
			panic(fmt.Sprintf("layout: %v is no permutation of %d axes", perm, len(perm)))
		}
		seen[p], to[i], src[i] = true, shape[p], from[p]
	}
	return NewCopy[T](to, 0, strides(to), 0, src)
}

// NewBroadcast plans the repetition of an array of shape from along its axes of size 1, to shape to of the same rank.
func NewBroadcast[T any](from, to []int) *Copy[T] {
	sameRank("broadcast", len(to), from)
	src := strides(from)
	for i, n := range from {
		if n == 1 {
			src[i] = 0
		} else if n != to[i] {
			panic(fmt.Sprintf("layout: broadcast %v to %v: axis %d is neither 1 nor equal", from, to, i))
		}
	}
	return NewCopy[T](to, 0, strides(to), 0, src)
}

// NewSlice plans taking every step-th element along each axis, from start up to but without limit.
func NewSlice[T any](shape, start, limit, step []int) *Copy[T] {
	sameRank("slice", len(shape), start, limit, step)
	src := strides(shape)
	to, at := make([]int, len(shape)), 0
	for i := range shape {
		if start[i] < 0 || limit[i] > shape[i] || start[i] > limit[i] || step[i] < 1 {
			panic(fmt.Sprintf("layout: slice %d:%d:%d of axis %d, which has %d elements", start[i], limit[i], step[i], i, shape[i]))
		}
		to[i] = ceilDiv(limit[i]-start[i], step[i])
		at += start[i] * src[i]
		src[i] *= step[i]
	}
	return NewCopy[T](to, 0, strides(to), at, src)
}

// NewPlace plans copying a whole array of shape part into an array of shape whole, at index start: one operand of a
// concatenation.
func NewPlace[T any](whole, part, start []int) *Copy[T] {
	sameRank("place", len(whole), part, start)
	dst, at := strides(whole), 0
	for i := range whole {
		if start[i] < 0 || start[i]+part[i] > whole[i] {
			panic(fmt.Sprintf("layout: place %d elements at %d of axis %d, which has %d", part[i], start[i], i, whole[i]))
		}
		at += start[i] * dst[i]
	}
	return NewCopy[T](part, at, dst, 0, strides(part))
}

// Chunks returns the number of chunks, zero for an empty box.
func (c *Copy[T]) Chunks() int { return c.chunks }

// RunChunk copies the i-th part of the box.
func (c *Copy[T]) RunChunk(dst, src []T, i int) {
	c.run(dst, src, i*c.perChunk, min((i+1)*c.perChunk, c.units))
}

// planCopy takes ownership of axes.
func planCopy[T any](dstAt, srcAt int, axes []axis) Copy[T] {
	c := Copy[T]{dstAt: dstAt, srcAt: srcAt, perChunk: 1}
	for _, a := range axes {
		if a.n == 0 {
			return c
		}
	}
	axes = merge(axes)
	if last := len(axes) - 1; last > 0 && axes[last].src != 1 {
		// A transpose, if another loop runs along the source: move it next to the innermost.
		if i := slices.IndexFunc(axes, func(a axis) bool { return a.src == 1 }); i >= 0 {
			a := axes[i]
			axes = slices.Insert(slices.Delete(axes, i, i+1), last-1, a)
		}
	}
	for len(axes) < 2 {
		axes = slices.Insert(axes, 0, axis{n: 1})
	}
	c.outer, c.inner = axes[:len(axes)-2], [2]axis(axes[len(axes)-2:])
	if len(c.outer) > maxAxes {
		panic(fmt.Sprintf("layout: a copy of %d independent axes: at most %d can be handled", len(axes), maxAxes+2))
	}
	c.chooseKernel()
	c.units = 1
	for i, a := range c.inner {
		c.tiles[i] = ceilDiv(a.n, c.tile[i])
		c.units *= c.tiles[i]
	}
	for _, a := range c.outer {
		c.units *= a.n
	}
	c.perChunk = max(1, chunkElements/(c.tile[0]*c.tile[1]))
	c.chunks = ceilDiv(c.units, c.perChunk)
	return c
}

// elements returns how many are copied.
func (c *Copy[T]) elements() int {
	n := c.inner[0].n * c.inner[1].n
	for _, a := range c.outer {
		n *= a.n
	}
	return n
}

// merge orders loops by the destination's strides, the largest first, and joins those that both sides step through as one.
func merge(axes []axis) []axis {
	axes = slices.DeleteFunc(axes, func(a axis) bool { return a.n == 1 })
	slices.SortStableFunc(axes, func(a, b axis) int { return b.dst - a.dst })
	merged := axes[:0]
	for _, a := range axes {
		if last := len(merged) - 1; last >= 0 && merged[last].dst == a.n*a.dst && merged[last].src == a.n*a.src {
			merged[last] = axis{merged[last].n * a.n, a.dst, a.src}
			continue
		}
		merged = append(merged, a)
	}
	return merged
}

// transposeTile is the side of a tile of a transpose: small enough that rows whose distance is a power of two, which share
// the same few cache lines' places, do not evict each other.
const transposeTile = 16

func (c *Copy[T]) chooseKernel() {
	a, b := c.inner[0], c.inner[1]
	if b.dst == 1 && a.src == 1 && b.src != 1 {
		c.kernel = copyTransposed[T]
		c.tile = [2]int{min(a.n, transposeTile), min(b.n, transposeTile)}
		return
	}
	switch {
	case b.dst == 1 && b.src == 1:
		c.kernel = runs[T](b.n, c.elements())
	case b.dst == 1 && b.src == 0:
		c.kernel = copyRepeated[T]
	default:
		c.kernel = copyStrided[T]
	}
	c.tile[1] = min(b.n, chunkElements)
	c.tile[0] = min(a.n, max(1, chunkElements/c.tile[1]))
}

// run copies a range of units. A unit's number counts tiles of the innermost loop first, then of the one around it, then
// outer indices.
func (c *Copy[T]) run(dst, src []T, from, to int) {
	if from >= to {
		return
	}
	if c.units == 1 {
		c.kernel(dst, src, c.dstAt, c.srcAt, c.inner[0], c.inner[1])
		return
	}
	var index [maxAxes]int
	rest := from
	t1 := rest % c.tiles[1]
	rest /= c.tiles[1]
	t0 := rest % c.tiles[0]
	rest /= c.tiles[0]
	d, s := c.dstAt, c.srcAt
	for i := len(c.outer) - 1; i >= 0; i-- {
		a := c.outer[i]
		index[i] = rest % a.n
		rest /= a.n
		d, s = d+index[i]*a.dst, s+index[i]*a.src
	}
	for range to - from {
		a, b := c.inner[0], c.inner[1]
		at0, at1 := t0*c.tile[0], t1*c.tile[1]
		a.n, b.n = min(c.tile[0], a.n-at0), min(c.tile[1], b.n-at1)
		c.kernel(dst, src, d+at0*a.dst+at1*b.dst, s+at0*a.src+at1*b.src, a, b)
		if t1++; t1 < c.tiles[1] {
			continue
		}
		t1 = 0
		if t0++; t0 < c.tiles[0] {
			continue
		}
		t0 = 0
		for i := len(c.outer) - 1; i >= 0; i-- {
			a := c.outer[i]
			d, s = d+a.dst, s+a.src
			if index[i]++; index[i] < a.n {
				break
			}
			index[i] = 0
			d, s = d-a.n*a.dst, s-a.n*a.src
		}
	}
}

// shortRun is the length up to which a loop beats the call of copy.
const shortRun = 8

func copyRuns[T any](dst, src []T, d, s int, a, b axis) {
	for range a.n {
		to, from := dst[d:d+b.n], src[s:s+b.n]
		if len(to) <= shortRun {
			for j, v := range from[:len(to)] {
				to[j] = v
			}
		} else {
			copy(to, from)
		}
		d, s = d+a.dst, s+a.src
	}
}

// Runs of at least farRun bytes are worth asking for ahead of their time, farAhead of them, where neither side stays in a cache, as of arrays of farBytes: a processor does not
// foresee short runs that lie apart.
const (
	farBytes = 2 * vec.StreamBytes
	farRun   = 128
	farAhead = 8
)

// runs returns the copy of runs of n elements, of so many in all.
func runs[T any](n, all int) func(dst, src []T, d, s int, a, b axis) {
	var far any
	switch any(*new(T)).(type) {
	case float32:
		far = copyFar[float32]
	case float64:
		far = copyFar[float64]
	}
	if size := int(unsafe.Sizeof(*new(T))); far != nil && n*size >= farRun && all*size >= farBytes {
		return far.(func(dst, src []T, d, s int, a, b axis))
	}
	return copyRuns[T]
}

func copyFar[T vec.Float](dst, src []T, d, s int, a, b axis) {
	for i := range a.n {
		if i+farAhead < a.n {
			vec.Prefetch(src[s+farAhead*a.src : s+farAhead*a.src+b.n])
		}
		vec.Stream(dst[d:d+b.n], src[s:s+b.n])
		d, s = d+a.dst, s+a.src
	}
}

func copyRepeated[T any](dst, src []T, d, s int, a, b axis) {
	for range a.n {
		v := src[s]
		to := dst[d : d+b.n]
		for j := range to {
			to[j] = v
		}
		d, s = d+a.dst, s+a.src
	}
}

func copyStrided[T any](dst, src []T, d, s int, a, b axis) {
	for range a.n {
		to, from := d, s
		for range b.n {
			dst[to] = src[from]
			to, from = to+b.dst, from+b.src
		}
		d, s = d+a.dst, s+a.src
	}
}

// copyTransposed reads eight runs of the source at a time, and writes eight neighbours of each destination run.
func copyTransposed[T any](dst, src []T, d, s int, a, b axis) {
	for b.n >= 8 {
		s0, s1 := src[s:s+a.n], src[s+b.src:s+b.src+a.n]
		s2, s3 := src[s+2*b.src:s+2*b.src+a.n], src[s+3*b.src:s+3*b.src+a.n]
		s4, s5 := src[s+4*b.src:s+4*b.src+a.n], src[s+5*b.src:s+5*b.src+a.n]
		s6, s7 := src[s+6*b.src:s+6*b.src+a.n], src[s+7*b.src:s+7*b.src+a.n]
		at := d
		for j := range s0 {
			to := dst[at : at+8 : at+8]
			to[0], to[1], to[2], to[3] = s0[j], s1[j], s2[j], s3[j]
			to[4], to[5], to[6], to[7] = s4[j], s5[j], s6[j], s7[j]
			at += a.dst
		}
		d, s, b.n = d+8, s+8*b.src, b.n-8
	}
	for range b.n {
		at := d
		for _, v := range src[s : s+a.n] {
			dst[at] = v
			at += a.dst
		}
		d, s = d+1, s+b.src
	}
}
