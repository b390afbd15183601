package bench

import (
	"context"
	"fmt"
	"math"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq/state"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Cost is the time of one kind of work on an objective.
type Cost struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"` // of the fastest run
	// Gradients is that time over a gradient's, measured in turns with it.
	Gradients float64 `json:"gradients"`
}

// Objective measures, on the batch, what a run does with an objective and an optimizer at theta: loss, gradient, Hessian-vector product, the
// optimizer's step, and the evaluation of its state equation. The works take turns for the budget of each, so that what else the machine
// does hits all alike.
func Objective[T graph.Float](ctx context.Context, o objective.Objective[T], r *rule.Rule, theta []T, batch int, lr float64, opt Options) ([]Cost, error) {
	works, err := worksOn(ctx, o, r, theta, batch, lr, opt.Threads)
	if err != nil {
		return nil, err
	}
	costs := make([]Cost, len(works))
	for i, w := range works {
		costs[i] = Cost{Name: w.name, Seconds: math.Inf(1)}
		if err := w.run(); err != nil { // which compiles
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	err = inTurns(len(works), opt.budget(), func(i int) error {
		if err := shorten(&costs[i].Seconds, works[i].run); err != nil {
			return fmt.Errorf("%s: %w", works[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range costs {
		costs[i].Gradients = costs[i].Seconds / costs[gradientWork].Seconds
	}
	return costs, nil
}

// workOn is one kind of work on an objective.
type workOn struct {
	name string
	run  func() error
}

// gradientWork is the place of the gradient among the works.
const gradientWork = 1

func worksOn[T graph.Float](ctx context.Context, o objective.Objective[T], r *rule.Rule, theta []T, batch int, lr float64, threads int) ([]workOn, error) {
	dim := o.Dim()
	g, v, hv := make([]T, dim), make([]T, dim), make([]T, dim)
	for i := range v {
		v[i] = T(math.Cos(float64(i)))
	}
	evaluate := func(want objective.Want[T]) func() error {
		return func() error {
			_, err := o.Evaluate(ctx, theta, batch, want)
			return err
		}
	}
	stepper, err := rule.NewStepper[T](r, o.Blocks(), engine.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	moving := append([]T(nil), theta...)
	works := []workOn{
		{"loss", evaluate(objective.Want[T]{})},
		{"gradient", evaluate(objective.Want[T]{Gradient: g})},
		{"gradient and Hessian-vector product", evaluate(objective.Want[T]{Gradient: g, Vectors: [][]T{v}, Products: [][]T{hv}})},
		{"optimizer step", func() error {
			if r.Hessian != nil {
				stepper.SetHessian(v)
			}
			return stepper.Step(lr, moving, g)
		}},
	}
	if r.StepsOfAllSizes() != nil {
		return works, nil
	}
	for order := 1; order <= 2; order++ {
		e, err := state.NewEquation(r, o, order, threads)
		if err != nil {
			return nil, err
		}
		z, dz := make([]float64, e.Size()), make([]float64, e.Size())
		for i := range z {
			z[i] = 1e-3
		}
		for i, x := range theta {
			z[i] = float64(x)
		}
		works = append(works, workOn{fmt.Sprintf("state equation of order %d", order), func() error { return e.At(ctx, lr, 10, batch, z, dz) }})
	}
	return works, nil
}
