package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// What tells a hill from noise: how much its top is at least, over the lowest value before it, and which part of the first value it has risen by at least. Without
// the second, what is left of a curve near 0 has hills.
const (
	leastRise     = 1.25
	leastOfFirst  = 1.0 / 20
	hillInWords   = "rises by a quarter or more of the lowest before, and by a twentieth or more of the first, and ends below that top"
	medianInWords = "the excess of the norm, as a running median over a twentieth of the steps,"
)

// hillTop is the place of the top of a hill, the largest of the values that have risen from the lowest before them; -1 where none has, or where the values do not
// end below it.
func hillTop(values []float64) int {
	top, lowest, first := -1, -1, math.NaN()
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if lowest < 0 {
			first, lowest = v, i
			continue
		}
		if low := values[lowest]; v >= leastRise*low && v-low >= leastOfFirst*first && (top < 0 || v > values[top]) {
			top = i
		}
		if v < values[lowest] {
			lowest = i
		}
	}
	if top < 0 || !(values[len(values)-1] < values[top]) {
		return -1
	}
	return top
}

// smoothing is the part of a run over which noise is taken out of a curve.
const smoothing = 1.0 / 20

// smoothed is the running median of values over that part of them, at the ends over what there is of it.
func smoothed(values []float64) []float64 {
	reach := int(smoothing * float64(len(values)) / 2)
	out := make([]float64, len(values))
	for i := range values {
		known := slices.DeleteFunc(slices.Clone(values[max(0, i-reach):min(len(values), i+reach+1)]), math.IsNaN)
		out[i] = stats.Median(known)
	}
	return out
}

// topAt is where the hill of a run has its top, -1 where there is none. What every parameter adds to the norm, however small its gradient, is no part of it.
func topAt(t *trial) int { return hillTop(smoothed(t.column("excess"))) }

// topOf is how high the norm is there, NaN where there is no hill.
func topOf(t *trial) float64 {
	if top := topAt(t); top >= 0 {
		return smoothed(t.column("perturbed_norm"))[top]
	}
	return math.NaN()
}

// largestStep is the largest norm of a step behind the first fall, which is the paper's measure: from the first step on at which the norm is larger than at the one
// before. NaN where it falls all along.
func largestStep(t *trial) float64 {
	norms := slices.DeleteFunc(slices.Clone(t.column("perturbed_norm")), math.IsNaN)
	for i := 1; i < len(norms); i++ {
		if norms[i] > norms[i-1] {
			return sweep.Largest(norms[i:])
		}
	}
	return math.NaN()
}

// withHills counts the runs that have one.
func withHills(ts trials) int {
	n := 0
	for _, t := range ts {
		n += count(t.good() && topAt(t) >= 0)
	}
	return n
}

// medianHills begins what is said of them.
const medianHills = "the running median has a hill"

// hills says in how many runs there is one.
func hills(ts trials) string {
	return fmt.Sprintf("%s in %d of %s", medianHills, withHills(ts), plural.Count(len(ts), "run"))
}

// hillsAlong says of how many runs at the first, the middle and the last beta the norm has a hill: where it comes or goes with the beta, no trend of tops says so.
func (fig imageFigure) hillsAlong(ts trials, betas []float64) string {
	var at []string
	for _, k := range slices.Compact([]int{0, len(betas) / 2, len(betas) - 1}) {
		part := ts.where(fig.varied, betas[k])
		at = append(at, fmt.Sprintf("%d of %d at %.4g", withHills(part), len(part), betas[k]))
	}
	return fmt.Sprintf("along %s in %s", fig.beta(), strings.Join(at, ", "))
}
