package stats

import (
	"math"
	"testing"
)

func TestTheBootstrapHasTheQuantilesOfMeansOfSamples(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		values          []float64
		mean, low, high float64
	}{
		// The mean of two draws from {0, 1} is 0, .5 or 1, with a quarter, a half and a quarter.
		"two":              {[]float64{0, 1}, 0.5, 0, 1},
		"one missing":      {[]float64{0, nan, 1}, 0.5, 0, 1},
		"all the same":     {[]float64{3, 3, 3}, 3, 3, 3},
		"one":              {[]float64{3}, 3, nan, nan},
		"none":             {nil, nan, nan, nan},
		"ten of a coin":    {[]float64{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, 0.5, 0.2, 0.8},                   // binomial(10, .5): P(at most 1) = .011, P(at most 2) = .055
		"twenty of a coin": {append(make([]float64, 10), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 0.5, 0.3, 0.7}, // P(at most 5) = .0207, P(at most 6) = .0577
	} {
		t.Run(name, func(t *testing.T) {
			mean, low, high := Bootstrap(c.values)
			if !near(mean, c.mean, 1e-12) || !near(low, c.low, 1e-9) || !near(high, c.high, 1e-9) {
				t.Errorf("%v [%v, %v], want %v [%v, %v]", mean, low, high, c.mean, c.low, c.high)
			}
		})
	}
}

func TestKendallCountsPairs(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"rising":      {[]float64{1, 2, 5}, 1},
		"falling":     {[]float64{5, math.NaN(), 2}, -1},
		"one against": {[]float64{1, 3, 2}, 1.0 / 3},
		"all tied":    {[]float64{1, 1, 1}, 0},
		"one":         {[]float64{1}, math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Kendall(c.values); !near(got, c.want, 1e-12) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
