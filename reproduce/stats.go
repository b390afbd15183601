package reproduce

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// level is the probability of error at which a test decides.
const level = 0.05

// ranks returns the ranks of the values from 1, equal values sharing the mean of theirs.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+1+j) / 2
		}
		i = j
	}
	return out
}

// Spearman returns the rank correlation of x and y, NaN if either does not vary.
func Spearman(x, y []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}

// A Trend is the result of Page's test.
type Trend struct {
	// L is the sum over blocks of sum_j j rank_j.
	L float64
	// Up and Down are the probabilities, if nothing depended on the order of the columns, of an L as large, and as small.
	Up, Down float64
	// Rho is the mean over blocks of Spearman's rank correlation with the order.
	Rho    float64
	Blocks int
}

// maxExact is the number of columns up to which Page's test counts all permutations.
const maxExact = 7

// PageTrend is Page's test (E. B. Page, J. Amer. Statist. Assoc. 58, 1963): do the values of each block, a row with one value a
// column, rise with the column? A block here is a seed, and the columns are the values of a hyperparameter. The probabilities
// are exact for up to 7 columns, ties counted as they are, and by the normal approximation for more. Blocks with a NaN are left
// out.
func PageTrend(blocks [][]float64) Trend {
	t := Trend{}
	exact := map[float64]float64{0: 1} // distribution of L
	mean, variance := 0.0, 0.0
	for _, values := range blocks {
		if slices.ContainsFunc(values, math.IsNaN) || len(values) < 2 {
			continue
		}
		r := ranks(values)
		t.Blocks++
		t.L += pageSum(r)
		if rho := Spearman(columnNumbers(len(r)), r); !math.IsNaN(rho) {
			t.Rho += rho
		}
		k := float64(len(r))
		mean += k * (k + 1) * (k + 1) / 4
		variance += k * (k + 1) * (k - 1) / 12 * stat.Variance(r, nil) // of a random order of these ranks
		if exact != nil && len(r) <= maxExact {
			exact = convolve(exact, permutationSums(r))
		} else {
			exact = nil
		}
	}
	if t.Blocks == 0 {
		return Trend{Up: 1, Down: 1, Rho: math.NaN()}
	}
	t.Rho /= float64(t.Blocks)
	if exact == nil {
		z := (t.L - mean) / math.Sqrt(variance)
		t.Up, t.Down = distuv.UnitNormal.Survival(z), distuv.UnitNormal.CDF(z)
		return t
	}
	for l, p := range exact {
		if l >= t.L-1e-9 {
			t.Up += p
		}
		if l <= t.L+1e-9 {
			t.Down += p
		}
	}
	return t
}

func columnNumbers(n int) []float64 {
	out := make([]float64, n)
	for j := range out {
		out[j] = float64(j + 1)
	}
	return out
}

func pageSum(ranks []float64) float64 {
	l := 0.0
	for j, r := range ranks {
		l += float64(j+1) * r
	}
	return l
}

// permutationSums returns the distribution of pageSum over all orders of the ranks.
func permutationSums(ranks []float64) map[float64]float64 {
	counts := map[float64]float64{}
	total := 0.0
	r := slices.Clone(ranks)
	var permute func(n int)
	permute = func(n int) {
		if n <= 1 {
			counts[pageSum(r)]++
			total++
			return
		}
		for i := range n {
			r[i], r[n-1] = r[n-1], r[i]
			permute(n - 1)
			r[i], r[n-1] = r[n-1], r[i]
		}
	}
	permute(len(r))
	for l := range counts {
		counts[l] /= total
	}
	return counts
}

func convolve(a, b map[float64]float64) map[float64]float64 {
	out := make(map[float64]float64, len(a)*2)
	for x, p := range a {
		for y, q := range b {
			out[x+y] += p * q
		}
	}
	return out
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

// PairedT tests whether a - b differs from 0, pair by pair. Pairs with a NaN are left out. With fewer than two pairs, or
// differences that are all the same, there is no interval: Half is NaN, and P is 1 unless the one difference is not 0.
func PairedT(a, b []float64) Difference {
	var d []float64
	for i := range a {
		if x := a[i] - b[i]; !math.IsNaN(x) {
			d = append(d, x)
		}
	}
	out := Difference{Pairs: len(d), Half: math.NaN(), P: 1, Mean: math.NaN(), Effect: math.NaN()}
	if len(d) == 0 {
		return out
	}
	mean, deviation := stat.MeanStdDev(d, nil)
	out.Mean = mean
	if len(d) < 2 || deviation == 0 {
		return out
	}
	n := float64(len(d))
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}
	out.Half = t.Quantile(0.975) * deviation / math.Sqrt(n)
	out.P = 2 * t.Survival(math.Abs(mean)/(deviation/math.Sqrt(n)))
	out.Effect = mean / deviation
	return out
}
