package rule

import (
	"testing"
	"time"

	"shadowflow/engine"
)

// BenchmarkAdamOnResNet50 takes steps of Adam over as many float32 parameters as ResNet-50 for CIFAR has. A step reads theta, the
// gradient and two moments and writes theta and the moments: 7 streams. Its bandwidth is compared with that of copying as many
// bytes, measured in the same run.
func BenchmarkAdamOnResNet50(b *testing.B) {
	const dim, streams = 23_520_842, 7
	r, c := mustRule(b, "adam", nil)
	s, err := NewStepper[float32](r, vector(dim), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	theta, g := make([]float32, dim), make([]float32, dim)
	for i := range g {
		theta[i], g[i] = float32(i%7), float32(i%11)-5
	}
	copied := copyBandwidth(theta, g)
	for i := range theta {
		theta[i] = 1
	}
	best := time.Duration(1<<63 - 1)
	for b.Loop() {
		start := time.Now()
		if err := s.Step(c.LR, theta, g); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	reached := float64(streams*4*dim) / best.Seconds()
	b.ReportMetric(reached/1e9, "GB/s")
	b.ReportMetric(reached/copied, "of-copy")
}

// copyBandwidth returns the bytes a second, read and written, of the best of several copies by two goroutines.
func copyBandwidth(dst, src []float32) float64 {
	best := time.Duration(1<<63 - 1)
	half := len(src) / 2
	for range 10 {
		start := time.Now()
		done := make(chan struct{})
		go func() {
			copy(dst[:half], src[:half])
			close(done)
		}()
		copy(dst[half:], src[half:])
		<-done
		best = min(best, time.Since(start))
	}
	return float64(2*4*len(src)) / best.Seconds()
}
