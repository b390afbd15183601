package stats

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// resamples is the number of samples that a bootstrap draws.
const resamples = 10_000

// Bootstrap returns the mean of some values, which are those of seeds, and the ends of its 95% percentile interval over samples drawn from them with
// replacement (Efron, Ann. Statist. 7, 1979). Values that are NaN are left out; the ends of fewer than two are NaN. The same values have the same bits
// each time. Of a handful of values the interval is too narrow, two thirds of Student's for five: it shows how far seeds agree, and tests decide.
func Bootstrap(values []float64) (mean, low, high float64) {
	var v []float64
	for _, x := range values {
		if !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	mean, _, n := moments(v)
	if n < 2 {
		return mean, math.NaN(), math.NaN()
	}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	means := make([]float64, resamples)
	for i := range means {
		sum := 0.0
		for range v {
			sum += v[random.IntN(n)]
		}
		means[i] = sum / float64(n) // one division: equal values have exactly their mean
	}
	slices.Sort(means)
	return mean, stat.Quantile(0.025, stat.Empirical, means, nil), stat.Quantile(0.975, stat.Empirical, means, nil)
}

// Kendall returns the rank correlation tau-a of the values, from which those that are NaN are left out, with their order: the part of their pairs that rises
// less the part that falls. It is NaN for fewer than two.
func Kendall(values []float64) float64 {
	pairs, balance := 0, 0
	for i, later := range values {
		for _, v := range values[:i] {
			switch {
			case math.IsNaN(v) || math.IsNaN(later):
				continue
			case later > v:
				balance++
			case later < v:
				balance--
			}
			pairs++
		}
	}
	if pairs == 0 {
		return math.NaN()
	}
	return float64(balance) / float64(pairs)
}
