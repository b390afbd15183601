package dataset

import (
	"fmt"
	"slices"
	"unsafe"

	"shadowflow/internal/memory"
)

// What compressed data may become before it is asked how much it grew, and how much it may grow. Deflate makes at most 1032 bytes of one, and
// that of nothing but repetition.
const (
	freeExpansion = 16 << 20 // bytes
	maxExpansion  = 500
)

// room returns an error if so many elements of a type are more than this process can hold.
func room[T any](n int) error {
	var one T
	if err := memory.Check(int64(n) * int64(unsafe.Sizeof(one))); err != nil {
		return fmt.Errorf("the data %w", err)
	}
	return nil
}

// extend returns x with room for n more elements. What it takes at least doubles each time, and is asked for first: a file may hold more than
// there is memory for.
func extend[T any](x []T, n int) ([]T, error) {
	if len(x)+n <= cap(x) {
		return x, nil
	}
	want := max(len(x)+n, 2*cap(x))
	if err := room[T](want); err != nil {
		return x, err
	}
	return slices.Grow(x, want-len(x)), nil
}

// expansion counts what a compressed stream consists of, and what it becomes.
type expansion struct{ in, out int64 }

// tooMuch says of a stream that became far more than data does, empty if it did not.
func (e expansion) tooMuch() string {
	if e.out <= freeExpansion || e.out/maxExpansion <= e.in {
		return ""
	}
	return fmt.Sprintf("%s of it become %s", memory.Format(e.in), memory.Format(e.out))
}

// wantData is what an error wants instead.
const wantData = "data, which compresses less; if it is meant, give the same without compression"
