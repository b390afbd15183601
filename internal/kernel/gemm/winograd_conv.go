package gemm

import "unsafe"

const winogradDepth = 64 // channels whose weights are transformed at a time

// winogradConv is a convolution, or the gradient of one with respect to its images, cut into blocks of tiles. All weights
// are transformed first; where those are many, see winogradColumns. A block's planes lie one place behind the results':
// when a product is made, its left operand is needed no more, and the next product takes its place. Those of further terms, whose
// products are added, lie by themselves.
type winogradConv[T Float] struct {
	tapConv
	terms   int
	cut     tiling
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame
	planes  planes

	panels        int // of the weights
	depths        int // blocks of channels in transforming them
	packed, plane int // where the transformed weights start in the workspace, term after term, and elements of a plane of theirs

	taps   private // packed weights
	copies private // of a block's images
	block  private // a block's planes
	more   private // those of a further term
	edge   private // a tile of results at the border
}

func planWinogradConv[T Float](t tapConv, terms int, ks *kernels, c *call[T], workers int, w *arena) (stages []stage, reports bool) {
	if fewTiles(&t, ks) {
		return planWinogradColumns(t, terms, ks, c, workers, w), false
	}
	p := &winogradConv[T]{tapConv: t, terms: terms, ks: ks, call: c, workers: make([]worker, workers)}
	wide := ks.width()
	most := max(t.chans, t.outs)
	p.cut = newTiling(t.images, t.dstH, t.dstW, tilesFor(winogradPlanes*most*ks.size))
	p.planes = newPlanes(p.cut.most(), most, ks)
	g := &t.grids[0]
	p.frame = p.cut.window(winogradIn, t.srcH, t.srcW, t.srcC, g.srcRow, g.srcCol, ks.size)

	p.panels = ceilDiv(t.outs, wide)
	p.depths = ceilDiv(t.chans, winogradDepth)
	p.plane = spread(p.panels*t.chans*wide, ks.size)
	p.packed = w.take(terms * winogradPlanes * p.plane)
	p.taps = w.private(winogradTaps*winogradTaps*winogradDepth*wide, workers)
	p.copies = w.private(p.frame.scratch(p.cut.together), workers)
	p.block = w.private((winogradPlanes+1)*p.planes.plane, workers)
	if terms > 1 {
		p.more = w.private(winogradPlanes*p.planes.plane, workers)
	}
	p.edge = w.private(winogradOut*winogradOut*t.outs, workers)
	return []stage{{terms * p.panels * p.depths, (*winogradWeights[T])(p)}, {p.cut.blocks(), p}}, true
}

// winogradWeights transforms the weights: its chunks are terms, panels and blocks of channels.
type winogradWeights[T Float] winogradConv[T]

func (s *winogradWeights[T]) Chunk(i, worker int) {
	p := (*winogradConv[T])(s)
	k0, k1 := share(p.chans, p.depths, i%p.depths)
	panel := i / p.depths % p.panels
	term := i / p.depths / p.panels
	dst := at(p.call.work, p.weightsOf(term)+(panel*p.chans+k0)*p.ks.width())
	w := &p.workers[worker]
	scatterWeights(&p.tapConv, p.ks, w, p.call.terms[term].B, at(p.call.work, p.taps.of(worker)), k0, k1, panel, dst, p.plane)
	w.release()
}

// weightsOf returns where a term's transformed weights start in the workspace.
func (p *winogradConv[T]) weightsOf(term int) int { return p.packed + term*winogradPlanes*p.plane }

// scatterWeights transforms the weights of channels k0 to k1 and a panel of results: planes of rows as wide as a panel, at a
// distance of plane elements. Taps has room for the weights themselves.
func scatterWeights[T Float](t *tapConv, ks *kernels, w *worker, weights []T, taps unsafe.Pointer, k0, k1, panel int, dst unsafe.Pointer, plane int) {
	g := &t.grids[0]
	wide, size := ks.width(), ks.size
	n := min(wide, t.outs-panel*wide)
	each := (k1 - k0) * wide * size
	for i, kh := range g.kh {
		for j, kw := range g.kw {
			src := at(weights, (kh*t.kw0+kw)*t.tapSize+k0*t.weights.row+panel*wide*t.weights.col)
			to := unsafe.Add(taps, (i*winogradTaps+j)*each)
			packing{ks, &w.block}.pack(to, k1-k0, 0, src, t.weights, k1-k0, n)
		}
	}
	w.transform = transform{
		src: taps, srcRow: winogradTaps * each, srcCol: each, srcStep: wide * size,
		dst: dst, dstRow: winogradIn * plane * size, dstCol: plane * size, dstStep: wide * size,
		count: k1 - k0,
	}
	w.transform.channels(n, ks.lanes)
	ks.winograd.scatterKernel(&w.transform)
}

// Chunk computes a block of tiles.
func (p *winogradConv[T]) Chunk(i, worker int) {
	w := &p.workers[worker]
	b := p.cut.block(i)
	scratch := p.call.work[p.copies.of(worker):][:p.copies.size]
	results := at(p.call.work, p.block.of(worker))
	elements := unsafe.Add(results, p.planes.plane*p.ks.size)
	for term := range p.terms {
		if term > 0 {
			elements = at(p.call.work, p.more.of(worker))
		}
		src := fill(&p.frame, p.ks, &w.block, p.call.terms[term].A, scratch, b.n0, b.n1, 0, b.first, b.rows)
		p.cut.scatter(p.ks.winograd.scatterImage, &w.transform, &p.frame, src, p.chans, b, p.planes, elements, p.ks)
		var dst stretch
		if term+1 == p.terms {
			dst = p.results(b)
		}
		w.tile.expect(dst, p.sources(i, term+1))
		p.products(&w.tile, term, elements, results, p.cut.tiles(b))
	}
	p.gather(w, results, at(p.call.work, p.edge.of(worker)), b)
	w.release()
	row, rows := p.rowsOf(b)
	p.call.report(worker, Area{Row: row, Rows: rows, Cols: p.dstW * p.outs, Width: p.dstW * p.outs})
}

// sources returns the memory that a block's term reads; behind its last one comes the next block.
func (p *winogradConv[T]) sources(i, term int) stretch {
	if term == p.terms {
		i, term = i+1, 0
	}
	if i == p.cut.blocks() {
		return stretch{}
	}
	b := p.cut.block(i)
	return sourcesOf(&p.frame, p.call.terms[term].A, b.n0, b.n1, 0, p.chans, b.first, b.rows)
}

// results returns the memory that a block's results go to.
func (p *winogradConv[T]) results(b tileBlock) stretch {
	row, rows := p.rowsOf(b)
	return stretchOf(p.call.dst, row*p.dstW*p.outs, rows*p.dstW, p.outs, p.outs)
}

// rowsOf returns the rows of a block's results, counted through all images: of several it has all.
func (p *winogradConv[T]) rowsOf(b tileBlock) (first, n int) {
	return b.n0*p.dstH + b.first*winogradOut, (b.n1-1-b.n0)*p.dstH + min(p.dstH-b.first*winogradOut, b.rows*winogradOut)
}

// products multiplies a term's planes of n tiles by those of its weights, and adds them to those of the terms before.
func (p *winogradConv[T]) products(t *tile, term int, elements, results unsafe.Pointer, n int) {
	wide, size := p.ks.width(), p.ks.size
	parts := ceilDiv(p.chans, maxDepth)
	*t = tile{rs: p.planes.pitch * size, ks: size, rc: p.planes.pitch * size, ldb: wide * size, segs: 1, planes: 1, soon: t.soon}
	for plane := range winogradPlanes {
		away := plane * p.planes.plane * size
		for part := range parts {
			k0, k1 := share(p.chans, parts, part)
			t.a, t.c = unsafe.Add(elements, away+k0*size), unsafe.Add(results, away)
			t.b = at(p.call.work, p.weightsOf(term)+plane*p.plane+k0*wide)
			t.count, t.accumulate = k1-k0, min(term+part, 1)
			p.ks.grid(t, n, p.outs, p.chans*wide*size)
		}
	}
}

// gather transforms the planes of a block into results; edge has room for a tile that lies partly outside.
func (p *winogradConv[T]) gather(w *worker, planes, edge unsafe.Pointer, b tileBlock) {
	gatherResults(&p.tapConv, &p.cut, p.ks, w, p.call, p.planes, planes, edge, b, 0, p.outs)
}

// gatherResults transforms the planes of a block of tiles into n channels of results, from channel lo on.
func gatherResults[T Float](tc *tapConv, cut *tiling, ks *kernels, w *worker, c *call[T], from planes, planes, edge unsafe.Pointer, b tileBlock, lo, n int) {
	t, size := &w.transform, ks.size
	*t = transform{srcRow: winogradIn * from.plane * size, srcCol: from.plane * size, srcStep: from.pitch * size}
	t.channels(n, ks.lanes)
	if c.accumulate {
		t.accumulate = 1
	}
	pixel := tc.outs * size
	row := tc.dstW * pixel
	for image := b.n0; image < b.n1; image++ {
		for i := b.first; i < b.first+b.rows; i++ {
			src := unsafe.Add(planes, ((image-b.n0)*b.rows+i-b.first)*cut.cols*t.srcStep)
			dst := at(c.dst, (image*tc.dstH+i*winogradOut)*tc.dstW*tc.outs+lo)
			height := min(winogradOut, tc.dstH-i*winogradOut)
			whole := 0
			if height == winogradOut {
				whole = tc.dstW / winogradOut
			}
			if whole > 0 {
				t.src, t.dst, t.count = src, dst, whole
				t.dstRow, t.dstCol, t.dstStep = row, pixel, winogradOut*pixel
				ks.winograd.gatherResult(t)
			}
			for j := whole; j < cut.cols; j++ {
				t.src, t.dst, t.count = unsafe.Add(src, j*t.srcStep), edge, 1
				t.dstRow, t.dstCol = winogradOut*n*size, n*size
				tile := unsafe.Add(dst, j*winogradOut*pixel)
				if c.accumulate {
					moveTile(ks, w, edge, tile, height, min(winogradOut, tc.dstW-j*winogradOut), n, [2]int{t.dstRow, t.dstCol}, [2]int{row, pixel})
				}
				ks.winograd.gatherResult(t)
				moveTile(ks, w, tile, edge, height, min(winogradOut, tc.dstW-j*winogradOut), n, [2]int{row, pixel}, [2]int{t.dstRow, t.dstCol})
			}
		}
	}
}

// moveTile copies n channels of a rectangle of pixels; the distances are those of rows and of pixels, in bytes.
func moveTile(ks *kernels, w *worker, dst, src unsafe.Pointer, rows, cols, n int, to, from [2]int) {
	for i := range rows {
		w.block = block{
			dst: unsafe.Add(dst, i*to[0]), src: unsafe.Add(src, i*from[0]),
			rows: cols, cols: n, ldd: to[1], lds: from[1],
		}
		ks.move(&w.block)
	}
}
