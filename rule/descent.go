package rule

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Loss is a scalar made from the parameters, as graph code.
type Loss func(b *graph.Builder, theta graph.Value) graph.Value

// Descent is a rule at work on a loss, gradient and step in one program: the fast road for losses in closed form. It is not
// for concurrent use.
type Descent[T graph.Float] struct {
	*memory[T]
	program *engine.Program
	theta   []T
	// The program reads one set of arrays and writes the other, as theta is still read after its first element is known.
	spare   []T
	spares  [][]T
	in, out [2][]engine.Buffer
	now     int
}

// NewDescent compiles the step of a rule with step size lr on a loss of len(start) parameters, and stands at start, which
// is copied.
func NewDescent[T graph.Float](r *Rule, lr float64, loss Loss, start []T, opt engine.Options) (*Descent[T], error) {
	if err := checkStep(r, lr); err != nil {
		return nil, err
	}
	t, dim := graph.TypeOf[T](), len(start)
	b := graph.NewBuilder()
	theta := b.Param("theta", t, dim)
	rate, state, correction, inputs := stepInputs(b, r, t, dim)
	g := graph.Grad(loss(b, theta), theta)[0]
	next, stateNew := r.Step(theta, g, rate, state, correction)
	program, err := engine.Compile(append([]graph.Value{theta}, inputs...), append([]graph.Value{next}, stateNew...), opt)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d := &Descent[T]{memory: newMemory[T](r, lr, dim), program: program, theta: append([]T(nil), start...), spare: make([]T, dim)}
	for range d.state {
		d.spares = append(d.spares, make([]T, dim))
	}
	d.in[0], d.out[1] = d.buffers(d.theta, d.state)
	d.in[1], d.out[0] = d.buffers(d.spare, d.spares)
	return d, nil
}

// buffers returns a set of arrays as the program's inputs and as its outputs.
func (d *Descent[T]) buffers(theta []T, state [][]T) (in, out []engine.Buffer) {
	in = append([]engine.Buffer{engine.Of(theta)}, d.scalars()...)
	out = []engine.Buffer{in[0]}
	for _, s := range state {
		in = append(in, engine.Of(s))
		out = append(out, engine.Of(s))
	}
	return in, out
}

// Step takes a step.
func (d *Descent[T]) Step() error {
	d.prepare()
	if err := d.program.Run(d.in[d.now], d.out[d.now]); err != nil {
		return fmt.Errorf("rule %s: step %d: %w", d.rule.Name, d.n, err)
	}
	d.theta, d.spare = d.spare, d.theta
	d.state, d.spares = d.spares, d.state
	d.now = 1 - d.now
	d.n++
	return nil
}

// Theta returns the parameters after the last step. The slice is overwritten by later steps.
func (d *Descent[T]) Theta() []T { return d.theta }

// SetTheta moves to other parameters and keeps the memory.
func (d *Descent[T]) SetTheta(theta []T) error {
	if len(theta) != len(d.theta) {
		return fmt.Errorf("rule %s: %d parameters: want %d", d.rule.Name, len(theta), len(d.theta))
	}
	copy(d.theta, theta)
	return nil
}
