package modeq

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/rule"
)

var decays = [][2]float64{{0.3, 0.6}, {0.8, 0.5}, {0.6, 0.8}, {0, 0.8}, {0.9, 0.999}}

// TestNoiseTermsAreThePapersForAdam gives the programs of the general terms variances and products of batches drawn with
// replacement, at eps = 0.
func TestNoiseTermsAreThePapersForAdam(t *testing.T) {
	g, theta := []float64{2, -0.5, 0.7}, []float64{0.3, 0.1, -1}
	variance, kept := []float64{0.4, 0.02, 0.1}, []float64{1, 1, 1}
	hf, bent, own := []float64{1.5, -0.3, 0.8}, []float64{0.2, 0.7, -0.4}, []float64{0.11, 0.12, -0.13}
	slope, crossed := []float64{0.5, -0.6, 0.2}, []float64{-0.9, 0.4, 0.3}
	for _, beta := range decays {
		t.Run(fmt.Sprintf("betas %v", beta), func(t *testing.T) {
			m, err := fixture.Rule(t, "adam", map[string]any{"beta1": beta[0], "beta2": beta[1], "eps": 1e-300}).MemoryForm()
			if err != nil {
				t.Fatal(err)
			}
			sums := sumsOf([]rule.Kernel{rule.EMA(beta[0]), rule.EMA(beta[1])}, SampledCorrelation())
			p, err := newNoisePrograms(m, &sums, len(g), 1)
			if err != nil {
				t.Fatal(err)
			}
			response := vectorsOf[float64](5, len(g)) // F, kept, E delta^2 U, the paths
			if err := p.before.Run(buffers([][]float64{g, theta, variance}), buffers(response)); err != nil {
				t.Fatal(err)
			}
			minus := func(x []float64) []float64 {
				out := make([]float64, len(x))
				addTo(out, -1, x)
				return out
			}
			// By the second path, through v, noise acts with the opposite sign.
			in := [][]float64{g, theta, variance, kept, hf, bent, own, slope, minus(slope), crossed, minus(crossed)}
			terms := vectorsOf[float64](1+NoiseTerms, len(g))
			if err := p.after.Run(buffers(in), buffers(terms)); err != nil {
				t.Fatal(err)
			}
			c := NewAdamNoise(beta[0], beta[1])
			for j, v := range g {
				sign, size, share := math.Copysign(1, v), math.Abs(v), variance[j]/(v*v)
				agree(t, "F and paths", []float64{response[0][j], response[3][j], response[4][j]}, []float64{sign, 1 / size, -1 / size}, 1e-13)
				want := []float64{
					c.Memory * hf[j], c.C1 * hf[j] * share, c.Memory * bent[j], c.C3 * sign / size * 2 * own[j], c.C4 * 2 * slope[j], c.C5 * sign / size * crossed[j],
				}
				for k := range want {
					agree(t, "term", []float64{size * terms[k][j]}, want[k:k+1], 1e-11)
				}
				agree(t, "second term", []float64{c.Memory * response[2][j]}, []float64{response[1][j] * c.C2 * sign * share}, 1e-11)
			}
		})
	}
}

func TestTheoryOfBatchesGivesItsHeadline(t *testing.T) {
	for _, beta := range decays {
		t.Run(fmt.Sprintf("betas %v", beta), func(t *testing.T) {
			c := NewAdamNoise(beta[0], beta[1])
			agree(t, "without noise", []float64{c.Total(0)}, []float64{beta[0]/(1-beta[0]) - beta[1]/(1-beta[1])}, 1e-12)
			flip := c.FlipBatch()
			if beta[0] > beta[1] {
				if !math.IsNaN(flip) && flip < 0 {
					t.Errorf("a batch size of %g B_simple", flip)
				}
				return
			}
			// At the batch size C_total is stationary in beta2, at larger ones it falls, at smaller ones it rises.
			slope := func(batch float64) float64 {
				h := 1e-4 * (1 - beta[1])
				return (NewAdamNoise(beta[0], beta[1]+h).Total(1/batch) - NewAdamNoise(beta[0], beta[1]-h).Total(1/batch)) / (2 * h)
			}
			if scale := math.Abs(slope(1e9)); math.Abs(slope(flip)) > 1e-4*scale || slope(2*flip) >= 0 || slope(flip/2) <= 0 {
				t.Errorf("at %g B_simple slope %g, at twice that %g, at half %g", flip, slope(flip), slope(2*flip), slope(flip/2))
			}
		})
	}
	for beta2, want := range map[float64]float64{0.95: 2.022, 0.99: 2.003, 0.999: 2} {
		t.Run(fmt.Sprintf("beta2 = %g", beta2), func(t *testing.T) {
			if flip := NewAdamNoise(0.9, beta2).FlipBatch(); math.Abs(flip-want) > 6e-4 {
				t.Errorf("flips at %g B_simple, want about %g", flip, want)
			}
		})
	}
	if flip := NewAdamNoise(0.9, 0.5).FlipBatch(); !math.IsNaN(flip) {
		t.Errorf("beta2 = .5 far below beta1 = .9: flips at %g B_simple", flip)
	}
}

func TestAdamsDecaysAreRecognized(t *testing.T) {
	for name, want := range map[string][2]float64{
		"adam": {0.3, 0.5}, "adamw": {0.3, 0.5}, "adam, eps outside": {0.3, 0.5}, "adam, filling": {0.6, 0.5}, "rmsprop": {0, 0.6},
		"gd": {-1}, "heavy-ball": {-1}, "nesterov": {-1}, "nadam": {-1}, "signum": {-1}, "lion": {-1},
	} {
		t.Run(name, func(t *testing.T) {
			beta1, beta2, ok, err := AdamDecays(rules(t)[name])
			if err != nil || ok != (want[0] >= 0) || ok && [2]float64{beta1, beta2} != want {
				t.Errorf("%g, %g, %v, %v, want %v", beta1, beta2, ok, err, want)
			}
		})
	}
}
