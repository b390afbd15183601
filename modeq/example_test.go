package modeq_test

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// quasiHyperbolic is an optimizer of one's own: QHM (J. Ma and D. Yarats, ICLR 2019), a mixture of the gradient and its average.
const quasiHyperbolic = `
optimizer:
  name: qhm
  lr: 0.01
  let: {nu: 0.7, beta: 0.9}
  state:
    m: ema(g, beta)
  update: (1 - nu) * g + nu * m
`

// valley is a loss of one's own.
func valley(theta graph.Value) graph.Value {
	x, y := theta.At(0), theta.At(1)
	return x.Mul(y).Sub(x.Like(1)).Square().Add(x.Square().Mul(x.Like(0.1)))
}

// A few lines define an optimizer; its steps, its modified equation to any order, and its implicit norm follow.
func Example_ownOptimizer() {
	definition, err := rule.ParseDefinition("qhm.yaml", []byte(quasiHyperbolic))
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := definition.New(map[string]any{"beta": 0.9})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.Rule()
	if err != nil {
		fmt.Println(err)
		return
	}

	loss := &objective.Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value { return valley(theta) }}
	numbers := objective.NewNumeric[float64](loss, 1)
	stepper, err := rule.NewStepper[float64](r, []graph.Block{{Name: "theta", Shape: []int{2}}}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	theta, gradient := []float64{1.5, 1}, make([]float64, 2)
	for range 100 {
		if _, err := numbers.Evaluate(context.Background(), theta, objective.Full, objective.Want[float64]{Gradient: gradient}); err != nil {
			fmt.Println(err)
			return
		}
		if err := stepper.Step(c.LR, theta, gradient); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("after 100 steps: %.4f\n", theta)

	fields, err := modeq.CompileFields(r, loss, 2, 3, modeq.FieldOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := [][]float64{make([]float64, 2), make([]float64, 2), make([]float64, 2)}
	if err := fields.At(context.Background(), []float64{1.5, 1}, f); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("fields at the start: %.4f\n", f)

	d, err := modeq.Derive(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("F = %s, C = %s H F, the norm is %s\n", d.Field, d.Kappa.Factor(), d.Name)
	// Output:
	// after 100 steps: [1.1499 0.8273]
	// fields at the start: [[-1.3000 -1.5000] [-60.2480 -81.2600] [-9192.3107 -11655.8745]]
	// F = g, C = ((1 - nu + c1 nu) / 2) H F, the norm is half the squared two-norm
}

func ExampleEffects() {
	c, err := rule.New("adam", map[string]any{"beta1": 0.9, "beta2": 0.999, "eps": 1e-8})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.Rule()
	if err != nil {
		fmt.Println(err)
		return
	}
	effects, err := modeq.NewEffects(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	intervals, err := effects.Intervals(modeq.FullMemory)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range intervals {
		fmt.Printf("%.2g < |g| < %.2g: %+d\n", i.From, i.To, i.Sign)
	}
	// Output:
	// 0 < |g| < 9.8e-06: +1
	// 9.8e-06 < |g| < +Inf: -1
}
