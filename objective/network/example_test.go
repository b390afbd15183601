package network_test

import (
	"context"
	"fmt"

	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
)

// The loss of a small network on the handwritten digits, its gradient, and the curvature along that gradient.
func Example() {
	data := dataset.Digits()
	model, err := (&nn.MLP{Hidden: []int{16}, Activation: "tanh"}).Build(data.Shape, data.Classes)
	if err != nil {
		fmt.Println(err)
		return
	}
	loss, err := network.New[float64](model, nn.CrossEntropy, data.Train, network.Options{MicroBatch: 500, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, theta, g, hg := context.Background(), loss.Start(), make([]float64, loss.Dim()), make([]float64, loss.Dim())
	e, err := loss.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{Gradient: g})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := loss.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{Vectors: [][]float64{g}, Products: [][]float64{hg}}); err != nil {
		fmt.Println(err)
		return
	}
	square, curvature := 0.0, 0.0
	for i := range g {
		square += g[i] * g[i]
		curvature += g[i] * hg[i]
	}
	fmt.Printf("loss %.3f on %d examples, |g|^2 = %.3f, g.Hg/|g|^2 = %.3f\n", e.Loss, e.Examples, square, curvature/square)
	// Output:
	// loss 2.305 on 1297 examples, |g|^2 = 0.423, g.Hg/|g|^2 = 0.131
}
