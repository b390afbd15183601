package gemm

import "unsafe"

// Bounds of a kernel gradient's blocks, measured on Zen 5.
const (
	pixelsAimed = 256 // inner steps, that is output pixels, of a block
	maxSlice    = 128 // channels of x that a chunk takes
	maxOuts     = 256 // channels of dy that a chunk takes
	packRows    = 32  // rows of dw from which packing dy is worth its while
	minDWChunks = 16  // chunks below which the pixels are split as well
)

// kernelGradPlan is the product of x's patches, transposed, with dy, cut into chunks: by group, slices of x's
// channels, blocks of dy's channels, and parts of the pixels, the last fastest. Lanewise (see lanewiseConv), all channels are one
// group, and each element of a small group of x in turn meets the channels of dy.
type kernelGradPlan[T Float] struct {
	Conv
	lanewise bool
	ks       *kernels
	call     *call[T]
	workers  []worker
	frame    frame

	groups, small               int // small: channels of a small group
	chans, outs                 int // of a group
	slices, colBlocks, parts    int
	images, band, bands, blocks int // of a block of pixels; blocks of the whole problem, bands of an image
	pack                        bool

	partial            int
	copies, copySize   int
	panels, panelsSize int
}

func planKernelGrad[T Float](s Conv, ks *kernels, c *call[T], workers int, w *arena) []stage {
	p := &kernelGradPlan[T]{Conv: s, lanewise: s.lanewise(ks), ks: ks, call: c, workers: make([]worker, workers)}
	p.cut()
	p.copySize = roundUp(p.frame.scratch(p.images), w.line)
	p.copies = w.take(p.copySize * workers)
	if p.pack {
		p.panelsSize = p.images * p.band * s.OutW() * roundUp(p.outs, ks.width())
		p.panelsSize = roundUp(p.panelsSize, w.line)
		p.panels = w.take(p.panelsSize * workers)
	}
	stages := []stage{{p.groups * p.slices * p.colBlocks * p.parts, p}}
	if p.parts > 1 {
		p.partial = w.take(p.parts * p.kernelSize())
		stages = append(stages, planSum(c, ks, workers, p.partial, p.kernelSize(), p.parts, 1))
	}
	return stages
}

func (p *kernelGradPlan[T]) kernelSize() int {
	return p.KH * p.KW * p.C / p.Groups * p.O
}

// cut chooses the blocks.
func (p *kernelGradPlan[T]) cut() {
	ks := p.ks
	p.groups, p.small = p.Groups, 1
	if p.lanewise {
		p.groups, p.small = 1, p.C/p.Groups
	}
	p.chans, p.outs = p.C/p.groups, p.O/p.groups
	oh, ow := p.OutH(), p.OutW()

	p.images, p.band = 1, oh
	if oh*ow > pixelsAimed {
		p.band = ceilDiv(oh, ceilDiv(oh*ow, pixelsAimed))
	} else {
		p.images = min(p.N, pixelsAimed/(oh*ow))
	}
	p.bands = ceilDiv(oh, p.band)
	p.blocks = ceilDiv(p.N, p.images) * p.bands

	p.slices = ceilDiv(p.chans, maxSlice)
	p.colBlocks = ceilDiv(ceilDiv(p.outs, ks.width()), max(1, maxOuts/ks.width()))
	if p.lanewise {
		p.colBlocks = 1 // a slice's channels are those of x and of dy
	}
	wanted := int(min(p.flops()/minChunk, minDWChunks))
	p.parts = max(1, min(wanted/(p.groups*p.slices*p.colBlocks), p.blocks))
	p.pack = !p.lanewise && p.outs > ks.width() && p.KH*p.KW*min(p.chans, maxSlice) >= packRows

	p.frame = frame{
		h: p.H, w: p.W, c: p.C, row0: -p.PadTop, col0: -p.PadLeft,
		rows: p.spanH(), cols: (ow-1)*p.StrideW + p.spanW(), step: p.StrideH, chans: p.slice(), group: p.small,
	}
	if p.slices > 1 && p.chans == p.C {
		p.frame.chans = p.C // in place if possible: slices are views
	}
	p.frame.place(oh, p.band, ks.size)
	if !p.frame.inPlace {
		p.frame.chans = p.slice()
		p.frame.place(oh, p.band, ks.size)
	}
}

// slice returns the most channels of a slice, which has whole small groups.
func (p *kernelGradPlan[T]) slice() int { return ceilDiv(p.chans/p.small, p.slices) * p.small }

// columns returns the i-th block of a group's channels of dy; it starts at a panel.
func (p *kernelGradPlan[T]) columns(i int) (lo, hi int) {
	wide := p.ks.width()
	lo, hi = share(ceilDiv(p.outs, wide), p.colBlocks, i)
	return lo * wide, min(hi*wide, p.outs)
}

// dwChunk is one chunk: a slice of channels of x by a block of channels of dy.
type dwChunk[T Float] struct {
	worker     int
	dst        []T
	dstAt      int
	accumulate bool
	ch0, ch1   int // channels of x, within the group
	group      int
	lo, hi     int // channels of dy, within the group
}

// Chunk computes a slice of the kernel's gradient from a part of the pixels.
func (p *kernelGradPlan[T]) Chunk(i, worker int) {
	c := dwChunk[T]{worker: worker, dst: p.call.dst, accumulate: p.call.accumulate}
	part := i % p.parts
	if p.parts > 1 {
		c.dst, c.dstAt, c.accumulate = p.call.work, p.partial+part*p.kernelSize(), false
	}
	i /= p.parts
	c.lo, c.hi = p.columns(i % p.colBlocks)
	i /= p.colBlocks
	c.ch0, c.ch1 = share(p.chans/p.small, p.slices, i%p.slices)
	c.ch0, c.ch1 = c.ch0*p.small, c.ch1*p.small
	c.group = i / p.slices
	if p.lanewise {
		c.lo, c.hi = c.ch0, c.ch1
	}
	from, to := share(p.blocks, p.parts, part)
	for b := from; b < to; b++ {
		p.pixels(&c, b, to)
		c.accumulate = true
	}
	p.workers[worker].release()
}

// pixels adds the contribution of one block of pixels, of those below to, to a chunk's result.
func (p *kernelGradPlan[T]) pixels(c *dwChunk[T], b, to int) {
	n0, n1, first, band := p.block(b)
	f, size := p.frame, p.ks.size
	if !f.inPlace {
		f.chans = c.ch1 - c.ch0
		f.pixel, f.rowPitch = f.chans, f.cols*f.chans
	}
	w := &p.workers[c.worker]
	scratch := p.call.work[p.copies+c.worker*p.copySize:][:p.copySize]
	fillFrame := func() unsafe.Pointer {
		return fill(&f, p.ks, &w.block, p.call.a, scratch, n0, n1, c.group*p.chans+c.ch0, first, band)
	}
	t := &w.tile
	*t = tile{
		rs: size, ks: p.StrideW * f.pixel * size, ss: p.StrideH * f.rowPitch * size, ps: f.imgPitch * size,
		count: p.OutW(), segs: band, planes: n1 - n0, rc: p.O * size,
	}
	if c.accumulate {
		t.accumulate = 1
	}
	if b+1 < to {
		t.expect(p.sources(c, b+1))
	}
	panel := p.right(c, t, (n0*p.OutH()+first)*p.OutW(), (n1-n0)*band*p.OutW())
	if !p.lanewise {
		p.taps(c, t, &f, fillFrame(), panel)
		return
	}
	for f.element = range p.small {
		p.tapsLanewise(c, t, &f, fillFrame())
	}
}

// block returns the images and the rows of results of a block of pixels.
func (p *kernelGradPlan[T]) block(b int) (n0, n1, first, band int) {
	n0 = b / p.bands * p.images
	first = b % p.bands * p.band
	return n0, min(n0+p.images, p.N), first, min(p.band, p.OutH()-first)
}

// sources returns the memory of x and dy that a chunk reads for a block of pixels.
func (p *kernelGradPlan[T]) sources(c *dwChunk[T], b int) (x, dy stretch) {
	n0, n1, first, band := p.block(b)
	f := &p.frame
	top := max(0, f.row0+first*f.step)
	if first > 0 {
		top = max(top, f.row0+(first-1)*f.step+f.rows) // the block before has read up to here
	}
	from := n0*f.h + top
	to := (n1-1)*f.h + min(f.h, f.row0+(first+band-1)*f.step+f.rows)
	x = stretchOf(p.call.a, from*f.w*f.c+c.group*p.chans+c.ch0, (to-from)*f.w, c.ch1-c.ch0, f.c)
	pixel := (n0*p.OutH() + first) * p.OutW()
	dy = stretchOf(p.call.b, pixel*p.O+c.group*p.outs+c.lo, (n1-n0)*band*p.OutW(), c.hi-c.lo, p.O)
	return x, dy
}

// right points the tile at dy's rows from pixel on, packed if that pays, and returns the distance of panels in bytes.
func (p *kernelGradPlan[T]) right(c *dwChunk[T], t *tile, pixel, n int) int {
	wide, size := p.ks.width(), p.ks.size
	src := at(p.call.b, pixel*p.O+c.group*p.outs+c.lo)
	if !p.pack {
		t.b, t.ldb = src, p.O*size
		return wide * size
	}
	dst := at(p.call.work, p.panels+c.worker*p.panelsSize)
	packing{p.ks, &p.workers[c.worker].block}.pack(dst, n, 0, src, matrix{p.O, 1}, n, c.hi-c.lo)
	t.b, t.ldb = dst, wide*size
	return n * wide * size
}

// taps runs the tiles of all taps. Where pixels lie side by side with all their channels, a kernel row's taps are one
// run of rows.
func (p *kernelGradPlan[T]) taps(c *dwChunk[T], t *tile, f *frame, origin unsafe.Pointer, panel int) {
	size := p.ks.size
	rows, runs := c.ch1-c.ch0, p.KW
	apartH, apartW := p.dilation()
	if rows == f.pixel && rows == p.chans && apartW == 1 {
		rows, runs = rows*p.KW, 1
	}
	for kh := range p.KH {
		for kw := range runs {
			t.a = unsafe.Add(origin, (kh*apartH*f.rowPitch+kw*apartW*f.pixel)*size)
			row := (kh*p.KW+kw)*p.chans + c.ch0
			t.c = at(c.dst, c.dstAt+row*p.O+c.group*p.outs+c.lo)
			p.ks.grid(t, rows, c.hi-c.lo, panel)
		}
	}
}

// tapsLanewise runs the tiles of all taps for one element of the small groups of x: their rows are the taps of a kernel row.
func (p *kernelGradPlan[T]) tapsLanewise(c *dwChunk[T], t *tile, f *frame, origin unsafe.Pointer) {
	size, tap := p.ks.size, p.small*p.O
	apartH, apartW := p.dilation()
	t.rs, t.rc = apartW*f.pixel*size, tap*size
	for kh := range p.KH {
		t.a = unsafe.Add(origin, kh*apartH*f.rowPitch*size)
		t.c = at(c.dst, c.dstAt+kh*p.KW*tap+f.element*p.O+c.lo)
		p.ks.lanegrid(t, p.KW, c.hi-c.lo)
	}
}
