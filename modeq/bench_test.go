package modeq

import (
	"shadowflow/internal/fixture"
	"testing"
)

// BenchmarkOrderFiveField evaluates the modified equation of order 5 of Adam on the 2-parameter loss.
func BenchmarkOrderFiveField(b *testing.B) {
	r := fixture.Rule(b, "adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 1})
	f, err := CompileFields(r, onePair(b), 2, 5, FieldOptions{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	theta, dst := []float64{1.6, 1.1}, make([]float64, 2)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Sum(b.Context(), 0.01, theta, dst); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSecondOrderField evaluates the second-order equation on the 2-parameter loss: full batch, and far into a cycle of three
// batches.
func BenchmarkSecondOrderField(b *testing.B) {
	for _, bm := range []struct {
		name  string
		order func(int) int
	}{{"full", nil}, {"cyclic", Cyclic(3)}} {
		b.Run(bm.name, func(b *testing.B) {
			s, err := NewSecondOrder[float64](rules(b)["adam"], numeric(threePairs(b)), SecondOptions{Order: bm.order, Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			theta, f, c := []float64{0.9, 0.6}, make([]float64, 2), make([]float64, 2)
			for b.Loop() {
				if err := s.At(b.Context(), 1000, theta, f, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
