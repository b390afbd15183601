package run

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// Optimizer is what a run is about: a rule's steps, each from the gradient that the loop has evaluated at its point.
type Optimizer[T graph.Float] struct {
	rule    *rule.Rule
	stepper *rule.Stepper[T]
	theta   []T
	lr      func(n int) float64
	hessian *hutchinson[T] // nil: it reads none
	penalty *penalty[T]    // nil: none
	bias    *biasScale[T]  // nil: the bias is left alone
	g       []T            // that the coming step takes
}

// newOptimizer returns a problem's optimizer at theta, which it moves in place.
func newOptimizer[T graph.Float](p *Problem[T], theta []T) (*Optimizer[T], error) {
	stepper, err := rule.NewStepper[T](p.Rule, p.Objective.Blocks(), engine.Options{Threads: p.Threads})
	return &Optimizer[T]{rule: p.Rule, stepper: stepper, theta: theta, lr: p.StepSize, hessian: newHutchinson(p)}, err
}

// Name says what the optimizer's steps are, as its costs do.
func (o *Optimizer[T]) Name() string { return "optimizer step" }

// Steps returns the number of steps taken.
func (o *Optimizer[T]) Steps() int { return o.stepper.Steps() }

// LR returns the step size of a step.
func (o *Optimizer[T]) LR(n int) float64 { return o.lr(n) }

// needsField reports whether a step wants the rule's F and the Hessian times it.
func (o *Optimizer[T]) needsField() bool {
	return o.bias != nil && o.bias.update == nil && o.bias.term.field != nil
}

// Advance evaluates what interventions need.
func (o *Optimizer[T]) Advance(ctx context.Context, at *Point[T]) (err error) {
	o.g = at.Gradient
	if o.penalty != nil {
		if o.g, err = o.penalty.gradient(ctx, at); err != nil {
			return err
		}
	}
	if o.bias != nil {
		return o.bias.evaluate(ctx, at)
	}
	return nil
}

// Commit moves the parameters in place, or, broken off by the context, nothing: the steps of some optimizers take longer than gradients.
func (o *Optimizer[T]) Commit(ctx context.Context) error {
	if err := o.stepper.StepContext(ctx, o.lr(o.Steps()), o.theta, o.g); err != nil {
		return err
	}
	if o.bias != nil {
		o.bias.move(o.theta)
	}
	return nil
}

// addIntervention adds to U of the step just taken what the scaled bias moved the parameters by.
func (o *Optimizer[T]) addIntervention(u []T) {
	if o.bias == nil {
		return
	}
	w := T(o.bias.inUpdate())
	for j, v := range o.bias.c {
		u[j] += w * v
	}
}

// checkMemory returns an error if what the optimizer remembers is not finite: where it divides by that it stands still, however finite the loss is. It
// looks at every number, so that loops ask where a row is recorded, and at the end; what is not finite remains so.
func (o *Optimizer[T]) checkMemory() error {
	want := "a smaller loss or lr, or data of a smaller scale"
	if graph.TypeOf[T]() == graph.Float32 {
		want = "dtype float64, or " + want
	}
	for i, array := range o.stepper.State() {
		for j, v := range array {
			if !finite(float64(v)) {
				return fmt.Errorf("the optimizer's memory %s is %g in %v at element %d, behind a gradient too large for it: want %s", o.rule.State[i], v, graph.TypeOf[T](), j, want)
			}
		}
	}
	return nil
}

// State returns what the coming steps depend on; see [Process].
func (o *Optimizer[T]) State() []Vector {
	out := []Vector{{Data: o.theta}}
	for i, name := range o.rule.State {
		out = append(out, Vector{statePrefix(name), o.rule.PartsOf(i), o.stepper.State()[i]})
	}
	return out
}
