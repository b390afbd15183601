package reproduce

import (
	"fmt"
	"math"
	"strconv"

	"shadowflow/experiment/sweep"
)

// withInterval writes the mean of some values and its 95% confidence interval.
func withInterval(values []float64) string {
	mean, half := sweep.Interval(values)
	if math.IsNaN(mean) {
		return "-"
	}
	if math.IsNaN(half) {
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

// probability writes a p-value.
func probability(p float64) string {
	if p < 1e-4 {
		return "below 0.0001"
	}
	return strconv.FormatFloat(p, 'g', 2, 64)
}

func (d Difference) String() string {
	if math.IsNaN(d.Half) {
		return fmt.Sprintf("%+.3g (%d pairs, no interval)", d.Mean, d.Pairs)
	}
	return fmt.Sprintf("%+.3g, 95%% interval [%+.3g, %+.3g], p = %s, effect size d = %.2f, %d pairs",
		d.Mean, d.Mean-d.Half, d.Mean+d.Half, probability(d.P), d.Effect, d.Pairs)
}
