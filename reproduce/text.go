package reproduce

import (
	"fmt"
	"math"
	"strconv"

	"shadowflow/internal/stats"
)

// withInterval writes the mean of some values and its 95% confidence interval.
func withInterval(values []float64) string {
	mean, half := stats.Interval(values)
	if math.IsNaN(mean) {
		return "-"
	}
	if math.IsNaN(half) || half < 1e-12*math.Abs(mean) { // all are the same but for rounding
		return short(mean)
	}
	return short(mean) + " ± " + strconv.FormatFloat(half, 'g', 2, 64)
}

// withFactors writes the geometric mean of some positive values and its 95% confidence interval.
func withFactors(values []float64) string {
	mean, low, high := geometricIntervals([][]float64{values})
	if math.IsNaN(mean[0]) {
		return "-"
	}
	if math.IsNaN(low[0]) {
		return short(mean[0])
	}
	return fmt.Sprintf("%s [%.3g, %.3g]", short(mean[0]), low[0], high[0])
}

func counted(values []float64) int {
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// short writes a number to four digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
