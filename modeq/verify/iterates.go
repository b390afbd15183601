package verify

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// iterates is the discrete optimizer.
type iterates struct {
	p       *Problem
	stepper *rule.Stepper[float64]
	second  *modeq.SecondOrder[float64] // of the intervention, nil without one
	order   func(step int) int
	lr      float64

	g, f, c []float64
}

// fullyFilled is a number of steps after which every memory is full.
const fullyFilled = math.MaxInt32

func newIterates(p *Problem, threads int) (*iterates, error) {
	dim := p.Objective.Dim()
	it := &iterates{p: p, g: make([]float64, dim), f: make([]float64, dim), c: make([]float64, dim), order: p.order()}
	var err error
	if it.stepper, err = rule.NewStepper[float64](p.Rule, p.Objective.Blocks(), graph.Options{Threads: threads}); err != nil {
		return nil, err
	}
	if p.BiasScale != 0 {
		it.second, err = modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Threads: threads})
	}
	return it, err
}

// begin puts the memory in the state it starts with at step size lr.
func (it *iterates) begin(ctx context.Context, lr float64, e *equations, opt Options) error {
	it.lr = lr
	it.stepper.Reset()
	if opt.Start == Cold {
		return nil
	}
	return it.fill(ctx, e, opt)
}

// fill gives the memory the gradients along the equation of highest order, run backwards from the start.
func (it *iterates) fill(ctx context.Context, e *equations, opt Options) error {
	memory, err := it.p.Rule.MemoryForm()
	if err != nil {
		return err
	}
	window := memory.Window(1e-15) + 1
	field, err := e.flow(ctx, slices.Max(opt.Orders), it.lr)
	if err != nil {
		return err
	}
	times := make([]float64, window)
	for k := range times {
		times[k] = -float64(k+1) * it.lr
	}
	back, err := flow.Integrate(ctx, flow.DormandPrince8, field, 0, times[window-1], it.p.Theta,
		flow.Options{RelTol: opt.RelTol, AbsTol: opt.RelTol / 10, Times: times})
	if err != nil {
		return fmt.Errorf("the start on the slow manifold: running the equation backwards through the memory's %d steps: %w "+
			"(choose smaller betas or a smaller lr, or start %s)", window, err, Cold)
	}
	scratch := make([]float64, len(it.p.Theta))
	for _, theta := range slices.Backward(back.Rows) {
		if err := it.gradient(ctx, objective.Full, theta); err != nil {
			return err
		}
		if err := it.stepper.Step(it.lr, scratch, it.g); err != nil {
			return err
		}
	}
	return it.stepper.Restore(fullyFilled, it.stepper.State())
}

// run returns the iterates, the start included.
func (it *iterates) run(ctx context.Context, steps int) ([][]float64, error) {
	theta := slices.Clone(it.p.Theta)
	path := [][]float64{slices.Clone(theta)}
	for n := range steps {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("stopped at step %d: %w", n, err)
		}
		if err := it.step(ctx, n, theta); err != nil {
			return nil, err
		}
		for i, v := range theta {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("lr %g: the iterates diverge: theta[%d] = %v after step %d", it.lr, i, v, n+1)
			}
		}
		path = append(path, slices.Clone(theta))
	}
	return path, nil
}

// gradient sets g to the gradient of a batch's loss.
func (it *iterates) gradient(ctx context.Context, batch int, theta []float64) error {
	_, err := it.p.Objective.Evaluate(ctx, theta, batch, objective.Want[float64]{Gradient: it.g})
	return err
}

func (it *iterates) step(ctx context.Context, n int, theta []float64) error {
	batch := objective.Full
	if it.order != nil {
		batch = it.order(n)
	}
	if err := it.gradient(ctx, batch, theta); err != nil {
		return err
	}
	if it.second != nil {
		if err := it.second.At(ctx, modeq.FullMemory, theta, it.f, it.c); err != nil {
			return err
		}
	}
	if err := it.stepper.Step(it.lr, theta, it.g); err != nil {
		return err
	}
	if it.second != nil {
		for i, c := range it.c {
			theta[i] -= it.p.BiasScale * it.lr * it.lr * c
		}
	}
	return nil
}

// Iterate returns the optimizer's iterates from an empty memory, the start first.
func Iterate(ctx context.Context, p Problem, lr float64, steps int) ([][]float64, error) {
	opt := Options{Orders: []int{1}, LR: []float64{lr}, Time: lr, Start: Cold}
	if err := p.check(&opt); err != nil {
		return nil, err
	}
	it, err := newIterates(&p, 0)
	if err != nil {
		return nil, err
	}
	if err := it.begin(ctx, lr, nil, opt); err != nil {
		return nil, err
	}
	return it.run(ctx, steps)
}

// Solve returns the solution of the modified equation of an order at the times of the steps of Iterate, the start first. Orders 1
// and 2 are exact in the step number, and so know how the memory fills; higher orders are those of a full memory. With an error
// comes the solution as far as it could be followed.
func Solve(ctx context.Context, p Problem, lr float64, order, steps int) ([][]float64, error) {
	opt := Options{Orders: []int{order}, LR: []float64{lr}, Time: lr}
	if order <= 2 {
		opt.Start = Cold
	}
	if err := p.check(&opt); err != nil {
		return nil, err
	}
	e, err := newEquations(&p, opt)
	if err != nil {
		return nil, err
	}
	return e.solve(ctx, order, lr, steps, opt)
}
