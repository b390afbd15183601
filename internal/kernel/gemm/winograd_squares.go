package gemm

import "unsafe"

// Bounds of a kernel gradient that is cut into squares of channels, measured on Zen 4.
const (
	squareSide = 64       // channels of the images, and of the results, in a square: its sums stay in the second-level cache
	mostPlanes = 32 << 20 // bytes of all transformed images and results: beyond that, no cache holds them until they are used
)

// winogradSquares is the gradient of a convolution with respect to its kernel, with few tiles and many channels: a network's last layers.
// All images and results are transformed first, once. A chunk is a square of their channels: it adds up the products over all tiles, plane by plane, and
// transforms the sums at the end.
type winogradSquares[T Float] struct {
	Conv
	cut     tiling
	ks      *kernels
	call    *call[T]
	workers []worker
	x, dy   frame

	image, result     planes
	elements, results int // where the planes start in the workspace, term after term
	rows, cols        int // squares by the channels of the images and by those of the results
	width, plane      int // elements between the sums' rows, and between their planes

	xCopy, dyCopy private // of a block's images and results
	sums          private
}

// planWinogradSquares returns nil if the planes are too large for it.
func planWinogradSquares[T Float](s Conv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &winogradSquares[T]{Conv: s, ks: ks, call: c, workers: make([]worker, workers)}
	p.cut = newTiling(s.N, s.OutH(), s.OutW(), tilesFor(winogradPlanes*max(s.C, s.O)*ks.size))
	tiles := s.N * p.cut.rows * p.cut.cols
	p.image, p.result = newPlanes(tiles, s.C, ks), newPlanes(tiles, s.O, ks)
	if s.terms()*winogradPlanes*(p.image.plane+p.result.plane)*ks.size > mostPlanes {
		return nil
	}
	p.elements = w.take(s.terms() * winogradPlanes * p.image.plane)
	p.results = w.take(s.terms() * winogradPlanes * p.result.plane)
	panels := ceilDiv(s.O, ks.width())
	p.rows, p.cols = ceilDiv(s.C, squareSide), ceilDiv(panels*ks.width(), squareSide)
	p.width = ceilDiv(panels, p.cols) * ks.width()
	p.plane = spread(ceilDiv(s.C, p.rows)*p.width, ks.size)

	p.x = p.cut.window(winogradIn, s.H, s.W, s.C, -s.PadTop, -s.PadLeft, ks.size)
	p.dy = p.cut.window(winogradOut, s.OutH(), s.OutW(), s.O, 0, 0, ks.size)
	p.xCopy = w.private(p.x.scratch(p.cut.together), workers)
	p.dyCopy = w.private(p.dy.scratch(p.cut.together), workers)
	p.sums = w.private(winogradPlanes*p.plane, workers)
	return []stage{{s.terms() * p.cut.blocks(), (*winogradOperands[T])(p)}, {p.rows * p.cols, p}}
}

// winogradOperands transforms images and results: its chunks are terms and blocks of tiles.
type winogradOperands[T Float] winogradSquares[T]

func (s *winogradOperands[T]) Chunk(i, worker int) {
	p := (*winogradSquares[T])(s)
	w, ks, work := &p.workers[worker], p.ks, p.call.work
	term, b := i/p.cut.blocks(), p.cut.block(i%p.cut.blocks())
	tile := (b.n0*p.cut.rows + b.first) * p.cut.cols
	pair := p.call.terms[term]
	x := fill(&p.x, ks, &w.block, pair.A, work[p.xCopy.of(worker):][:p.xCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	dst := at(work, p.elementsOf(term)+tile*p.image.pitch)
	p.cut.scatter(ks.winograd.scatterImage, &w.transform, &p.x, x, p.C, b, p.image, dst, ks)
	dy := fill(&p.dy, ks, &w.block, pair.B, work[p.dyCopy.of(worker):][:p.dyCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	dst = at(work, p.resultsOf(term)+tile*p.result.pitch)
	p.cut.scatter(ks.winograd.scatterResult, &w.transform, &p.dy, dy, p.O, b, p.result, dst, ks)
	w.release()
}

// elementsOf and resultsOf return where a term's planes start in the workspace.
func (p *winogradSquares[T]) elementsOf(term int) int {
	return p.elements + term*winogradPlanes*p.image.plane
}

func (p *winogradSquares[T]) resultsOf(term int) int {
	return p.results + term*winogradPlanes*p.result.plane
}

// Chunk computes a square.
func (p *winogradSquares[T]) Chunk(i, worker int) {
	w, size := &p.workers[worker], p.ks.size
	c0, c1 := share(p.C, p.rows, i/p.cols)
	wide := p.ks.width()
	o0, o1 := share(ceilDiv(p.O, wide), p.cols, i%p.cols)
	o0, o1 = o0*wide, min(o1*wide, p.O)

	tiles := p.N * p.cut.rows * p.cut.cols
	depths := ceilDiv(tiles, maxDepth)
	t := &w.tile
	*t = tile{rs: size, ks: p.image.pitch * size, ldb: p.result.pitch * size, rc: p.width * size, segs: 1, planes: 1}
	for plane := range winogradPlanes {
		t.c = at(p.call.work, p.sums.of(worker)+plane*p.plane)
		for j := range p.terms() * depths {
			term := j / depths
			k0, k1 := share(tiles, depths, j%depths)
			a := p.elementsOf(term) + plane*p.image.plane + k0*p.image.pitch + c0
			b := p.resultsOf(term) + plane*p.result.plane + k0*p.result.pitch + o0
			t.a, t.b = at(p.call.work, a), at(p.call.work, b)
			t.count, t.accumulate = k1-k0, min(j, 1)
			if plane+1 < winogradPlanes {
				t.expect(
					stretchOf(p.call.work, a+p.image.plane, k1-k0, c1-c0, p.image.pitch),
					stretchOf(p.call.work, b+p.result.plane, k1-k0, o1-o0, p.result.pitch),
				)
			}
			p.ks.grid(t, c1-c0, o1-o0, wide*size)
		}
	}
	p.gather(worker, c0, c1, o0, o1)
	w.release()
}

// gather transforms a square's sums to the kernel's gradient.
func (p *winogradSquares[T]) gather(worker, c0, c1, o0, o1 int) {
	t, size := &p.workers[worker].transform, p.ks.size
	tap := p.C * p.O
	*t = transform{
		src: at(p.call.work, p.sums.of(worker)), dst: unsafe.Pointer(&p.call.dst[c0*p.O+o0]),
		srcRow: winogradIn * p.plane * size, srcCol: p.plane * size, srcStep: p.width * size,
		dstRow: winogradTaps * tap * size, dstCol: tap * size, dstStep: p.O * size, count: c1 - c0,
	}
	t.channels(o1-o0, p.ks.lanes)
	if p.call.accumulate {
		t.accumulate = 1
	}
	p.ks.winograd.gatherKernel(t)
}
