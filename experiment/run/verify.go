package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/flow"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/modeq"
	"shadowflow/modeq/reach"
	"shadowflow/modeq/state"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Start says where a comparison of iterates with equations begins.
type Start string

const (
	// Manifold fills the memory with the gradients along the equation of highest order, run backwards: full memory, any order.
	Manifold Start = "manifold"
	// Cold begins with an empty memory, and compares with the equations exact in the step number: orders 1 and 2.
	Cold Start = "cold"
)

// StartOf returns where a comparison on a problem begins if nothing else is said: on the slow manifold, which takes steps of one size on the full
// batch, and derivatives of any order.
func StartOf(p *Problem[float64]) Start {
	if _, series := p.Objective.(objective.GraphLoss); !series || p.Order != nil || p.Schedule.Varies() {
		return Cold
	}
	return Manifold
}

// Memory says what becomes of an optimizer's memory in its modified equation.
type Memory string

const (
	// Eliminated is the equation for theta alone, of a full memory or exact in the step number.
	Eliminated Memory = "full"
	// State is the equation for theta and what the optimizer remembers.
	State Memory = "state"
)

// VerifyOptions say what to compare.
type VerifyOptions struct {
	Orders []int     // of the modified equations
	LR     []float64 // step sizes
	Time   float64   // span of time, lr times the number of steps; the nearest from half to twice this that is a whole number of steps of each lr is taken
	Start  Start     // empty: Manifold, or Cold with mini-batches
	// Memory says what becomes of the memory in the equations: Eliminated, or State.
	Memory Memory
	// Moments are, with the memory as state, what the optimizer remembers at the start, in the rule's order. If nil, they are the
	// problem's, or it takes Wait steps first.
	Moments [][]float64
	// Wait is the number of steps taken before the comparison, which bias correction counts.
	Wait int
	// RelTol is the integrator's relative tolerance; if 0, 1e-12, or 1e-10 with a cold start, where the orders are low, or 1e-13 with the
	// memory as state.
	RelTol float64
	// Progress, if not nil, is called behind each step that was compared: how many of how many were, and what was compared last.
	Progress func(done, of int, last string)
	// timed says what is to be known of the times that the step sizes are compared at.
	timed []string
}

// Verification is what a comparison found.
type Verification struct {
	LR     []float64     `json:"lr"`
	Steps  []int         `json:"steps"`
	Orders []OrderErrors `json:"orders"`
	// Kinks are the functions in the optimizer's formulas whose values or slopes jump; see [rule.Rule.Kinks].
	Kinks []string `json:"kinks,omitempty"`
	// Notes say where there is no error, and why.
	Notes []string `json:"notes,omitempty"`
}

// OrderErrors is the comparison with one modified equation.
type OrderErrors struct {
	Order int `json:"order"`
	// Errors are, for each step size, the largest distance of a coordinate of the iterates from the solution.
	Errors []float64 `json:"errors"`
	// Slopes are log(error ratio)/log(step size ratio) of neighbouring step sizes; NaN where an error is 0.
	Slopes []float64 `json:"slopes"`
	// Rounding is the size of errors that rounding makes where it is magnified, as by a matrix that is hardly one of full rank; 0 elsewhere.
	Rounding float64 `json:"rounding,omitempty"`
	// Unmeasured says why the errors, or their slopes, say nothing of the order; empty where they do. Where there is no equation they are NaN.
	Unmeasured string `json:"unmeasured,omitempty"`
}

// leastMove is the distance that theta moves at least over a comparison that says anything: errors below 1e-11 are those of rounding, and an equation
// that is nearer than that to a theta which hardly moves is no better than none.
const leastMove = 1e-5

// tell says of what was measured that it says nothing, where theta moved less over the time, at any step size.
func (v *Verification) tell(moved []float64) {
	least := slices.Min(moved)
	if least >= leastMove {
		return
	}
	for i := range v.Orders {
		if v.Orders[i].Unmeasured == "" {
			v.Orders[i].Unmeasured = fmt.Sprintf("theta moves by %.1e over the time, too little beside rounding for a slope to say anything: want %.0e at least, by a longer time or larger steps", least, leastMove)
		}
	}
}

// mostComparedSteps is the largest number of steps that are compared with an equation, which take minutes on the smallest problem; over as many, the errors of
// smooth steps are those of rounding.
const mostComparedSteps = 10_000_000

// without returns an order whose equation does not exist at the start.
func without(order, sizes int, why string) OrderErrors {
	none := []float64{math.NaN()}
	return OrderErrors{Order: order, Errors: slices.Repeat(none, sizes), Slopes: slices.Repeat(none, max(0, sizes-1)), Unmeasured: why}
}

// Verify compares iterates and modified equations, for every step size and order: for each step size, the loop with the equations
// beside the optimizer and a meter of their distance. A schedule is that of the largest step size; for the others it is stretched over the same
// time.
func Verify(ctx context.Context, p Problem[float64], opt VerifyOptions) (*Verification, error) {
	if err := opt.Check(&p); err != nil {
		return nil, err
	}
	if opt.Memory == State {
		return verifyState(ctx, &p, opt)
	}
	if opt.Start == Manifold {
		if err := manifoldFits(&p, len(opt.Orders)); err != nil {
			return nil, err
		}
	}
	v := &Verification{LR: opt.LR, Kinks: p.Rule.Kinks(), Notes: opt.timed}
	missing, err := missingOf(ctx, &p, opt)
	if err != nil {
		return nil, err
	}
	var measured []int // places among the orders
	orders := opt.Orders
	opt.Orders = nil
	for i, order := range orders {
		if missing != nil && order > missing.Fields {
			v.Orders = append(v.Orders, without(order, len(opt.LR), missing.Error()))
			continue
		}
		v.Orders, measured, opt.Orders = append(v.Orders, OrderErrors{Order: order}), append(measured, i), append(opt.Orders, order)
	}
	var moved []float64
	plan := p.Schedule
	tally := opt.tally(1)
	for _, lr := range opt.LR {
		p.LR, p.Schedule = lr, plan.Stretched(opt.LR[0]/lr)
		steps := opt.stepsOf(lr)
		v.Steps = append(v.Steps, steps)
		if len(measured) == 0 {
			continue
		}
		errs, far, err := distances(ctx, &p, opt, steps, tally.of("lr %g", lr))
		if err != nil {
			return nil, fmt.Errorf("lr %g: %w", lr, err)
		}
		moved = append(moved, far)
		for k, i := range measured {
			v.Orders[i].Errors = append(v.Orders[i].Errors, errs[k])
		}
	}
	for _, i := range measured {
		v.Orders[i].Slopes = slopes(opt.LR, v.Orders[i].Errors)
	}
	if len(measured) > 0 {
		v.tell(moved)
	}
	return v, nil
}

// missingOf says which of the fields of the equations that are compared do not exist at the start; nil where all do. The equations
// that are exact in the step number are no series.
func missingOf(ctx context.Context, p *Problem[float64], opt VerifyOptions) (*reach.Missing, error) {
	loss, ok := p.Objective.(objective.GraphLoss)
	if opt.Start != Manifold || !ok {
		return nil, nil
	}
	scale, err := p.ExpansionScale()
	if err != nil {
		return nil, err
	}
	fields, err := modeq.CompileFields(p.Rule, loss, len(p.Theta), slices.Max(opt.Orders), modeq.FieldOptions{BiasScale: scale, Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	return fields.Missing(ctx, p.Theta)
}

// Check fills in defaults and refuses what cannot be compared.
func (opt *VerifyOptions) Check(p *Problem[float64]) error {
	if opt.Memory == "" {
		opt.Memory = Eliminated
	}
	if opt.Start == "" {
		if opt.Start = Manifold; p.Order != nil || p.Schedule.Varies() {
			opt.Start = Cold
		}
	}
	if opt.RelTol == 0 {
		switch opt.RelTol = 1e-12; {
		case opt.Memory == State:
			opt.RelTol = 1e-13
		case opt.Start == Cold:
			opt.RelTol = 1e-10
		}
	}
	switch {
	case opt.Memory == Eliminated && p.Moments != nil:
		return errors.New("optimizer.moments: of no use where the memory is eliminated; want memory state, or leave it out")
	case opt.Memory != Eliminated && opt.Memory != State:
		return fmt.Errorf("memory %q: want %s or %s", opt.Memory, Eliminated, State)
	case opt.Wait < 0:
		return fmt.Errorf("%s to wait: want 0 or more", plural.Count(opt.Wait, "step"))
	case opt.Start != Manifold && opt.Start != Cold:
		return fmt.Errorf("start %q: want %s or %s", opt.Start, Manifold, Cold)
	case len(opt.LR) == 0 || len(opt.Orders) == 0:
		return errors.New("nothing to compare: want at least one order and one lr")
	case !(opt.Time > 0) || math.IsInf(opt.Time, 1):
		return fmt.Errorf("time %v: want a number above 0", opt.Time)
	case p.Schedule.Varies() && opt.Start == Manifold && opt.Memory == Eliminated:
		return errors.New("steps of different sizes have no slow manifold to start on: want start " + string(Cold))
	case p.Order != nil && opt.Start == Manifold:
		return errors.New("mini-batches have no slow manifold to start on: want start " + string(Cold))
	}
	if err := opt.comparable(p); err != nil {
		return err
	}
	for i, lr := range opt.LR {
		if slices.Contains(opt.LR[:i], lr) {
			return fmt.Errorf("lr %g is there twice: want different ones, between which a slope can be told", lr)
		}
		if i > 0 && lr > opt.LR[i-1] {
			return fmt.Errorf("lr %g behind %g: want the largest first, and each smaller than the one before", lr, opt.LR[i-1])
		}
		at := *p
		at.LR = lr
		if err := at.check(); err != nil {
			return err
		}
		if steps := math.Round(opt.Time / lr); !(steps >= 1) || steps > mostComparedSteps {
			return fmt.Errorf("time %g takes %g steps of lr %g: want from 1 to %.0e, by another time or lr", opt.Time, steps, lr, float64(mostComparedSteps))
		}
	}
	if err := opt.shareTime(); err != nil {
		return err
	}
	highest := modeq.MaxOrder
	switch {
	case opt.Memory == State:
		highest = state.MaxOrder
	case opt.Start == Cold:
		highest = 2
	}
	for i, order := range opt.Orders {
		if slices.Contains(opt.Orders[:i], order) {
			return fmt.Errorf("order %d is there twice: want each once", order)
		}
		if order < 1 || order > highest {
			return fmt.Errorf("order %d: want 1 to %d with start %s, memory %s", order, highest, opt.Start, opt.Memory)
		}
	}
	return nil
}

func slopes(lr, errs []float64) []float64 {
	out := []float64{}
	for i := 1; i < len(lr); i++ {
		out = append(out, math.Log(errs[i-1]/errs[i])/math.Log(lr[i-1]/lr[i]))
	}
	return out
}

// distances runs the optimizer and the equations side by side, and returns the largest distance of a coordinate from each, and from the start.
// count is called behind each step.
func distances(ctx context.Context, p *Problem[float64], opt VerifyOptions, steps int, count func()) (far []float64, moved float64, err error) {
	equations, err := equationsOf(p, opt.Orders, opt.Start, opt.RelTol)
	if err != nil {
		return nil, 0, err
	}
	loop, err := loopBeside(p, equations)
	if err != nil {
		return nil, 0, err
	}
	defer loop.release()
	if opt.Start == Manifold {
		highest := slices.MaxFunc(equations, func(a, b *equation[float64]) int { return a.order - b.order })
		if err := fillMemory(ctx, p, loop.Optimizer, highest.solver.(*ahead)); err != nil {
			return nil, 0, err
		}
	}
	meter := newFarthest(p, equations, count)
	loop.Meters = []Meter[float64]{meter}
	loop.Steps = loop.Optimizer.Steps() + steps
	status, err := loop.run(ctx, nil)
	switch {
	case err != nil:
		return nil, 0, err
	case status == Interrupted:
		return nil, 0, context.Cause(ctx)
	case status == Diverged:
		return nil, 0, &DivergedError{loop.point.Seen.Loss, loop.point.Step - loop.Steps + steps}
	}
	for _, e := range equations {
		if e.ended != nil {
			return nil, 0, e.ended
		}
	}
	return meter.distance, meter.moved, nil
}

// fullyFilled is a number of steps after which every memory is full.
const fullyFilled = math.MaxInt32

// filledSteps is the number of steps before the start whose gradients a full memory is made of, to the last digit.
func filledSteps(form *rule.Memory) int { return form.Window(1e-15) + 1 }

// mostFilledSteps is the largest of these numbers: more gradients take days on the smallest problem.
const mostFilledSteps = 1_000_000_000

// manifoldFits refuses a start on the slow manifold whose steps backwards this process cannot hold: a time and a point of each, beside the points ahead
// of the equations. An optimizer without the memory form is told so where the equations are made.
func manifoldFits(p *Problem[float64], equations int) error {
	form, err := p.Rule.MemoryForm()
	if err != nil {
		return nil
	}
	const header = 24 // bytes of a slice, in slices that double as they grow
	window, dim := filledSteps(form), len(p.Theta)
	need := float64(window)*float64(8+3*header+8*dim) + float64(equations)*stepsAtOnce*float64(8+3*header+8*dim)
	const less = "want smaller betas, start %s, or the equations that keep the memory as %s"
	if window > mostFilledSteps {
		return fmt.Errorf("the start on the slow manifold takes %d steps backwards to fill the memory, of at most %d: "+less, window, mostFilledSteps, Cold, State)
	}
	if err := memory.Check(int64(min(need, math.MaxInt64/2))); err != nil {
		return fmt.Errorf("the start on the slow manifold keeps the points of %d steps backwards, of %s each, which %w: "+less,
			window, plural.Count(dim, "parameter"), err, Cold, State)
	}
	return nil
}

// fillMemory gives the optimizer's memory the gradients along an equation of a full memory, run backwards from the start.
func fillMemory(ctx context.Context, p *Problem[float64], o *Optimizer[float64], s *ahead) error {
	form, err := p.Rule.MemoryForm()
	if err != nil {
		return err
	}
	window := filledSteps(form)
	times := make([]float64, window)
	for k := range times {
		times[k] = -float64(k+1) * p.LR
	}
	opt := s.options
	opt.Times = times
	back, err := flow.Integrate(ctx, s.method, s.field(ctx, fullyFilled), 0, times[window-1], p.Theta, opt)
	if err != nil {
		return fmt.Errorf("the start on the slow manifold: running the equation backwards through the memory's %d steps: %w "+
			"(choose smaller betas or a smaller lr, start %s, or compare with the equations that keep the memory as %s)", window, err, Cold, State)
	}
	scratch, g := make([]float64, len(p.Theta)), make([]float64, len(p.Theta))
	for _, theta := range slices.Backward(back.Rows) {
		if _, err := p.Objective.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
			return err
		}
		copy(scratch, theta) // which coupled decay reads
		if err := o.stepper.StepContext(ctx, p.LR, scratch, g); err != nil {
			return err
		}
	}
	return o.stepper.Restore(fullyFilled, o.stepper.State())
}

// farthest is a meter without columns: the largest distance of a coordinate of the iterates from each equation, and from the start.
type farthest struct {
	schedule
	equations []*equation[float64]
	distance  []float64
	start     []float64
	moved     float64
	count     func()
	begun     bool
}

func newFarthest(p *Problem[float64], equations []*equation[float64], count func()) *farthest {
	return &farthest{schedule: schedule{every: 1}, equations: equations, distance: make([]float64, len(equations)), start: p.Theta, count: count}
}

func (f *farthest) Gauges() []*Gauge { return nil }

func (f *farthest) Measure(_ context.Context, at *Point[float64]) error {
	for j, v := range at.Theta {
		f.moved = math.Max(f.moved, math.Abs(v-f.start[j]))
	}
	for i, e := range f.equations {
		for j, v := range at.Theta {
			f.distance[i] = math.Max(f.distance[i], math.Abs(v-e.y[j])) // keeps NaN
		}
	}
	if f.begun { // the start is no step
		f.count()
	}
	f.begun = true
	return nil
}
