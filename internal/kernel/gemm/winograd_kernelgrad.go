package gemm

import "unsafe"

// Bounds of a kernel gradient's blocks, measured on Zen 4 and Zen 5.
const (
	winogradSum   = 2400 << 10 // a worker's sums in all planes
	winogradSteps = 64         // least tiles in a block, where there are so many: the inner dimension of its products
)

// winogradKernelGrad is the gradient of a convolution with respect to its kernel, cut into chunks: by slices of the
// results' channels and parts of the terms' blocks of tiles, the last fastest. A chunk adds up the products of its
// blocks, plane by plane, and transforms the sums at the end. Where there are several slices and few tiles, see winogradSquares.
type winogradKernelGrad[T Float] struct {
	Conv
	cut           tiling
	ks            *kernels
	call          *call[T]
	workers       []worker
	x, dy         frame
	image, result planes

	slices, parts int
	width, plane  int // elements between the sums' rows, and between their planes

	xCopy, dyCopy, elements, results, sums private
	partial                                int
}

func planWinogradKernelGrad[T Float](s Conv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &winogradKernelGrad[T]{Conv: s, ks: ks, call: c, workers: make([]worker, workers)}
	p.cut = newTiling(s.N, s.OutH(), s.OutW(), max(winogradSteps, tilesFor(winogradPlanes*(s.C+s.O)*ks.size)))
	panels := ceilDiv(s.O, ks.width())
	p.slices = min(panels, ceilDiv(winogradPlanes*s.C*panels*ks.width()*ks.size, winogradSum))
	wanted := int(min(s.flops()/minChunk, minDWChunks))
	p.parts = max(1, min(wanted/p.slices, s.terms()*p.cut.blocks()))
	if p.slices > 1 { // each would transform all images again
		if stages := planWinogradSquares(s, ks, c, workers, w); stages != nil {
			return stages
		}
	}

	p.x = p.cut.window(winogradIn, s.H, s.W, s.C, -s.PadTop, -s.PadLeft, ks.size)
	p.dy = p.cut.window(winogradOut, s.OutH(), s.OutW(), s.O, 0, 0, ks.size)
	p.width = ceilDiv(panels, p.slices) * ks.width()
	p.image = newPlanes(p.cut.most(), s.C, ks)
	p.result = newPlanes(p.cut.most(), p.width, ks)
	p.plane = spread(s.C*p.width, ks.size)

	p.xCopy = w.private(p.x.scratch(p.cut.together), workers)
	p.dyCopy = w.private(p.dy.scratch(p.cut.together), workers)
	p.elements = w.private(winogradPlanes*p.image.plane, workers)
	p.results = w.private(winogradPlanes*p.result.plane, workers)
	p.sums = w.private(winogradPlanes*p.plane, workers)
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
		if i+1 < to {
			p.expect(p.call.terms[(i+1)/blocks], p.cut.block((i+1)%blocks), worker, lo, hi)
		} else {
			p.workers[worker].tile.expect(stretch{}, stretch{})
		}
		p.add(p.call.terms[i/blocks], p.cut.block(i%blocks), worker, lo, hi, i > from)
	}
	p.gather(part, worker, lo, hi)
	p.workers[worker].release()
}

// expect says that the products from now on may ask for what a block reads.
func (p *winogradKernelGrad[T]) expect(term Pair[T], b tileBlock, worker, lo, hi int) {
	x := sourcesOf(&p.x, term.A, b.n0, b.n1, 0, p.C, b.first, b.rows)
	dy := sourcesOf(&p.dy, term.B, b.n0, b.n1, lo, hi-lo, b.first, b.rows)
	p.workers[worker].tile.expect(x, dy)
}

// add computes the sums over one block's tiles, or adds them to those of the blocks before.
func (p *winogradKernelGrad[T]) add(term Pair[T], b tileBlock, worker, lo, hi int, accumulate bool) {
	w, ks, work, size := &p.workers[worker], p.ks, p.call.work, p.ks.size
	elements, results := at(work, p.elements.of(worker)), at(work, p.results.of(worker))
	x := fill(&p.x, ks, &w.block, term.A, work[p.xCopy.of(worker):][:p.xCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	p.cut.scatter(ks.winograd.scatterImage, &w.transform, &p.x, x, p.C, b, p.image, elements, ks)
	dy := fill(&p.dy, ks, &w.block, term.B, work[p.dyCopy.of(worker):][:p.dyCopy.size], b.n0, b.n1, 0, b.first, b.rows)
	p.cut.scatter(ks.winograd.scatterResult, &w.transform, &p.dy, unsafe.Add(dy, lo*size), hi-lo, b, p.result, results, ks)

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

// gather transforms the sums to the kernel's gradient, or to a part of it.
func (p *winogradKernelGrad[T]) gather(part, worker, lo, hi int) {
	t, size := &p.workers[worker].transform, p.ks.size
	tap := p.C * p.O
	*t = transform{
		src:    at(p.call.work, p.sums.of(worker)),
		srcRow: winogradIn * p.plane * size, srcCol: p.plane * size, srcStep: p.width * size,
		dstRow: winogradTaps * tap * size, dstCol: tap * size, dstStep: p.O * size, count: p.C,
	}
	t.channels(hi-lo, p.ks.lanes)
	if p.parts > 1 {
		t.dst = at(p.call.work, p.partial+part*winogradTaps*winogradTaps*tap+lo)
	} else {
		t.dst = at(p.call.dst, lo)
		if p.call.accumulate {
			t.accumulate = 1
		}
	}
	p.ks.winograd.gatherKernel(t)
}
