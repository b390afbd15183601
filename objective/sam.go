package objective

import (
	"context"
	"errors"
	"fmt"
	"math"

	"shadowflow/graph"
)

// SAM is a loss with the gradient of sharpness-aware minimization (P. Foret et al., ICLR 2021, arXiv:2010.01412): that at the point
//
//	theta + rho g/|g|,    g the gradient of the same batch at theta,
//
// which stays at theta where g is 0. Its products are those of that field's derivative, H' (v + (rho/|g|)(I - gg'/|g|^2) H v) with H' the Hessian at
// the other point, which is not symmetric: see [Transposer]. The loss is the loss itself, at theta. So whatever takes steps by a gradient, or
// expands in it, works on a SAM as on any loss.
//
// A gradient costs two, and a product two.
type SAM[T graph.Float] struct {
	Objective[T]
	rho        float64
	threads    int
	directions map[*Direction]CompiledDirection[T]

	g, up, gradient, field []T
	norm                   float64 // of g
	moved                  [][]T   // by vector: v and its way at the other point
}

// NewSAM returns the loss with the gradient of a radius rho. Threads is that of engine.Options.
func NewSAM[T graph.Float](o Objective[T], rho float64, threads int) (*SAM[T], error) {
	if !(rho > 0) || math.IsInf(rho, 1) {
		return nil, fmt.Errorf("sharpness-aware minimization: rho %v: want a number above 0", rho)
	}
	s := &SAM[T]{Objective: o, rho: rho, threads: threads, directions: map[*Direction]CompiledDirection[T]{}}
	for _, v := range []*[]T{&s.g, &s.up, &s.gradient, &s.field} {
		*v = make([]T, o.Dim())
	}
	return s, nil
}

// Plain returns the loss whose gradient is that at theta itself.
func Plain[T graph.Float](o Objective[T]) Objective[T] {
	if s, ok := o.(*SAM[T]); ok {
		return s.Objective
	}
	return o
}

// Evaluate implements Objective. Third derivatives are refused.
func (s *SAM[T]) Evaluate(ctx context.Context, theta []T, batch int, want Want[T]) (Evaluation, error) {
	if len(want.Lines) > 0 {
		return Evaluation{}, errors.New("sharpness-aware minimization: third derivatives of its gradient are not available")
	}
	if want.Kind() == (Kind{}) {
		return s.Objective.Evaluate(ctx, theta, batch, want)
	}
	if err := want.Check(s.Dim()); err != nil {
		return Evaluation{}, err
	}
	for len(s.moved) < len(want.Vectors)+1 {
		s.moved = append(s.moved, make([]T, s.Dim()))
	}
	moved := s.moved[:len(want.Vectors)]
	e, err := s.Objective.Evaluate(ctx, theta, batch, Want[T]{Gradient: s.g, Vectors: want.Vectors, Products: moved})
	if err != nil {
		return e, err
	}
	s.ascend(theta)
	for i, hv := range moved {
		s.follow(want.Vectors[i], hv)
	}
	there := Want[T]{Gradient: want.Gradient, Vectors: moved, Products: want.Products}
	if there.Gradient == nil && want.Direction != nil {
		there.Gradient = s.gradient
	}
	if _, err := s.Objective.Evaluate(ctx, s.up, batch, there); err != nil || want.Direction == nil {
		return e, err
	}
	return e, s.along(ctx, theta, batch, there.Gradient, want)
}

// ascend sets the other point, where g is known.
func (s *SAM[T]) ascend(theta []T) {
	square := 0.0
	for _, v := range s.g {
		square += float64(v) * float64(v)
	}
	s.norm = math.Sqrt(square)
	step := 0.0
	if s.norm > 0 {
		step = s.rho / s.norm
	}
	for j, v := range theta {
		s.up[j] = T(float64(v) + step*float64(s.g[j]))
	}
}

// follow makes of H v, in hv, how the other point moves as theta moves along v.
func (s *SAM[T]) follow(v, hv []T) {
	s.turn(hv, hv)
	for j, x := range v {
		hv[j] += x
	}
}

// turn writes (rho/|g|)(I - gg'/|g|^2) v into to.
func (s *SAM[T]) turn(v, to []T) {
	if s.norm == 0 {
		clear(to)
		return
	}
	dot := 0.0
	for j, x := range v {
		dot += float64(x) * float64(s.g[j])
	}
	for j, x := range v {
		to[j] = T(s.rho / s.norm * (float64(x) - dot/(s.norm*s.norm)*float64(s.g[j])))
	}
}

// along makes the direction from the gradient, and its product.
func (s *SAM[T]) along(ctx context.Context, theta []T, batch int, gradient []T, want Want[T]) error {
	direct, ok := s.directions[want.Direction]
	if !ok {
		var err error
		if direct, err = CompileDirection[T](want.Direction, s.Dim(), s.threads); err != nil {
			return err
		}
		s.directions[want.Direction] = direct
	}
	field := want.Field
	if field == nil {
		field = s.field
	}
	if err := direct(gradient, theta, field); err != nil || want.HField == nil {
		return err
	}
	moved := s.moved[len(s.moved)-1:]
	if _, err := s.Objective.Evaluate(ctx, theta, batch, Want[T]{Vectors: [][]T{field}, Products: moved}); err != nil {
		return err
	}
	s.follow(field, moved[0])
	_, err := s.Objective.Evaluate(ctx, s.up, batch, Want[T]{Vectors: moved, Products: [][]T{want.HField}})
	return err
}

// Transposed implements Transposer: H'v + H (rho/|g|)(I - gg'/|g|^2) H'v.
func (s *SAM[T]) Transposed(ctx context.Context, theta []T, batch int, v, product []T) error {
	if _, err := s.Objective.Evaluate(ctx, theta, batch, Want[T]{Gradient: s.g}); err != nil {
		return err
	}
	s.ascend(theta)
	if _, err := s.Objective.Evaluate(ctx, s.up, batch, Want[T]{Vectors: [][]T{v}, Products: [][]T{product}}); err != nil {
		return err
	}
	s.turn(product, s.field)
	back := s.gradient
	if _, err := s.Objective.Evaluate(ctx, theta, batch, Want[T]{Vectors: [][]T{s.field}, Products: [][]T{back}}); err != nil {
		return err
	}
	for j, x := range back {
		product[j] += x
	}
	return nil
}

// Loss implements GraphLoss, where the loss does.
func (s *SAM[T]) Loss(theta graph.Value, batch int) (graph.Value, error) {
	loss, ok := s.Objective.(GraphLoss)
	if !ok {
		return graph.Value{}, errors.New("the loss has no graph code")
	}
	return loss.Loss(theta, batch)
}

// Gradient implements GraphGradient.
func (s *SAM[T]) Gradient(theta graph.Value, batch int) (graph.Value, error) {
	loss, err := s.Loss(theta, batch)
	if err != nil {
		return graph.Value{}, err
	}
	g := graph.Grad(loss, theta)[0]
	up := theta.Add(g.Mul(g.Like(s.rho)).Div(g.Square().Sum().Sqrt())).Alias()
	there, err := s.Loss(up, batch)
	if err != nil {
		return graph.Value{}, err
	}
	return graph.Grad(there, up)[0], nil
}

// Start implements Starter.
func (s *SAM[T]) Start() []float64 {
	if o, ok := s.Objective.(Starter); ok {
		return o.Start()
	}
	return nil
}

// Test implements Tester.
func (s *SAM[T]) Test(ctx context.Context, theta []T) (Evaluation, error) {
	if o, ok := s.Objective.(Tester[T]); ok {
		return o.Test(ctx, theta)
	}
	return Evaluation{}, errors.New("there are no test examples")
}

// Draw implements Drawer.
func (s *SAM[T]) Draw(step int) {
	if o, ok := s.Objective.(Drawer); ok {
		o.Draw(step)
	}
}

// Running implements Averager.
func (s *SAM[T]) Running() ([]T, int64) {
	if o, ok := s.Objective.(Averager[T]); ok {
		return o.Running()
	}
	return nil, 0
}

// SetRunning implements Averager.
func (s *SAM[T]) SetRunning(running []float64, batches int64) {
	if o, ok := s.Objective.(Averager[T]); ok {
		o.SetRunning(running, batches)
	}
}

// UpdateRunning implements Averager. The statistics are those at the point of the gradient.
func (s *SAM[T]) UpdateRunning() {
	if o, ok := s.Objective.(Averager[T]); ok {
		o.UpdateRunning()
	}
}

var (
	_ Objective[float32]  = (*SAM[float32])(nil)
	_ Transposer[float32] = (*SAM[float32])(nil)
	_ GraphGradient       = (*SAM[float32])(nil)
	_ Starter             = (*SAM[float32])(nil)
	_ Tester[float32]     = (*SAM[float32])(nil)
	_ Drawer              = (*SAM[float32])(nil)
	_ Averager[float32]   = (*SAM[float32])(nil)
)
