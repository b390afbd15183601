package run

import (
	"context"
	"math"

	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// secondOrder evaluates F and C of the modified equation of second order, dtheta/dt = -F - lr C, at the optimizer's point.
//
// For a full batch under a rule that is Steady one Hessian-vector product is enough, and comes with the gradient. Otherwise the general
// theorem is evaluated over the steps that the memory holds, which costs a gradient and some Hessian-vector products of each mini-batch.
type secondOrder[T graph.Float] struct {
	objective objective.Objective[T]
	// field is the direction F of the one product; nil where the general theorem is needed.
	field     *objective.Direction
	fieldFrom objective.CompiledDirection[T] // F of a gradient that is known
	terms     *modeq.Terms[T]
	general   *modeq.SecondOrder[T]
	// isNormDirection says that F is the derivative of the perturbed one-norm, so that H F is the gradient q of that norm.
	isNormDirection bool

	f, hf, c []T
}

// newSecondOrder prepares the equation for batches in an order, nil for the full batch. eps is that of the perturbed one-norm.
func newSecondOrder[T graph.Float](o objective.Objective[T], r *rule.Rule, order func(step int) int, eps float64, threads int) (*secondOrder[T], error) {
	dim := o.Dim()
	s := &secondOrder[T]{objective: o, f: make([]T, dim), c: make([]T, dim)}
	memory, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	if order != nil || !memory.Steady() {
		s.general, err = modeq.NewSecondOrder(r, o, modeq.SecondOptions{Order: order, Threads: threads})
		return s, err
	}
	s.hf = make([]T, dim)
	if s.terms, err = modeq.NewTerms[T](r, dim, threads); err != nil {
		return nil, err
	}
	s.field = modeq.MemorylessDirection(memory)
	if s.fieldFrom, err = objective.CompileDirection[T](s.field, dim, threads); err != nil {
		return nil, err
	}
	s.isNormDirection, err = derivesPerturbedNorm(s.field, eps)
	return s, err
}

// evaluate sets F and C of the step from a point, and H F where that is all it takes.
func (s *secondOrder[T]) evaluate(ctx context.Context, at *Point[T]) error {
	if s.field == nil {
		return s.general.At(ctx, at.Step, at.Theta, s.f, s.c)
	}
	if err := s.along(ctx, at); err != nil {
		return err
	}
	return s.terms.SecondOrder(at.Step, at.Gradient, at.Theta, s.f, s.hf, s.c)
}

// along sets F and H F, which may have come with the gradient.
func (s *secondOrder[T]) along(ctx context.Context, at *Point[T]) error {
	if at.HasField {
		copy(s.f, at.Field)
		copy(s.hf, at.HField)
		return nil
	}
	if err := s.fieldFrom(at.Gradient, at.Theta, nil, s.f); err != nil {
		return err
	}
	return product(ctx, s.objective, at.Batch, at.Theta, s.f, s.hf)
}

// derivesPerturbedNorm reports whether a direction is g / sqrt(g^2 + eps), by trying it over all sizes of g.
func derivesPerturbedNorm(d *objective.Direction, eps float64) (bool, error) {
	var gs, thetas []float64
	for e := -12.0; e <= 4; e += 0.5 {
		for _, sign := range []float64{-1, 1} {
			gs, thetas = append(gs, sign*math.Pow(10, e)), append(thetas, 1+math.Mod(e, 3))
		}
	}
	field, err := objective.CompileDirection[float64](d, len(gs), 1)
	if err != nil {
		return false, err
	}
	f := make([]float64, len(gs))
	if err := field(gs, thetas, nil, f); err != nil {
		return false, err
	}
	for i, v := range gs {
		if want := v / math.Sqrt(v*v+eps); math.Abs(f[i]-want) > 1e-12*math.Abs(want) {
			return false, nil
		}
	}
	return true, nil
}

// biasScale moves the parameters, after each step, by -scale lr^2 C: 0 is the optimizer as it is, -1 has no bias to second order
// (theory: the interventions). C is that of the full memory for a full batch.
type biasScale[T graph.Float] struct {
	scale float64
	lr    float64
	order func(step int) int
	term  *secondOrder[T]
	f, c  []T
}

// evaluate finds C at the present point.
func (b *biasScale[T]) evaluate(ctx context.Context, at *Point[T]) error {
	s := b.term
	if s.field != nil {
		if err := s.along(ctx, at); err != nil {
			return err
		}
		return s.terms.SecondOrder(modeq.FullMemory, at.Gradient, at.Theta, s.f, s.hf, b.c)
	}
	n := at.Step
	if b.order == nil {
		n = modeq.FullMemory
	}
	return s.general.At(ctx, n, at.Theta, b.f, b.c)
}

// move moves the parameters.
func (b *biasScale[T]) move(theta []T) {
	w := T(b.scale * b.lr * b.lr)
	for j, v := range b.c {
		theta[j] -= w * v
	}
}
