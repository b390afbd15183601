package diagnose

import (
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/stats"
)

func TestNoiseMatchesItsDefinition(t *testing.T) {
	batches := [][]float32{{1, 2, 0}, {3, -2, 0.5}, {2, 3, -0.5}, {4, 1, 1}}
	mean := []float64{2.5, 1, 0.25}
	var meter NoiseMeter
	want := make([]float64, 3)
	for _, g := range batches {
		Add(&meter, g)
		for j, v := range g {
			want[j] += (float64(v) - mean[j]) * (float64(v) - mean[j]) / 4
		}
	}
	got := meter.Noise(32)
	trace, one, square := 0.0, 0.0, 0.0
	for j, v := range meter.Variance() {
		close(t, "variance", v, want[j], 1e-14)
		trace, one, square = trace+want[j], one+math.Sqrt(want[j]), square+mean[j]*mean[j]
	}
	close(t, "trace", got.Trace, trace, 1e-14)
	close(t, "one-norm form", got.One, one, 1e-14)
	close(t, "noise scale", got.Scale, 32*trace/square*127/96, 1e-14)
	close(t, "dominated", got.Dominated, 2./3, 1e-15) // 1.25 < 2.5^2, but 3.5 > 1 and 0.3125 > 0.25^2
}

func TestEqualGradientsHaveNoNoise(t *testing.T) {
	var meter NoiseMeter
	for range 5 {
		Add(&meter, []float64{0.1, 0.2})
	}
	for range 5 {
		Revisit(&meter, []float64{0, 0})
	}
	if got := meter.Noise(8); got != (Noise{}) {
		t.Errorf("the noise of equal gradients is %+v", got)
	}
}

// TestNoiseScaleIsThatOfTheExamples cuts 120 gradients of known covariance into batches in many ways: whatever the size of the
// batches, the mean of the scales is the examples', and their deviation is the error that is given.
func TestNoiseScaleIsThatOfTheExamples(t *testing.T) {
	const examples, dim = 120, 4
	r := rand.New(rand.NewPCG(1, 2))
	var gradients [examples][dim]float64
	var all NoiseMeter
	for i := range gradients {
		for j := range dim {
			gradients[i][j] = 0.3*float64(j) + float64(1+j)*r.NormFloat64()
		}
		Add(&all, gradients[i][:])
	}
	known, square := 0.0, 0.0
	for j, v := range all.Variance() {
		known, square = known+v, square+all.mean[j]*all.mean[j]
	}
	known /= square
	for _, size := range []int{1, 5, 10, 30, 60} {
		var scales, given stats.Running
		for range 800 {
			perm := r.Perm(examples)
			var batches [][]float64
			var meter NoiseMeter
			for at := 0; at < examples; at += size {
				g := make([]float64, dim)
				for _, i := range perm[at : at+size] {
					for j := range g {
						g[j] += gradients[i][j] / float64(size)
					}
				}
				batches = append(batches, g)
				Add(&meter, g)
			}
			for _, g := range batches {
				for j := range g {
					g[j] -= meter.mean[j]
				}
				Revisit(&meter, g)
			}
			noise := meter.Noise(size)
			scales.Add(noise.Scale)
			given.Add(noise.ScaleError)
		}
		mean, se := scales.StandardError()
		if math.Abs(mean-known) > 3.5*se+1e-12*known {
			t.Errorf("batches of %d: a noise scale of %g(%g) on the average, the examples' is %g", size, mean, se, known)
		}
		claimed, _ := given.StandardError()
		if size == 60 {
			if !math.IsNaN(claimed) {
				t.Errorf("two batches: an error of %g", claimed)
			}
			continue
		}
		// One cut into single examples has no other; the jackknife, which takes them for a sample, knows nothing of that.
		if deviation := se * math.Sqrt(800); size > 1 && math.Abs(claimed/deviation-1) > 0.3 {
			t.Errorf("batches of %d: an error of %g is given, the deviation over cuts is %g", size, claimed, deviation)
		}
	}
}
