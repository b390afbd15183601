package gemm

import "unsafe"

// Bounds of a kernel gradient's blocks, measured on Zen 4 and Zen 5.
const (
	winogradSum   = 2400 << 10 // a worker's sums in all planes
	winogradSteps = 64         // least tiles in a block, where there are so many: the inner dimension of its products
)

// winogradGrad is what a gradient with respect to a convolution's kernel needs, however it is cut: planes of transformed images and results, and sums of
// their products, which become the gradient.
type winogradGrad[T Float] struct {
	Conv
	cut           tiling
	ks            *kernels
	call          *call[T]
	workers       []worker
	x, dy         frame
	image, result planes
	width, plane  int // elements between the sums' rows, and between their planes

	xCopy, dyCopy, sums private
}

// newWinogradGrad cuts into blocks of about so many tiles.
func newWinogradGrad[T Float](s Conv, ks *kernels, c *call[T], workers, tiles int) winogradGrad[T] {
	p := winogradGrad[T]{Conv: s, ks: ks, call: c, workers: make([]worker, workers)}
	p.cut = newTiling(s.N, s.OutH(), s.OutW(), tiles)
	p.x = p.cut.window(winogradIn, s.H, s.W, s.C, -s.PadTop, -s.PadLeft, ks.size)
	p.dy = p.cut.window(winogradOut, s.OutH(), s.OutW(), s.O, 0, 0, ks.size)
	return p
}

// place reserves the workers' scratch; sums have so many rows, of so many columns at most.
func (p *winogradGrad[T]) place(w *arena, rows, width int) {
	p.width, p.plane = width, spread(rows*width, p.ks.size)
	p.xCopy = w.private(p.x.scratch(p.cut.together), len(p.workers))
	p.dyCopy = w.private(p.dy.scratch(p.cut.together), len(p.workers))
	p.sums = w.private(winogradPlanes*p.plane, len(p.workers))
}

// transform makes the planes of a block's images, and of its results' channels lo to hi.
func (p *winogradGrad[T]) transform(term Pair[T], b tileBlock, worker, lo, hi int, elements, results unsafe.Pointer) {
	w, ks, work := &p.workers[worker], p.ks, p.call.work
	x := fill(&p.x, ks, &w.block, term.A, work[p.xCopy.of(worker):][:p.xCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	p.cut.scatter(ks.winograd.scatterImage, &w.transform, &p.x, x, p.C, b, p.image, elements, ks)
	dy := fill(&p.dy, ks, &w.block, term.B, work[p.dyCopy.of(worker):][:p.dyCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	p.cut.scatter(ks.winograd.scatterResult, &w.transform, &p.dy, unsafe.Add(dy, lo*ks.size), hi-lo, b, p.result, results, ks)
}

// gather transforms the sums of channels c0 to c1 and lo to hi to their part of the kernel's gradient at dst, or adds that to it.
func (p *winogradGrad[T]) gather(worker int, dst []T, c0, c1, lo, hi int, accumulate bool) {
	t, size := &p.workers[worker].transform, p.ks.size
	tap := p.C * p.O
	*t = transform{
		src: at(p.call.work, p.sums.of(worker)), dst: at(dst, c0*p.O+lo),
		srcRow: winogradIn * p.plane * size, srcCol: p.plane * size, srcStep: p.width * size,
		dstRow: winogradTaps * tap * size, dstCol: tap * size, dstStep: p.O * size, count: c1 - c0,
	}
	t.channels(hi-lo, p.ks.lanes)
	if accumulate {
		t.accumulate = 1
	}
	p.ks.winograd.gatherKernel(t)
}

// winogradKernelGrad is the gradient of a convolution with respect to its kernel, cut into chunks: by slices of the
// results' channels and parts of the terms' blocks of tiles, the last fastest. A chunk adds up the products of its
// blocks, plane by plane, and transforms the sums at the end. Where there are several slices and few tiles, see winogradSquares.
type winogradKernelGrad[T Float] struct {
	winogradGrad[T]
	slices, parts     int
	elements, results private
	partial           int
}

func planWinogradKernelGrad[T Float](s Conv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	panels := ceilDiv(s.O, ks.width())
	slices := min(panels, ceilDiv(winogradPlanes*s.C*panels*ks.width()*ks.size, winogradSum))
	if slices > 1 { // each would transform all images again
		if stages := planWinogradSquares(s, ks, c, workers, w); stages != nil {
			return stages
		}
	}
	tiles := max(winogradSteps, tilesFor(winogradPlanes*(s.C+s.O)*ks.size))
	p := &winogradKernelGrad[T]{winogradGrad: newWinogradGrad(s, ks, c, workers, tiles), slices: slices}
	wanted := int(min(s.flops()/minChunk, minDWChunks))
	p.parts = max(1, min(wanted/p.slices, s.terms()*p.cut.blocks()))

	p.place(w, s.C, ceilDiv(panels, p.slices)*ks.width())
	p.image, p.result = newPlanes(p.cut.most(), s.C, ks), newPlanes(p.cut.most(), p.width, ks)
	p.elements = w.private(winogradPlanes*p.image.plane, workers)
	p.results = w.private(winogradPlanes*p.result.plane, workers)
	stages := []stage{{p.slices * p.parts, p}}
	if p.parts > 1 {
		n := winogradTaps * winogradTaps * s.C * s.O
		p.partial = w.take(p.parts * n)
		stages = append(stages, planSum(c, ks, workers, p.partial, n, p.parts, 1))
	}
	return stages
}

// columns returns the i-th slice of the results' channels; it starts at a panel.
func (p *winogradKernelGrad[T]) columns(i int) (lo, hi int) {
	wide := p.ks.width()
	lo, hi = share(ceilDiv(p.O, wide), p.slices, i)
	return lo * wide, min(hi*wide, p.O)
}

// Chunk computes a slice of the kernel's gradient from a part of the tiles.
func (p *winogradKernelGrad[T]) Chunk(i, worker int) {
	part := i % p.parts
	lo, hi := p.columns(i / p.parts)
	blocks := p.cut.blocks()
	from, to := share(p.terms()*blocks, p.parts, part)
	for i := from; i < to; i++ {
		var x, dy stretch
		if next := i + 1; next < to {
			x, dy = p.sources(p.call.terms[next/blocks], p.cut.block(next%blocks), lo, hi)
		}
		p.workers[worker].tile.expect(x, dy)
		p.add(p.call.terms[i/blocks], p.cut.block(i%blocks), worker, lo, hi, i > from)
	}
	dst, accumulate := p.call.dst, p.call.accumulate
	if p.parts > 1 {
		n := winogradTaps * winogradTaps * p.C * p.O
		dst, accumulate = p.call.work[p.partial+part*n:][:n], false
	}
	p.gather(worker, dst, 0, p.C, lo, hi, accumulate)
	p.workers[worker].release()
}

// sources returns the memory of a block's images, and of its results' channels lo to hi.
func (p *winogradKernelGrad[T]) sources(term Pair[T], b tileBlock, lo, hi int) (x, dy stretch) {
	return sourcesOf(&p.x, term.A, b.n0, b.n1, 0, p.C, b.first, b.rows),
		sourcesOf(&p.dy, term.B, b.n0, b.n1, lo, hi-lo, b.first, b.rows)
}

// add computes the sums over one block's tiles, or adds them to those of the blocks before.
func (p *winogradKernelGrad[T]) add(term Pair[T], b tileBlock, worker, lo, hi int, accumulate bool) {
	w, ks, work, size := &p.workers[worker], p.ks, p.call.work, p.ks.size
	elements, results := at(work, p.elements.of(worker)), at(work, p.results.of(worker))
	p.transform(term, b, worker, lo, hi, elements, results)

	t := &w.tile
	*t = tile{
		rs: size, ks: p.image.pitch * size, ldb: p.result.pitch * size, rc: p.width * size,
		count: p.cut.tiles(b), segs: 1, planes: 1,
		soon: t.soon,
	}
	if accumulate {
		t.accumulate = 1
	}
	for plane := range winogradPlanes {
		t.a = unsafe.Add(elements, plane*p.image.plane*size)
		t.b = unsafe.Add(results, plane*p.result.plane*size)
		t.c = at(work, p.sums.of(worker)+plane*p.plane)
		ks.grid(t, p.C, hi-lo, ks.width()*size)
	}
}
