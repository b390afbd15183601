package vec

import (
	"fmt"
	"testing"

	"shadowflow/internal/kernel/isa"
)

// BenchmarkElementwise reports the time of one element, for a scalar, a short slice and a tile in the first-level cache.
func BenchmarkElementwise(b *testing.B) {
	for _, set := range isa.Available() {
		benchmarkElementwise(b, "float32", set, For[float32](set))
		benchmarkElementwise(b, "float64", set, For[float64](set))
	}
}

func benchmarkElementwise[T Float](b *testing.B, name string, set isa.Set, k *Kernels[T]) {
	calls := map[string]func(dst, x, y []T){
		"Add": k.Add, "Mul": k.Mul, "Div": k.Div, "Max": k.Max, "Greater": k.Greater,
		"MulAdd":  func(dst, x, y []T) { k.MulAdd(dst, x, y, x) },
		"Select":  func(dst, x, y []T) { k.Select(dst, x, y, x) },
		"Exp":     func(dst, x, _ []T) { k.Exp(dst, x) },
		"Log":     func(dst, x, _ []T) { k.Log(dst, x) },
		"Log1p":   func(dst, x, _ []T) { k.Log1p(dst, x) },
		"Tanh":    func(dst, x, _ []T) { k.Tanh(dst, x) },
		"Sigmoid": func(dst, x, _ []T) { k.Sigmoid(dst, x) },
		"Erf":     func(dst, x, _ []T) { k.Erf(dst, x) },
		"Sqrt":    func(dst, x, _ []T) { k.Sqrt(dst, x) },
		"Sum":     func(dst, x, _ []T) { dst[0] = k.Sum(x) },
		"Dot":     func(dst, x, y []T) { dst[0] = k.Dot(x, y) },
		"MaxOf":   func(dst, x, _ []T) { dst[0] = k.MaxOf(x) },
	}
	for _, op := range []string{"Add", "Mul", "Div", "Max", "Greater", "MulAdd", "Select", "Sqrt",
		"Exp", "Log", "Log1p", "Tanh", "Sigmoid", "Erf", "Sum", "Dot", "MaxOf"} {
		for _, n := range []int{1, 4, 10, 64, 1024} {
			x, y, dst := make([]T, n), make([]T, n), make([]T, n)
			for i := range x {
				x[i], y[i] = T(i%7)/3+0.25, T(i%5)-1.5
			}
			call := calls[op]
			b.Run(fmt.Sprintf("%s/%v/%s/%d", op, set, name, n), func(b *testing.B) {
				for b.Loop() {
					call(dst, x, y)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
			})
		}
	}
}
