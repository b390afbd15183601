package stats

import (
	"math"
	"slices"
)

// Median returns the middle of some values, which is the mean of the two middle ones where their number is even; NaN of none, and if one of them is NaN.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 || math.IsNaN(sorted[0]) { // NaN is sorted to the front
		return math.NaN()
	}
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
