package run

import (
	"context"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// CheckPoint returns an error if no equation can be told at a problem's point: the loss or its gradient is not finite there, or the optimizer makes
// numbers of the gradient that are not.
func CheckPoint(ctx context.Context, p *Problem[float64]) error {
	g := make([]float64, p.Objective.Dim())
	e, err := p.Objective.Evaluate(ctx, p.Theta, objective.Full, objective.Want[float64]{Gradient: g})
	if err != nil {
		return err
	}
	return checkSeen(p, e, g)
}

// checkSeen is CheckPoint where the loss and the gradient are known.
func checkSeen[T graph.Float](p *Problem[T], e objective.Evaluation, g []T) error {
	if !finite(e.Loss) {
		return fmt.Errorf("the loss at this point is %g: want %s", e.Loss, help[T]())
	}
	if err := checkVector[T]("the gradient", g); err != nil {
		return err
	}
	return modeq.CheckOverflow(p.Rule, g, p.Theta, p.Threads)
}

// checkVector returns an error that says where a vector at the point is not finite.
func checkVector[T graph.Float](name string, v []T) error {
	if i := slices.IndexFunc(v, func(x T) bool { return !finite(float64(x)) }); i >= 0 {
		return fmt.Errorf("%s at this point is %g at element %d: want %s", name, v[i], i, help[T]())
	}
	return nil
}

// CheckFields is checkVector for the fields f0, f1, ..
func CheckFields(fields [][]float64) error {
	for k, f := range fields {
		if err := checkVector(fmt.Sprintf("f%d", k), f); err != nil {
			if k > 0 {
				return fmt.Errorf("%w, or --order %d", err, k)
			}
			return err
		}
	}
	return nil
}

// help says at which point numbers are finite.
func help[T graph.Float]() string {
	if graph.TypeOf[T]() == graph.Float32 {
		return "dtype float64, or a point where it is finite"
	}
	return "a point where it is finite"
}
