package run

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/modeq/central"
)

// equation is the process that solves a differential equation beside the optimizer, from one step to the next. Its point, and the
// integrator's sums, are float64.
//
// An equation that cannot be followed further, because its solution runs away for example, ends there; the optimizer goes on without it.
type equation[T graph.Float] struct {
	name  string // as configs and columns have it
	title string // as sentences have it
	order int
	// start is the number of steps that the optimizer takes before the equation begins, and begin sets y there. A nil begin leaves y.
	start int
	begin func(y []float64)
	// parts are the stretches of y. The parameters are the first.
	parts   []stretch
	y, next []float64
	solver  solver
	leaps   bool  // by whole steps, as the optimizer does: an iteration
	ended   error // why the solution ended, nil if it did not
	noted   bool  // that it ended is in the log

	// negative returns how often so far a state that cannot be negative was so; nil where that cannot be.
	negative func() int
	// previous is the parameters' part of y a step ago, where they are the mean of iterates that flip from side to side. Otherwise it is nil.
	previous []float64
	// predict returns what a central flow says of the iterates at y, before step n. Otherwise it is nil.
	predict func(ctx context.Context, n int, y []float64) (central.Prediction, error)
}

// stretch is a part of an equation's state.
type stretch struct {
	name   string
	blocks []graph.Block // as those of [Vector]
	length int
}

// solver finds the state of an equation behind a step.
type solver interface {
	// solve writes the state behind step n, which begins at y, into next.
	solve(ctx context.Context, n int, y, next []float64) error
	// commit says that the step last solved is taken.
	commit()
}

// theta is the part of y that is the parameters.
func (e *equation[T]) theta() []float64 { return e.y[:e.parts[0].length] }

// Name implements Process.
func (e *equation[T]) Name() string { return e.name }

// follows reports whether the equation moves in the step that begins behind n steps, or has begun to.
func (e *equation[T]) follows(n int) bool { return n >= e.start && e.ended == nil }

// Advance implements Process.
func (e *equation[T]) Advance(ctx context.Context, at *Point[T]) error {
	if !e.follows(at.Step) {
		return nil
	}
	e.enter(at.Step)
	err := e.solver.solve(ctx, at.Step, e.y, e.next)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		after := fmt.Sprintf("after step %d", at.Step)
		if at.Step >= fullyFilled {
			after = fmt.Sprintf("%s behind its start on the slow manifold (it takes small betas or a large eps; with the memory as state it takes any)",
				plural.Of(at.Step-fullyFilled, "step"))
		}
		e.end(fmt.Errorf("%s ends %s: %w", e.title, after, err))
	}
	return nil
}

// enter sets y where the equation begins.
func (e *equation[T]) enter(n int) {
	if n == e.start && e.begin != nil {
		e.begin(e.y)
	}
}

// end gives the equation up. NaN says so in its state.
func (e *equation[T]) end(why error) {
	e.ended = why
	for j := range e.next {
		e.next[j] = math.NaN()
	}
}

// Commit implements Process.
func (e *equation[T]) Commit() error {
	copy(e.previous, e.y)
	copy(e.y, e.next)
	if e.ended == nil {
		e.solver.commit()
	}
	return nil
}

// State implements Process.
func (e *equation[T]) State() []Vector {
	var out []Vector
	y := e.y
	for _, p := range e.parts {
		out = append(out, Vector{Prefix: e.name + "." + p.name + ".", Parts: p.blocks, Data: y[:p.length]})
		y = y[p.length:]
	}
	if e.previous != nil {
		out = append(out, Vector{Prefix: e.name + ".previous.", Data: e.previous})
	}
	return out
}

// restored takes up a point that was saved.
func (e *equation[T]) restored() {
	if copy(e.next, e.y); slices.ContainsFunc(e.y, math.IsNaN) {
		e.ended = fmt.Errorf("%s ended before the checkpoint", e.title)
	}
}

func (e *equation[T]) column(what string) string { return e.name + "." + what }
