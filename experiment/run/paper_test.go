package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// excessAtLoss returns the excess of the perturbed one-norm when the training loss of full-batch Adam on the digits first passes
// 0.01.
func excessAtLoss(t *testing.T, seed int, beta1, beta2 float64) float64 {
	t.Helper()
	c := parse(t, "", fmt.Sprintf("seed=%d", seed), fmt.Sprintf("optimizer.beta1=%v", beta1), fmt.Sprintf("optimizer.beta2=%v", beta2),
		"steps=2000", "stop.loss=0.01", "batch.physical=1297", "record={every: 0, bias: 0, sharpness: 0, test: 0}", "checkpoint.every=0")
	result, h := runIn(t, filepath.Join(t.TempDir(), "run"), c)
	if result.Status != LossReached {
		t.Fatalf("beta1 %v, beta2 %v, seed %d: the run %s with loss %v", beta1, beta2, seed, result.Status, result.Loss)
	}
	return h.Floats("excess")[len(h.Rows)-1]
}

// The paper's effect on real data: at the same training loss the norm is the larger the larger beta2, and the smaller the larger
// beta1.
func wantPaperEffect(t *testing.T, seeds int) {
	t.Helper()
	for _, sweep := range []struct {
		name         string
		beta1, beta2 []float64
	}{
		{"beta2 rises", []float64{.9, .9, .9, .9}, []float64{.9, .95, .99, .999}},
		{"beta1 falls", []float64{.97, .9, .5}, []float64{.99, .99, .99}},
	} {
		var means []float64
		for i := range sweep.beta1 {
			var at []float64
			for seed := range seeds {
				at = append(at, excessAtLoss(t, seed, sweep.beta1[i], sweep.beta2[i]))
			}
			means = append(means, stat.Mean(at, nil))
			t.Logf("beta1 %v, beta2 %v: excess %.4f, by seed %.4f", sweep.beta1[i], sweep.beta2[i], means[i], at)
			if i > 0 && !(means[i] > means[i-1]) {
				t.Errorf("%s, but the excess norm at loss 0.01 does not rise: %.4f", sweep.name, means)
			}
		}
	}
}

func TestNormAtEqualLossFollowsTheBetas(t *testing.T) {
	if testing.Short() {
		t.Skip("seven runs")
	}
	wantPaperEffect(t, 1)
}

func TestLongNormAtEqualLossFollowsTheBetas(t *testing.T) {
	if os.Getenv("SHADOWFLOW_LONG") == "" {
		t.Skip("35 runs; set SHADOWFLOW_LONG=1")
	}
	wantPaperEffect(t, 5)
}
