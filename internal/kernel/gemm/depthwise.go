package gemm

import (
	"math"
	"unsafe"
)

// depthwise is a convolution in which each channel has a kernel of its own, or the gradient of one with respect to its images. No
// element is used by more than a few results, so there is no product of matrices in it: a tile is some pixels of a row by a
// vector of channels, and each tap multiplies them lane by lane. Its chunks are blocks of images and bands of grid rows, the last
// fastest.
type depthwise[T Float] struct {
	tapConv
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame

	imgBlocks, bands int
	gridRows         int     // of the tallest grid
	packed           []int   // by grid, where its taps' weights start in the workspace
	copies           private // of an image's band
}

func planDepthwise[T Float](t tapConv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &depthwise[T]{tapConv: t, ks: ks, call: c, workers: make([]worker, workers), frame: t.window()}
	flops := 0.0
	for i := range p.grids {
		g := &p.grids[i]
		p.packed = append(p.packed, w.take(p.depth(g)*t.srcC))
		p.gridRows = max(p.gridRows, g.rows)
		flops += 2 * float64(g.rows*g.cols*p.depth(g)*t.srcC)
	}
	chunk := min(max(flops*float64(t.images)/chunksAimed, minChunk), maxChunk)
	p.imgBlocks, p.bands = t.images, 1
	if flops > chunk {
		p.bands = min(int(math.Ceil(flops/chunk)), p.gridRows)
	} else {
		p.imgBlocks = ceilDiv(t.images, max(1, int(chunk/max(flops, 1))))
	}
	p.frame.chans = t.srcC
	p.frame.place(p.gridRows, ceilDiv(p.gridRows, p.bands), ks.size)
	p.copies = w.private(p.frame.scratch(1), workers)
	return []stage{{len(p.grids), (*depthwiseTaps[T])(p)}, {p.imgBlocks * p.bands, p}}
}

// depthwiseTaps puts the weights of each grid's taps in the order in which it uses them.
type depthwiseTaps[T Float] depthwise[T]

func (s *depthwiseTaps[T]) Chunk(grid, _ int) {
	g, to := &s.grids[grid], s.call.work[s.packed[grid]:]
	for _, kh := range g.kh {
		for _, kw := range g.kw {
			to = to[copy(to[:s.srcC], s.call.b[(kh*s.kw0+kw)*s.tapSize:]):]
		}
	}
}

// Chunk computes a band of grid rows of some images, on all grids.
func (p *depthwise[T]) Chunk(i, worker int) {
	first, last := share(p.gridRows, p.bands, i%p.bands)
	n0, n1 := share(p.images, p.imgBlocks, i/p.bands)
	w := &p.workers[worker]
	scratch := p.call.work[p.copies.of(worker):][:p.copies.size]
	for n := n0; n < n1; n++ {
		base := fill(&p.frame, p.ks, &w.block, p.call.a, scratch, n, n+1, 0, first, last-first)
		for gi := range p.grids {
			p.band(&w.tile, gi, n, first, min(last, p.grids[gi].rows), base)
		}
	}
	w.release()
}

// band computes rows first to last of a grid in image n; base is the frame's first element.
func (p *depthwise[T]) band(t *tile, gi, n, first, last int, base unsafe.Pointer) {
	g, f, size := &p.grids[gi], &p.frame, p.ks.size
	dst := func(row, col int) int {
		return ((n*p.dstH+g.row+row*p.outH)*p.dstW + g.col + col*p.outW) * p.dstC
	}
	if p.depth(g) == 0 {
		for row := first; row < last && !p.call.accumulate; row++ {
			for col := range g.cols {
				clear(p.call.dst[dst(row, col):][:p.dstC])
			}
		}
		return
	}
	*t = tile{
		b: at(p.call.work, p.packed[gi]), ldb: p.srcC * size,
		rs: p.inW * f.pixel * size, ks: f.pixel * size, ss: f.rowPitch * size, rc: p.outW * p.dstC * size,
		count: len(g.kw), segs: len(g.kh), planes: 1,
	}
	if p.call.accumulate {
		t.accumulate = 1
	}
	origin := unsafe.Add(base, ((g.srcRow-f.row0)*f.rowPitch+(g.srcCol-f.col0)*f.pixel)*size)
	for row := first; row < last; row++ {
		t.a = unsafe.Add(origin, (row-first)*p.inH*f.rowPitch*size)
		t.c = at(p.call.dst, dst(row, 0))
		p.ks.lanegrid(t, g.cols, p.dstC)
	}
}

// lanegrid runs lanewise tiles over m rows and n channels.
func (ks *kernels) lanegrid(t *tile, m, n int) {
	a, b, c := t.a, t.b, t.c
	t.next, t.lines = uintptr(b), math.MaxInt
	cut := ks.cutRows(m)
	for i := range cut.tiles {
		first, rows := cut.tile(i)
		for ch := 0; ch < n; ch += ks.lanes {
			away := ch * ks.size
			t.a, t.b, t.c = unsafe.Add(a, first*t.rs+away), unsafe.Add(b, away), unsafe.Add(c, first*t.rc+away)
			t.mask = 1<<min(ks.lanes, n-ch) - 1
			ks.lanewise[rows-1](t)
		}
	}
	t.a, t.b, t.c = a, b, c
}
