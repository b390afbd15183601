package reproduce

import (
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
