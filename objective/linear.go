package objective

import (
	"context"

	"shadowflow/graph"
)

// Linearizer is a loss whose products with the Hessian at one point have in common what does not depend on the vector.
type Linearizer[T graph.Float] interface {
	// Linearize returns a function that writes the Hessian of a batch at theta times v into product; nil where products would have nothing in common, as of a batch in
	// parts. What they have in common is computed with the first of them. Theta and the data are not to change until the last.
	Linearize(ctx context.Context, theta []T, batch int) (func(ctx context.Context, v, product []T) error, error)
}

// Linearize is the method of losses that have it, and returns nil for others.
func Linearize[T graph.Float](ctx context.Context, o Objective[T], theta []T, batch int) (func(ctx context.Context, v, product []T) error, error) {
	own, ok := o.(Linearizer[T])
	if !ok {
		return nil, nil
	}
	return own.Linearize(ctx, theta, batch)
}
