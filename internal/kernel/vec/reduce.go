package vec

import (
	"math"
	"math/bits"
	"unsafe"
)

// The order of summation, which every instruction set follows.
const (
	sumBlock   = 4096 // elements that share one set of partial sums
	laneBytes  = 256  // the size of that set: four AVX-512 registers or eight AVX2 ones
	maxLanes   = laneBytes / 4
	rowsBlock  = 1024 // rows that share one set of partial column sums
	rowsStride = 4    // partial sums a column
)

// lanes returns the partial sums to use for n elements. Lanes that get no element stay zero, and folding zeros changes
// nothing, so a short sum may leave them out.
func lanes[T Float](p *[maxLanes]T, n int) []T {
	all := laneBytes / int(unsafe.Sizeof(p[0]))
	if n >= all/2 {
		return p[:all]
	}
	return p[:1<<bits.Len(uint(n))]
}

// fold adds the upper half of the partial sums to the lower until one is left.
func fold[T Float](p []T) T {
	for len(p) > 1 {
		half := len(p) / 2
		for j := range half {
			p[j] += p[j+half]
		}
		p = p[:half]
	}
	return p[0]
}

// halve cuts n > sumBlock elements into two runs, the first a whole number of blocks and no shorter than the second by
// more than one block.
func halve(n int) int {
	blocks := (n + sumBlock - 1) / sumBlock
	return (blocks + 1) / 2 * sumBlock
}

func sum[T Float](x []T) T {
	if len(x) > sumBlock {
		h := halve(len(x))
		return sum(x[:h]) + sum(x[h:])
	}
	var partial [maxLanes]T
	p := lanes(&partial, len(x))
	for ; len(x) > len(p); x = x[len(p):] {
		for j := range p {
			p[j] += x[j]
		}
	}
	for j, v := range x {
		p[j] += v
	}
	return fold(p)
}

func dot[T Float](x, y []T) T {
	if len(x) > sumBlock {
		h := halve(len(x))
		return dot(x[:h], y[:h]) + dot(x[h:], y[h:])
	}
	var partial [maxLanes]T
	p := lanes(&partial, len(x))
	y = y[:len(x)]
	for ; len(x) > len(p); x, y = x[len(p):], y[len(p):] {
		for j := range p {
			p[j] += T(x[j] * y[j])
		}
	}
	for j, v := range x {
		p[j] += T(v * y[j])
	}
	return fold(p)
}

func maxOf[T Float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func sumRows[T Float](dst, x []T) {
	cols := columns(len(dst), len(x))
	for i := range dst {
		dst[i] = sum(x[i*cols : (i+1)*cols])
	}
}

func maxRows[T Float](dst, x []T) {
	cols := columns(len(dst), len(x))
	for i := range dst {
		dst[i] = maxOf(x[i*cols : (i+1)*cols])
	}
}

// columns is the length of each of the rows that n elements make.
func columns(rows, n int) int {
	if rows == 0 {
		return 0
	}
	return n / rows
}

func addRowsInto[T Float](acc, x []T) {
	cols := len(acc)
	if cols == 0 {
		return
	}
	for rows := len(x) / cols; rows > 0; {
		n := min(rows, rowsBlock)
		addRowsBlock(acc, x[:n*cols])
		x = x[n*cols:]
		rows -= n
	}
}

func addRowsBlock[T Float](acc, x []T) {
	cols := len(acc)
	for from := 0; from < cols; from += maxLanes {
		width := min(maxLanes, cols-from)
		var partial [rowsStride][maxLanes]T
		for i, at := 0, from; at < len(x); i, at = i+1, at+cols {
			p := partial[i%rowsStride][:width]
			for j, v := range x[at : at+width] {
				p[j] += v
			}
		}
		for j := range width {
			acc[from+j] += (partial[0][j] + partial[2][j]) + (partial[1][j] + partial[3][j])
		}
	}
}

func windowArgMax[T Float](index []int32, x []T, at, rows, rowStride, cols, colStride int) {
	for c := range index {
		best := at + c
		for i := range rows {
			for j := range cols {
				p := at + c + i*rowStride + j*colStride
				if v := x[p]; v > x[best] || v != v {
					best = p
				}
			}
		}
		index[c] = int32(best)
	}
}

func windowTake[T Float](dst, x []T, index []int32, _ int, _ Window) {
	dst = dst[:len(index)]
	for i, j := range index {
		dst[i] = x[j]
	}
}
