package reproduce

import (
	"math"
	"testing"
)

func TestLawLimitEndsWhereTheExponentDoes(t *testing.T) {
	lr := []float64{1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3}
	power := func(p float64) (d []float64) {
		for _, h := range lr {
			d = append(d, math.Pow(h, p))
		}
		return d
	}
	bent := power(3)
	for k := 3; k < len(lr); k++ {
		bent[k] = bent[2] * lr[k] / lr[2] // linear from the third on
	}
	for _, c := range []struct {
		name    string
		defects []float64
		order   int
		want    float64
	}{
		{"the third power is the law of order 2", power(3), 2, 1.6e-3},
		{"the second power is not the law of order 2", power(2), 2, 0},
		{"the second power is the law of order 1", power(2), 1, 1.6e-3},
		{"a bend ends the law", bent, 2, 4e-4},
		{"a hole ends the law", []float64{1, 8, math.NaN(), 512, 4096}, 2, 2e-4},
		{"infinity ends the law", []float64{1, 8, math.Inf(1), 1, 1}, 2, 2e-4},
		{"nothing has no law", []float64{0, 0, 0, 0, 0}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := LawLimit(lr, c.defects, c.order); got != c.want {
				t.Errorf("%g, want %g", got, c.want)
			}
		})
	}
}
