package gemm

import "unsafe"

// Bounds of a matrix product's blocks, measured on Zen 5.
const (
	maxDepth    = 512       // rows of a panel
	depthBytes  = 2 << 10   // and of a tile's row
	panelBytes  = 512 << 10 // one depth of packed columns stays in the second-level cache
	minChunk    = 1 << 20   // flops: below it, handing a chunk to a worker is not worth its while
	maxChunk    = 256 << 20 // flops: above it, the last chunk keeps the other workers waiting
	chunksAimed = 24
	minSplit    = 1024 // inner steps that a part of a split inner dimension has at least
	longInner   = 4    // times the longer side of the result: an inner dimension from there on is split first
	maxPartial  = 8 << 20
	fewRows     = 70      // of a block: up to there reading B again for each tile costs less than packing it
	copyPanels  = 3       // panels that a block of columns has at least for copying a tile of A to pay
	farApart    = 2 << 10 // bytes between inner steps of a transposed A from which copying pays
	flipTiles   = 12      // tiles of a transposed A that are copied at a time

	// Where A is transposed:
	sumDepth   = 160 // rows of a panel
	sumSide    = 512 // rows and columns of a block of sums, which passes through the second-level cache for each panel
	chunksEach = 4   // chunks for each worker
	innerParts = 8   // of an inner dimension too short to be split otherwise
	innerSteps = 128 // inner steps that each of them has at least
)

// mulPlan is a matrix product cut into chunks: by batch, blocks of columns, blocks of rows and parts of the inner
// dimension, the last fastest.
type mulPlan[T Float] struct {
	MatMul
	ks      *kernels
	call    *call[T]
	workers []worker

	rowBlocks, colBlocks, parts int
	depth                       int // inner steps of a block
	direct                      bool

	packed   int // where packed B starts in the workspace, shared or the first worker's
	private  int // elements of packed B that each worker owns; 0: shared
	partial  int // where the parts' sums start
	left     int // where the first worker's copy of tiles of A starts
	leftSize int // its elements; 0: tiles of A are used where they are
	leftRow  int // elements between its rows: A's, or, if A is transposed, inner steps
}

func planMatMul[T Float](s MatMul, ks *kernels, c *call[T], workers int, w *arena) (stages []stage, reports bool) {
	p := &mulPlan[T]{MatMul: s, ks: ks, call: c, workers: make([]worker, workers)}
	p.cut()
	chunks := s.Batch * p.rowBlocks * p.colBlocks * p.parts
	stages = []stage{{chunks, p}}
	if !p.direct {
		panels := roundUp(ceilDiv(s.N, p.colBlocks)+ks.width(), ks.width())
		if p.rowBlocks == 1 || p.sums() {
			p.private = roundUp(panels*p.depth, w.line)
			p.packed = w.take(p.private * workers)
		} else {
			p.packed = w.take(s.Batch * p.packedSize())
			stages = append([]stage{{s.Batch * p.colBlocks * p.depths(), (*mulPacking[T])(p)}}, stages...)
		}
	}
	if p.copyA() {
		p.leftRow = p.depth + w.line
		p.leftSize = ks.rows * p.leftRow
		if s.TransA {
			p.leftRow = roundUp(ks.rows, ks.lanes)
			p.leftSize = flipTiles * p.depth * p.leftRow
		}
		p.leftSize = roundUp(p.leftSize, w.line)
		p.left = w.take(p.leftSize * workers)
	}
	if p.parts > 1 {
		p.partial = w.take(s.Batch * p.parts * s.M * s.N)
		stages = append(stages, planSum(c, ks, workers, p.partial, s.M*s.N, p.parts, s.Batch))
	}
	return stages, p.parts == 1 && !p.sums() && !p.triangular()
}

// sums says that both operands have an inner step's elements side by side, and the steps far apart: each is best read once,
// from one end to the other, while blocks of sums stay near.
func (p *mulPlan[T]) sums() bool { return p.TransA && !p.TransB }

// cut chooses the blocks.
func (p *mulPlan[T]) cut() {
	ks := p.ks
	rowTiles := ceilDiv(p.M, ks.rows)
	flops := 2 * float64(p.M) * float64(p.N) * float64(p.K)
	if p.sums() {
		p.cutSums(flops * float64(p.Batch))
		p.direct = p.unpacked(ceilDiv(rowTiles, p.rowBlocks))
		return
	}
	p.direct = p.unpacked(rowTiles)
	p.depth = ceilDiv(p.K, ceilDiv(p.K, min(maxDepth, depthBytes/ks.size)))

	panels := ceilDiv(p.N, ks.width())
	p.colBlocks = ceilDiv(panels, max(1, panelBytes/(p.depth*ks.width()*ks.size)))
	chunk := min(max(flops*float64(p.Batch)/chunksAimed, minChunk), maxChunk)
	wanted := int(flops/chunk) + 1
	p.parts = 1
	if p.K >= longInner*max(p.M, p.N) {
		p.parts = p.split(wanted / p.colBlocks)
		wanted = max(1, wanted/p.parts)
	}
	p.colBlocks = max(p.colBlocks, min(panels, wanted/rowTiles))
	p.rowBlocks = min(evenly(max(1, wanted/p.colBlocks)), rowTiles)
	if len(p.workers) == 1 && flops <= maxChunk*float64(p.colBlocks) {
		p.rowBlocks = 1 // nobody to share them with
	}
}

// evenly returns the largest number up to n that so many workers share evenly as processors mostly have.
func evenly(n int) int {
	for each := 8; each > 1; each /= 2 {
		if n >= each {
			return n / each * each
		}
	}
	return n
}

// unpacked says whether that many rows of tiles use B too little for packing it.
func (p *mulPlan[T]) unpacked(rowTiles int) bool {
	return !p.TransB && (rowTiles*p.ks.rows <= fewRows || p.N <= p.ks.width())
}

// split returns how many parts of the inner dimension there may be, at most so many. It does not depend on the workers,
// since the order of additions does on it.
func (p *mulPlan[T]) split(parts int) int {
	return p.fitting(min(parts, p.K/minSplit, chunksAimed))
}

// fitting returns so many parts, or as many as there may be.
func (p *mulPlan[T]) fitting(parts int) int {
	if p.triangular() {
		return 1
	}
	return max(1, min(parts, maxPartial/(p.M*p.N)))
}

func (p *mulPlan[T]) cutSums(flops float64) {
	p.depth = ceilDiv(p.K, ceilDiv(p.K, sumDepth))
	p.rowBlocks, p.colBlocks = ceilDiv(p.M, sumSide), ceilDiv(p.N, sumSide)
	p.parts = 1
	if p.K >= longInner*max(p.M, p.N) {
		p.parts = p.split(chunksAimed / (p.rowBlocks * p.colBlocks))
		if p.parts == 1 && flops >= minChunk {
			p.cutInner()
		}
	}
	for {
		chunks := p.Batch * p.parts * p.rowBlocks * p.colBlocks
		if chunks >= chunksEach*len(p.workers) || flops < 4*minChunk*float64(chunks) {
			return
		}
		rows, cols := p.M/p.rowBlocks, p.N/p.colBlocks
		switch {
		case cols >= rows && cols >= 2*p.ks.width():
			p.colBlocks *= 2
		case rows >= 4*p.ks.rows:
			p.rowBlocks *= 2
		default:
			return
		}
	}
}

// cutInner splits a short inner dimension: each worker then reads the part of the operands that it made, where it would read all of them, another's part too.
func (p *mulPlan[T]) cutInner() {
	if p.parts = p.fitting(min(innerParts, p.K/innerSteps)); p.parts > 1 {
		each := ceilDiv(p.K, p.parts)
		p.depth = ceilDiv(each, max(1, (each+sumDepth/2)/sumDepth)) // about a panel's rows
	}
}

// copyA says whether tiles of A are better copied before use: where many panels use each, and its rows or inner steps,
// far apart, would share few sets of the cache. Of a transposed A, a tile that is high enough takes most of each cache line at once, and reading
// it where it is is no worse.
func (p *mulPlan[T]) copyA() bool {
	if p.triangular() {
		return false
	}
	panels := ceilDiv(p.N, p.ks.width()) / p.colBlocks
	if p.TransA {
		low := p.ks.rows*p.ks.size <= cacheLine*3/4
		return low && panels >= copyPanels && p.M*p.ks.size >= farApart
	}
	return panels >= copyPanels && p.K > p.depth
}

// depths returns how many blocks the inner dimension has.
func (p *mulPlan[T]) depths() int { return ceilDiv(p.K, p.depth) }

// columns returns the i-th block of columns; it starts at a panel.
func (p *mulPlan[T]) columns(i int) (lo, hi int) {
	wide := p.ks.width()
	lo, hi = share(ceilDiv(p.N, wide), p.colBlocks, i)
	return lo * wide, min(hi*wide, p.N)
}

// packedSize returns the elements of one product's packed B.
func (p *mulPlan[T]) packedSize() int { return p.K * roundUp(p.N, p.ks.width()) }

// packedAt returns where the shared panels start that hold B from inner step k and column col on, in a block of the
// given number of inner steps.
func (p *mulPlan[T]) packedAt(batch, k, col, steps int) int {
	return p.packed + batch*p.packedSize() + k*roundUp(p.N, p.ks.width()) + col*steps
}

func (p *mulPlan[T]) layoutB() matrix {
	if p.TransB {
		return matrix{1, p.K}
	}
	return matrix{p.N, 1}
}

func (p *mulPlan[T]) layoutA() matrix {
	if p.TransA {
		return matrix{1, p.M}
	}
	return matrix{p.K, 1}
}

// packTo packs columns lo to hi of inner steps k to k+steps.
func (p *mulPlan[T]) packTo(at0, batch, k, steps, lo, hi, worker int) {
	m := p.layoutB()
	src := at(p.call.b, batch*p.K*p.N+k*m.row+lo*m.col)
	packing{p.ks, &p.workers[worker].block}.pack(at(p.call.work, at0), steps, 0, src, m, steps, hi-lo)
}

// mulPacking packs B for all chunks: its chunks are the batch, the blocks of columns and the depths.
type mulPacking[T Float] mulPlan[T]

func (s *mulPacking[T]) Chunk(i, worker int) {
	p := (*mulPlan[T])(s)
	depth := i % p.depths()
	block := i / p.depths() % p.colBlocks
	batch := i / p.depths() / p.colBlocks
	k := depth * p.depth
	steps := min(p.depth, p.K-k)
	lo, hi := p.columns(block)
	p.packTo(p.packedAt(batch, k, lo, steps), batch, k, steps, lo, hi, worker)
	p.workers[worker].release()
}

// Chunk computes one block of the product.
func (p *mulPlan[T]) Chunk(i, worker int) {
	part := i % p.parts
	i /= p.parts
	rows := i % p.rowBlocks
	i /= p.rowBlocks
	lo, hi := p.columns(i % p.colBlocks)
	batch := i / p.colBlocks

	tiles := ceilDiv(p.M, p.ks.rows)
	top, bottom := share(tiles, p.rowBlocks, rows)
	top, bottom = p.M*top/tiles, p.M*bottom/tiles

	from, to := share(p.depths(), p.parts, part)
	size := p.ks.size
	t := &p.workers[worker].tile
	dst, base, add := p.call.dst, batch*p.M*p.N, p.call.accumulate
	if p.parts > 1 {
		dst, base, add = p.call.work, p.partial+(batch*p.parts+part)*p.M*p.N, false
	}
	la := p.layoutA()
	*t = tile{
		c:  at(dst, base+top*p.N+lo),
		rs: la.row * size, ks: la.col * size, rc: p.N * size,
		segs: 1, planes: 1,
		stream: !p.TransA,
	}
	for d := from; d < to; d++ {
		k := d * p.depth
		t.count = min(p.depth, p.K-k)
		t.accumulate = 0
		if add || d > from {
			t.accumulate = 1
		}
		t.a = at(p.call.a, batch*p.M*p.K+top*la.row+k*la.col)
		var panel int
		t.b, t.ldb, panel = p.right(batch, k, t.count, lo, hi, worker)
		if d+1 < to {
			t.expect(p.sources(batch, k+t.count, k+2*p.depth, top, bottom, lo, hi))
		}
		if p.triangular() {
			p.triangle(t, k, top, bottom, lo, hi, panel, add)
			continue
		}
		if p.call.made == nil || d+1 < to {
			p.rows(&p.workers[worker], bottom-top, hi-lo, panel, p.left+worker*p.leftSize)
			continue
		}
		p.reportedRows(worker, Area{Row: batch*p.M + top, Rows: bottom - top, Col: lo, Cols: hi - lo, Width: p.N}, panel)
	}
	p.workers[worker].release()
}

// reportedRows runs tiles over an area of the result, to which nothing is added later, and reports it, so many rows at a time as stay near.
func (p *mulPlan[T]) reportedRows(worker int, all Area, panel int) {
	w := &p.workers[worker]
	a, c := w.tile.a, w.tile.c
	step, down := p.layoutA().row*p.ks.size, w.tile.rc
	most := max(1, reportBytes/(all.Cols*p.ks.size*p.ks.rows)) * p.ks.rows // full tiles
	for first := 0; first < all.Rows; first += most {
		done := all
		done.Row, done.Rows = all.Row+first, min(most, all.Rows-first)
		w.tile.a, w.tile.c = unsafe.Add(a, first*step), unsafe.Add(c, first*down)
		p.rows(w, done.Rows, done.Cols, panel, p.left+worker*p.leftSize)
		p.call.report(worker, done)
	}
}

// sources returns the memory of A and B with inner steps lo to hi that a chunk reads row by row.
func (p *mulPlan[T]) sources(batch, lo, hi, top, bottom, left, right int) (a, b stretch) {
	hi = min(hi, p.K)
	if p.TransA {
		a = stretchOf(p.call.a, (batch*p.K+lo)*p.M+top, hi-lo, bottom-top, p.M)
	}
	if !p.TransB && (p.direct || p.private > 0) {
		b = stretchOf(p.call.b, (batch*p.K+lo)*p.N+left, hi-lo, right-left, p.N)
	}
	return a, b
}

// rows runs tiles over m rows and n columns of a block, with A where it is or from copies.
func (p *mulPlan[T]) rows(w *worker, m, n, panel, left int) {
	switch {
	case p.leftSize == 0:
		p.ks.grid(&w.tile, m, n, panel)
	case p.TransA:
		p.dealt(w, at(p.call.work, left), m, n, panel)
	default:
		p.moved(w, at(p.call.work, left), m, n, panel)
	}
}

// moved copies each tile of A: its rows, a whole A's row apart, move together.
func (p *mulPlan[T]) moved(w *worker, left unsafe.Pointer, m, n, panel int) {
	t, size := &w.tile, p.ks.size
	a, c, rs := t.a, t.c, t.rs
	t.a, t.rs = left, p.leftRow*size
	cut := p.ks.cutRows(m)
	for i := range cut.tiles {
		first, rows := cut.tile(i)
		w.block = block{dst: left, src: unsafe.Add(a, first*rs), rows: rows, cols: t.count, ldd: t.rs, lds: rs}
		p.ks.move(&w.block)
		t.c = unsafe.Add(c, first*t.rc)
		t.expectRows(uintptr(a)+uintptr((first+rows)*rs), rs, uintptr(t.c)+uintptr(rows*t.rc), n, size, cut, i)
		p.ks.columns(t, rows, n, panel)
	}
	t.c, t.rs = c, rs
}

// dealt copies tiles of a transposed A, several at a time since what one inner step needs of them lies side by side.
func (p *mulPlan[T]) dealt(w *worker, left unsafe.Pointer, m, n, panel int) {
	t, size := &w.tile, p.ks.size
	a, c, ks := t.a, t.c, t.ks
	t.rs, t.ks = size, p.leftRow*size
	each := t.count * t.ks
	cut := p.ks.cutRows(m)
	for i := 0; i < cut.tiles; {
		first, rows := cut.tile(i)
		end := min(cut.tiles, i+flipTiles)
		if rows == cut.height {
			end = min(end, cut.high)
		}
		w.block = block{
			dst: left, src: unsafe.Add(a, first*size), rows: t.count, cols: (end - i) * rows,
			ldd: t.ks, lds: ks, piece: rows, gap: each,
		}
		p.ks.deal(&w.block)
		for t.a = left; ; t.a = unsafe.Add(t.a, each) {
			t.c = unsafe.Add(c, first*t.rc)
			p.ks.columns(t, rows, n, panel)
			if i++; i == end {
				break
			}
			first += rows
		}
	}
	t.c, t.ks = c, ks
}

// right returns the panels of B for columns lo to hi: their address, the distance of rows and that of panels, in bytes.
func (p *mulPlan[T]) right(batch, k, steps, lo, hi, worker int) (b unsafe.Pointer, ldb, panel int) {
	wide, size := p.ks.width(), p.ks.size
	if p.direct {
		return at(p.call.b, batch*p.K*p.N+k*p.N+lo), p.N * size, wide * size
	}
	where := p.packedAt(batch, k, lo, steps)
	if p.private > 0 {
		where = p.packed + worker*p.private
		p.packTo(where, batch, k, steps, lo, hi, worker)
	}
	return at(p.call.work, where), wide * size, steps * wide * size
}
