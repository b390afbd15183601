package run

import (
	"context"
	"errors"
	"math"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// secondOrder evaluates F and C of the modified equation of second order, dtheta/dt = -F - lr C, at the optimizer's point, and F'F.
//
// For a full batch under a rule that is Steady one Hessian-vector product is enough, and comes with the gradient. Otherwise the general
// theorem is evaluated over the steps that the memory holds, which costs a gradient and some Hessian-vector products of each mini-batch.
// Of a rule without the memory form there is F, where that is known, and no C.
type secondOrder[T graph.Float] struct {
	objective objective.Objective[T]
	// field is the direction F of the one product; nil where the general theorem is needed.
	field     *objective.Direction
	fieldFrom objective.CompiledDirection[T] // F of a gradient that is known
	steady    *diagnose.Acceleration[T]
	terms     *modeq.Terms[T] // nil without the memory form
	general   *modeq.SecondOrder[T]
	// isNormDirection says that F is the derivative of the perturbed one-norm, so that H F is the gradient q of that norm.
	isNormDirection bool

	f, hf, ff, c  []T // a nil c: there is none
	middle, theta []T // F half a step on, and the point, where F'F is found from them
}

// newSecondOrder prepares the equation of a problem's rule, which has the memory form.
func newSecondOrder[T graph.Float](p *Problem[T]) (*secondOrder[T], error) {
	memory, err := p.Rule.MemoryForm()
	if err != nil {
		return nil, err
	}
	if p.Order == nil && memory.Steady() {
		s, err := newFirstOrder(p, modeq.MemorylessDirection(memory))
		if err != nil {
			return nil, err
		}
		s.c = make([]T, len(s.f))
		if s.terms, err = modeq.NewTerms[T](p.Rule, len(s.f), p.Threads); err == nil {
			s.terms.Vary(p.varying())
		}
		return s, err
	}
	dim := p.Objective.Dim()
	s := &secondOrder[T]{objective: p.Objective}
	for _, v := range []*[]T{&s.f, &s.ff, &s.c, &s.middle, &s.theta} {
		*v = make([]T, dim)
	}
	s.general, err = modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Order: p.Order, LR: p.varying(), Threads: p.Threads})
	return s, err
}

// newSettled prepares F of a problem's rule without the memory form.
func newSettled[T graph.Float](p *Problem[T]) (*secondOrder[T], error) {
	settled, err := settledUpdate(p.Rule, p.Order != nil)
	if err != nil {
		return nil, err
	}
	return newFirstOrder(p, &objective.Direction{Make: func(g, theta graph.Value) graph.Value { return settled(g, theta) }})
}

// settledUpdate returns F of a rule without the memory form, or why there is none in a run.
func settledUpdate(r *rule.Rule, mini bool) (func(g, theta graph.Value) graph.Value, error) {
	settled, err := r.Settled()
	if err == nil && mini {
		err = errors.New("with mini-batches the update without memory is made from those that the memory holds, which needs the memory form")
	}
	return settled, err
}

// Unmeasured says why neither bias nor drives of a run are measured, though record.bias asks for them; nil where they are, or as far as is known.
func Unmeasured(c *config.Config) error {
	if c.Record.Bias == 0 || c.Bias.Scale != 0 {
		return nil
	}
	r, err := c.Optimizer.Rule()
	if err != nil || r.Memory != nil { // the rule of groups is known to those who know the weights
		return nil
	}
	_, err = settledUpdate(r, c.Batch.Mini())
	return err
}

// newFirstOrder prepares F, a direction, its product with the Hessian, and F'F, for the full batch.
func newFirstOrder[T graph.Float](p *Problem[T], field *objective.Direction) (*secondOrder[T], error) {
	dim := p.Objective.Dim()
	s := &secondOrder[T]{objective: p.Objective, field: field}
	for _, v := range []*[]T{&s.f, &s.hf, &s.ff} {
		*v = make([]T, dim)
	}
	var err error
	if s.fieldFrom, err = objective.CompileDirection[T](field, dim, p.Threads); err != nil {
		return nil, err
	}
	if s.steady, err = diagnose.NewAcceleration[T](field, dim, p.Threads); err != nil {
		return nil, err
	}
	s.isNormDirection, err = p.followsNorm(field)
	return s, err
}

// evaluate sets F and C of the step from a point, and H F where that is all it takes.
func (s *secondOrder[T]) evaluate(ctx context.Context, at *Point[T]) error {
	if s.field == nil {
		return s.general.At(ctx, at.Step, at.Theta, s.f, s.c)
	}
	if err := s.along(ctx, at); err != nil || s.terms == nil {
		return err
	}
	return s.terms.SecondOrder(at.Step, at.Gradient, at.Theta, s.f, s.hf, s.c)
}

// accelerate sets F'F, the second derivative in time of the solution of dtheta/dt = -F, where F and H F are known.
func (s *secondOrder[T]) accelerate(ctx context.Context, at *Point[T]) error {
	if s.field != nil {
		return s.steady.At(at.Theta, at.Gradient, s.f, s.hf, s.ff)
	}
	half := T(at.LR / 2)
	for j, v := range at.Theta {
		s.theta[j] = v - half*s.f[j]
	}
	if err := s.general.At(ctx, at.Step, s.theta, s.middle, nil); err != nil {
		return err
	}
	for j, v := range s.middle {
		s.ff[j] = (s.f[j] - v) / half
	}
	return nil
}

// along sets F and H F, which may have come with the gradient.
func (s *secondOrder[T]) along(ctx context.Context, at *Point[T]) error {
	if at.HasField {
		copy(s.f, at.Field)
		copy(s.hf, at.HField)
		return nil
	}
	if err := s.fieldFrom(at.Gradient, at.Theta, s.f); err != nil {
		return err
	}
	return product(ctx, s.objective, at.Batch, at.Theta, s.f, s.hf)
}

// readsTheta reports whether the update reads the parameters themselves, as decoupled decay does.
func readsTheta(m *rule.Memory) bool {
	return m.Formula != nil && m.Formula.Fold(m.Values).Uses("theta")
}

// effects returns which sizes of gradient the second-order term penalizes, nil where sizes alone decide nothing: where elements are coupled, where the
// term has a part of the parameters themselves (weight decay), and with mini-batches, whose gradients differ.
func (p *Problem[T]) effects() (*modeq.Effects, error) {
	memory, err := p.Rule.MemoryForm()
	if err != nil {
		return nil, err
	}
	decays := p.Rule.Conditioning().Decaying() || readsTheta(memory)
	if !p.Rule.Elementwise || decays || p.Order != nil {
		return nil, nil
	}
	e, err := modeq.NewEffects(p.Rule)
	if err == nil {
		e.Vary(p.varying())
	}
	return e, err
}

// followsNorm reports whether H F of a direction is the gradient of the perturbed one-norm of the loss's gradient.
func (p *Problem[T]) followsNorm(field *objective.Direction) (bool, error) {
	if p.changed() != "" || !p.Rule.Elementwise {
		return false, nil
	}
	return derivesPerturbedNorm(field, p.Eps)
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
	if err := field(gs, thetas, f); err != nil {
		return false, err
	}
	for i, v := range gs {
		if want := v / math.Sqrt(v*v+eps); math.Abs(f[i]-want) > 1e-12*math.Abs(want) {
			return false, nil
		}
	}
	return true, nil
}

// biasScale moves the parameters, after each step n, by -scale lr times a bias of that step: 0 is the optimizer as it is, -1 has no such bias, 1 twice that.
// The bias is lr C(n), which the second-order equation predicts, or what the step has beyond F, the update without memory.
type biasScale[T graph.Float] struct {
	scale float64
	lr    float64 // of the step
	term  *secondOrder[T]
	f, c  []T
	// update writes U of the coming step; nil where the bias is the predicted one.
	update func(ctx context.Context, lr float64, theta, gradient, u []T) error
}

// evaluate finds the bias of the step from the present point.
func (b *biasScale[T]) evaluate(ctx context.Context, at *Point[T]) error {
	b.lr = at.LR
	switch {
	case at.LR == 0: // nothing moves
		clear(b.c)
		return nil
	case b.update != nil:
		return b.realize(ctx, at)
	}
	s := b.term
	if s.field != nil {
		if err := s.along(ctx, at); err != nil {
			return err
		}
		return s.terms.SecondOrder(at.Step, at.Gradient, at.Theta, s.f, s.hf, b.c)
	}
	return s.general.At(ctx, at.Step, at.Theta, b.f, b.c)
}

// realize finds U - F of the step from the present point.
func (b *biasScale[T]) realize(ctx context.Context, at *Point[T]) error {
	var err error
	if s := b.term; s.field != nil {
		err = s.fieldFrom(at.Gradient, at.Theta, b.f)
	} else {
		err = s.general.At(ctx, at.Step, at.Theta, b.f, nil)
	}
	if err != nil {
		return err
	}
	if err := b.update(ctx, at.LR, at.Theta, at.Gradient, b.c); err != nil {
		return err
	}
	for j, v := range b.f {
		b.c[j] -= v
	}
	return nil
}

// move moves the parameters.
func (b *biasScale[T]) move(theta []T) {
	w := T(b.inUpdate() * b.lr)
	for j, v := range b.c {
		theta[j] -= w * v
	}
}

// inUpdate returns what c is multiplied by in the step over -lr.
func (b *biasScale[T]) inUpdate() float64 {
	if b.update != nil {
		return b.scale
	}
	return b.scale * b.lr
}
