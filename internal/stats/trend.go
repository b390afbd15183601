package stats

import (
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// ranks returns the ranks of the values, none of which is NaN, from 1, equal values sharing the mean of theirs.
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

// Spearman returns the rank correlation of x and y, NaN if either does not vary. Pairs with a NaN are left out.
func Spearman(x, y []float64) float64 {
	var a, b []float64
	for i := range x {
		if !math.IsNaN(x[i]) && !math.IsNaN(y[i]) {
			a, b = append(a, x[i]), append(b, y[i])
		}
	}
	if len(a) < 2 {
		return math.NaN()
	}
	return stat.Correlation(ranks(a), ranks(b), nil)
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
	for _, l := range slices.Sorted(maps.Keys(exact)) {
		p := exact[l]
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

// convolve returns the distribution of a sum. It adds in the order of the numbers, so that equal distributions have equal bits.
func convolve(a, b map[float64]float64) map[float64]float64 {
	out := make(map[float64]float64, len(a)*2)
	ys := slices.Sorted(maps.Keys(b))
	for _, x := range slices.Sorted(maps.Keys(a)) {
		for _, y := range ys {
			out[x+y] += a[x] * b[y]
		}
	}
	return out
}
