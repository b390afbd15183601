package network

import (
	"fmt"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
)

// The digits run's two evaluations: gradient, and gradient with a Hessian-vector product.
func BenchmarkDigits(b *testing.B) {
	m, err := (&nn.MLP{Hidden: []int{64, 64}, Activation: "tanh"}).Build([]int{8, 8, 1}, 10)
	if err != nil {
		b.Fatal(err)
	}
	sign := func(g, _ graph.Value) graph.Value { return g.Div(g.Square().Add(g.Like(1e-8)).Sqrt()) }
	for _, physical := range []int{500, 1297} {
		o, err := New[float32](m, nn.CrossEntropy, dataset.Digits().Train, Options{Physical: physical})
		if err != nil {
			b.Fatal(err)
		}
		a, err := o.Along(sign)
		if err != nil {
			b.Fatal(err)
		}
		dim := m.NumParams()
		theta, g, v, hv := make([]float32, dim), make([]float32, dim), make([]float32, dim), make([]float32, dim)
		for i, x := range m.Init(0).Theta {
			theta[i] = float32(x)
		}
		b.Run(fmt.Sprintf("gradient/physical=%d", physical), func(b *testing.B) {
			for b.Loop() {
				if _, err := o.Evaluate(Full, theta, g); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("pair/physical=%d", physical), func(b *testing.B) {
			for b.Loop() {
				if _, err := a.At(Full, theta, g, v, hv); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
