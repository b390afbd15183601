package layout

import (
	"fmt"

	"shadowflow/internal/kernel/vec"
)

// Windows are the sliding windows of a pooling over images [N, H, W, C]: KH by KW elements of each channel, every StrideH
// rows and StrideW columns. Padding surrounds the image and belongs to no window's content. Every window must hold at
// least one element of the image.
type Windows struct {
	N, H, W, C                           int
	KH, KW                               int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilationH, DilationW                 int // rows and columns from one element of a window to the next; 0 stands for 1
}

// dilation returns the rows and columns from one element of a window to the next.
func (w Windows) dilation() (rows, cols int) { return max(w.DilationH, 1), max(w.DilationW, 1) }

// OutH returns the number of rows of windows.
func (w Windows) OutH() int {
	apart, _ := w.dilation()
	return (w.H+w.PadTop+w.PadBottom-(w.KH-1)*apart-1)/w.StrideH + 1
}

// OutW returns the number of windows in a row.
func (w Windows) OutW() int {
	_, apart := w.dilation()
	return (w.W+w.PadLeft+w.PadRight-(w.KW-1)*apart-1)/w.StrideW + 1
}

// Pool is a plan to pool over windows, in chunks of whole images.
type Pool[T vec.Float] struct {
	Windows
	kernels  *vec.Kernels[T]
	in, out  int // elements of an image, before and after
	perChunk int // images of a chunk
	down     int // elements from one row of a window to the next
	right    int // and from one column to the next
	rows     []span
	cols     []span
	runs     []run
	apart    bool // windows have no elements in common, and there is a kernel that puts such
	whole    bool // and each element is in one
}

// run is windows in a row that are alike, one a stride behind the other: the span is the first one's.
type run struct {
	span
	windows int
}

// span is the part of a window along one axis that lies in the image.
type span struct{ from, n int }

// NewPool plans a pooling.
func NewPool[T vec.Float](k *vec.Kernels[T], w Windows) *Pool[T] {
	if w.StrideH < 1 || w.StrideW < 1 || w.KH < 1 || w.KW < 1 {
		panic(fmt.Sprintf("layout: pooling windows %+v: want positive sizes and strides", w))
	}
	p := &Pool[T]{Windows: w, kernels: k, in: w.H * w.W * w.C, out: w.OutH() * w.OutW() * w.C}
	apartH, apartW := w.dilation()
	p.down, p.right = apartH*w.W*w.C, apartW*w.C
	p.rows = spans(w.OutH(), w.H, w.KH, w.StrideH, w.PadTop, apartH)
	p.cols = spans(w.OutW(), w.W, w.KW, w.StrideW, w.PadLeft, apartW)
	p.runs = joined(p.cols, w.StrideW)
	p.apart = k.WindowPut != nil && apartH == 1 && apartW == 1 && w.StrideH >= w.KH && w.StrideW >= w.KW
	p.whole = p.apart && held(p.rows) == w.H && held(p.cols) == w.W
	p.perChunk = max(1, chunkElements/max(1, p.in))
	return p
}

// joined joins spans of the same length at a distance of stride.
func joined(spans []span, stride int) []run {
	var out []run
	for i, s := range spans {
		if i > 0 && s.n == spans[i-1].n && s.from == spans[i-1].from+stride {
			out[len(out)-1].windows++
			continue
		}
		out = append(out, run{s, 1})
	}
	return out
}

// held is how many elements spans without any in common have.
func held(spans []span) int {
	n := 0
	for _, s := range spans {
		n += s.n
	}
	return n
}

func spans(count, size, window, stride, pad, apart int) []span {
	s := make([]span, count)
	for i := range s {
		start := i*stride - pad
		first := ceilDiv(max(0, -start), apart)                // element of the window
		end := min(window, ceilDiv(max(0, size-start), apart)) // behind the last
		if first >= end {
			panic(fmt.Sprintf("layout: pooling window %d of %d holds only padding", i, count))
		}
		s[i] = span{start + first*apart, end - first}
	}
	return s
}

// Chunks returns the number of chunks.
func (p *Pool[T]) Chunks() int { return ceilDiv(p.N, p.perChunk) }

func (p *Pool[T]) images(i int) (from, to int) { return i * p.perChunk, min((i+1)*p.perChunk, p.N) }

// Elements returns the first element of a chunk and the one behind its last: of the images, or of the results of their windows.
func (p *Pool[T]) Elements(chunk int, images bool) (lo, hi int) {
	from, to := p.images(chunk)
	if images {
		return from * p.in, to * p.in
	}
	return from * p.out, to * p.out
}

// MaxIndex sets each result to the index in x of its window's maximum: the first in the window's row-major order of equal
// ones, and a NaN, the last one, if there is any. That is PyTorch's choice.
func (p *Pool[T]) MaxIndex(dst []int32, x []T, chunk int) {
	from, to := p.images(chunk)
	at := from * p.out
	for n := from; n < to; n++ {
		for _, row := range p.rows {
			for _, col := range p.cols {
				base := n*p.in + (row.from*p.W+col.from)*p.C
				p.kernels.WindowArgMax(dst[at:at+p.C], x, base, row.n, p.down, col.n, p.right)
				at += p.C
			}
		}
	}
}

// Take sets dst[i] = x[index[i]], the maxima where MaxIndex found index.
func (p *Pool[T]) Take(dst, x []T, index []int32, chunk int) {
	p.eachRun(chunk, func(lo, hi int, w vec.Window) { p.kernels.WindowTake(dst[lo:hi], x, index[lo:hi], p.C, w) })
}

// Put is Take's transpose: dst, of the shape of the images, is zero but for the sums of src[i] at index[i], which MaxIndex found.
func (p *Pool[T]) Put(dst, src []T, index []int32, chunk int) {
	if from, to := p.images(chunk); !p.whole {
		clear(dst[from*p.in : to*p.in])
	}
	if p.apart {
		p.eachRun(chunk, func(lo, hi int, w vec.Window) { p.kernels.WindowPut(dst, src[lo:hi], index[lo:hi], p.C, w) })
		return
	}
	lo, hi := p.Elements(chunk, false)
	addAt(dst, src[lo:hi], index[lo:hi])
}

// addAt adds src[i] to dst[index[i]].
func addAt[T vec.Float](dst, src []T, index []int32) {
	src = src[:len(index)]
	for i, j := range index {
		dst[j] += src[i]
	}
}

// eachRun calls do with each run of windows of a chunk, and which results are theirs.
func (p *Pool[T]) eachRun(chunk int, do func(lo, hi int, w vec.Window)) {
	from, to := p.images(chunk)
	at := from * p.out
	for n := from; n < to; n++ {
		for _, row := range p.rows {
			for _, run := range p.runs {
				next := at + run.windows*p.C
				do(at, next, vec.Window{
					At: n*p.in + (row.from*p.W+run.from)*p.C, Next: p.StrideW * p.C,
					Rows: row.n, RowStride: p.down, Cols: run.n, ColStride: p.right,
				})
				at = next
			}
		}
	}
}

// SumWindows sets each result to the sum over its window.
func (p *Pool[T]) SumWindows(dst, x []T, chunk int) {
	from, to := p.images(chunk)
	at := from * p.out
	clear(dst[at : to*p.out])
	for n := from; n < to; n++ {
		for _, row := range p.rows {
			for _, col := range p.cols {
				base := n*p.in + (row.from*p.W+col.from)*p.C
				for range row.n {
					if p.right == p.C {
						p.kernels.AddRowsInto(dst[at:at+p.C], x[base:base+col.n*p.C])
					} else {
						for j := range col.n {
							p.kernels.AddRowsInto(dst[at:at+p.C], x[base+j*p.right:][:p.C])
						}
					}
					base += p.down
				}
				at += p.C
			}
		}
	}
}

// SpreadWindows is SumWindows's transpose: each element of dx is the sum of the dy of the windows that hold it.
func (p *Pool[T]) SpreadWindows(dx, dy []T, chunk int) {
	from, to := p.images(chunk)
	clear(dx[from*p.in : to*p.in])
	at := from * p.out
	for n := from; n < to; n++ {
		for _, row := range p.rows {
			for _, col := range p.cols {
				base := n*p.in + (row.from*p.W+col.from)*p.C
				for range row.n {
					for j := range col.n {
						d := dx[base+j*p.right:][:p.C]
						p.kernels.Add(d, d, dy[at:at+p.C])
					}
					base += p.down
				}
				at += p.C
			}
		}
	}
}
