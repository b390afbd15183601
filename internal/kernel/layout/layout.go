// Package layout moves and combines the elements of row-major arrays: permutations, slices, pads, broadcasts, axis
// reductions, pooling windows, gathers.
//
// A plan is made once from shapes, and run on slices as often as needed. It cuts its work into chunks that may run at the
// same time: their number and their results depend on the shapes alone. Running allocates nothing. Plans panic on shapes
// and slices that do not belong together: those are errors of the program that made them, which has checked its user's.
package layout

import "fmt"

// chunkElements is the number of elements that are worth a chunk of their own.
const chunkElements = 1 << 14

// maxAxes bounds the axes that are left after the ones that move together were merged.
const maxAxes = 12

// product is the number of elements of an array.
func product(shape []int) int {
	n := 1
	for _, size := range shape {
		n *= size
	}
	return n
}

// strides are the distances between neighbours along each axis of a row-major array.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = step
		step *= shape[i]
	}
	return s
}

func sameRank(what string, rank int, lists ...[]int) {
	for _, l := range lists {
		if len(l) != rank {
			panic(fmt.Sprintf("layout: %s: a list of %d for %d axes", what, len(l), rank))
		}
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
