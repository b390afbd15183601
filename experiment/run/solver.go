package run

import (
	"context"
	"math"

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
	// shared is what equations work with of which one moves at a time; nil: each has its own.
	shared *workspace
}

// workspace is memory that is of no use behind a step.
type workspace struct {
	buffers flow.Buffers
	stage   []float64
}

// stageOf returns room for a state of that size.
func (w *workspace) stageOf(size int) []float64 {
	if len(w.stage) < size {
		w.stage = make([]float64, size)
	}
	return w.stage[:size]
}

// oneStep is the span of a step of equations whose time is counted in steps.
func oneStep(int) float64 { return 1 }

// solver returns the solver of an equation step n of which takes span(n) of its time.
func (i integration) solver(field fieldOf, span func(n int) float64) (*stepwise, error) {
	method, err := flow.MethodByName(i.method)
	if err != nil {
		return nil, err
	}
	options := flow.Options{RelTol: i.relTol, AbsTol: i.absTol}
	if i.shared != nil {
		options.Buffers = &i.shared.buffers
	}
	return &stepwise{method: method, options: options, steps: i.steps, field: field, span: span}, nil
}

// stepwise integrates each step by itself.
type stepwise struct {
	method  *flow.Method
	options flow.Options
	steps   int // of the integrator for one of the optimizer's, 0: by the tolerances
	field   fieldOf
	span    func(n int) float64
}

func (s *stepwise) solve(ctx context.Context, n int, y, next []float64) error {
	span, opt := s.span(n), s.options
	if span == 0 {
		copy(next, y)
		return nil
	}
	if s.steps > 0 {
		opt.Step = span / float64(s.steps)
	}
	solution, err := flow.Integrate(ctx, s.method, s.field(ctx, n), 0, span, y, opt)
	if err != nil {
		return err
	}
	copy(next, solution.Y)
	return nil
}

func (s *stepwise) commit() {}

// fading is a solver of equations parts of which fade by themselves, dy/dt = L y + N(y), in the variables exp(-L t) y (J. D. Lawson, SIAM J.
// Numer. Anal. 4 (1967)). A part that N does not lower cannot become negative at a stage of RK4 then, however N changes: RK4's weights are
// not negative.
type fading struct {
	stepwise
	parts  []fadingPart
	size   int
	shared *workspace // where y at a stage is
}

// fadingPart is y[from:to], where L is rate; time is counted in steps.
type fadingPart struct {
	from, to int
	rate     float64
}

// newFading returns the solver of a state whose parts have these lengths and fade at these rates.
func newFading(how integration, field fieldOf, rates []float64, lengths []int) (*fading, error) {
	if how.shared == nil {
		how.shared = &workspace{}
	}
	f := &fading{shared: how.shared}
	for i, n := range lengths {
		f.parts = append(f.parts, fadingPart{f.size, f.size + n, rates[i]})
		f.size += n
	}
	s, err := how.solver(func(ctx context.Context, n int) flow.Field { return f.slowed(field(ctx, n)) }, oneStep)
	if err == nil {
		f.stepwise = *s
	}
	return f, err
}

// slowed returns the equation of exp(-L t) y.
func (f *fading) slowed(field flow.Field) flow.Field {
	return func(n int, t float64, w, dwdt []float64) error {
		y := f.shared.stageOf(f.size)
		for _, s := range f.parts {
			scale(y[s.from:s.to], w[s.from:s.to], math.Exp(s.rate*t))
		}
		if err := field(n, t, y, dwdt); err != nil {
			return err
		}
		for _, s := range f.parts {
			if s.rate == 0 {
				continue
			}
			back := math.Exp(-s.rate * t)
			for j := s.from; j < s.to; j++ {
				dwdt[j] = back * (dwdt[j] - s.rate*y[j])
			}
		}
		return nil
	}
}

func (f *fading) solve(ctx context.Context, n int, y, next []float64) error {
	if err := f.stepwise.solve(ctx, n, y, next); err != nil {
		return err
	}
	for _, s := range f.parts {
		scale(next[s.from:s.to], next[s.from:s.to], math.Exp(s.rate))
	}
	return nil
}

// scale writes a x into to.
func scale(to, x []float64, a float64) {
	for i, v := range x {
		to[i] = a * v
	}
}

// ahead solves many steps at a time, of an equation whose field and span are the same in all, so that the integrator's may be longer than one.
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
			opt.Times = append(opt.Times, float64(k+1)*s.span(n))
		}
		solution, err := flow.Integrate(ctx, s.method, s.field(ctx, n), 0, stepsAtOnce*s.span(n), y, opt)
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
