package gemm

import "unsafe"

const winogradDepth = 64 // channels whose weights are transformed at a time

// winogradConv is a convolution, or the gradient of one with respect to its images, cut into blocks of tiles. All weights
// are transformed first. A block's planes lie one place behind the results': when a product is made, its left operand
// is needed no more, and the next product takes its place.
type winogradConv[T Float] struct {
	tapConv
	cut     tiling
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame
	planes  planes

	panels        int // of the weights
	depths        int // blocks of channels in transforming them
	packed, plane int // where the transformed weights start in the workspace, and elements of a plane of theirs

	taps   private // packed weights
	copies private // of a block's images
	block  private // a block's planes
	edge   private // a tile of results at the border
}

func planWinogradConv[T Float](t tapConv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &winogradConv[T]{tapConv: t, ks: ks, call: c, workers: make([]worker, workers)}
	wide := ks.width()
	most := max(t.chans, t.outs)
	p.cut = newTiling(t.images, t.dstH, t.dstW, tilesFor(winogradPlanes*most*ks.size))
	p.planes = newPlanes(p.cut.most(), most, ks)
	g := &t.grids[0]
	p.frame = p.cut.window(winogradIn, t.srcH, t.srcW, t.srcC, g.srcRow, g.srcCol, ks.size)

	p.panels = ceilDiv(t.outs, wide)
	p.depths = ceilDiv(t.chans, winogradDepth)
	p.plane = spread(p.panels*t.chans*wide, ks.size)
	p.packed = w.take(winogradPlanes * p.plane)
	p.taps = w.private(winogradTaps*winogradTaps*winogradDepth*wide, workers)
	p.copies = w.private(p.frame.scratch(p.cut.together), workers)
	p.block = w.private((winogradPlanes+1)*p.planes.plane, workers)
	p.edge = w.private(winogradOut*winogradOut*t.outs, workers)
	return []stage{{p.panels * p.depths, (*winogradWeights[T])(p)}, {p.cut.blocks(), p}}
}

// winogradWeights transforms the weights: its chunks are panels and blocks of channels.
type winogradWeights[T Float] winogradConv[T]

func (s *winogradWeights[T]) Chunk(i, worker int) {
	p := (*winogradConv[T])(s)
	w, g := &p.workers[worker], &p.grids[0]
	wide, size := p.ks.width(), p.ks.size
	k0, k1 := share(p.chans, p.depths, i%p.depths)
	panel := i / p.depths
	n := min(wide, p.outs-panel*wide)
	taps := at(p.call.work, p.taps.of(worker))
	each := (k1 - k0) * wide * size
	for i, kh := range g.kh {
		for j, kw := range g.kw {
			src := at(p.call.b, (kh*p.kw0+kw)*p.tapSize+k0*p.weights.row+panel*wide*p.weights.col)
			dst := unsafe.Add(taps, (i*winogradTaps+j)*each)
			packing{p.ks, &w.block}.pack(dst, k1-k0, 0, src, p.weights, k1-k0, n)
		}
	}
	w.transform = transform{
		src: taps, srcRow: winogradTaps * each, srcCol: each, srcStep: wide * size,
		dst:    at(p.call.work, p.packed+(panel*p.chans+k0)*wide),
		dstRow: winogradIn * p.plane * size, dstCol: p.plane * size, dstStep: wide * size,
		count: k1 - k0,
	}
	w.transform.channels(n, p.ks.lanes)
	p.ks.winograd.scatterKernel(&w.transform)
	w.release()
}

// Chunk computes a block of tiles.
func (p *winogradConv[T]) Chunk(i, worker int) {
	w := &p.workers[worker]
	b := p.cut.block(i)
	scratch := p.call.work[p.copies.of(worker):][:p.copies.size]
	src := fill(&p.frame, p.ks, &w.block, p.call.a, scratch, b.n0, b.n1, 0, b.first, b.rows)
	results := at(p.call.work, p.block.of(worker))
	elements := unsafe.Add(results, p.planes.plane*p.ks.size)
	p.cut.scatter(p.ks.winograd.scatterImage, &w.transform, &p.frame, src, p.chans, b, p.planes, elements, p.ks)
	p.products(&w.tile, elements, results, p.cut.tiles(b))
	p.gather(w, results, at(p.call.work, p.edge.of(worker)), b)
	w.release()
}

// products multiplies the planes of n tiles by those of the weights.
func (p *winogradConv[T]) products(t *tile, elements, results unsafe.Pointer, n int) {
	wide, size := p.ks.width(), p.ks.size
	parts := ceilDiv(p.chans, maxDepth)
	*t = tile{rs: p.planes.pitch * size, ks: size, rc: p.planes.pitch * size, ldb: wide * size, segs: 1, planes: 1}
	for plane := range winogradPlanes {
		away := plane * p.planes.plane * size
		for part := range parts {
			k0, k1 := share(p.chans, parts, part)
			t.a, t.c = unsafe.Add(elements, away+k0*size), unsafe.Add(results, away)
			t.b = at(p.call.work, p.packed+plane*p.plane+k0*wide)
			t.count, t.accumulate = k1-k0, min(part, 1)
			p.ks.grid(t, n, p.outs, p.chans*wide*size)
		}
	}
}

// gather transforms the planes of a block into results; edge has room for a tile that lies partly outside.
func (p *winogradConv[T]) gather(w *worker, planes, edge unsafe.Pointer, b tileBlock) {
	t, size := &w.transform, p.ks.size
	*t = transform{srcRow: winogradIn * p.planes.plane * size, srcCol: p.planes.plane * size, srcStep: p.planes.pitch * size}
	t.channels(p.outs, p.ks.lanes)
	if p.call.accumulate {
		t.accumulate = 1
	}
	pixel := p.outs * size
	row := p.dstW * pixel
	for n := b.n0; n < b.n1; n++ {
		for i := b.first; i < b.first+b.rows; i++ {
			src := unsafe.Add(planes, ((n-b.n0)*b.rows+i-b.first)*p.cut.cols*t.srcStep)
			dst := at(p.call.dst, (n*p.dstH+i*winogradOut)*p.dstW*p.outs)
			height := min(winogradOut, p.dstH-i*winogradOut)
			whole := 0
			if height == winogradOut {
				whole = p.dstW / winogradOut
			}
			if whole > 0 {
				t.src, t.dst, t.count = src, dst, whole
				t.dstRow, t.dstCol, t.dstStep = row, pixel, winogradOut*pixel
				p.ks.winograd.gatherResult(t)
			}
			for j := whole; j < p.cut.cols; j++ {
				t.src, t.dst, t.count = unsafe.Add(src, j*t.srcStep), edge, 1
				t.dstRow, t.dstCol = winogradOut*pixel, pixel
				w.block = block{
					dst: edge, src: unsafe.Add(dst, j*winogradOut*pixel), ldd: t.dstRow, lds: row,
					rows: height, cols: min(winogradOut, p.dstW-j*winogradOut) * p.outs,
				}
				if p.call.accumulate {
					p.ks.move(&w.block)
				}
				p.ks.winograd.gatherResult(t)
				w.block.dst, w.block.src, w.block.ldd, w.block.lds = w.block.src, w.block.dst, row, t.dstRow
				p.ks.move(&w.block)
			}
		}
	}
}
