package state

import (
	"context"
	"fmt"

	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Lift is the flow of the period-two lift of a rule's step on an objective (theory, section 8). Iterates z^(n) = zbar + (-1)^n zeta obey
// exactly
//
//	zbar' = (1/2)[Phi(zbar + zeta) + Phi(zbar - zeta)],    zeta' = -(1/2)[Phi(zbar + zeta) - Phi(zbar - zeta)],
//
// a map that is smooth through the edge of stability. With d its displacement, the flow of order 1 is dw/du = d(w) for w = (zbar, zeta), and
// that of order 2 is d - (1/2) (D d) d, here in the form of [rule.Rule.CenteredLift]. For gradient descent it is the rod flow of
// arXiv:2602.01480.
//
// An evaluation costs two gradients, of order 2 four. It is not for concurrent use.
type Lift[T graph.Float] struct {
	objective objective.Objective[T]
	order     int
	step      *elementwise // the displacement of the rule's own step
	centered  *elementwise // order 2

	ends     [2][]float64 // zbar + zeta and zbar - zeta
	g64      [2][]float64 // their gradients
	theta, g []T
	negative int
}

// NewLift returns the lift of order 1 or 2.
func NewLift[T graph.Float](r *rule.Rule, o objective.Objective[T], order, threads int) (*Lift[T], error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("period-two lift of order %d: want 1 or 2", order)
	}
	dim := o.Dim()
	size := sizeOf(r, dim)
	l := &Lift[T]{objective: o, order: order, theta: make([]T, dim), g: make([]T, dim)}
	for i := range l.ends {
		l.ends[i], l.g64[i] = make([]float64, size), make([]float64, dim)
	}
	var err error
	if l.step, err = compileElementwise(r, dim, 1, ownStep(r), threads); err != nil || order == 1 {
		return l, err
	}
	l.centered, err = compileElementwise(r, dim, 3, centeredLift(r), threads)
	return l, err
}

// ownStep makes the displacement of the rule's own step.
func ownStep(r *rule.Rule) recording {
	return func(at []rule.Call, age graph.Value) ([]graph.Value, error) {
		rate := func(beta float64) graph.Value { return age.Like(beta - 1) }
		return velocity(r, at[0], rule.Scale{Size: age.Like(1), Age: age, Rate: rate})
	}
}

// centeredLift makes the flow of order 2 from the two ends half a step back, and the mean.
func centeredLift(r *rule.Rule) recording {
	return func(at []rule.Call, age graph.Value) ([]graph.Value, error) {
		dmean, dflip, err := r.CenteredLift(at[0], at[1], at[2].State, age)
		return append(dmean, dflip...), err
	}
}

// At writes dw/du at w of an age, which is u, on a batch.
func (l *Lift[T]) At(ctx context.Context, lr, age float64, batch int, w, dwdu []float64) error {
	mean, flip := w[:len(w)/2], w[len(w)/2:]
	dmean, dflip := dwdu[:len(mean)], dwdu[len(mean):]
	up, down := l.ends[0], l.ends[1]
	for j, v := range mean {
		up[j], down[j] = v+flip[j], v-flip[j]
	}
	if err := l.gradients(ctx, batch); err != nil {
		return err
	}
	for i, d := range [...][]float64{dmean, dflip} { // the displacements of the ends, for now
		if err := l.step.run(ctx, lr, age, d, point{l.ends[i], l.g64[i]}); err != nil {
			return err
		}
	}
	for j, up := range dmean {
		down := dflip[j]
		dmean[j], dflip[j] = (up+down)/2, -2*flip[j]-(up-down)/2
	}
	if l.order == 1 {
		return nil
	}
	for j, v := range mean {
		middle, apart := v-dmean[j]/2, flip[j]-dflip[j]/2
		up[j], down[j] = middle+apart, middle-apart
	}
	if err := l.gradients(ctx, batch); err != nil {
		return err
	}
	return l.centered.run(ctx, lr, age, dwdu, point{up, l.g64[0]}, point{down, l.g64[1]}, point{mean, l.g64[0]})
}

// gradients evaluates the gradients at the ends.
func (l *Lift[T]) gradients(ctx context.Context, batch int) error {
	for i, z := range l.ends {
		convert(l.theta, z[:len(l.theta)])
		l.negative += l.step.countNegative(z)
		if _, err := l.objective.Evaluate(ctx, l.theta, batch, objective.Want[T]{Gradient: l.g}); err != nil {
			return err
		}
		convert(l.g64[i], l.g)
	}
	return nil
}

// Negative returns how many coordinates of states that cannot be negative in a run were so, and counted as 0, in all evaluations so far.
func (l *Lift[T]) Negative() int { return l.negative }
