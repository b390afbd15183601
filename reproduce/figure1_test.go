package reproduce

import (
	"math"
	"testing"

	"shadowflow/experiment/sweep"
	"shadowflow/report"
)

func TestFigure1IsWhatTheRuleGives(t *testing.T) {
	r, err := Find("figure-1")
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Run(t.Context(), Laptop, t.TempDir(), sweep.Options{}, report.PageStyle)
	if err != nil || result.Outcome != Supported {
		t.Fatalf("%+v, %v", result, err)
	}
}

// Far from zero F is that of a one-norm, (c1 - c2)/2 |x|, and near it that of a squared norm, c1/2 x^2 / (2 sqrt eps).
func TestThePenaltyGoesFromASquareToANorm(t *testing.T) {
	p := penalty{beta1: 0.95, beta2: 0.9, eps: 1e-5}
	root := math.Sqrt(p.eps)
	for _, tc := range []struct {
		name    string
		x, want float64
	}{
		{"near zero", root / 1000, 39. / 4 / root * math.Pow(root/1000, 2)},
		{"far from zero", 1e6, (39. - 19) / 2 * 1e6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := p.formula(tc.x); math.Abs(got/tc.want-1) > 1e-5 {
				t.Errorf("F(%g) = %g, want %g", tc.x, got, tc.want)
			}
		})
	}
}
