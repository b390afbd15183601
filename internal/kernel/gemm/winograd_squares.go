package gemm

// Bounds of a kernel gradient that is cut into squares of channels, measured on Zen 4.
const (
	squareSide = 64       // channels of the images, and of the results, in a square: its sums stay in the second-level cache
	mostPlanes = 32 << 20 // bytes of all transformed images and results: beyond that, no cache holds them until they are used
)

// winogradSquares is the gradient of a convolution with respect to its kernel, with few tiles and many channels: a network's last layers.
// All images and results are transformed first, once. A chunk is a square of their channels: it adds up the products over all tiles, plane by plane, and
// transforms the sums at the end.
type winogradSquares[T Float] struct {
	winogradGrad[T]
	elements, results int // where the planes start in the workspace, term after term
	rows, cols        int // squares by the channels of the images and by those of the results
}

// planWinogradSquares returns nil if the planes are too large for it.
func planWinogradSquares[T Float](s Conv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &winogradSquares[T]{winogradGrad: newWinogradGrad(s, ks, c, workers, tilesFor(winogradPlanes*max(s.C, s.O)*ks.size))}
	tiles := p.tiles()
	p.image, p.result = newPlanes(tiles, s.C, ks), newPlanes(tiles, s.O, ks)
	if s.terms()*winogradPlanes*(p.image.plane+p.result.plane)*ks.size > mostPlanes {
		return nil
	}
	p.elements = w.take(s.terms() * winogradPlanes * p.image.plane)
	p.results = w.take(s.terms() * winogradPlanes * p.result.plane)
	panels := ceilDiv(s.O, ks.width())
	p.rows, p.cols = ceilDiv(s.C, squareSide), ceilDiv(panels*ks.width(), squareSide)
	p.place(w, ceilDiv(s.C, p.rows), ceilDiv(panels, p.cols)*ks.width())
	return []stage{{s.terms() * p.cut.blocks(), (*winogradOperands[T])(p)}, {p.rows * p.cols, p}}
}

// tiles returns how many there are, in all images.
func (p *winogradSquares[T]) tiles() int { return p.N * p.cut.rows * p.cut.cols }

// winogradOperands transforms images and results: its chunks are terms and blocks of tiles.
type winogradOperands[T Float] winogradSquares[T]

func (s *winogradOperands[T]) Chunk(i, worker int) {
	p := (*winogradSquares[T])(s)
	term, b := i/p.cut.blocks(), p.cut.block(i%p.cut.blocks())
	tile := (b.n0*p.cut.rows + b.first) * p.cut.cols
	elements := at(p.call.work, p.elementsOf(term)+tile*p.image.pitch)
	results := at(p.call.work, p.resultsOf(term)+tile*p.result.pitch)
	p.transform(p.call.terms[term], b, worker, 0, p.O, elements, results)
	p.workers[worker].release()
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

	tiles := p.tiles()
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
	p.gather(worker, p.call.dst, c0, c1, o0, o1, p.call.accumulate)
	w.release()
}
