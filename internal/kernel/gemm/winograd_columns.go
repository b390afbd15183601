package gemm

import "unsafe"

// Bounds of a convolution that is cut by its results' channels, measured on Zen 5.
const (
	manyWeights  = 8 << 20 // bytes of transformed weights that no cache holds until they are used
	columnsDepth = 128     // channels whose weights are transformed, and then used, at a time
)

// fewTiles says that the transformed weights are larger than the transformed images, and too large for the caches.
func fewTiles(t *tapConv, ks *kernels) bool {
	tiles := t.images * tilesAcross(t.dstH) * tilesAcross(t.dstW)
	return tiles < t.outs && winogradPlanes*t.chans*t.outs*ks.size >= manyWeights
}

// winogradColumns is a convolution, or the gradient of one with respect to its images, with few tiles and many channels: a
// network's last layers. All images are transformed first. A chunk is a panel of the results' channels, with all tiles:
// it transforms the weights of a block of channels, uses them while they are in the second-level cache, and adds up.
type winogradColumns[T Float] struct {
	tapConv
	terms   int
	cut     tiling
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame

	image, result planes
	elements      int // where the images' planes start in the workspace, term after term
	depths        int // blocks of channels
	plane         int // elements of a plane of a block's weights

	copies private // of a block's images
	taps   private // packed weights
	packed private // transformed weights
	sums   private // planes of a panel's results
	edge   private // a tile of results at the border
}

func planWinogradColumns[T Float](t tapConv, terms int, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &winogradColumns[T]{tapConv: t, terms: terms, ks: ks, call: c, workers: make([]worker, workers)}
	wide := ks.width()
	g := &t.grids[0]
	p.cut = newTiling(t.images, t.dstH, t.dstW, tilesFor(winogradPlanes*t.chans*ks.size))
	p.frame = p.cut.window(winogradIn, t.srcH, t.srcW, t.srcC, g.srcRow, g.srcCol, ks.size)
	tiles := t.images * p.cut.rows * p.cut.cols
	p.image, p.result = newPlanes(tiles, t.chans, ks), newPlanes(tiles, wide, ks)
	p.elements = w.take(terms * winogradPlanes * p.image.plane)
	p.depths = ceilDiv(t.chans, columnsDepth)
	depth := ceilDiv(t.chans, p.depths)
	p.plane = spread(depth*wide, ks.size)

	p.copies = w.private(p.frame.scratch(p.cut.together), workers)
	p.taps = w.private(winogradTaps*winogradTaps*depth*wide, workers)
	p.packed = w.private(winogradPlanes*p.plane, workers)
	p.sums = w.private(winogradPlanes*p.result.plane, workers)
	p.edge = w.private(winogradOut*winogradOut*wide, workers)
	return []stage{{terms * p.cut.blocks(), (*winogradImages[T])(p)}, {ceilDiv(t.outs, wide), p}}
}

// planesOf returns where a term's planes of the images start in the workspace.
func (p *winogradColumns[T]) planesOf(term int) int {
	return p.elements + term*winogradPlanes*p.image.plane
}

// winogradImages transforms the images: its chunks are terms and blocks of tiles.
type winogradImages[T Float] winogradColumns[T]

func (s *winogradImages[T]) Chunk(i, worker int) {
	p := (*winogradColumns[T])(s)
	w := &p.workers[worker]
	term := i / p.cut.blocks()
	b := p.cut.block(i % p.cut.blocks())
	scratch := p.call.work[p.copies.of(worker):][:p.copies.size]
	src := fill(&p.frame, p.ks, &w.block, p.call.terms[term].A, scratch, b.n0, b.n1, 0, b.first, b.rows)
	tile := (b.n0*p.cut.rows + b.first) * p.cut.cols
	dst := at(p.call.work, p.planesOf(term)+tile*p.image.pitch)
	p.cut.scatter(p.ks.winograd.scatterImage, &w.transform, &p.frame, src, p.chans, b, p.image, dst, p.ks)
	w.release()
}

// Chunk computes a panel of the results' channels.
func (p *winogradColumns[T]) Chunk(panel, worker int) {
	w, work := &p.workers[worker], p.call.work
	wide, size := p.ks.width(), p.ks.size
	lo := panel * wide
	cols := min(wide, p.outs-lo)
	packed, sums := at(work, p.packed.of(worker)), at(work, p.sums.of(worker))
	all := tileBlock{n1: p.images, rows: p.cut.rows}
	t := &w.tile
	for i := range p.terms * p.depths {
		term := i / p.depths
		k0, k1 := share(p.chans, p.depths, i%p.depths)
		scatterWeights(&p.tapConv, p.ks, w, p.call.terms[term].B, at(work, p.taps.of(worker)), k0, k1, panel, packed, p.plane)
		*t = tile{
			rs: p.image.pitch * size, ks: size, rc: p.result.pitch * size, ldb: wide * size,
			count: k1 - k0, segs: 1, planes: 1, accumulate: min(i, 1),
		}
		for plane := range winogradPlanes {
			elements := p.planesOf(term) + plane*p.image.plane + k0
			t.a = at(work, elements)
			if plane+1 < winogradPlanes {
				t.expect(stretchOf(work, elements+p.image.plane, p.cut.tiles(all), k1-k0, p.image.pitch), stretch{})
			}
			t.b = unsafe.Add(packed, plane*p.plane*size)
			t.c = unsafe.Add(sums, plane*p.result.plane*size)
			p.ks.grid(t, p.cut.tiles(all), cols, 0)
		}
	}
	gatherResults(&p.tapConv, &p.cut, p.ks, w, p.call, p.result, sums, at(work, p.edge.of(worker)), all, lo, cols)
	w.release()
}
