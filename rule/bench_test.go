package rule

import (
	"fmt"
	"testing"
	"time"

	"shadowflow/engine"
	"shadowflow/graph"
)

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
