package run

import (
	"context"
	"fmt"
	"strings"

	"shadowflow/flow"
)

// fieldOf returns the right-hand side of an equation during step n, which is told the time since the step's start.
type fieldOf func(ctx context.Context, n int) flow.Field

// integration says how equations are integrated.
type integration struct {
	method string // of flow, or ab2 .. ab4
	// steps are the integrator's for one of the optimizer's, where they are fixed; 0: by the tolerances.
	steps          int
	relTol, absTol float64
}

// solver returns the solver of an equation of size numbers, a step of which takes span of its time. With changing the field is another
// in each step.
func (i integration) solver(field fieldOf, span float64, size int, changing bool) (solver, error) {
	if order, ok := strings.CutPrefix(i.method, "ab"); ok {
		if changing {
			return nil, fmt.Errorf("flow.method %s with mini-batches: it looks back at earlier steps, which had other batches; want rk4", i.method)
		}
		a, err := flow.NewAdams(int(order[0]-'0'), size)
		return &multistep{adams: a, field: field, span: span}, err
	}
	method, err := flow.MethodByName(i.method)
	if err != nil {
		return nil, err
	}
	opt := flow.Options{RelTol: i.relTol, AbsTol: i.absTol}
	if i.steps > 0 {
		opt.Step = span / float64(i.steps)
	}
	return &stepwise{method: method, options: opt, field: field, span: span}, nil
}

// stepwise integrates each step by itself.
type stepwise struct {
	method  *flow.Method
	options flow.Options
	field   fieldOf
	span    float64
}

func (s *stepwise) solve(ctx context.Context, n int, y, next []float64) error {
	solution, err := flow.Integrate(ctx, s.method, s.field(ctx, n), 0, s.span, y, s.options)
	if err != nil {
		return err
	}
	copy(next, solution.Y)
	return nil
}

func (s *stepwise) commit()           {}
func (s *stepwise) past() [][]float64 { return nil }
func (s *stepwise) restore(int)       {}

// multistep evaluates the field once a step and looks back.
type multistep struct {
	adams *flow.Adams
	field fieldOf
	span  float64
}

func (s *multistep) solve(ctx context.Context, n int, y, next []float64) error {
	return s.adams.Next(s.field(ctx, n), n, 0, s.span, y, next)
}

func (s *multistep) commit()           { s.adams.Commit() }
func (s *multistep) past() [][]float64 { return s.adams.Past() }
func (s *multistep) restore(steps int) { s.adams.Restore(steps) }

// ahead solves many steps at a time, of an equation whose field is the same in all, so that the integrator's may be longer than one.
type ahead struct {
	stepwise
	rows    [][]float64 // points behind the coming steps
	runaway error       // why no more follow, nil if they do
}

// stepsAtOnce is the number of steps that are solved at a time.
const stepsAtOnce = 256

func (s *ahead) solve(ctx context.Context, n int, y, next []float64) error {
	if len(s.rows) == 0 && s.runaway == nil {
		opt := s.options
		for k := range stepsAtOnce {
			opt.Times = append(opt.Times, float64(k+1)*s.span)
		}
		solution, err := flow.Integrate(ctx, s.method, s.field(ctx, n), 0, stepsAtOnce*s.span, y, opt)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.runaway = err; solution != nil {
			s.rows = solution.Rows
		}
	}
	if len(s.rows) == 0 {
		return s.runaway
	}
	copy(next, s.rows[0])
	return nil
}

func (s *ahead) commit() { s.rows = s.rows[1:] }
