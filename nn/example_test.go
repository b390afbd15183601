package nn_test

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
)

// A network's loss and its gradient as functions of one flat vector.
func Example() {
	arch := &nn.MLP{Hidden: []int{3}, Activation: "tanh"}
	model, err := arch.Build([]int{2}, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	const n = 4
	in := model.Inputs(graph.NewBuilder(), graph.Float64, n)
	out, err := model.TrainLoss(in, nn.CrossEntropy)
	if err != nil {
		fmt.Println(err)
		return
	}
	gradient := graph.Grad(out.Loss, in.Theta)[0]
	program, err := engine.Compile([]graph.Value{in.Theta, in.X, in.Labels}, []graph.Value{out.Loss, gradient}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}

	theta, x, labels := model.Init(1).Theta, []float64{0, 0, 0, 1, 1, 0, 1, 1}, []int32{0, 1, 1, 0}
	loss, g := make([]float64, 1), make([]float64, model.NumParams())
	for range 300 {
		err := program.Run([]engine.Buffer{engine.Of(theta), engine.Of(x), engine.Of(labels)}, []engine.Buffer{engine.Of(loss), engine.Of(g)})
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := range theta {
			theta[i] -= 2 * g[i]
		}
	}
	fmt.Printf("%d parameters, %s first, solve XOR: %v\n", model.NumParams(), model.Params()[0].Name, loss[0] < 0.01)
	// Output: 17 parameters, 0.weight first, solve XOR: true
}
