package gemm

import "unsafe"

// Bounds of a convolution's blocks, measured on Zen 5.
const (
	wholeBytes = 640 << 10 // packed weights up to this stay in the second-level cache: no split of the inner dimension
	maxRun     = 512       // inner steps of a block where it is split, within one segment
	copyBytes  = 256 << 10 // images read at a time
	minPixels  = 128       // results of a channel, made at a time, for which reading weights again and again costs little
)

// convPlan is a tapConv cut into chunks: by group, blocks of result channels, blocks of images and bands of grid rows,
// the last fastest.
type convPlan[T Float] struct {
	tapConv
	ks      *kernels
	call    *call[T]
	workers []worker
	frame   frame
	blocks  [][]inner // by grid

	colBlocks, imgBlocks, bands int
	gridRows                    int // of the tallest grid
	acrossImages                bool
	together                    int // images copied, and then used, at a time

	packed     []int // by grid, where group 0's weights start in the workspace
	packChunks []packChunk
	copies     int // the first worker's frame in the workspace
	copySize   int
}

// inner is a block of a grid's inner dimension: segments (see tapConv), and a run within each.
type inner struct {
	seg, segs int
	q, steps  int
	start     int // inner steps before this block
}

// packChunk packs one inner block's weights of one group and block of columns.
type packChunk struct{ grid, block int }

func planTapConv[T Float](t tapConv, ks *kernels, c *call[T], workers int, w *arena) (stages []stage, reports bool) {
	p := &convPlan[T]{tapConv: t, ks: ks, call: c, workers: make([]worker, workers), frame: t.window()}
	p.cut()
	for g := range p.grids {
		p.packed = append(p.packed, w.take(t.groups*t.depth(&p.grids[g])*p.packedCols()))
		for b := range p.blocks[g] {
			p.packChunks = append(p.packChunks, packChunk{g, b})
		}
	}
	images, band := ceilDiv(t.images, p.imgBlocks), ceilDiv(p.gridRows, p.bands)
	p.frame.place(p.gridRows, band, ks.size)
	p.together = images
	if each := p.frame.imgPitch * ks.size; !p.acrossImages {
		p.together = max(1, min(copyBytes/each, images))
		if len(p.blocks[0]) > 1 {
			p.together = max(p.together, min(images, ceilDiv(minPixels, band*p.grids[0].cols)))
		}
	}
	p.copySize = roundUp(p.frame.scratch(p.together), w.line)
	p.copies = w.take(p.copySize * workers)
	return []stage{
		{len(p.packChunks) * t.groups * p.colBlocks, (*convPacking[T])(p)},
		{t.groups * p.colBlocks * p.imgBlocks * p.bands, p},
	}, len(p.grids) == 1 || p.bands == 1
}

func (p *convPlan[T]) packedCols() int { return roundUp(p.outs, p.ks.width()) }

// cut chooses the blocks.
func (p *convPlan[T]) cut() {
	longest, image := 0, 0.0 // inner steps of a block; flops of an image
	for i := range p.grids {
		g := &p.grids[i]
		blocks, steps := p.split(g)
		p.blocks = append(p.blocks, blocks)
		longest = max(longest, steps)
		p.gridRows = max(p.gridRows, g.rows)
		image += 2 * float64(g.rows*g.cols*p.depth(g)*p.outs)
	}
	panels := ceilDiv(p.outs, p.ks.width())
	p.colBlocks = min(panels, max(1, ceilDiv(panels*longest*p.ks.width()*p.ks.size, wholeBytes)))

	total := image * float64(p.images*p.groups)
	chunk := min(max(total/chunksAimed, minChunk), maxChunk)
	image /= float64(p.colBlocks)
	p.bands, p.imgBlocks = 1, p.images
	if image > 2*chunk {
		p.bands = min(int(image/chunk), p.gridRows)
	} else {
		p.imgBlocks = ceilDiv(p.images, max(1, int(chunk/max(image, 1))))
	}
	if p.narrow() {
		p.acrossImages, p.bands = true, 1
		p.imgBlocks = min(p.imgBlocks, ceilDiv(p.images, p.ks.rows))
		for p.colBlocks < panels && float64(p.colBlocks*p.imgBlocks*p.groups) < min(chunksAimed, total/minChunk) {
			p.colBlocks = min(panels, p.colBlocks*2)
		}
	}
}

// narrow says that grid rows are so short that tiles are better made of one position in many images.
func (p *convPlan[T]) narrow() bool {
	height := func(n int) int { return n / ceilDiv(n, p.ks.rows) }
	cols := p.grids[0].cols
	return cols <= p.ks.rows/2 && height(min(p.images, p.ks.rows)) > height(cols)
}

// split cuts a grid's inner dimension, and returns the longest block.
func (p *convPlan[T]) split(g *tapGrid) (blocks []inner, longest int) {
	segs, run := p.segments(g)
	if n := segs * run; n == 0 || n <= maxRun || n*p.packedCols()*p.ks.size <= wholeBytes {
		return []inner{{segs: segs, steps: run}}, n
	}
	parts := ceilDiv(run, maxRun)
	for seg := range segs {
		for i := range parts {
			lo, hi := share(run, parts, i)
			blocks = append(blocks, inner{seg: seg, segs: 1, q: lo, steps: hi - lo, start: seg*run + lo})
		}
	}
	return blocks, ceilDiv(run, parts)
}

// columns returns the i-th block of a group's result channels; it starts at a panel.
func (p *convPlan[T]) columns(i int) (lo, hi int) {
	wide := p.ks.width()
	lo, hi = share(ceilDiv(p.outs, wide), p.colBlocks, i)
	return lo * wide, min(hi*wide, p.outs)
}

// panelsAt returns where the packed weights of a block start, from result channel col on.
func (p *convPlan[T]) panelsAt(grid, group, col int, b *inner) int {
	depth := p.depth(&p.grids[grid])
	return p.packed[grid] + (group*depth+b.start)*p.packedCols() + col*b.segs*b.steps
}

// convPacking packs the weights: its chunks are groups, blocks of columns and inner blocks.
type convPacking[T Float] convPlan[T]

func (s *convPacking[T]) Chunk(i, worker int) {
	p := (*convPlan[T])(s)
	c := p.packChunks[i%len(p.packChunks)]
	i /= len(p.packChunks)
	lo, hi := p.columns(i % p.colBlocks)
	group := i / p.colBlocks

	g, b := &p.grids[c.grid], &p.blocks[c.grid][c.block]
	if b.segs*b.steps == 0 {
		return
	}
	dst := at(p.call.work, p.panelsAt(c.grid, group, lo, b))
	pk := packing{p.ks, &p.workers[worker].block}
	row := 0
	for seg := b.seg; seg < b.seg+b.segs; seg++ {
		for q := b.q; q < b.q+b.steps; {
			tapRow, tapCol := p.tap(g, seg, q)
			ch := q % p.chans
			n := min(p.chans-ch, b.q+b.steps-q)
			from := (g.kh[tapRow]*p.kw0+g.kw[tapCol])*p.tapSize + group*p.groupStep + ch*p.weights.row + lo*p.weights.col
			pk.pack(dst, b.segs*b.steps, row, at(p.call.b, from), p.weights, n, hi-lo)
			row += n
			q += n
		}
	}
	p.workers[worker].release()
}

// Chunk computes a band of grid rows of some images, for some result channels, on all grids.
func (p *convPlan[T]) Chunk(i, worker int) {
	first, last := share(p.gridRows, p.bands, i%p.bands)
	i /= p.bands
	n0, n1 := share(p.images, p.imgBlocks, i%p.imgBlocks)
	i /= p.imgBlocks
	lo, hi := p.columns(i % p.colBlocks)
	group := i / p.colBlocks

	w := &p.workers[worker]
	scratch := p.call.work[p.copies+worker*p.copySize:][:p.copySize]
	for n := n0; n < n1; n += p.together {
		end := min(n+p.together, n1)
		base := fill(&p.frame, p.ks, &w.block, p.call.a, scratch, n, end, group*p.chans, first, last-first)
		w.tile.expect(p.results(n, end, first, last), p.sources(end, min(end+p.together, n1), first, last))
		c := convTile{n0: n, n1: end, first: first, rows: last - first, col: group*p.outs + lo, cols: hi - lo}
		if p.call.made != nil && !p.acrossImages && len(p.grids) == 1 && len(p.blocks[0]) == 1 {
			for c.n0 = n; c.n0 < end; c.n0++ {
				c.n1 = c.n0 + 1
				p.bandsOf(w, group, lo, unsafe.Add(base, (c.n0-n)*p.frame.imgPitch*p.ks.size), c)
				p.report(worker, c)
			}
			continue
		}
		p.bandsOf(w, group, lo, base, c)
		p.report(worker, c)
	}
	w.release()
}

// bandsOf computes what c says on all grids; base is the first element of its first image's frame.
func (p *convPlan[T]) bandsOf(w *worker, group, lo int, base unsafe.Pointer, c convTile) {
	last := c.first + c.rows
	for gi := range p.grids {
		c.grid = &p.grids[gi]
		if c.rows = min(last, c.grid.rows) - c.first; c.rows > 0 {
			p.band(w, gi, group, lo, base, &c)
		}
	}
}

// report says that what c says is done, image by image where it has a part of each. Of several grids it has all rows.
func (p *convPlan[T]) report(worker int, c convTile) {
	done := Area{Col: c.col, Cols: c.cols, Width: p.dstC}
	if p.bands == 1 {
		done.Row, done.Rows = c.n0*p.dstH*p.dstW, (c.n1-c.n0)*p.dstH*p.dstW
		p.call.report(worker, done)
		return
	}
	for n := c.n0; n < c.n1; n++ {
		done.Row, done.Rows = (n*p.dstH+c.first)*p.dstW, c.rows*p.dstW
		p.call.report(worker, done)
	}
}

// sources returns the memory that the frames of images n0 to n1 are filled from.
func (p *convPlan[T]) sources(n0, n1, first, last int) stretch {
	if p.groups > 1 {
		return stretch{}
	}
	return sourcesOf(&p.frame, p.call.a, n0, n1, 0, p.chans, first, last-first)
}

// results returns the memory that grid rows of images n0 to n1 go to, where it is all of a chunk's.
func (p *convPlan[T]) results(n0, n1, first, last int) stretch {
	if len(p.grids) > 1 || p.groups*p.colBlocks > 1 {
		return stretch{}
	}
	row := p.dstW * p.dstC
	return stretchOf(p.call.dst, (n0*p.dstH+first)*row, n1-n0, (last-first)*row, p.dstH*row)
}

// convTile is what of a grid a chunk computes.
type convTile struct {
	grid        *tapGrid
	n0, n1      int
	first, rows int
	col, cols   int // result channels
}

// band computes one grid's part of a chunk; base is the frame's first element.
func (p *convPlan[T]) band(w *worker, gi, group, lo int, base unsafe.Pointer, c *convTile) {
	g, f, size := c.grid, &p.frame, p.ks.size
	if p.depth(g) == 0 {
		p.zero(c)
		return
	}
	origin := unsafe.Add(base, ((g.srcRow-f.row0)*f.rowPitch+(g.srcCol-f.col0)*f.pixel)*size)
	t := &w.tile
	for bi := range p.blocks[gi] {
		b := &p.blocks[gi][bi]
		*t = tile{
			b: at(p.call.work, p.panelsAt(gi, group, lo, b)), ldb: p.ks.width() * size,
			ks: size, ss: p.apartH * f.rowPitch * size, count: b.steps, segs: b.segs, planes: 1,
			soon: t.soon,
		}
		start := b.seg*p.apartH*f.rowPitch + b.q
		if p.apartW > 1 { // segments are the taps of a kernel row, planes the rows
			row, col := p.tap(g, b.seg, b.q)
			start = row*p.apartH*f.rowPitch + col*p.apartW*f.pixel + b.q
			t.ss, t.ps = p.apartW*f.pixel*size, p.apartH*f.rowPitch*size
			t.segs = min(b.segs, len(g.kw))
			t.planes = b.segs / t.segs
		}
		if p.call.accumulate || bi > 0 {
			t.accumulate = 1
		}
		p.tiles(t, c, unsafe.Add(origin, start*size))
	}
}

// tiles runs one inner block over a grid's part; from is the left operand's first element.
func (p *convPlan[T]) tiles(t *tile, c *convTile, from unsafe.Pointer) {
	g, f, size := c.grid, &p.frame, p.ks.size
	panel := t.count * t.segs * t.planes * p.ks.width() * size
	pixel, row := p.inW*f.pixel*size, p.inH*f.rowPitch*size
	if p.acrossImages {
		t.rs, t.rc = f.imgPitch*size, p.dstH*p.dstW*p.dstC*size
		for i := range c.rows {
			for j := range g.cols {
				t.a = unsafe.Add(from, i*row+j*pixel)
				t.c = at(p.call.dst, p.resultAt(c, c.n0, i, j))
				p.ks.grid(t, c.n1-c.n0, c.cols, panel)
			}
		}
		return
	}
	t.rs, t.rc = pixel, p.outW*p.dstC*size
	for n := c.n0; n < c.n1; n++ {
		for i := range c.rows {
			t.a = unsafe.Add(from, (n-c.n0)*f.imgPitch*size+i*row)
			t.c = at(p.call.dst, p.resultAt(c, n, i, 0))
			p.ks.grid(t, g.cols, c.cols, panel)
		}
	}
}

// resultAt returns the offset of a result in dst: image n, row i of the band, column j of the grid.
func (p *convPlan[T]) resultAt(c *convTile, n, i, j int) int {
	g := c.grid
	row, col := g.row+(c.first+i)*p.outH, g.col+j*p.outW
	return ((n*p.dstH+row)*p.dstW+col)*p.dstC + c.col
}

// zero clears results that no tap reaches.
func (p *convPlan[T]) zero(c *convTile) {
	if p.call.accumulate {
		return
	}
	for n := c.n0; n < c.n1; n++ {
		for i := range c.rows {
			for j := range c.grid.cols {
				clear(p.call.dst[p.resultAt(c, n, i, j):][:c.cols])
			}
		}
	}
}
