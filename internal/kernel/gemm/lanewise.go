package gemm

import (
	"math"
	"unsafe"
)

// lanewiseBytes bounds the copies of a band, which then stay near.
const lanewiseBytes = 512 << 10

// lanewiseConv is a convolution whose groups have few channels, as many of results as of images, or the gradient of one with
// respect to its images. A depthwise convolution has groups of one. No element is used by more than a few results, so there is no
// product of matrices in it: a tile is some pixels of a row by a vector of channels, and is multiplied by weights lane by lane. Where
// groups have several channels the images are copied once for each of them, such that every lane holds that element of its group;
// the tile runs over the copies as over planes. Chunks are blocks of images and bands of grid rows, the last fastest.
type lanewiseConv[T Float] struct {
	tapConv
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame

	imgBlocks, bands int
	gridRows         int     // of the tallest grid
	packed           []int   // by grid, where its taps' weights start in the workspace
	copies           private // of an image's band, one for each element of a group
	copySize         int
}

// lanewise says that the convolution is one that lanes do better than tiles of a group's few channels.
func (s Conv) lanewise(ks *kernels) bool {
	each := s.C / s.Groups
	return s.Groups > 1 && s.C == s.O && 2*each <= ks.lanes && ks.lanes%each == 0
}

func planLanewise[T Float](t tapConv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &lanewiseConv[T]{tapConv: t, ks: ks, call: c, workers: make([]worker, workers), frame: t.window()}
	flops := 0.0
	for i := range p.grids {
		g := &p.grids[i]
		p.packed = append(p.packed, w.take(p.depth(g)*t.dstC))
		p.gridRows = max(p.gridRows, g.rows)
		flops += 2 * float64(g.rows*g.cols*p.depth(g)*t.dstC)
	}
	p.cut(flops)
	p.frame.chans, p.frame.group = t.srcC, t.chans
	p.frame.place(p.gridRows, ceilDiv(p.gridRows, p.bands), ks.size)
	p.copySize = roundUp(p.frame.scratch(1), w.line)
	p.copies = w.private(p.copySize*t.chans, workers)
	return []stage{{len(p.grids), (*lanewiseTaps[T])(p)}, {p.imgBlocks * p.bands, p}}
}

// cut chooses the blocks, for images of so many flops.
func (p *lanewiseConv[T]) cut(flops float64) {
	chunk := min(max(flops*float64(p.images)/chunksAimed, minChunk), maxChunk)
	row := p.inH * p.frame.cols * p.srcC * p.chans * p.ks.size // bytes of the copies; 0 where no tap reads anything
	p.bands = max(int(math.Ceil(flops/chunk)), ceilDiv(p.gridRows, max(1, lanewiseBytes/max(row, 1))))
	p.bands = min(p.bands, p.gridRows)
	p.imgBlocks = p.images
	if p.bands == 1 {
		p.imgBlocks = ceilDiv(p.images, max(1, int(chunk/max(flops, 1))))
	}
}

// lanewiseTaps puts the weights of each grid in the order in which it uses them: for each element of a group, by taps, a row of weights as
// long as the results have channels.
type lanewiseTaps[T Float] lanewiseConv[T]

func (s *lanewiseTaps[T]) Chunk(grid, _ int) {
	g, to := &s.grids[grid], s.call.work[s.packed[grid]:]
	for element := range s.chans {
		for _, kh := range g.kh {
			for _, kw := range g.kw {
				from := s.call.b[(kh*s.kw0+kw)*s.tapSize:]
				for o := range s.dstC {
					to[o] = from[o/s.outs*s.groupStep+element*s.weights.row+o%s.outs*s.weights.col]
				}
				to = to[s.dstC:]
			}
		}
	}
}

// Chunk computes a band of grid rows of some images, on all grids.
func (p *lanewiseConv[T]) Chunk(i, worker int) {
	first, last := share(p.gridRows, p.bands, i%p.bands)
	n0, n1 := share(p.images, p.imgBlocks, i/p.bands)
	w := &p.workers[worker]
	scratch := p.call.work[p.copies.of(worker):][:p.copies.size]
	f := p.frame
	for n := n0; n < n1; n++ {
		var base unsafe.Pointer
		for f.element = range p.chans {
			copied := fill(&f, p.ks, &w.block, p.call.a, scratch[f.element*p.copySize:], n, n+1, 0, first, last-first)
			if f.element == 0 {
				base = copied
			}
		}
		for gi := range p.grids {
			p.band(&w.tile, gi, n, first, min(last, p.grids[gi].rows), base)
		}
	}
	w.release()
}

// band computes rows first to last of a grid in image n; base is the first copy's first element.
func (p *lanewiseConv[T]) band(t *tile, gi, n, first, last int, base unsafe.Pointer) {
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
		b: at(p.call.work, p.packed[gi]), ldb: p.dstC * size,
		rs: p.inW * f.pixel * size, ks: p.apartW * f.pixel * size, ss: p.apartH * f.rowPitch * size, rc: p.outW * p.dstC * size,
		ps: p.copySize * size, count: len(g.kw), segs: len(g.kh), planes: p.chans,
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
