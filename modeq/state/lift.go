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
// that of order 2 is d - (1/2) (D d) d, which is d(w - d/2) to that order. For gradient descent it is the rod flow of arXiv:2602.01480.
//
// An evaluation costs two gradients, of order 2 four. It is not for concurrent use.
type Lift[T graph.Float] struct {
	objective objective.Objective[T]
	order     int
	step      *elementwise // the displacement of the rule's own step

	ends     [2][]float64 // zbar + zeta and zbar - zeta
	moves    [2][]float64 // their displacements
	theta, g []T
	g64      []float64
	negative int
}

// NewLift returns the lift of order 1 or 2.
func NewLift[T graph.Float](r *rule.Rule, o objective.Objective[T], order, threads int) (*Lift[T], error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("period-two lift of order %d: want 1 or 2", order)
	}
	dim := o.Dim()
	size := dim * (1 + len(r.State))
	l := &Lift[T]{objective: o, order: order, theta: make([]T, dim), g: make([]T, dim), g64: make([]float64, dim)}
	for i := range l.ends {
		l.ends[i], l.moves[i] = make([]float64, size), make([]float64, size)
	}
	var err error
	l.step, err = compileElementwise(r, dim, func(c rule.Call, age graph.Value) ([]graph.Value, error) {
		rate := func(beta float64) graph.Value { return age.Like(beta - 1) }
		return velocity(r, c, rule.Scale{Size: age.Like(1), Age: age, Rate: rate})
	}, threads)
	return l, err
}

// Size returns the number of elements of w: zbar, and then zeta.
func (l *Lift[T]) Size() int { return 2 * len(l.ends[0]) }

// At writes dw/du at w of an age, which is u, on a batch.
func (l *Lift[T]) At(ctx context.Context, lr, age float64, batch int, w, dwdu []float64) error {
	mean, flip := w[:len(w)/2], w[len(w)/2:]
	up, down := l.ends[0], l.ends[1]
	for j, v := range mean {
		up[j], down[j] = v+flip[j], v-flip[j]
	}
	if err := l.displace(ctx, lr, age, batch); err != nil {
		return err
	}
	dmean, dflip := dwdu[:len(mean)], dwdu[len(mean):]
	dup, ddown := l.moves[0], l.moves[1]
	if l.order == 2 { // at w - d/2, whose ends are those points less half of what the other's step does to them
		for j := range mean {
			up[j], down[j] = up[j]+flip[j]-ddown[j]/2, down[j]-flip[j]-dup[j]/2
			dflip[j] = -2*flip[j] - (dup[j]-ddown[j])/2
		}
		if err := l.displace(ctx, lr, age-0.5, batch); err != nil {
			return err
		}
	}
	for j := range mean {
		at := flip[j]
		if l.order == 2 {
			at -= dflip[j] / 2
		}
		dmean[j] = (dup[j] + ddown[j]) / 2
		dflip[j] = -2*at - (dup[j]-ddown[j])/2
	}
	return nil
}

// displace evaluates what a step does to the ends.
func (l *Lift[T]) displace(ctx context.Context, lr, age float64, batch int) error {
	for i, z := range l.ends {
		convert(l.theta, z[:len(l.theta)])
		l.negative += l.step.countNegative(z)
		if _, err := l.objective.Evaluate(ctx, l.theta, batch, objective.Want[T]{Gradient: l.g}); err != nil {
			return err
		}
		convert(l.g64, l.g)
		if err := l.step.run(lr, age, z, l.g64, l.moves[i]); err != nil {
			return err
		}
	}
	return nil
}

// Negative returns how many coordinates of states that cannot be negative in a run were so, and counted as 0, in all evaluations so far.
func (l *Lift[T]) Negative() int { return l.negative }
