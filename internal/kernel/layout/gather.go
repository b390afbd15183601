package layout

import "fmt"

// Gather takes from each row i of x, which is [len(labels), cols], the element that the label names:
// dst[i] = x[i*cols + labels[i]]. Rows are independent: a caller may cut all slices alike.
func Gather[T any](dst, x []T, labels []int32, cols int) {
	dst, x = dst[:len(labels)], x[:len(labels)*cols]
	for i, label := range labels {
		dst[i] = x[i*cols : (i+1)*cols][label]
	}
}

// Scatter is Gather's transpose: row i of dst, which is [len(labels), cols], is zero but for src[i] where the label says.
func Scatter[T any](dst, src []T, labels []int32, cols int) {
	dst, src = dst[:len(labels)*cols], src[:len(labels)]
	clear(dst)
	for i, label := range labels {
		dst[i*cols : (i+1)*cols][label] = src[i]
	}
}

// Validate returns an error that names the first index outside [0, n), on which the operations here would panic, and what it is.
func Validate(what string, indices []int32, n int) error {
	for i, k := range indices {
		if k < 0 || int(k) >= n {
			return fmt.Errorf("%s %d is %d: want 0 to %d", what, i, k, n-1)
		}
	}
	return nil
}
