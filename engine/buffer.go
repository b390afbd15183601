package engine

import (
	"slices"
	"unsafe"

	"shadowflow/graph"
)

// Buffer is an array in the caller's memory, row-major.
type Buffer struct {
	f32 []float32
	f64 []float64
	i32 []int32
}

// Of returns the buffer of a slice, which is not copied.
func Of[T float32 | float64 | int32](s []T) Buffer {
	switch s := any(s).(type) {
	case []float32:
		return Buffer{f32: s}
	case []float64:
		return Buffer{f64: s}
	case []int32:
		return Buffer{i32: s}
	}
	return Buffer{}
}

// NewBuffer returns a buffer of zeros.
func NewBuffer(t graph.DType, size int) Buffer {
	switch t {
	case graph.Float32:
		return Of(make([]float32, size))
	case graph.Float64:
		return Of(make([]float64, size))
	}
	return Of(make([]int32, size))
}

// Float64s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float64s() []float64 { return b.f64 }

// Float32s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float32s() []float32 { return b.f32 }

// Int32s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Int32s() []int32 { return b.i32 }

// fits reports whether the buffer holds what the specification wants.
func (b Buffer) fits(t graph.DType, size int) bool {
	switch t {
	case graph.Float32:
		return len(b.f32) == size
	case graph.Float64:
		return len(b.f64) == size
	}
	return len(b.i32) == size
}

// span is a range of addresses. Its methods take pointers, since a processor waits when it loads in one piece what it has just
// stored in two.
type span struct{ from, to uintptr }

func (s *span) overlaps(t *span) bool { return s.from < t.to && t.from < s.to }

// span returns the addresses that the buffer takes. Two of its slices are nil: their address and their length are 0.
func (b *Buffer) span() span {
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b.f32))) | uintptr(unsafe.Pointer(unsafe.SliceData(b.f64))) |
		uintptr(unsafe.Pointer(unsafe.SliceData(b.i32)))
	return span{from, from + uintptr(4*len(b.f32)+8*len(b.f64)+4*len(b.i32))}
}

// Clone returns a buffer with a copy of the slice.
func (b Buffer) Clone() Buffer {
	return Buffer{slices.Clone(b.f32), slices.Clone(b.f64), slices.Clone(b.i32)}
}

// arrayIn returns where a buffer holds elements of type T.
func arrayIn[T any](b *Buffer) *[]T {
	var zero T
	switch any(zero).(type) {
	case float32:
		return any(&b.f32).(*[]T)
	case float64:
		return any(&b.f64).(*[]T)
	}
	return any(&b.i32).(*[]T)
}
