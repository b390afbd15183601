package gemm

import (
	"math/bits"

	"shadowflow/internal/kernel/isa"
)

// vectorKernels returns the kernels in assembly for elements of the given size, or nil.
func vectorKernels(size int, set isa.Set) *kernels {
	switch {
	case set == isa.NEON && size == 4:
		return &kernelsF32NEON
	case set == isa.NEON:
		return &kernelsF64NEON
	}
	return nil
}

// byColumns makes a tile that obeys its mask of those for one column, two and so on.
func byColumns(tiles ...func(*tile)) func(*tile) {
	return func(t *tile) { tiles[bits.Len64(t.mask)-1](t) }
}
