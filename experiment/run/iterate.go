package run

import (
	"context"
	"fmt"
	"math"

	"shadowflow/flow"
	"shadowflow/internal/memory"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// equationsOf returns modified equations from the problem's start, at its step size: with a cold start those exact in the step number, and
// otherwise those of the full memory.
func equationsOf(p *Problem[float64], orders []int, start Start, relTol float64) ([]*equation[float64], error) {
	var out []*equation[float64]
	var exact *modeq.SecondOrder[float64]
	opt := flow.Options{RelTol: relTol, AbsTol: relTol / 10}
	for _, order := range orders {
		if start == Manifold {
			e, err := seriesEquation(p, order, opt)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
			continue
		}
		if exact == nil {
			var err error
			if exact, err = modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Order: p.Order, LR: p.varying(), Threads: p.Threads}); err != nil {
				return nil, err
			}
		}
		e, err := memorylessEquation(p, exact, order, integration{method: "dopri5", relTol: relTol, absTol: relTol / 10})
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// loopBeside returns the loop of a problem's optimizer with equations beside it.
func loopBeside(p *Problem[float64], equations []*equation[float64]) (*Loop[float64], error) {
	var term *secondOrder[float64]
	var err error
	if p.BiasScale != 0 {
		if term, err = newSecondOrder(p); err != nil {
			return nil, err
		}
	}
	o, err := p.optimizer(term)
	if err != nil {
		return nil, err
	}
	loop := newLoop(p.Objective, o)
	loop.Order, loop.Eps = p.Order, p.Eps
	if term != nil {
		loop.Field = term.field
	}
	for _, e := range equations {
		loop.Beside = append(loop.Beside, e)
	}
	return loop, nil
}

// Path is the points that a process passed, the start first.
type Path struct {
	Theta [][]float64
	// Steps are the numbers of steps behind which they are.
	Steps []int
	// Order is that of the modified equation, 0 for the optimizer's iterates.
	Order int
	// Last is the number of steps behind which it ends.
	Last int
	// Loss is the full batch's along the iterates.
	Loss []float64
	// Ended says why an equation could not be followed to the end, nil if it could.
	Ended error
}

// Iteration says how far an optimizer goes, and what is beside it.
type Iteration struct {
	Steps int // at most
	// Orders are those of the modified equations beside it. Of orders 1 and 2 they are exact in the step number, and so know how the memory
	// fills; of higher orders they are those of a full memory.
	Orders []int
	// Beside are further equations, by the names that configs have for them; they begin behind Start steps.
	Beside []string
	Start  int
	// StopLoss ends it where the loss is below, with mini-batches as in [Loop]; 0: nowhere.
	StopLoss float64
	// Every is the number of steps from one point that is kept to the next; 0 stands for 1.
	Every int
}

// Check returns what is wrong with the orders for a problem.
func (how Iteration) Check(p *Problem[float64]) error {
	for _, order := range how.Orders {
		switch {
		case order < 1 || order > modeq.MaxOrder:
			return fmt.Errorf("order %d: want 1 to %d", order, modeq.MaxOrder)
		case order > 2 && p.Order != nil:
			return fmt.Errorf("order %d with mini-batches: want 1 or 2", order)
		}
	}
	return nil
}

// Iterate takes steps of an optimizer from the problem's moments, or an empty memory, with equations beside it, and returns the paths, that
// of the iterates first, then those of the orders, then those of the names.
func Iterate(ctx context.Context, p Problem[float64], how Iteration) ([]Path, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := how.Check(&p); err != nil {
		return nil, err
	}
	how.Every = max(1, how.Every)
	if err := pathsFit(how.Steps/how.Every, len(p.Theta), 1+len(how.Orders)+len(how.Beside)); err != nil {
		return nil, err
	}
	var equations []*equation[float64]
	for _, order := range how.Orders {
		start, relTol := Cold, 1e-10
		if order > 2 {
			start, relTol = Manifold, 1e-12
		}
		one, err := equationsOf(&p, []int{order}, start, relTol)
		if err != nil {
			return nil, err
		}
		equations = append(equations, one...)
	}
	loop, err := loopBeside(&p, equations)
	if err != nil {
		return nil, err
	}
	others := company[float64]{problem: &p, optimizer: loop.Optimizer, start: how.Start, how: integration{method: flow.RK4.Name(), steps: 1}}
	for _, name := range how.Beside {
		e, err := others.named(name)
		if err != nil {
			return nil, err
		}
		equations = append(equations, e)
		loop.Beside = append(loop.Beside, e)
	}
	trace := newTracer(&p, equations, how.Every)
	loop.Meters, loop.Steps, loop.StopLoss = []Meter[float64]{trace}, loop.Optimizer.Steps()+how.Steps, how.StopLoss
	status, err := loop.run(ctx, nil)
	switch {
	case err != nil:
		return nil, err
	case status == Interrupted:
		return nil, context.Cause(ctx)
	case status == Diverged:
		return trace.finish(), &DivergedError{loop.point.Seen.Loss, loop.point.Step}
	}
	return trace.finish(), nil
}

// pathsFit refuses more points than this process can hold: each is a slice of its own, in slices that double as they grow, and is then printed.
func pathsFit(steps, dim, paths int) error {
	const header, text = 24, 25 // bytes of a slice, and of a number in JSON
	need := float64(paths) * float64(steps) * (3*header + float64(dim)*(8+text))
	if err := memory.Check(int64(min(need, math.MaxInt64/2))); err != nil {
		return fmt.Errorf("the points of %d steps of %d parameters, on %d paths, are kept until they are printed, which %w: "+
			"want fewer steps, or run, which records every so many", steps, dim, paths, err)
	}
	return nil
}

// tracer is a meter without columns that keeps points passed.
type tracer struct {
	schedule
	objective objective.Objective[float64]
	equations []*equation[float64]
	paths     []Path
}

func newTracer(p *Problem[float64], equations []*equation[float64], every int) *tracer {
	t := &tracer{schedule: schedule{every: every}, objective: p.Objective, equations: equations, paths: make([]Path, 1+len(equations))}
	for i, e := range equations {
		t.paths[1+i].Order = e.order
	}
	return t
}

func (t *tracer) Gauges() []*Gauge { return nil }

func (t *tracer) Measure(ctx context.Context, at *Point[float64]) error {
	own := &t.paths[0]
	own.Last, own.Steps = at.Step, append(own.Steps, at.Step)
	own.Theta = append(own.Theta, append([]float64(nil), at.Theta...))
	full := at.Seen
	if at.Batch != objective.Full {
		var err error
		if full, err = t.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[float64]{}); err != nil {
			return err
		}
	}
	own.Loss = append(own.Loss, full.Loss)
	for i, e := range t.equations {
		if e.follows(at.Step) {
			e.enter(at.Step)
			path := &t.paths[1+i]
			path.Last, path.Steps = at.Step, append(path.Steps, at.Step)
			path.Theta = append(path.Theta, append([]float64(nil), e.y...))
		}
	}
	return nil
}

// finish returns the paths.
func (t *tracer) finish() []Path {
	for i, e := range t.equations {
		t.paths[1+i].Ended = e.ended
	}
	return t.paths
}

// DivergedError says that the iterates ceased to be numbers.
type DivergedError struct {
	Loss float64
	Step int // the last
}

func (e *DivergedError) Error() string {
	if math.IsNaN(e.Loss) {
		return fmt.Sprintf("the iterates diverge: they are no numbers after step %d; want a smaller lr", e.Step)
	}
	return fmt.Sprintf("the iterates diverge: loss %g after step %d; want a smaller lr", e.Loss, e.Step)
}
