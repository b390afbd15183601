package layout

import "fmt"

// Pad is a plan to place an array into a larger one of zeros: along each axis low zeros before, high after, and interior
// between neighbours. It is the transpose of a strided slice.
type Pad[T any] struct {
	shape  []int // the result's
	chunks []slab[T]
}

// slab is a contiguous part of the result: zeros, and the part of the source that falls into it.
type slab[T any] struct {
	from, to int
	part     Copy[T]
}

// NewPad plans a pad of an array of the given shape; amounts are not negative.
func NewPad[T any](shape, low, high, interior []int) *Pad[T] {
	sameRank("pad", len(shape), low, high, interior)
	p := &Pad[T]{}
	for i, n := range shape {
		if low[i] < 0 || high[i] < 0 || interior[i] < 0 {
			panic(fmt.Sprintf("layout: pad axis %d by %d, %d, %d: want none negative", i, low[i], high[i], interior[i]))
		}
		p.shape = append(p.shape, low[i]+n+max(0, n-1)*interior[i]+high[i])
	}
	dst, src := strides(p.shape), strides(shape)
	axes, at, lead := []axis{}, 0, -1
	for i, n := range shape {
		axes = append(axes, axis{n, dst[i] * (interior[i] + 1), src[i]})
		at += low[i] * dst[i]
		if lead < 0 && p.shape[i] > 1 {
			lead = i
		}
	}
	if lead < 0 {
		p.chunks = []slab[T]{{0, product(p.shape), planCopy[T](at, 0, axes)}}
		return p
	}
	// A chunk is a range of the first axis with several elements.
	size, step := dst[lead], interior[lead]+1
	per := max(1, chunkElements/max(1, size))
	for from := 0; from < p.shape[lead]; from += per {
		to := min(from+per, p.shape[lead])
		first := max(0, ceilDiv(from-low[lead], step))
		limit := min(shape[lead], max(first, ceilDiv(to-low[lead], step)))
		part := append([]axis(nil), axes...)
		part[lead].n = max(0, limit-first)
		p.chunks = append(p.chunks, slab[T]{from * size, to * size,
			planCopy[T](at+first*part[lead].dst, first*part[lead].src, part)})
	}
	return p
}

// Shape returns the result's shape.
func (p *Pad[T]) Shape() []int { return append([]int(nil), p.shape...) }

// Chunks returns the number of chunks.
func (p *Pad[T]) Chunks() int { return len(p.chunks) }

// RunChunk makes the i-th part of the result.
func (p *Pad[T]) RunChunk(dst, src []T, i int) {
	c := &p.chunks[i]
	clear(dst[c.from:c.to])
	c.part.run(dst, src, 0, c.part.units)
}
