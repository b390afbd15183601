package run

import "shadowflow/graph"

// penalty adds the gradient of an explicit penalty to that of the loss: for weight w and gradient g of the loss, w H(g/R) for
// the perturbed one-norm, R = sqrt(g^2 + eps), and 2 w H g for the squared two-norm.
type penalty[T graph.Float] struct {
	direction, product []T
	total              []T // gradient of the penalized loss
}

func newPenalty[T graph.Float](t *trainer[T]) (*penalty[T], error) {
	dim := t.loss.Dim()
	return &penalty[T]{make([]T, dim), make([]T, dim), make([]T, dim)}, nil
}

// add sets total at the present point.
func (p *penalty[T]) add(t *trainer[T]) error {
	g, product := t.point.g, p.product
	if t.config.Regularizer.Kind == "perturbed-one-norm" && t.point.paired && t.bias.direct {
		product = t.bias.hf
	} else {
		if t.config.Regularizer.Kind == "perturbed-one-norm" {
			normDirection(p.direction, g, t.eps)
		} else {
			for j, v := range g {
				p.direction[j] = 2 * v
			}
		}
		if err := t.product(t.point.batch, p.direction, product); err != nil {
			return err
		}
	}
	w := T(t.config.Regularizer.Weight)
	for j, v := range g {
		p.total[j] = v + w*product[j]
	}
	return nil
}
