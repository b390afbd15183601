package engine

import (
	"math"

	"shadowflow/graph"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// instr is one operation on slots: tiles of arrays, registers, or repeated operands.
type instr[T graph.Float] struct {
	tiled[T]
	dst        int32
	a, b, c    int32
	reduce     reduction
	sum        bool   // of a reduction: else it is a maximum
	out        ref[T] // of a reduction
	partial    []T    // of a reduction: what chunks, or parts of rows, come to
	partials   int    // its length
	partialLen int    // of which each chunk has so many
}

// load is an operand from memory, or a known number.
type load[T graph.Float] struct {
	kind operandKind
	src  ref[T]
	c    T
	slot int32
}

// fusedStep runs elementwise operations and reductions over tiles of arrays seen as [size/cols, cols].
type fusedStep[T graph.Float] struct {
	k          *vec.Kernels[T]
	pool       *par.Pool
	size, cols int
	tile       int // elements of a full tile
	tileRows   int // rows of a full tile, 0 where a tile is part of a row
	rowTiles   int // tiles of a row, where a tile is part of a row
	tiles      int
	perChunk   int // tiles of a chunk
	chunks     int
	loads      []load[T]
	code       []instr[T]
	slots      int
	registers  []int32 // slots that are registers
	workers    []fusedWorker[T]
	far        bool          // the arrays do not stay in a core's own caches
	stream     bool          // results go to memory past the caches: they would not stay there until they are read
	streamed   []streamed[T] // these results
	sources    []ref[T]      // the arrays read whole
	distant    []ref[T]      // of these, those that are not made in its chain, just before
}

// fusedWorker is one worker's scratch.
type fusedWorker[T graph.Float] struct {
	slots  [][]T
	memory [][]T // per slot; nil for arrays read in place
	length int   // what register slots are cut to
}

// The sizes of tiles and chunks: a tile's registers stay in the nearest caches; a chunk is worth a thread's while. Of arrays large enough
// there are a few chunks at least, so that workers end at about the same time.
const (
	tileBytes  = 4096
	leastChunk = 4096 // elements
	mostChunk  = 16384
	fewChunks  = 8
	maxChunks  = 512
	farBytes   = 1 << 19 // arrays larger than this do not stay in a core's own caches
)

// layOut fixes tiles and chunks. They depend on shapes alone.
func (s *fusedStep[T]) layOut(elemSize int) {
	full := tileBytes / elemSize
	switch {
	case s.cols == 0:
		s.cols = s.size
		fallthrough
	default:
		if s.cols <= full {
			s.tileRows = min(full/s.cols, s.size/s.cols)
			s.tile = s.tileRows * s.cols
			s.tiles = (s.size/s.cols + s.tileRows - 1) / s.tileRows
		} else {
			s.rowTiles = (s.cols + full - 1) / full
			s.tile = full
			s.tiles = s.size / s.cols * s.rowTiles
		}
	}
	s.perChunk = max(1, min(max(s.size/fewChunks, leastChunk), mostChunk)/s.tile)
	if s.rowTiles > 1 && s.rowTiles < s.size/s.cols*s.rowTiles {
		s.perChunk = max(s.rowTiles, s.perChunk/s.rowTiles*s.rowTiles) // whole rows
	}
	for (s.tiles+s.perChunk-1)/s.perChunk > maxChunks {
		s.perChunk *= 2
	}
	s.chunks = (s.tiles + s.perChunk - 1) / s.perChunk
	s.far = s.size*elemSize > farBytes
	s.stream = s.size*elemSize >= vec.StreamBytes
}

// repeated reports whether the operand is repeated in memory of a worker's own.
func (s *fusedStep[T]) repeated(l *load[T]) bool {
	return l.kind != readWhole && (l.kind != readRow || s.tileRows > 0)
}

// scratch returns the elements of the step's own memory.
func (s *fusedStep[T]) scratch() int {
	slots, partials := len(s.registers)+len(s.streamed), 0
	for i := range s.loads {
		if s.repeated(&s.loads[i]) {
			slots++
		}
	}
	for i := range s.code {
		partials += s.code[i].partials
	}
	return slots*s.tile*s.pool.Workers() + partials
}

func (s *fusedStep[T]) allocate() {
	for i := range s.code {
		s.code[i].partial = make([]T, s.code[i].partials)
	}
	for range s.pool.Workers() {
		s.workers = append(s.workers, s.newWorker())
	}
}

func (s *fusedStep[T]) newWorker() fusedWorker[T] {
	w := fusedWorker[T]{slots: make([][]T, s.slots), memory: make([][]T, s.slots)}
	for _, r := range s.registers {
		w.memory[r] = make([]T, s.tile)
	}
	for _, r := range s.streamed {
		w.memory[r.value] = make([]T, s.tile)
	}
	for i := range s.loads {
		if l := &s.loads[i]; s.repeated(l) {
			w.memory[l.slot] = make([]T, s.tile)
			if l.kind == readConst {
				s.k.Fill(w.memory[l.slot], l.c)
			}
		}
	}
	return w
}

func (s *fusedStep[T]) run(*Program) error {
	s.begin()
	s.pool.Run(s.chunks, s)
	s.end()
	return nil
}

func (s *fusedStep[T]) begin() { s.findOver() }

// end makes the sums and maxima of what the chunks came to.
func (s *fusedStep[T]) end() {
	for i := range s.code {
		if in := &s.code[i]; in.reduce != reduceNone {
			s.combine(in)
		}
	}
}

func (s *fusedStep[T]) parts() int { return s.chunks }

func (s *fusedStep[T]) makes(chunk int) (lo, hi int) {
	lo, _, _, _ = s.tileAt(chunk * s.perChunk)
	off, _, _, n := s.tileAt(min((chunk+1)*s.perChunk, s.tiles) - 1)
	return lo, off + n
}

func (s *fusedStep[T]) reads(_, chunk int) (lo, hi int) { return s.makes(chunk) }

// Chunk runs the tiles of chunk c.
func (s *fusedStep[T]) Chunk(c, worker int) {
	w := &s.workers[worker]
	w.length = -1
	for i := range s.loads {
		l := &s.loads[i]
		switch {
		case l.kind == readScalar:
			s.k.Fill(w.memory[l.slot], l.src.get()[0])
		case l.kind == readRow && s.tileRows > 0:
			m, row := w.memory[l.slot], l.src.get()
			for at := 0; at < len(m); at += len(row) {
				copy(m[at:], row)
			}
		}
	}
	s.clear(c)
	last := min((c+1)*s.perChunk, s.tiles)
	for t := c * s.perChunk; t < last; t++ {
		s.runTile(w, c, t)
	}
}

// clear empties chunk c's part of the reductions' partial results.
func (s *fusedStep[T]) clear(c int) {
	for i := range s.code {
		in := &s.code[i]
		if in.reduce != reduceAll && in.reduce != reduceRows {
			continue
		}
		start := T(0)
		if !in.sum {
			start = T(math.Inf(-1))
		}
		s.k.Fill(in.partial[c*in.partialLen:(c+1)*in.partialLen], start)
	}
}

// tileAt returns tile t's first element, row and column, and its number of elements.
func (s *fusedStep[T]) tileAt(t int) (off, row, col, n int) {
	if s.tileRows > 0 {
		row = t * s.tileRows
		off = row * s.cols
		return off, row, 0, min(s.tile, s.size-off)
	}
	row, col = t/s.rowTiles, t%s.rowTiles*s.tile
	return row*s.cols + col, row, col, min(s.tile, s.cols-col)
}

func (s *fusedStep[T]) runTile(w *fusedWorker[T], c, t int) {
	off, row, col, n := s.tileAt(t)
	if n != w.length {
		w.length = n
		for i, m := range w.memory {
			if m != nil {
				w.slots[i] = m[:n]
			}
		}
	}
	for i := range s.loads {
		l := &s.loads[i]
		switch l.kind {
		case readWhole:
			w.slots[l.slot] = l.src.get()[off : off+n]
		case readRow:
			if s.tileRows == 0 {
				w.slots[l.slot] = l.src.get()[col : col+n]
			}
		case readColumn:
			s.repeat(w.memory[l.slot][:n], l.src.get()[row:])
		}
	}
	for _, r := range s.streamed {
		if r.over {
			w.slots[r.value] = w.slots[r.array]
		}
	}
	ahead := s.far && t+1 < s.tiles
	for i := range s.code {
		in := &s.code[i]
		if ahead {
			s.prefetch(t+1, i)
		}
		switch {
		case in.reduce != reduceNone:
			s.reduceTile(in, w.slots[in.a], c, t, row, col)
		case in.f2 != nil:
			in.f2(w.slots[in.dst], w.slots[in.a], w.slots[in.b])
		case in.f1 != nil:
			in.f1(w.slots[in.dst], w.slots[in.a])
		default:
			in.f3(w.slots[in.dst], w.slots[in.a], w.slots[in.b], w.slots[in.c])
		}
	}
}

// prefetch asks, before instruction i, for its share of the arrays of tile t, which comes next: a tile is a page or less, and the
// processor does not foresee the next page of several arrays at once.
func (s *fusedStep[T]) prefetch(t, i int) {
	off, _, _, n := s.tileAt(t)
	const parts = 4
	pieces := parts * len(s.distant)
	for p := i * pieces / len(s.code); p < (i+1)*pieces/len(s.code); p++ {
		array := s.distant[p/parts].get()[off : off+n]
		from := p % parts * n / parts
		vec.Prefetch(array[from : from+n/parts])
	}
}

// repeat fills whole rows of dst, or the part of one row that it is, with the rows' values.
func (s *fusedStep[T]) repeat(dst, values []T) {
	if s.tileRows == 0 {
		s.k.Fill(dst, values[0])
		return
	}
	if s.cols < 16 {
		for i := range len(dst) / s.cols {
			v, part := values[i], dst[i*s.cols:(i+1)*s.cols]
			for j := range part {
				part[j] = v
			}
		}
		return
	}
	for i := range len(dst) / s.cols {
		s.k.Fill(dst[i*s.cols:(i+1)*s.cols], values[i])
	}
}

func (s *fusedStep[T]) reduceTile(in *instr[T], x []T, c, t, row, col int) {
	switch in.reduce {
	case reduceAll:
		if in.sum {
			in.partial[c] += s.k.Sum(x)
			return
		}
		in.partial[c] = largest(in.partial[c], s.k.MaxOf(x))
	case reduceRows:
		acc := in.partial[c*in.partialLen : (c+1)*in.partialLen]
		switch {
		case in.sum && s.tileRows > 0:
			s.k.AddRowsInto(acc, x)
		case in.sum:
			part := acc[col : col+len(x)]
			s.k.Add(part, part, x)
		case s.tileRows > 0:
			for i := 0; i < len(x); i += s.cols {
				s.k.Max(acc, acc, x[i:i+s.cols])
			}
		default:
			part := acc[col : col+len(x)]
			s.k.Max(part, part, x)
		}
	case reduceCols:
		if s.tileRows == 0 {
			if in.sum {
				in.partial[t] = s.k.Sum(x)
			} else {
				in.partial[t] = s.k.MaxOf(x)
			}
			return
		}
		out := in.out.get()[row : row+len(x)/s.cols]
		if in.sum {
			s.k.SumRows(out, x)
		} else {
			s.k.MaxRows(out, x)
		}
	}
}

// largest is the larger of two numbers, NaN if either is.
func largest[T graph.Float](a, b T) T {
	if a > b || a != a {
		return a
	}
	return b
}

// combine adds up the partial results of a reduction, in order.
func (s *fusedStep[T]) combine(in *instr[T]) {
	out := in.out.get()
	switch in.reduce {
	case reduceAll:
		if in.sum {
			out[0] = s.k.Sum(in.partial)
		} else {
			out[0] = s.k.MaxOf(in.partial)
		}
	case reduceRows:
		copy(out, in.partial[:s.cols])
		rest := in.partial[s.cols:]
		if in.sum {
			if len(rest) > 0 {
				s.k.AddRowsInto(out, rest)
			}
			return
		}
		for ; len(rest) > 0; rest = rest[s.cols:] {
			s.k.Max(out, out, rest[:s.cols])
		}
	case reduceCols:
		if s.tileRows > 0 {
			return
		}
		if in.sum {
			s.k.SumRows(out, in.partial)
		} else {
			s.k.MaxRows(out, in.partial)
		}
	}
}
