package run

import (
	"context"

	"shadowflow/flow"
)

// fieldOf returns the right-hand side of an equation during step n, which is told the time since the step's start.
type fieldOf func(ctx context.Context, n int) flow.Field

// integration says how equations are integrated.
type integration struct {
	method string // of flow
	// steps are the integrator's for one of the optimizer's, where they are fixed; 0: by the tolerances.
	steps          int
	relTol, absTol float64
}

// solver returns the solver of an equation a step of which takes span of its time.
func (i integration) solver(field fieldOf, span float64) (solver, error) {
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

func (s *stepwise) commit() {}

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
