package rule

import (
	"fmt"
	"testing"
	"time"

	"shadowflow/engine"
	"shadowflow/graph"
)

// BenchmarkAdam takes steps of Adam over 10^3 to 10^8 float32 parameters, and over as many as ResNet-50 for CIFAR has. A step reads theta, the
// gradient and two moments and writes theta and the moments: 7 streams. Its bandwidth is compared with that of copying as many
// bytes, measured in the same run.
func BenchmarkAdam(b *testing.B) {
	for _, dim := range []int{1e3, 1e4, 1e5, 1e6, 1e7, 23_520_842, 1e8} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) { benchmarkAdam(b, dim) })
	}
}

func benchmarkAdam(b *testing.B, dim int) {
	const streams = 7
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

// BenchmarkGroupedAdamW takes steps of AdamW over two large layers, whose biases do not decay and so are a group, beside steps without groups:
// both as a loop takes them, which may be broken off. The ratio is of the fastest of each.
func BenchmarkGroupedAdamW(b *testing.B) {
	const side = 2048
	var weights []graph.Block
	for i, dim := 0, 0; i < 2; i++ {
		weights = append(weights, graph.Block{Name: fmt.Sprintf("%d.weight", i), Shape: []int{side, side}, Offset: dim},
			graph.Block{Name: fmt.Sprintf("%d.bias", i), Shape: []int{side}, Offset: dim + side*side})
		dim += side*side + side
	}
	plain := mustConfig(b, "adamw", nil)
	grouped := plain
	grouped.Groups = []Group{{Match: []string{"*.bias"}, Scale: 1, Config: mustConfig(b, "adamw", map[string]any{"weight_decay": 0.0})}}
	var steppers []*Stepper[float32]
	for _, c := range []Config{plain, grouped} {
		r, err := c.RuleOf(weights)
		if err != nil {
			b.Fatal(err)
		}
		s, err := NewStepper[float32](r, weights, engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		steppers = append(steppers, s)
	}
	dim := 2 * (side*side + side)
	theta, g := make([]float32, dim), make([]float32, dim)
	for i := range g {
		theta[i], g[i] = 1, float32(i%11)-5
	}
	best := []time.Duration{1<<63 - 1, 1<<63 - 1}
	for b.Loop() {
		for i, s := range steppers {
			start := time.Now()
			if err := s.StepContext(b.Context(), 1e-3, theta, g); err != nil {
				b.Fatal(err)
			}
			best[i] = min(best[i], time.Since(start))
		}
	}
	b.ReportMetric(best[1].Seconds()/best[0].Seconds(), "of-ungrouped")
}
