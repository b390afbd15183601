package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/objective"
)

func manyPairs(t *testing.T, spread float64) *objective.Numeric[float64] {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	pairs := make([][2]float64, 60)
	for i := range pairs {
		pairs[i] = [2]float64{2 + spread*r.NormFloat64(), 1.5 + spread*r.NormFloat64()}
	}
	return fixture.Objective(t, "bilinear", map[string]any{"pairs": pairs})
}

func TestExpectedBiasAgreesWithRandomOrders(t *testing.T) {
	o := manyPairs(t, 0.06)
	for _, order := range []string{"shuffled", "sampled", "cyclic"} {
		for _, beta := range [][2]float64{{0.3, 0.6}, {0.8, 0.5}, {0.6, 0.8}} {
			t.Run(fmt.Sprintf("%s, betas %v", order, beta), func(t *testing.T) {
				r := fixture.Rule(t, "adam", map[string]any{"beta1": beta[0], "beta2": beta[1]})
				got, err := OverOrders(t.Context(), o, r, o.Start(), OrderOptions{Order: order, Orders: 2000, Seed: 1, Eps: 1e-8, LR: 1e-3, Threads: 1})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range append(got.Coordinates, got.Drive) {
					if !(math.Abs(c.Apart()) < 3) {
						t.Errorf("%+v, %.1f standard errors apart", c, c.Apart())
					}
				}
				if !got.Agrees() || !strings.HasSuffix(got.Verdict(), "they agree.") || got.Batches != 60 || got.LeftOut != 0 {
					t.Errorf("%+v: %s", got, got.Verdict())
				}
			})
		}
	}
}

func TestComparisonSeesATermThatIsMissing(t *testing.T) {
	o := manyPairs(t, 0.06)
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.3, "beta2": 0.6})
	got, err := OverOrders(t.Context(), o, r, o.Start(), OrderOptions{Order: "shuffled", Orders: 4000, Seed: 1, Eps: 1e-8, LR: 1e-3, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 3} { // the others are small here; the expectation's own tests see them
		t.Run(fmt.Sprintf("term %d", i), func(t *testing.T) {
			term, without := got.Drive.Terms[i], *got
			without.Drive.Expected -= term
			without.Drive.Terms[i] = 0
			if without.Agrees() || !strings.HasSuffix(without.Verdict(), "they disagree.") {
				t.Errorf("without %g of %+v: %s", term, got.Drive, without.Verdict())
			}
		})
	}
}

func TestNoiseOutOfRangeIsSaid(t *testing.T) {
	o := manyPairs(t, 1.5)
	got, err := OverOrders(t.Context(), o, fixture.Rule(t, "adam", nil), o.Start(), OrderOptions{Order: "shuffled", Orders: 5, Eps: 1e-8, LR: 1, Threads: 1})
	if err != nil || got.LeftOut != 2 || !strings.Contains(got.Verdict(), "2 of 2 coordinates is too large to expand in") {
		t.Errorf("%+v, %v: %s", got, err, got.Verdict())
	}
}

func TestMistakesAboutOrdersAreErrors(t *testing.T) {
	o, r := manyPairs(t, 0.1), fixture.Rule(t, "adam", nil)
	whole := fixture.Objective(t, "rosenbrock", nil)
	for want, c := range map[string]struct {
		o     *objective.Numeric[float64]
		theta []float64
		opt   OrderOptions
	}{
		"one batch, which has no order": {whole, whole.Start(), OrderOptions{Order: "cyclic", Orders: 2}},
		`order "some": want shuffled`:   {o, o.Start(), OrderOptions{Order: "some", Orders: 2}},
		"1 order: want at least 2":      {o, o.Start(), OrderOptions{Order: "cyclic", Orders: 1}},
		"theta has 1 number":            {o, []float64{1}, OrderOptions{Order: "cyclic", Orders: 2}},
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := OverOrders(t.Context(), c.o, r, c.theta, c.opt); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OverOrders(ctx, o, r, o.Start(), OrderOptions{Order: "cyclic", Orders: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}
