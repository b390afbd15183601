package stats

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// near reports whether two numbers agree to a tolerance relative to those above 1; NaN agrees with NaN.
func near(a, b, tol float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tol*math.Max(1, math.Abs(b))
}

func TestInterval(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name       string
		values     []float64
		mean, half float64
	}{
		{"is Student's, what is missing left out", []float64{1, nan, 2, 3}, 2, 4.302652729911275 / math.Sqrt(3)},
		{"is wide for two values", []float64{1, nan, 3}, 2, 12.706204736432095},
		{"has no width for one value", []float64{5, nan}, 5, nan},
		{"is nothing for no values", []float64{nan}, nan, nan},
		{"is a point where nothing varies", []float64{2, 2}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if mean, half := Interval(c.values); !near(mean, c.mean, 1e-12) || !near(half, c.half, 1e-9) {
				t.Errorf("%v ± %v, want %v ± %v", mean, half, c.mean, c.half)
			}
		})
	}
}

func TestPairedT(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name        string
		differences []float64
		want        Difference
		says        string
	}{
		// Differences 1, 2, 3: mean 2, deviation 1, t = 2 sqrt 3 with two degrees of freedom.
		{"is Student's, what is missing left out", []float64{1, 2, 3, nan}, Difference{2, 4.302652729911275 / math.Sqrt(3), 0.0741799, 2, 3}, "p = 0.074"},
		{"does not depend on the sign", []float64{-1, -2, -3}, Difference{-2, 4.302652729911275 / math.Sqrt(3), 0.0741799, -2, 3}, "-2, 95% interval"},
		{"tells nothing from one pair", []float64{7}, Difference{7, nan, nan, nan, 1}, "+7 (too few different pairs for a test: 1)"},
		{"tells nothing from pairs that differ by the same", []float64{7, 7}, Difference{7, nan, nan, nan, 2}, "too few different pairs"},
		{"tells nothing from no pairs", nil, Difference{nan, nan, nan, nan, 0}, "too few different pairs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := PairedT(c.differences)
			for _, v := range [][2]float64{{d.Mean, c.want.Mean}, {d.Half, c.want.Half}, {d.P, c.want.P}, {d.Effect, c.want.Effect}} {
				if !near(v[0], v[1], 1e-6) || d.Pairs != c.want.Pairs {
					t.Fatalf("%+v, want %+v", d, c.want)
				}
			}
			if !strings.Contains(d.String(), c.says) {
				t.Errorf("it says %q, want %q in it", d, c.says)
			}
		})
	}
}

func TestSpearman(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"sees ranks only", []float64{1, 2, 3, 4}, []float64{10, 100, 1000, 1e4}, 1},
		{"is not defined where nothing varies", []float64{1, 2}, []float64{1, 1}, math.NaN()},
		{"leaves out pairs with a hole", []float64{1, math.NaN(), 2, 3}, []float64{3, 5, math.NaN(), 2}, -1},
		{"is not defined for one pair", []float64{1}, []float64{1}, math.NaN()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Spearman(c.x, c.y); !near(got, c.want, 1e-12) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	t.Run("shares the ranks of ties", func(t *testing.T) {
		for i, want := range []float64{3.5, 1, 3.5, 2} {
			if r := ranks([]float64{3, 1, 3, 2}); r[i] != want {
				t.Errorf("ranks %v", r)
			}
		}
	})
}

func TestSignTest(t *testing.T) {
	for _, c := range []struct {
		name       string
		k, n       int
		more, less float64
	}{
		{"all of five", 5, 5, 1.0 / 32, 1},
		{"none of five", 0, 5, 1, 1.0 / 32},
		{"one of two", 1, 2, 0.75, 0.75},
	} {
		t.Run(c.name, func(t *testing.T) {
			if more, less := SignTest(c.k, c.n); !near(more, c.more, 1e-12) || !near(less, c.less, 1e-12) {
				t.Errorf("%v and %v, want %v and %v", more, less, c.more, c.less)
			}
		})
	}
}

func TestRSquared(t *testing.T) {
	x, z := []float64{-1, 0, 1, 0}, []float64{0, -1, 0, 1}
	y := []float64{-2, -1, 2, 1} // 2 x + z
	for _, c := range []struct {
		name       string
		y          []float64
		predictors [][]float64
		want       float64
	}{
		{"one of two predictors", y, [][]float64{x}, 0.8},
		{"both predictors", y, [][]float64{x, z}, 1},
		{"as many predictors as numbers", y[:2], [][]float64{x[:2], z[:2]}, math.NaN()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := RSquared(c.y, c.predictors...); !near(got, c.want, 1e-12) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestRunningMeanIsThatOfTheValues(t *testing.T) {
	var r Running
	for _, v := range []float64{1e9 + 1, 1e9 + 2, 1e9 + 4, 1e9 + 5} {
		r.Add(v)
	}
	if mean, se := r.StandardError(); mean != 1e9+3 || math.Abs(se-math.Sqrt(10./3/4)) > 1e-7 {
		t.Errorf("%v(%v), want 1000000003(0.9129)", mean, se)
	}
	one := Running{}
	one.Add(2)
	if mean, se := one.StandardError(); mean != 2 || !math.IsNaN(se) {
		t.Errorf("one value: %v(%v)", mean, se)
	}
}

func TestTheMedianOfAnEvenNumberIsBetweenTheTwoInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"none":             {nil, math.NaN()},
		"one":              {[]float64{3}, 3},
		"two":              {[]float64{2.47, 1.5}, 1.985},
		"three":            {[]float64{7, 1, 5}, 5},
		"four":             {[]float64{0.197, 0.0126, 0.0691, 0.0288}, 0.04895},
		"the largest":      {[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
		"one not a number": {[]float64{1, math.NaN(), 2}, math.NaN()},
		"infinite":         {[]float64{1, math.Inf(1), math.Inf(1)}, math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(c.values)
			got := Median(c.values)
			if !near(got, c.want, 1e-15) && got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("the median of %v is %g, want %g", c.values, got, c.want)
			}
			if len(before) > 0 && before[0] != c.values[0] {
				t.Errorf("the values were moved: %v became %v", before, c.values)
			}
		})
	}
}

func TestAnIntervalOfEqualValuesHasNoWidth(t *testing.T) {
	for _, v := range []float64{1, -1, 0.1, 1.0 / 3} {
		for n := 2; n < 12; n++ {
			mean, low, high := Bootstrap(slices.Repeat([]float64{v}, n))
			if !near(mean, v, 1e-15) || !near(low, v, 1e-15) || !near(high, v, 1e-15) || v*v == 1 && (low != v || high != v) {
				t.Errorf("%d times %v: mean %v, from %v to %v", n, v, mean, low, high)
			}
		}
	}
}
