package run

import (
	"context"
	"math"

	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/objective"
)

// penalty adds the gradient of an explicit penalty to that of the loss: for weight w and gradient g of the loss, w H(g/R) for the
// perturbed one-norm, R = sqrt(g^2 + eps), and 2 w H g for the squared two-norm.
type penalty[T graph.Float] struct {
	objective objective.Objective[T]
	weight    float64
	eps       float64
	// squared says that the penalty is on the squared two-norm.
	squared bool
	// fieldIsNormDirection says that the optimizer's F is the derivative of the perturbed one-norm.
	fieldIsNormDirection bool

	direction, product []T
	total              []T // gradient of the penalized loss
}

func newPenalty[T graph.Float](o objective.Objective[T], weight, eps float64, squared bool) *penalty[T] {
	dim := o.Dim()
	return &penalty[T]{
		objective: o, weight: weight, eps: eps, squared: squared,
		direction: make([]T, dim), product: make([]T, dim), total: make([]T, dim),
	}
}

// penalize adds the penalty of a config, if it has one, to the loss that an optimizer minimizes.
func (o *Optimizer[T]) penalize(c *config.Config, p *Problem[T], term *secondOrder[T]) {
	if !penalized(c) {
		return
	}
	o.penalty = newPenalty(p.Objective, c.Regularizer.Weight, p.Eps, c.Regularizer.Kind == "two-norm-squared")
	o.penalty.fieldIsNormDirection = term != nil && term.isNormDirection
}

// gradient returns the gradient of the penalized loss at the present point.
func (p *penalty[T]) gradient(ctx context.Context, at *Point[T]) ([]T, error) {
	hv, err := p.hessianTimes(ctx, at)
	w := T(p.weight)
	for j, v := range at.Gradient {
		p.total[j] = v + w*hv[j]
	}
	return p.total, err
}

// hessianTimes returns the Hessian times the derivative of the penalty by the gradient.
func (p *penalty[T]) hessianTimes(ctx context.Context, at *Point[T]) ([]T, error) {
	switch {
	case p.squared:
		for j, v := range at.Gradient {
			p.direction[j] = 2 * v
		}
	case at.HasField && p.fieldIsNormDirection:
		return at.HField, nil
	default:
		normDirection(p.direction, at.Gradient, p.eps)
	}
	return p.product, objective.TransposedProduct(ctx, p.objective, at.Theta, at.Batch, p.direction, p.product)
}

// normDirection writes g / sqrt(g^2 + eps), the derivative of the perturbed one-norm.
func normDirection[T graph.Float](dst, g []T, eps float64) {
	for j, v := range g {
		x := float64(v)
		dst[j] = T(x / math.Sqrt(x*x+eps))
	}
}

// product writes the Hessian of a batch's loss at theta times v into hv.
func product[T graph.Float](ctx context.Context, o objective.Objective[T], batch int, theta, v, hv []T) error {
	_, err := o.Evaluate(ctx, theta, batch, objective.Want[T]{Vectors: [][]T{v}, Products: [][]T{hv}})
	return err
}
