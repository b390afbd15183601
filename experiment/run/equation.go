package run

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// equation is the process that solves a modified equation beside the optimizer, from one multiple of lr to the next. Its point, and the
// integrator's sums, are float64.
//
// An equation that cannot be followed further, because its solution runs away for example, ends there; the optimizer goes on without it.
type equation[T graph.Float] struct {
	order   int
	field   func(ctx context.Context, n int) flow.Field // the right-hand side on n lr <= t < (n+1) lr
	method  *flow.Method
	options flow.Options
	lr      float64
	// chunk is the number of steps of lr that are solved at a time: several where the field is the same at every step, so that the
	// integrator's steps may be longer than lr.
	chunk   int
	y, next []float64
	ahead   [][]float64 // points behind the coming steps that are solved already
	runaway error       // why no points follow those ahead, nil if they do
	ended   error       // why the solution ended, nil if it did not
	noted   bool        // that it ended is in the log
}

// Name implements Process.
func (e *equation[T]) Name() string { return fmt.Sprintf("modified equation of order %d", e.order) }

// Advance implements Process.
func (e *equation[T]) Advance(ctx context.Context, at *Point[T]) error {
	if e.ended != nil {
		return nil
	}
	if len(e.ahead) == 0 && e.runaway == nil {
		e.runaway = e.solve(ctx, at.Step)
	}
	switch {
	case ctx.Err() != nil:
		e.ahead, e.runaway = nil, nil
		return ctx.Err()
	case len(e.ahead) == 0:
		e.end(fmt.Errorf("%s ends after step %d: %w", e.Name(), at.Step, e.runaway))
		return nil
	}
	copy(e.next, e.ahead[0])
	return nil
}

// solve finds the points behind the coming steps, as far as it comes.
func (e *equation[T]) solve(ctx context.Context, n int) error {
	opt := e.options
	if e.chunk > 1 {
		for k := range e.chunk {
			opt.Times = append(opt.Times, float64(k+1)*e.lr)
		}
	}
	solution, err := flow.Integrate(ctx, e.method, e.field(ctx, n), 0, float64(e.chunk)*e.lr, e.y, opt)
	switch {
	case solution == nil:
	case e.chunk > 1:
		e.ahead = solution.Rows
	case err == nil:
		e.ahead = [][]float64{solution.Y}
	}
	return err
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
	copy(e.y, e.next)
	if e.ended == nil {
		e.ahead = e.ahead[1:]
	}
	return nil
}

// State implements Process.
func (e *equation[T]) State() []Vector {
	return []Vector{{Prefix: fmt.Sprintf("flow%d.", e.order), Data: e.y}}
}

// restored takes up a point that was saved.
func (e *equation[T]) restored() {
	if copy(e.next, e.y); slices.ContainsFunc(e.y, math.IsNaN) {
		e.ended = fmt.Errorf("%s ended before the checkpoint", e.Name())
	}
}

func (e *equation[T]) column(what string) string { return fmt.Sprintf("flow%d_%s", e.order, what) }

// exactEquation returns the equation of order 1 or 2 that is exact in the step number, on any order of batches, from the problem's start. Its
// fields are evaluated in T.
func exactEquation[T graph.Float](p *Problem[T], s *modeq.SecondOrder[T], order int, method *flow.Method, opt flow.Options) *equation[T] {
	dim := p.Objective.Dim()
	theta, f, c := make([]T, dim), make([]T, dim), []T(nil)
	if order == 2 {
		c = make([]T, dim)
	}
	scale := (1 + p.BiasScale) * p.LR
	e := newEquation(p, order, method, opt)
	e.field = func(ctx context.Context, n int) flow.Field {
		return func(_ int, _ float64, y, dydt []float64) error {
			for i, v := range y {
				theta[i] = T(v)
			}
			if err := s.At(ctx, n, theta, f, c); err != nil {
				return err
			}
			for i, v := range f {
				dydt[i] = -float64(v)
			}
			for i, v := range c {
				dydt[i] -= scale * float64(v)
			}
			return nil
		}
	}
	return e
}

// stepsAtOnce is the number of steps that are solved at a time where the field does not change from step to step.
const stepsAtOnce = 256

// seriesEquation returns the equation of any order for a full batch with the memory full, from the problem's start.
func seriesEquation(p *Problem[float64], order int, opt flow.Options) (*equation[float64], error) {
	loss, ok := p.Objective.(objective.GraphLoss)
	if !ok {
		return nil, fmt.Errorf("the modified equation of a full memory, order %d, needs a loss that is graph code, which this one does not have: want start %s, and orders 1 and 2", order, Cold)
	}
	fields, err := modeq.CompileFields(p.Rule, loss, p.Objective.Dim(), order, modeq.FieldOptions{BiasScale: p.BiasScale, Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	e := newEquation(p, order, flow.DormandPrince8, opt)
	e.chunk = stepsAtOnce
	e.field = func(context.Context, int) flow.Field {
		return func(_ int, _ float64, y, dydt []float64) error { return fields.Sum(p.LR, y, dydt) }
	}
	return e, nil
}

func newEquation[T graph.Float](p *Problem[T], order int, method *flow.Method, opt flow.Options) *equation[T] {
	e := &equation[T]{order: order, method: method, options: opt, lr: p.LR, chunk: 1, y: make([]float64, len(p.Theta))}
	for i, v := range p.Theta {
		e.y[i] = float64(v)
	}
	e.next = slices.Clone(e.y)
	return e
}
