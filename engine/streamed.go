package engine

import (
	"slices"
	"unsafe"

	"shadowflow/graph"
	"shadowflow/internal/kernel/vec"
)

// streamed is a result that a fused step puts into memory past the caches, tile by tile, behind the operation that computes it.
type streamed[T graph.Float] struct {
	value, array int32 // the slots of a tile of the step's own, and of the array
	to           ref[T]
	// over says that the array is one that the step reads: the caches have its lines, to stream would hold the processor up for nothing, and the operation
	// writes there at once. Only a run knows, for outputs may be given the memory of inputs.
	over bool
}

// findOver finds out which results this run writes over what it reads.
func (s *fusedStep[T]) findOver() {
	for i := range s.streamed {
		r := &s.streamed[i]
		r.over = slices.ContainsFunc(s.sources, func(from ref[T]) bool { return sameStart(from.get(), r.to.get()) })
	}
}

// sameStart reports whether two arrays begin at the same element.
func sameStart[T graph.Float](a, b []T) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }

// stream is [vec.Stream], but for what was written where it belongs.
func stream[T graph.Float](dst, src []T) {
	if !sameStart(dst, src) {
		vec.Stream(dst, src)
	}
}
