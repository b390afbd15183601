package network

import (
	"fmt"
	"testing"

	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/objective"
)

// The digits run's two evaluations, gradient, and gradient with a Hessian-vector product, and what a central flow wants beside them.
func BenchmarkDigits(b *testing.B) {
	m, err := (&nn.MLP{Hidden: []int{64, 64}, Activation: "tanh"}).Build([]int{8, 8, 1}, 10)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{500, 1297} {
		o, err := New[float32](m, nn.CrossEntropy, dataset.Digits().Train, Options{MicroBatch: size})
		if err != nil {
			b.Fatal(err)
		}
		dim := m.NumParams()
		theta, g, f, hf := make([]float32, dim), make([]float32, dim), make([]float32, dim), make([]float32, dim)
		for i, x := range m.Init(0).Theta {
			theta[i] = float32(x)
		}
		for name, want := range map[string]objective.Want[float32]{
			"gradient": {Gradient: g}, "pair": {Gradient: g, Direction: smoothSign, Field: f, HField: hf},
			"bend": {Lines: [][]float32{g}, Bends: [][]float32{f}}, "product": {Vectors: [][]float32{g}, Products: [][]float32{f}},
		} {
			b.Run(fmt.Sprintf("%s/micro-batch=%d", name, size), func(b *testing.B) {
				for b.Loop() {
					if _, err := o.Evaluate(b.Context(), theta, objective.Full, want); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
