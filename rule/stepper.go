package rule

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// memory is what a rule remembers between steps, and the scalars that each step's program reads.
type memory[T graph.Float] struct {
	rule       *Rule
	n          int
	state      [][]T
	lr         []T
	correction [][]T // one number for each bias-corrected moment
}

func newMemory[T graph.Float](r *Rule, lr float64, dim int) *memory[T] {
	m := &memory[T]{rule: r, lr: []T{T(lr)}}
	for range r.States() {
		m.state = append(m.state, make([]T, dim))
	}
	for _, mo := range r.Moments {
		if mo.Corrected {
			m.correction = append(m.correction, make([]T, 1))
		}
	}
	return m
}

// prepare sets the factors of bias correction of the coming step.
func (m *memory[T]) prepare() {
	i := 0
	for _, mo := range m.rule.Moments {
		if mo.Corrected {
			m.correction[i][0] = T(mo.correction(m.n))
			i++
		}
	}
}

// Steps returns the number of steps taken, the n of the coming step.
func (m *memory[T]) Steps() int { return m.n }

// State returns the memory after the last step, in place: the moments that have one, before bias correction, in the rule's
// order. For a kernel that is not a geometric series (Lion's) it is what the past contributes to the next moment.
func (m *memory[T]) State() [][]T { return m.state }

// Restore makes n the number of steps taken and state the memory, which is copied: with theta, all that a resumed run needs.
func (m *memory[T]) Restore(n int, state [][]T) error {
	if n < 0 || len(state) != len(m.state) {
		return fmt.Errorf("rule %s: restore: step %d with %d arrays: want a step of at least 0 and %d arrays", m.rule.Name, n, len(state), len(m.state))
	}
	for i := range state {
		if len(state[i]) != len(m.state[i]) {
			return fmt.Errorf("rule %s: restore: array %d has %d numbers: want %d", m.rule.Name, i, len(state[i]), len(m.state[i]))
		}
	}
	for i := range state {
		copy(m.state[i], state[i])
	}
	m.n = n
	return nil
}

// Reset forgets everything.
func (m *memory[T]) Reset() {
	m.n = 0
	for _, s := range m.state {
		clear(s)
	}
}

// SetLR changes the step size of the coming steps.
func (m *memory[T]) SetLR(lr float64) { m.lr[0] = T(lr) }

// stepInputs records the parameters of a step's program beside theta and the gradient.
func stepInputs(b *graph.Builder, r *Rule, t graph.DType, dim int) (lr graph.Value, state, correction, inputs []graph.Value) {
	lr = b.Param("lr", t)
	inputs = append(inputs, lr)
	correction = make([]graph.Value, len(r.Moments))
	for i, m := range r.Moments {
		if m.Corrected {
			correction[i] = b.Param("correction of "+m.Name, t)
			inputs = append(inputs, correction[i])
		}
	}
	for i := range r.States() {
		s := b.Param(fmt.Sprintf("state %d", i), t, dim)
		state = append(state, s)
		inputs = append(inputs, s)
	}
	return lr, state, correction, inputs
}

// scalars returns the buffers of stepInputs' scalars.
func (m *memory[T]) scalars() []engine.Buffer {
	in := []engine.Buffer{engine.Of(m.lr)}
	for _, c := range m.correction {
		in = append(in, engine.Of(c))
	}
	return in
}

// Stepper is a rule's discrete optimizer for gradients that come from elsewhere: one fused pass over the parameters a step,
// nothing allocated. It is not for concurrent use.
type Stepper[T graph.Float] struct {
	*memory[T]
	program *engine.Program
	in, out []engine.Buffer
	dim     int
}

// NewStepper compiles the step of a rule with step size lr for dim parameters.
func NewStepper[T graph.Float](r *Rule, lr float64, dim int, opt engine.Options) (*Stepper[T], error) {
	if err := checkStep(r, lr); err != nil {
		return nil, err
	}
	t := graph.TypeOf[T]()
	b := graph.NewBuilder()
	theta, g := b.Param("theta", t, dim), b.Param("gradient", t, dim)
	rate, state, correction, inputs := stepInputs(b, r, t, dim)
	next, stateNew := r.Step(theta, g, rate, state, correction)
	program, err := engine.Compile(append([]graph.Value{theta, g}, inputs...), append([]graph.Value{next}, stateNew...), opt)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	s := &Stepper[T]{memory: newMemory[T](r, lr, dim), program: program, dim: dim}
	s.in = append(make([]engine.Buffer, 2), s.scalars()...)
	s.out = make([]engine.Buffer, 1)
	for _, a := range s.state {
		s.in = append(s.in, engine.Of(a))
		s.out = append(s.out, engine.Of(a))
	}
	return s, nil
}

func checkStep(r *Rule, lr float64) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if !positive(lr) {
		return fmt.Errorf("rule %s: lr = %v: want a number above 0", r.Name, lr)
	}
	return nil
}

// Step moves theta, in place, by the gradient there.
func (s *Stepper[T]) Step(theta, gradient []T) error {
	if len(theta) != s.dim || len(gradient) != s.dim {
		return fmt.Errorf("rule %s: step with %d parameters and %d gradients: want %d", s.rule.Name, len(theta), len(gradient), s.dim)
	}
	s.prepare()
	s.in[0], s.in[1] = engine.Of(theta), engine.Of(gradient)
	s.out[0] = s.in[0]
	if err := s.program.Run(s.in, s.out); err != nil {
		return fmt.Errorf("rule %s: step %d: %w", s.rule.Name, s.n, err)
	}
	s.n++
	return nil
}
