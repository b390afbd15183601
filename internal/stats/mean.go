package stats

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Interval returns the mean of some values and the half-width of its 95% confidence interval, by Student's t with n-1 degrees of
// freedom. The half-width of one value is NaN, as are both of none. Values that are NaN are left out.
func Interval(values []float64) (mean, half float64) {
	mean, deviation, n := moments(values)
	if n < 2 {
		return mean, math.NaN()
	}
	return mean, studentT(n).Quantile(0.975) * deviation / math.Sqrt(float64(n))
}

// moments returns mean and standard deviation of the n values that are not NaN. A mean of none is NaN, as is a deviation of one.
func moments(values []float64) (mean, deviation float64, n int) {
	var v []float64
	for _, x := range values {
		if !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return math.NaN(), math.NaN(), 0
	}
	mean, deviation = stat.MeanStdDev(v, nil)
	return mean, deviation, len(v)
}

// studentT is the distribution of the mean of n values over its standard error.
func studentT(n int) distuv.StudentsT {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}
}

// A Difference is the result of a paired t-test.
type Difference struct {
	// Mean is that of the differences, Half the half-width of its 95% confidence interval.
	Mean, Half float64
	// P is the two-sided probability of a mean as far from 0, if it were 0.
	P float64
	// Effect is the mean in units of the differences' standard deviation (Cohen's d for pairs).
	Effect float64
	Pairs  int
}

// PairedT is the paired t-test: given the differences within pairs, does their mean differ from 0? Differences that are NaN are left
// out. It takes two pairs at least, and differences that are not all the same, to tell what is chance: for others only Mean and Pairs
// are numbers, so that no comparison with P decides anything.
func PairedT(differences []float64) Difference {
	mean, deviation, n := moments(differences)
	out := Difference{Mean: mean, Half: math.NaN(), P: math.NaN(), Effect: math.NaN(), Pairs: n}
	if n < 2 || deviation == 0 {
		return out
	}
	standardError := deviation / math.Sqrt(float64(n))
	out.Half = studentT(n).Quantile(0.975) * standardError
	out.P = 2 * studentT(n).Survival(math.Abs(mean)/standardError)
	out.Effect = mean / deviation
	return out
}

func (d Difference) String() string {
	if math.IsNaN(d.P) {
		return fmt.Sprintf("%+.3g (too few different pairs for a test: %d)", d.Mean, d.Pairs)
	}
	return fmt.Sprintf("%+.3g, 95%% interval [%+.3g, %+.3g], p = %s, effect size d = %.2f, %d pairs",
		d.Mean, d.Mean-d.Half, d.Mean+d.Half, Probability(d.P), d.Effect, d.Pairs)
}

// Probability writes a p-value.
func Probability(p float64) string {
	switch {
	case math.IsNaN(p):
		return "-"
	case p < 1e-4:
		return "below 0.0001"
	}
	return strconv.FormatFloat(p, 'g', 2, 64)
}
