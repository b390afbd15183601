package run

import (
	"math/rand/v2"

	"shadowflow/graph"
	"shadowflow/objective"
)

// hutchinson estimates the diagonal of the Hessian on a step's batch where the optimizer's rule reads it: u (H u) element by
// element, with a u of standard normal numbers that the seed and the step draw. Its mean is the diagonal.
type hutchinson[T graph.Float] struct {
	reads func(n int) bool
	seed  uint64
	u, hu []T
}

// newHutchinson returns the estimator of a problem's optimizer, nil if its rule reads no estimate.
func newHutchinson[T graph.Float](p *Problem[T]) *hutchinson[T] {
	if p.Rule.Hessian == nil {
		return nil
	}
	return &hutchinson[T]{reads: p.Rule.Hessian, seed: p.Seed, u: make([]T, p.Objective.Dim()), hu: make([]T, p.Objective.Dim())}
}

// purposeOfHessian is what the generator is made for, beside the step.
const purposeOfHessian = 0x48e55 << 40

// want adds the product with the Hessian to what is wanted of the batch of step n, and reports whether it did.
func (h *hutchinson[T]) want(n int, w *objective.Want[T]) bool {
	if h == nil || !h.reads(n) {
		return false
	}
	rnd := rand.New(rand.NewPCG(h.seed, purposeOfHessian+uint64(n)))
	for i := range h.u {
		h.u[i] = T(rnd.NormFloat64())
	}
	w.Vectors, w.Products = append(w.Vectors, h.u), append(w.Products, h.hu)
	return true
}

// estimate returns the diagonal, where what want added was evaluated.
func (h *hutchinson[T]) estimate() []T {
	for i, u := range h.u {
		h.hu[i] *= u
	}
	return h.hu
}
