package state

import (
	"context"
	"fmt"
	"math"

	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Lift is the flow of the period-two lift of a rule's step on an objective (theory, section 8). Iterates z^(n) = zbar + (-1)^n zeta obey
// exactly
//
//	zbar' = (1/2)[Phi(zbar + zeta) + Phi(zbar - zeta)],    zeta' = -(1/2)[Phi(zbar + zeta) - Phi(zbar - zeta)],
//
// a map that is smooth through the edge of stability. With d its displacement, the flow of order 1 is dw/du = d for w = (zbar, zeta), and
// that of order 2 is d - (1/2) (D d) d. For gradient descent it is the rod flow of arXiv:2602.01480.
//
// An evaluation costs two gradients, of order 2 also two Hessian-vector products with a gradient each. It is not for concurrent use.
type Lift[T graph.Float] struct {
	objective     objective.Objective[T]
	rule          *rule.Rule
	order         int
	step, tangent *elementwise // D at size 1, and its derivative
	ends          [2]end[T]
	negative      int
}

// end is one of the two points that the iterates flip between.
type end[T graph.Float] struct {
	z, d, along, change []float64 // the point, its displacement, the direction it moves in, and how d changes in it
	theta, g, v, hv     []T
	g64, hv64           []float64
	loss                float64
}

// NewLift returns the lift of order 1 or 2.
func NewLift[T graph.Float](r *rule.Rule, o objective.Objective[T], order, threads int) (*Lift[T], error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("period-two lift of order %d: want 1 or 2", order)
	}
	l := &Lift[T]{objective: o, rule: r, order: order}
	dim := o.Dim()
	var err error
	displacement := func(c rule.Call, _ []graph.Value, age graph.Value) ([]graph.Value, error) { return ownStep(r, c, age) }
	if l.step, err = compileElementwise(r, dim, 0, displacement, threads); err != nil {
		return nil, err
	}
	if order == 2 {
		// The extra vectors are the direction of g, and then that of the state.
		change := func(c rule.Call, extra []graph.Value, age graph.Value) ([]graph.Value, error) {
			named, moving := alias(c), age.Alias()
			d, err := ownStep(r, named, moving)
			if err != nil {
				return nil, err
			}
			xs := append([]graph.Value{moving, named.G, named.Theta}, named.State...)
			return graph.JVP(d, xs, append([]graph.Value{age.Like(1)}, extra...)), nil
		}
		if l.tangent, err = compileElementwise(r, dim, 2+len(r.State), change, threads); err != nil {
			return nil, err
		}
	}
	size := dim * (1 + len(r.State))
	for i := range l.ends {
		l.ends[i] = end[T]{
			z: make([]float64, size), d: make([]float64, size), along: make([]float64, size), change: make([]float64, size),
			theta: make([]T, dim), g: make([]T, dim), v: make([]T, dim), hv: make([]T, dim),
			g64: make([]float64, dim), hv64: make([]float64, dim),
		}
	}
	return l, nil
}

// ownStep returns the displacement of the rule's own step.
func ownStep(r *rule.Rule, c rule.Call, age graph.Value) ([]graph.Value, error) {
	rate := func(beta float64) graph.Value { return age.Like(beta - 1) }
	return velocity(r, c, rule.Scale{Size: age.Like(1), Age: age, Rate: rate})
}

// Size returns the number of elements of w: zbar, and then zeta.
func (l *Lift[T]) Size() int { return 2 * len(l.ends[0].z) }

// At writes dw/du at w of an age, which is u, on a batch.
func (l *Lift[T]) At(ctx context.Context, lr, age float64, batch int, w, dwdu []float64) error {
	size := len(w) / 2
	mean, flip := w[:size], w[size:]
	for i := range l.ends {
		if err := l.displace(ctx, &l.ends[i], lr, age, batch, mean, flip, 1-2*float64(i)); err != nil {
			return err
		}
	}
	up, down := &l.ends[0], &l.ends[1]
	dmean, dflip := dwdu[:size], dwdu[size:]
	for j := range mean {
		dmean[j] = (up.d[j] + down.d[j]) / 2
		dflip[j] = -2*flip[j] - (up.d[j]-down.d[j])/2
	}
	if l.order == 1 {
		return nil
	}
	for i := range l.ends {
		if err := l.bend(ctx, &l.ends[i], lr, age, batch, dmean, dflip, 1-2*float64(i)); err != nil {
			return err
		}
	}
	for j := range mean {
		dmean[j] -= (up.change[j] + down.change[j]) / 4
		dflip[j] += dflip[j] + (up.change[j]-down.change[j])/4
	}
	return nil
}

// displace evaluates an end: zbar + sign zeta.
func (l *Lift[T]) displace(ctx context.Context, e *end[T], lr, age float64, batch int, mean, flip []float64, sign float64) error {
	for j, v := range mean {
		e.z[j] = v + sign*flip[j]
	}
	convert(e.theta, e.z[:len(e.theta)])
	l.negative += l.step.countNegative(e.z)
	seen, err := l.objective.Evaluate(ctx, e.theta, batch, objective.Want[T]{Gradient: e.g})
	if err != nil {
		return err
	}
	e.loss = seen.Loss
	convert(e.g64, e.g)
	return l.step.run(lr, age, e.z, e.g64, nil, e.d)
}

// bend evaluates how an end's displacement changes along that of the lift.
func (l *Lift[T]) bend(ctx context.Context, e *end[T], lr, age float64, batch int, dmean, dflip []float64, sign float64) error {
	for j, v := range dmean {
		e.along[j] = v + sign*dflip[j]
	}
	dim := len(e.v)
	convert(e.v, e.along[:dim])
	want := objective.Want[T]{Vectors: [][]T{e.v}, Products: [][]T{e.hv}}
	if _, err := l.objective.Evaluate(ctx, e.theta, batch, want); err != nil {
		return err
	}
	convert(e.hv64, e.hv)
	extra := [][]float64{e.hv64}
	for at := 0; at < len(e.along); at += dim {
		extra = append(extra, e.along[at:at+dim])
	}
	return l.tangent.run(lr, age, e.z, e.g64, extra, e.change)
}

// MeanLoss returns the mean of the losses at the two ends that were last evaluated: the prediction for the mean of two consecutive losses.
func (l *Lift[T]) MeanLoss() float64 { return (l.ends[0].loss + l.ends[1].loss) / 2 }

// Negative returns how many coordinates of states that cannot be negative in a run were so, and counted as 0, in all evaluations so far.
func (l *Lift[T]) Negative() int { return l.negative }

// Amplitude returns |zeta| of theta.
func (l *Lift[T]) Amplitude(w []float64) float64 {
	size := len(w) / 2
	sum := 0.0
	for _, v := range w[size : size+len(l.ends[0].theta)] {
		sum += v * v
	}
	return math.Sqrt(sum)
}
