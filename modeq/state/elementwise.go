package state

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// elementwise is a program in float64 of what is made of a state, its gradient, lr and age: rates of theta and the
// arrays, for example.
type elementwise struct {
	rule    *rule.Rule
	lengths []int // of theta and the arrays
	program *engine.Program
	lr, age []float64
	in, out []engine.Buffer
}

// recording makes the results of an elementwise program from the calls at its points.
type recording func(at []rule.Call, age graph.Value) ([]graph.Value, error)

// compileElementwise compiles what is made at a number of points of dim parameters each.
func compileElementwise(r *rule.Rule, dim, points int, record recording, threads int) (*elementwise, error) {
	in, out, err := recordElementwise(r, dim, points, record)
	if err != nil {
		return nil, err
	}
	e := &elementwise{rule: r, lengths: r.Lengths(dim), lr: make([]float64, 1), age: make([]float64, 1)}
	if e.program, err = engine.Compile(in, out, engine.Options{Threads: threads}); err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	return e, nil
}

// recordElementwise records it: lr, age, and of each point the gradient, theta and the arrays go in.
func recordElementwise(r *rule.Rule, dim, points int, record recording) (in, out []graph.Value, err error) {
	b := graph.NewBuilder()
	vector := func(name string) graph.Value { return b.Param(name, graph.Float64, dim) }
	lr, age := b.Param("lr", graph.Float64), b.Param("age", graph.Float64)
	in = []graph.Value{lr, age}
	at := make([]rule.Call, points)
	for i := range at {
		c := rule.Call{LR: lr, G: vector(fmt.Sprintf("g%d", i)), Theta: vector(fmt.Sprintf("theta%d", i))}
		c.State = arrays(r, c.Theta)
		at[i], in = c, append(append(in, c.G, c.Theta), c.State...)
	}
	out, err = record(at, age)
	return in, out, err
}

// point is a state and the gradient there.
type point struct{ z, g []float64 }

// run evaluates the program at its points, into the vectors that out is made of.
func (e *elementwise) run(ctx context.Context, lr, age float64, out []float64, at ...point) error {
	e.lr[0], e.age[0] = lr, age
	e.in = append(e.in[:0], engine.Of(e.lr), engine.Of(e.age))
	for _, p := range at {
		e.in = cut(append(e.in, engine.Of(p.g)), p.z, e.lengths)
	}
	e.out = cut(e.out[:0], out, e.lengths)
	return e.program.RunContext(ctx, e.in, e.out)
}

// arrays records the arrays of a rule's state as parameters, for vectors of parameters like theta.
func arrays(r *rule.Rule, theta graph.Value) (state []graph.Value) {
	for i, name := range r.State {
		state = append(state, theta.Builder().Param(name, theta.DType(), r.Length(i, theta.Size())))
	}
	return state
}

// cut appends the parts of a state, or of what is as long as several: theta and the arrays.
func cut(to []engine.Buffer, z []float64, lengths []int) []engine.Buffer {
	for i := 0; len(z) > 0; i++ {
		n := lengths[i%len(lengths)]
		to, z = append(to, engine.Of(z[:n])), z[n:]
	}
	return to
}

// sizeOf returns the number of elements of a state.
func sizeOf(r *rule.Rule, dim int) (n int) {
	for _, length := range r.Lengths(dim) {
		n += length
	}
	return n
}

// countNegative returns how many elements of a state are negative that cannot be in a run.
func (e *elementwise) countNegative(z []float64) int {
	count := 0
	for i := range e.rule.State {
		z = z[e.lengths[i]:]
		if !e.rule.NonNegative(i) {
			continue
		}
		for _, v := range z[:e.lengths[1+i]] {
			if v < 0 {
				count++
			}
		}
	}
	return count
}
