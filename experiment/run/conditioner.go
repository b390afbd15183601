package run

import (
	"context"
	"math"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/diagnose/spectrum"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// conditioner knows along a run how its optimizer preconditions: by which diagonal 1/P it multiplies changes of the gradient that last.
type conditioner[T graph.Float] struct {
	stepper      *rule.Stepper[T]
	precondition *diagnose.Preconditioner[T] // nil without the memory form: nothing is known then
	with         rule.Conditioning
	condition    objective.CompiledDirection[T]
	root, seen   []T // that of 1/P, and the gradient that the rule's formulas see
}

func newConditioner[T graph.Float](p *Problem[T], o *Optimizer[T]) (c conditioner[T], err error) {
	c = conditioner[T]{stepper: o.stepper, with: p.Rule.Conditioning()}
	if p.Rule.Memory == nil || p.perturbed() {
		return c, nil
	}
	dim := p.Objective.Dim()
	c.root, c.seen = make([]T, dim), make([]T, dim)
	if c.precondition, err = diagnose.NewPreconditioner[T](p.Rule.Unconditioned(), dim, p.Threads); err != nil || !c.with.Active() {
		return c, err
	}
	c.condition, err = objective.CompileDirection[T](&objective.Direction{Make: c.with.Of}, dim, p.Threads)
	return c, err
}

// at sets the root of 1/P at a point, and returns the thresholds there and the gradient of the coming step as the rule's formulas see it: nil where there
// are none, for a clipped gradient changes by another matrix than the Hessian, and in a step of size 0 nothing changes.
func (c *conditioner[T]) at(at *Point[T]) (s diagnose.Stability, g []T, err error) {
	if clipped := rule.Clip(c.with, at.Gradient); clipped != (rule.Clipped{Factor: 1}) || at.LR == 0 {
		return s, nil, nil
	}
	g = at.Gradient
	if c.condition != nil {
		g = c.seen
		if err := c.condition(at.Gradient, at.Theta, g); err != nil {
			return s, nil, err
		}
	}
	s, err = c.precondition.At(at.Step, at.LR, at.Theta, g, c.stepper.State(), c.root)
	return s, g, err
}

// rooted reports whether P^-1 has a root: no element is below 0.
func (c *conditioner[T]) rooted() bool {
	return !slices.ContainsFunc(c.root, func(x T) bool { return math.IsNaN(float64(x)) })
}

// hessianAt returns the products with the Hessian of a loss over all examples, and whether they take no less for several vectors at once.
func hessianAt[T graph.Float](ctx context.Context, o objective.Objective[T], theta []T) (apply spectrum.Product[T], single bool, err error) {
	linear, err := objective.Linearize(ctx, o, theta, objective.Full)
	if err != nil {
		return nil, false, err
	}
	if linear != nil {
		return func(vs, avs [][]T) error {
			for k, v := range vs {
				if err := linear(ctx, v, avs[k]); err != nil {
					return err
				}
			}
			return nil
		}, true, nil
	}
	return func(vs, avs [][]T) error {
		_, err := o.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Vectors: vs, Products: avs})
		return err
	}, false, nil
}

// decayedBy returns the products with H and what coupled decay adds to it, given those with H.
func decayedBy[T graph.Float](with rule.Conditioning, hessian spectrum.Product[T]) spectrum.Product[T] {
	return func(vs, avs [][]T) error {
		if err := hessian(vs, avs); err != nil {
			return err
		}
		for k, av := range avs {
			rule.AddDecay(with, av, vs[k])
		}
		return nil
	}
}

// scaledBy returns those with P^-1/2 (H + decay) P^-1/2, given the roots of 1/P.
func scaledBy[T graph.Float](with rule.Conditioning, root []T, hessian spectrum.Product[T]) spectrum.Product[T] {
	return diagnose.Preconditioned(root, decayedBy(with, hessian))
}
