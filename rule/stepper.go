package rule

import (
	"context"
	"fmt"
	"math"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
)

// state is what a rule remembers between steps, and the numbers that each step's program reads.
type state[T graph.Float] struct {
	rule    *Rule
	n       int
	arrays  [][]T // in the order of rule.State
	lr      []T
	scalars [][]T // one number each
	hessian []T   // nil if the rule reads none
	of      int   // the step that hessian is for
}

func newState[T graph.Float](r *Rule, dim int) *state[T] {
	s := &state[T]{rule: r, lr: make([]T, 1), of: -1}
	for _, n := range r.Lengths(dim)[1:] {
		s.arrays = append(s.arrays, make([]T, n))
	}
	if r.Hessian != nil {
		s.hessian = make([]T, dim)
	}
	for range r.Scalars {
		s.scalars = append(s.scalars, make([]T, 1))
	}
	return s
}

// prepare sets the numbers that the coming step's program reads.
func (s *state[T]) prepare(lr float64) error {
	if !(lr >= 0) || math.IsInf(lr, 1) {
		return fmt.Errorf("rule %s: step %d: lr = %v: want a number of at least 0", s.rule.Name, s.n, lr)
	}
	if s.hessian != nil && s.rule.Hessian(s.n) && s.of != s.n {
		return fmt.Errorf("optimizer %s: step %d reads an estimate of the Hessian's diagonal, which there is none of here", s.rule.Name, s.n)
	}
	s.lr[0] = T(lr)
	for i, scalar := range s.rule.Scalars {
		s.scalars[i][0] = T(scalar(s.n))
	}
	return nil
}

// Steps returns the number of steps taken, the n of the coming step.
func (s *state[T]) Steps() int { return s.n }

// State returns what the last step left, in place: one array for each name of the rule's State, as long as [Rule.Length] says.
func (s *state[T]) State() [][]T { return s.arrays }

// SetHessian gives the coming step the estimate of the Hessian's diagonal that it reads, which is copied. See [Rule.Hessian].
func (s *state[T]) SetHessian(h []T) {
	copy(s.hessian, h)
	s.of = s.n
}

// Restore makes n the number of steps taken and arrays the state, which is copied: with theta, all that a resumed run needs.
func (s *state[T]) Restore(n int, arrays [][]T) error {
	if n < 0 || len(arrays) != len(s.arrays) {
		return fmt.Errorf("rule %s: restore: step %d with %d arrays: want a step of at least 0 and the arrays %v", s.rule.Name, n, len(arrays), s.rule.State)
	}
	for i, a := range arrays {
		if len(a) != len(s.arrays[i]) {
			return fmt.Errorf("rule %s: restore: array %s has %s: want %d", s.rule.Name, s.rule.State[i], plural.Count(len(a), "number"), len(s.arrays[i]))
		}
	}
	for i, a := range arrays {
		copy(s.arrays[i], a)
	}
	s.n, s.of = n, -1
	return nil
}

// Reset goes back to before the first step.
func (s *state[T]) Reset() {
	s.n, s.of = 0, -1
	for _, a := range s.arrays {
		clear(a)
	}
}

// buffers returns the arrays that a step's program reads beside theta and the gradient, in the order of Inputs.
func (s *state[T]) buffers(arrays [][]T) []engine.Buffer {
	in := []engine.Buffer{engine.Of(s.lr)}
	more := append([][]T(nil), s.scalars...)
	if s.hessian != nil {
		more = append(more, s.hessian)
	}
	for _, c := range append(more, arrays...) {
		in = append(in, engine.Of(c))
	}
	return in
}

// Inputs records the parameters that the program of a rule's step has beside theta and the gradient: lr, the scalars, the Hessian's
// diagonal where the rule reads it, and the state. The call has them, and theta and g.
func (r *Rule) Inputs(theta, g graph.Value) (c Call, inputs []graph.Value) {
	b, t := theta.Builder(), theta.DType()
	c = Call{Theta: theta, G: g, LR: b.Param("lr", t)}
	for i := range r.Scalars {
		c.Scalars = append(c.Scalars, b.Param(fmt.Sprintf("scalar %d", i), t))
	}
	inputs = append([]graph.Value{c.LR}, c.Scalars...)
	if r.Hessian != nil {
		c.Hessian = b.Param(hessian, t, theta.Size())
		inputs = append(inputs, c.Hessian)
	}
	for i, name := range r.State {
		c.State = append(c.State, b.Param("state "+name, t, r.Length(i, theta.Size())))
	}
	return c, append(inputs, c.State...)
}

// Stepper takes a rule's steps with gradients that come from elsewhere: one fused pass over the parameters a step, nothing
// allocated. It is not for concurrent use.
type Stepper[T graph.Float] struct {
	*state[T]
	program *engine.Program
	in, out []engine.Buffer
	dim     int
	options engine.Options
	update  *engine.Program // compiled when first needed
	aside   [][]T           // theta and the state behind a step that may be broken off
	behind  []engine.Buffer // these, as the program's outputs
}

// NewStepper compiles the step of a rule for the weights that a vector of parameters consists of.
func NewStepper[T graph.Float](r *Rule, blocks []graph.Block, opt engine.Options) (*Stepper[T], error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.ofOneWeight && len(blocks) > 1 {
		return nil, fmt.Errorf("rule %s: its formulas have functions of whole weights, and it was made for one weight: want that of Config.RuleOf for these %d", r.Name, len(blocks))
	}
	dim, err := sizeOf(blocks)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	if g := r.grouped; g != nil && g.dim() != dim {
		return nil, fmt.Errorf("rule %s: it was made for the groups of %s: want that of Config.RuleOf for these %d", r.Name, plural.Count(g.dim(), "parameter"), dim)
	}
	b := graph.NewBuilder()
	theta, g := b.Param("theta", graph.TypeOf[T](), dim), b.Param("gradient", graph.TypeOf[T](), dim)
	call, inputs := r.Inputs(theta, g)
	next, after := r.step(call)
	program, err := engine.Compile(append([]graph.Value{theta, g}, inputs...), append([]graph.Value{next}, after...), opt)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	s := &Stepper[T]{state: newState[T](r, dim), program: program, dim: dim, options: opt}
	s.in = append(make([]engine.Buffer, 2), s.buffers(s.arrays)...)
	s.out = make([]engine.Buffer, 1)
	for _, a := range s.arrays {
		s.out = append(s.out, engine.Of(a))
	}
	return s, nil
}

// sizeOf returns the number of parameters, each of which is in one block.
func sizeOf(blocks []graph.Block) (dim int, err error) {
	for _, b := range blocks {
		if b.Offset != dim {
			return 0, fmt.Errorf("weight %s begins at parameter %d: want %d, where the one before ends", b.Name, b.Offset, dim)
		}
		dim += b.Size()
	}
	if dim == 0 {
		return 0, fmt.Errorf("no parameters")
	}
	return dim, nil
}

// Step moves theta, in place, by the gradient there, with step size lr.
func (s *Stepper[T]) Step(lr float64, theta, gradient []T) error {
	if err := s.take(lr, theta, gradient); err != nil {
		return err
	}
	s.out[0] = s.in[0]
	if err := s.program.Run(s.in, s.out); err != nil {
		return fmt.Errorf("rule %s: step %d: %w", s.rule.Name, s.n, err)
	}
	s.n++
	return nil
}

// StepContext is Step, broken off by a context that ends where steps take long, those of rules of whole weights: they are computed aside and
// then moved to, so that a step that was broken off has moved nothing. Others, and those of groups of such, are too short to be broken off.
func (s *Stepper[T]) StepContext(ctx context.Context, lr float64, theta, gradient []T) error {
	if s.rule.short() {
		return s.Step(lr, theta, gradient)
	}
	if err := s.take(lr, theta, gradient); err != nil {
		return err
	}
	if s.aside == nil {
		for _, n := range s.rule.Lengths(s.dim) {
			s.aside = append(s.aside, make([]T, n))
			s.behind = append(s.behind, engine.Of(s.aside[len(s.aside)-1]))
		}
	}
	if err := s.program.RunContext(ctx, s.in, s.behind); err != nil {
		return fmt.Errorf("rule %s: step %d: %w", s.rule.Name, s.n, err)
	}
	copy(theta, s.aside[0])
	for i, a := range s.arrays {
		copy(a, s.aside[1+i])
	}
	s.n++
	return nil
}

// take sets the inputs of the coming step's program.
func (s *Stepper[T]) take(lr float64, theta, gradient []T) error {
	if len(theta) != s.dim || len(gradient) != s.dim {
		return fmt.Errorf("rule %s: step with %s and %s: want %d", s.rule.Name, plural.Count(len(theta), "parameter"), plural.Count(len(gradient), "gradient"), s.dim)
	}
	s.in[0], s.in[1] = engine.Of(theta), engine.Of(gradient)
	return s.prepare(lr)
}

// Update writes U of the coming step, theta' = theta - lr U, into u, and takes no step. See [Rule.Update].
func (s *Stepper[T]) Update(ctx context.Context, lr float64, theta, gradient, u []T) error {
	if err := s.compileUpdate(); err != nil {
		return err
	}
	if err := s.take(lr, theta, gradient); err != nil {
		return err
	}
	if err := s.update.RunContext(ctx, s.in, []engine.Buffer{engine.Of(u)}); err != nil {
		return fmt.Errorf("rule %s: update of step %d: %w", s.rule.Name, s.n, err)
	}
	return nil
}

func (s *Stepper[T]) compileUpdate() error {
	if s.update != nil {
		return nil
	}
	b := graph.NewBuilder()
	theta, g := b.Param("theta", graph.TypeOf[T](), s.dim), b.Param("gradient", graph.TypeOf[T](), s.dim)
	call, inputs := s.rule.Inputs(theta, g)
	u, err := s.rule.Update(call)
	if err != nil {
		return err
	}
	s.update, err = engine.Compile(append([]graph.Value{theta, g}, inputs...), []graph.Value{u}, s.options)
	if err != nil {
		return fmt.Errorf("rule %s: %w", s.rule.Name, err)
	}
	return nil
}
