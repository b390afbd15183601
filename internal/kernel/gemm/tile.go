package gemm

import (
	"math"
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// tile is what a kernel is told: one tile of the result and its two operands, strides in bytes. Kernels in
// assembly read it by offset, so its layout is fixed.
//
// The inner index is (p, s, k), p < planes, s < segs, k < count. A's element in row i lies at
// a + i*rs + p*ps + s*ss + k*ks. B's row follows B's row at distance ldb, without a break between segments and planes.
type tile struct {
	a, b, c    unsafe.Pointer
	rs, ks     int
	ss, ps     int
	ldb, rc    int    // distance of rows in b and in c
	count      int    // inner steps of a segment
	segs       int    // segments of a plane
	planes     int    // planes
	mask       uint64 // the low bits, one for each valid column
	accumulate int    // 1: add to c, 0: overwrite it
	// Each inner step asks for a cache line, for a later tile: lines of them from next on, then, after skipping so many
	// bytes, as many as a row has, and so on.
	next                  uintptr
	lines, rowLines, skip int

	// What kernels do not see: memory that next is to walk, and whether each tile is to ask for the next one's rows of a.
	soon   [2]stretch
	stream bool
}

// stretch is a rectangle of memory: rows of so many cache lines, the first at an address, at a distance in bytes. Of the
// first row, done lines are no longer wanted. The address is a number, since asking for memory does not touch it.
type stretch struct {
	at                uintptr
	rows, lines, done int
	pitch             int
}

// expect says that the tiles from now on may ask for a stretch of memory that will be needed after them. Where
// operands are in main memory, this is how reading them takes place during the arithmetic and not before it.
func (t *tile) expect(first, second stretch) { t.soon = [2]stretch{first, second} }

// expectRows says, before what else is expected, that the tile behind the i-th of a cut will read rows of a from p on, at a
// distance of rs bytes, if each is to ask for those of the next, and, after that, that it will write n columns of rows of c.
func (t *tile) expectRows(p uintptr, rs int, c uintptr, n, size int, cut rowCut, i int) {
	if !t.stream {
		return
	}
	t.soon[0] = stretch{}
	if i+1 == cut.tiles {
		return
	}
	_, rows := cut.tile(i + 1)
	t.soon[0] = newStretch(p, rows, t.count*size, rs)
	if t.soon[1].rows <= 0 {
		t.soon[1] = newStretch(c, rows, n*size, t.rc)
	}
}

// ask gives the next kernel the part of the expected memory that it has the steps for, or else what it reads anyway.
func (t *tile) ask() {
	s := &t.soon[0]
	if s.rows <= 0 {
		if t.soon[1].rows <= 0 {
			t.next, t.lines = uintptr(t.b), math.MaxInt
			return
		}
		s = &t.soon[1]
	}
	t.next = s.at + uintptr(s.done*cacheLine)
	t.lines = math.MaxInt // walking on behind the end does no harm
	if s.rows > 1 {
		t.lines, t.rowLines, t.skip = s.lines-s.done, s.lines, s.pitch-s.lines*cacheLine
	}
	if s.done += t.count * t.segs * t.planes; s.done < s.lines {
		return
	}
	if s.rows == 1 {
		s.rows = 0
		return
	}
	rows := s.done / s.lines
	s.done -= rows * s.lines
	s.rows -= rows
	s.at += uintptr(rows * s.pitch)
}

// kernels is what an instruction set offers for an element type: tiles of 1 to rows rows and 1 to vecs vectors.
type kernels struct {
	rows  int // most rows of a tile
	lanes int // elements of a vector
	vecs  int // most vectors in a tile's row
	size  int // bytes of an element
	// maskWide says that tiles of several vectors obey the mask. Those of one vector always do; the mask has the columns before some one.
	maskWide bool
	tiles    [][]func(*tile) // by rows-1 and vectors-1
	// Tiles of one vector, by rows-1, where A has vectors for elements: their lanes are multiplied by those of B.
	lanewise []func(*tile)
	// Inner products of one row, or of eight, with the vector at b: count contiguous elements each.
	dot, dot8 func(*tile)
	move      func(*block) // copies a matrix
	deal      func(*block) // copies a matrix in pieces
	flip      func(*block) // copies a matrix transposed: dst[j][i] = src[i][j]
	// Copies a matrix whose columns are in groups of so many, with one element of its group in each: dst[i][j] = src[i][j/group*group+element].
	spread   func(b *block, group, element int)
	peak     func(int) // does rounds of peakChains multiply-adds of vectors
	winograd winogradKernels
}

// block is a matrix to copy, distances of rows in bytes. Its layout is fixed too.
type block struct {
	dst, src   unsafe.Pointer
	rows, cols int // of src; cols counts elements
	ldd, lds   int
	// For deal alone: each row is cut into pieces of so many elements, at most a panel's; gap is the distance in bytes
	// of their copies. A copy fills whole vectors, with zeros behind the piece.
	piece, gap int
	// For spread alone: which 4 bytes of a vector of the source each 4 bytes of the copy are.
	index [16]int32
}

// width returns the columns of a panel.
func (ks *kernels) width() int { return ks.lanes * ks.vecs }

func kernelsFor[T Float](set isa.Set) *kernels {
	if ks := vectorKernels(size[T](), set); ks != nil {
		return ks
	}
	return goKernels[T]()
}

// columns runs tiles of m rows over n columns, of which t names the first. Panels of b lie panel bytes apart.
func (ks *kernels) columns(t *tile, m, n, panel int) {
	byRows := ks.tiles[m-1]
	b, c := t.b, t.c
	wide := ks.width()
	full := byRows[ks.vecs-1]
	t.mask = 1<<wide - 1
	for ; n >= wide; n -= wide {
		t.ask()
		full(t)
		if n == wide {
			break
		}
		t.b = unsafe.Add(t.b, panel)
		t.c = unsafe.Add(t.c, wide*ks.size)
	}
	if n > 0 && n < wide {
		ks.edge(t, byRows, n)
	}
	t.b, t.c = b, c
}

// edge runs the tiles of the last n columns, fewer than a panel has.
func (ks *kernels) edge(t *tile, byRows []func(*tile), n int) {
	if vecs := ceilDiv(n, ks.lanes); vecs == 1 || ks.maskWide {
		t.mask = 1<<n - 1
		t.ask()
		byRows[vecs-1](t)
		return
	}
	whole := n / ks.lanes
	t.mask = 1<<(whole*ks.lanes) - 1
	t.ask()
	byRows[whole-1](t)
	if n -= whole * ks.lanes; n > 0 {
		t.b = unsafe.Add(t.b, whole*ks.lanes*ks.size)
		t.c = unsafe.Add(t.c, whole*ks.lanes*ks.size)
		t.mask = 1<<n - 1
		t.ask()
		byRows[0](t)
	}
}

// rowCut is an extent of rows as the fewest tiles of nearly equal height: so many high ones, the others one row lower.
type rowCut struct{ tiles, high, height int }

func (ks *kernels) cutRows(m int) rowCut {
	tiles := ceilDiv(m, ks.rows)
	height := ceilDiv(m, tiles)
	return rowCut{tiles: tiles, high: m - tiles*(height-1), height: height}
}

// tile returns the first row of the i-th tile and how many it has.
func (r rowCut) tile(i int) (first, rows int) {
	if i < r.high {
		return i * r.height, r.height
	}
	return i*r.height - (i - r.high), r.height - 1
}

// grid runs tiles over m rows and n columns.
func (ks *kernels) grid(t *tile, m, n, panel int) {
	a, c := t.a, t.c
	cut := ks.cutRows(m)
	for i := range cut.tiles {
		first, rows := cut.tile(i)
		t.a = unsafe.Add(a, first*t.rs)
		t.c = unsafe.Add(c, first*t.rc)
		t.expectRows(uintptr(t.a)+uintptr(rows*t.rs), t.rs, uintptr(t.c)+uintptr(rows*t.rc), n, ks.size, cut, i)
		ks.columns(t, rows, n, panel)
	}
	t.a, t.c = a, c
}

// newStretch returns the memory of rows of so many bytes, at a distance in bytes.
func newStretch(p uintptr, rows, bytes, pitch int) stretch {
	if bytes == pitch { // nothing between the rows
		rows, bytes = 1, rows*bytes
	}
	head := int(p % cacheLine)
	return stretch{at: p, rows: rows, lines: ceilDiv(head+bytes, cacheLine), pitch: pitch}
}

// stretchOf returns the memory of a matrix with so many rows and columns, which starts at element i of s.
func stretchOf[T Float](s []T, i, rows, cols, pitch int) stretch {
	if rows <= 0 || cols <= 0 {
		return stretch{}
	}
	return newStretch(uintptr(at(s, i)), rows, cols*size[T](), pitch*size[T]())
}

// at returns the address of s[i].
func at[T Float](s []T, i int) unsafe.Pointer { return unsafe.Pointer(&s[i]) }
