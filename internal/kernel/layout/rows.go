package layout

import "shadowflow/internal/kernel/vec"

// TakeRows is a plan to look rows of a table [.., cols] up: row i of the result is the one that indices[i] names.
type TakeRows[T any] struct{ count, cols, perChunk int }

// NewTakeRows plans so many look-ups of rows.
func NewTakeRows[T any](count, cols int) *TakeRows[T] {
	return &TakeRows[T]{count, cols, max(1, chunkElements/cols)}
}

// Chunks returns the number of chunks.
func (p *TakeRows[T]) Chunks() int { return ceilDiv(p.count, p.perChunk) }

// RunChunk takes the rows of chunk i. The indices are of rows that are there: see Validate.
func (p *TakeRows[T]) RunChunk(dst, table []T, indices []int32, i int) {
	for k := i * p.perChunk; k < min((i+1)*p.perChunk, p.count); k++ {
		copy(dst[k*p.cols:(k+1)*p.cols], table[int(indices[k])*p.cols:])
	}
}

// AddRows is a plan for the transpose of TakeRows: row r of the result is the sum of those source rows whose index is r, in their
// order, and zero where there is none. The source rows are sorted by index first, so that a chunk owns the rows that it writes.
type AddRows[T vec.Float] struct {
	add               vec.Binary[T]
	rows, count, cols int // of the result, and source rows
	perChunk          int // rows of the result in a chunk
}

// NewAddRows plans the sums of count rows into as many as rows.
func NewAddRows[T vec.Float](k *vec.Kernels[T], rows, count, cols int) *AddRows[T] {
	work := cols * (1 + count/rows) // elements that a row costs on average
	return &AddRows[T]{k.Add, rows, count, cols, max(1, chunkElements/work)}
}

// Scratch returns the number of elements of the scratch memory that Sort fills and RunChunk reads.
func (p *AddRows[T]) Scratch() int { return p.rows + 1 + p.count }

// Sort puts into scratch where the source rows of each row begin, and, in order, which these are.
func (p *AddRows[T]) Sort(scratch, indices []int32) {
	begin, order := scratch[:p.rows+1], scratch[p.rows+1:]
	clear(begin)
	for _, r := range indices {
		begin[r]++
	}
	for r := range p.rows {
		begin[r+1] += begin[r] // where row r ends; filling it from its end moves that to where it begins
	}
	for k := p.count - 1; k >= 0; k-- {
		r := indices[k]
		begin[r]--
		order[begin[r]] = int32(k)
	}
}

// Chunks returns the number of chunks.
func (p *AddRows[T]) Chunks() int { return ceilDiv(p.rows, p.perChunk) }

// rowsAhead is how many source rows before its turn one is asked for. They lie anywhere, which no processor foresees: twice the speed.
const rowsAhead = 8

// RunChunk makes the rows of chunk i.
func (p *AddRows[T]) RunChunk(dst, src []T, scratch []int32, i int) {
	begin, order := scratch[:p.rows+1], scratch[p.rows+1:]
	for r := i * p.perChunk; r < min((i+1)*p.perChunk, p.rows); r++ {
		sum, sources := dst[r*p.cols:(r+1)*p.cols], order[begin[r]:begin[r+1]]
		if len(sources) == 0 {
			clear(sum)
			continue
		}
		for j, k := range sources {
			if next := int(begin[r]) + j + rowsAhead; next < p.count {
				x := int(order[next]) * p.cols
				vec.Prefetch(src[x : x+p.cols])
			}
			if j == 0 {
				copy(sum, src[int(k)*p.cols:])
				continue
			}
			p.add(sum, sum, src[int(k)*p.cols:])
		}
	}
}
