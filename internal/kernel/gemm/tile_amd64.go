package gemm

import (
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// vectorKernels returns the kernels in assembly for elements of the given size, or nil.
func vectorKernels(size int, set isa.Set) *kernels {
	switch {
	case set == isa.AVX512 && size == 4:
		return &kernelsF32AVX512
	case set == isa.AVX512:
		return &kernelsF64AVX512
	case set == isa.AVX2 && size == 4:
		return &kernelsF32AVX2
	case set == isa.AVX2:
		return &kernelsF64AVX2
	}
	return nil
}

// flipEdges makes a transposed copy of any extent from one of squares, n high and wide.
func flipEdges[T Float](squares func(*block), n int) func(*block) {
	return func(b *block) {
		whole := *b
		rows, cols := b.rows/n*n, b.cols/n*n
		if rows > 0 && cols > 0 {
			b.rows, b.cols = rows, cols
			squares(b)
		}
		size := size[T]()
		if rows < whole.rows {
			*b = whole
			b.rows -= rows
			b.src, b.dst = unsafe.Add(b.src, rows*b.lds), unsafe.Add(b.dst, rows*size)
			flipGo[T](b)
		}
		if cols < whole.cols && rows > 0 {
			*b = whole
			b.rows, b.cols = rows, whole.cols-cols
			b.src, b.dst = unsafe.Add(b.src, cols*size), unsafe.Add(b.dst, cols*b.ldd)
			flipGo[T](b)
		}
		*b = whole
	}
}

// spreadEdges makes a spread copy of any extent from one of whole vectors of n elements. Groups fit into a vector.
func spreadEdges[T Float](vectors func(*block), n int) func(b *block, group, element int) {
	words := size[T]() / 4
	return func(b *block, group, element int) {
		whole := *b
		if b.cols = b.cols / n * n; b.cols > 0 {
			for i := range n * words {
				lane := i / words
				b.index[i] = int32((lane/group*group+element)*words + i%words)
			}
			vectors(b)
		}
		if done := b.cols; done < whole.cols {
			b.cols = whole.cols - done
			b.src, b.dst = unsafe.Add(b.src, done*size[T]()), unsafe.Add(b.dst, done*size[T]())
			spreadGo[T](b, group, element)
		}
		*b = whole
	}
}
