package rule

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Loss is a scalar made from the parameters, as graph code.
type Loss func(theta graph.Value) graph.Value

// Descent is a rule at work on a loss, gradient and step in one program: the fastest way for losses in closed form. It is not
// for concurrent use.
type Descent[T graph.Float] struct {
	*state[T]
	program *engine.Program
	theta   []T
	// The program reads one set of arrays and writes the other, as theta is still read after its first element is known.
	spare   []T
	spares  [][]T
	in, out [2][]engine.Buffer
	now     int
}

// NewDescent compiles the step of a rule on a loss of len(start) parameters, one weight, and stands at start, which is copied.
func NewDescent[T graph.Float](r *Rule, loss Loss, start []T, opt engine.Options) (*Descent[T], error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	dim := len(start)
	b := graph.NewBuilder()
	theta := b.Param("theta", graph.TypeOf[T](), dim)
	call, inputs := r.Inputs(theta, graph.Value{})
	call.G = graph.Grad(loss(theta), theta)[0]
	next, after := r.step(call)
	program, err := engine.Compile(append([]graph.Value{theta}, inputs...), append([]graph.Value{next}, after...), opt)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d := &Descent[T]{state: newState[T](r, dim), program: program, theta: append([]T(nil), start...), spare: make([]T, dim)}
	for _, a := range d.arrays {
		d.spares = append(d.spares, make([]T, len(a)))
	}
	d.in[0], d.out[1] = d.ends(d.theta, d.arrays)
	d.in[1], d.out[0] = d.ends(d.spare, d.spares)
	return d, nil
}

// ends returns a set of arrays as the program's inputs and as its outputs.
func (d *Descent[T]) ends(theta []T, arrays [][]T) (in, out []engine.Buffer) {
	in = append([]engine.Buffer{engine.Of(theta)}, d.buffers(arrays)...)
	out = []engine.Buffer{in[0]}
	for _, s := range arrays {
		out = append(out, engine.Of(s))
	}
	return in, out
}

// Step takes a step of size lr.
func (d *Descent[T]) Step(lr float64) error {
	if err := d.prepare(lr); err != nil {
		return err
	}
	if err := d.program.Run(d.in[d.now], d.out[d.now]); err != nil {
		return fmt.Errorf("rule %s: step %d: %w", d.rule.Name, d.n, err)
	}
	d.theta, d.spare = d.spare, d.theta
	d.arrays, d.spares = d.spares, d.arrays
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
