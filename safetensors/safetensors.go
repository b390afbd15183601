// Package safetensors reads and writes the safetensors format: named arrays behind a JSON header, without code that runs when
// a file is opened. It accepts no file that the reference implementation refuses. Floating-point
// elements of 16 bits are read as float32 and whole numbers as int64; F32, F64 and I64 are written.
//
// A file is eight bytes with the header's length (little-endian), the header, and the elements of all arrays, row-major and
// little-endian, without gaps or overlaps. See https://github.com/huggingface/safetensors.
package safetensors

import (
	"fmt"
	"math/bits"
	"shadowflow/internal/visible"
	"strings"
)

// maxHeader is the longest header that the reference implementation accepts.
const maxHeader = 100_000_000

// maxRank is the largest number of dimensions that is read.
const maxRank = 64

// Tensor is a named array, row-major. Data is a []float32, []float64 or []int64. Where a tensor is to be written it may also be a
// func() []float32 or func() []float64, which Write calls when that tensor's turn has come: so a large array that must be
// rearranged for a file does not exist twice.
type Tensor struct {
	Name  string
	Shape []int // empty for a scalar
	Data  any
}

// Float64s returns the elements of a floating-point tensor as float64, false for another type. The slice may be the tensor's
// own.
func (t Tensor) Float64s() ([]float64, bool) {
	switch d := made(t.Data).(type) {
	case []float64:
		return d, true
	case []float32:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = float64(x)
		}
		return out, true
	}
	return nil, false
}

// DType returns the name of the element type in the format's spelling, empty for a type that it does not have.
func (t Tensor) DType() string {
	name, _, _ := t.elements()
	return name
}

// made returns the elements, asking for those that are not there yet.
func made(data any) any {
	switch f := data.(type) {
	case func() []float32:
		return f()
	case func() []float64:
		return f()
	}
	return data
}

// elements returns the element type's name, its size in bytes, and the number of elements, which for those that are not there yet
// is what the shape says.
func (t Tensor) elements() (dtype string, size, count int) {
	switch d := t.Data.(type) {
	case []float32:
		return "F32", 4, len(d)
	case []float64:
		return "F64", 8, len(d)
	case []int64:
		return "I64", 8, len(d)
	case func() []float32:
		return "F32", 4, t.Size()
	case func() []float64:
		return "F64", 8, t.Size()
	}
	return "", 0, 0
}

// Size returns the number of elements that fill the shape.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// File is the content of a safetensors file.
type File struct {
	Tensors  []Tensor          // in the order of their elements in the file
	Metadata map[string]string // free text; nil where the file has none
}

// FormatError says what is wrong with a file, and where.
type FormatError struct {
	File   string // empty when read from a stream
	Tensor string // empty when the fault is not in one tensor
	Offset int64  // bytes from the start of the file
	Reason string // what was found and what would be right
}

func (e *FormatError) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s: ", visible.Line(e.File))
	}
	b.WriteString("safetensors: ")
	if e.Tensor != "" {
		fmt.Fprintf(&b, "tensor %.120q: ", e.Tensor)
	}
	fmt.Fprintf(&b, "offset %d: %s", e.Offset, e.Reason)
	return b.String()
}

// product multiplies, and reports false when the result does not fit in 64 bits.
func product(shape []uint64) (uint64, bool) {
	n := uint64(1)
	for _, d := range shape {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}
