package run_test

import (
	"context"
	"fmt"

	"shadowflow/experiment/run"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Does momentum follow its modified equations on a loss of one's own? The error of order r falls like lr^r.
func ExampleVerify() {
	loss := &objective.Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.At(0).Mul(theta.At(1)).Sub(theta.Like(1)).Square().Add(theta.Square().Sum().Mul(theta.Like(0.05)))
	}}
	c, err := rule.New("heavy-ball", map[string]any{"beta1": 0.3})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.Rule()
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := run.Verify(context.Background(),
		run.Problem[float64]{Objective: objective.NewNumeric[float64](loss, 0), Rule: r, Theta: []float64{1.2, 0.9}},
		run.VerifyOptions{Orders: []int{1, 2, 3}, LR: []float64{0.002, 0.001}, Time: 0.4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range result.Orders {
		fmt.Printf("order %d: slope %.1f\n", o.Order, o.Slopes[0])
	}
	// Output:
	// order 1: slope 1.0
	// order 2: slope 2.0
	// order 3: slope 3.0
}
