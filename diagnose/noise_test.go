package diagnose

import (
	"math"
	"testing"
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
	close(t, "noise scale", got.Scale, 32*trace/square, 1e-14)
	close(t, "dominated", got.Dominated, 2./3, 1e-15) // 1.25 < 2.5^2, but 3.5 > 1 and 0.3125 > 0.25^2
}

func TestEqualGradientsHaveNoNoise(t *testing.T) {
	var meter NoiseMeter
	for range 5 {
		Add(&meter, []float64{0.1, 0.2})
	}
	if got := meter.Noise(8); got != (Noise{}) {
		t.Errorf("the noise of equal gradients is %+v", got)
	}
}
