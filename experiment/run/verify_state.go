package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/flow"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/modeq/state"
	"shadowflow/objective"
	"shadowflow/schema"
)

// stateOf returns the problem's state to begin at, theta and the arrays: those of moments, or where they are nil what the steps that the
// equation waits for leave, taken as they are.
func stateOf(ctx context.Context, p *Problem[float64], moments [][]float64, wait int) ([]float64, error) {
	z := append([]float64(nil), p.Theta...)
	if moments != nil {
		if len(moments) != len(p.Rule.State) {
			return nil, fmt.Errorf("%s: optimizer %s remembers %v", plural.Count(len(moments), "moment"), p.Rule.Name, p.Rule.State)
		}
		for i, m := range moments {
			if n := p.Rule.Length(i, len(p.Theta)); len(m) != n {
				return nil, fmt.Errorf("moment %s has %s: want %d, where the objective has %s", p.Rule.State[i], plural.Count(len(m), "number"), n, plural.Count(len(p.Theta), "parameter"))
			}
			z = append(z, m...)
		}
		return z, nil
	}
	o, err := newOptimizer(p, z)
	if err != nil {
		return nil, err
	}
	g := make([]float64, len(z))
	for n := range wait {
		if _, err := p.Objective.Evaluate(ctx, z, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
			return nil, err
		}
		if err := o.stepper.StepContext(ctx, p.StepSize(n), z, g); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(z, notFinite) {
			return nil, &DivergedError{math.NaN(), n}
		}
	}
	for _, s := range o.stepper.State() {
		z = append(z, s...)
	}
	return z, nil
}

// remembered returns moments and the number of steps behind them: those given, or the problem's own.
func (p *Problem[T]) remembered(moments [][]T, wait int) ([][]T, int) {
	if moments == nil && p.Moments != nil {
		return p.Moments.State, p.Moments.Steps
	}
	return moments, wait
}

const (
	leastRounding = 1e-12 // up to which a field is one that the integrator's usual tolerance suits
	mostRounding  = 1e-6  // beyond which there is nothing to compare
	magnified     = 10    // a tolerance over the rounding of the field, for the integrator to find steps that keep it
)

// verifyState compares the steps of the family that the rule stands in, its own at the largest step size, with the equations whose memory is
// state. There is one time tau for each memory, so the decays follow the step size.
func verifyState(ctx context.Context, p *Problem[float64], opt VerifyOptions) (*Verification, error) {
	loss, err := p.graphLoss()
	if err != nil {
		return nil, err
	}
	p.LR = opt.LR[0]
	opt.Moments, opt.Wait = p.remembered(opt.Moments, opt.Wait)
	start, err := stateOf(ctx, p, opt.Moments, opt.Wait)
	if err != nil {
		return nil, err
	}
	c := &stateComparison{
		Verification: &Verification{LR: opt.LR, Kinks: p.Rule.Kinks(), Notes: opt.timed},
		problem:      p, opt: opt, loss: loss, start: start, moved: make([]float64, len(opt.LR)), tally: opt.tally(len(opt.Orders)),
	}
	for _, lr := range opt.LR {
		c.Steps = append(c.Steps, opt.stepsOf(lr))
	}
	for _, order := range opt.Orders {
		found, err := c.compare(ctx, order)
		if err != nil {
			return nil, err
		}
		c.Orders = append(c.Orders, found)
	}
	if slices.ContainsFunc(c.Orders, func(o OrderErrors) bool { return o.Unmeasured == "" }) {
		c.tell(c.moved)
	}
	if from := distanceEstimate(p, start); c.estimate > from {
		c.note("optimizer.d0: Prodigy's estimate d of the distance grew from %.3g to %.3g within %d steps of the largest lr, and where it "+
			"grows, a max in the step has no order: want a d0 from which it does not grow, as 0.1 often is", from, c.estimate, c.Steps[0])
	}
	return c.Verification, nil
}

// comparable refuses what is asked of a loss, or of steps, that the equations are not for.
func (opt *VerifyOptions) comparable(p *Problem[float64]) error {
	if opt.Memory == Eliminated {
		if _, err := p.graphLoss(); err != nil && opt.Start == Manifold {
			return fmt.Errorf("start %s: %w: want start %s, and orders 1 and 2", Manifold, err, Cold)
		}
		return nil
	}
	if p.BiasScale != 0 || p.Order != nil {
		return errors.New("memory state: want the full batch and bias.scale 0")
	}
	if err := p.Rule.StepsOfAllSizes(); err != nil {
		return err
	}
	if _, err := p.graphLoss(); err != nil {
		return fmt.Errorf("memory state: %w: want memory %s with start %s, or state-1 and state-2 beside a run", err, Eliminated, Cold)
	}
	return nil
}

// stateComparison is a comparison with the equations whose memory is state, on its way.
type stateComparison struct {
	*Verification
	problem  *Problem[float64]
	opt      VerifyOptions
	loss     objective.GraphLoss
	start    []float64 // theta and the arrays
	moved    []float64 // how far theta moved, at each step size
	estimate float64   // Prodigy's, of the distance, where the steps of the largest size end
	tally    *tally
}

func (c *stateComparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// compare compares with the equation of an order.
func (c *stateComparison) compare(ctx context.Context, order int) (OrderErrors, error) {
	p := c.problem
	fields, err := state.CompileFields(p.Rule, c.loss, len(p.Theta), order, p.Threads)
	if err != nil {
		return OrderErrors{}, err
	}
	tolerance, why, err := c.tolerance(ctx, fields, order)
	if err != nil {
		return OrderErrors{}, err
	}
	if why != "" {
		c.tally.all -= c.opt.tally(1).all
		return without(order, len(c.LR), why), nil
	}
	out := OrderErrors{Order: order, Errors: slices.Repeat([]float64{math.NaN()}, len(c.LR))}
	if tolerance > c.opt.RelTol {
		out.Rounding = tolerance
	}
	for i, lr := range slices.Backward(c.LR) { // the smallest first, without which there is no slope that tells
		if out.Unmeasured != "" {
			c.tally.all -= c.Steps[i]
			continue
		}
		end := slices.Clone(c.start)
		far, way, err := farFromState(ctx, p, fields, end, float64(c.opt.Wait), lr/p.LR, c.Steps[i], tolerance, c.tally.of("order %d, lr %g", order, lr))
		c.moved[i] = math.Max(c.moved[i], way)
		if i == 0 {
			c.estimate = distanceEstimate(p, end)
		}
		switch {
		case unfollowable(err):
			if i >= len(c.LR)-2 { // its error is in the slope that tells
				out.Unmeasured = fmt.Sprintf("the equation could not be followed at lr %g%s", lr, jumping(c.Kinks))
			}
			c.note("order %d, lr %g: the equation could not be followed: %v", order, lr, err)
		case err != nil:
			return out, fmt.Errorf("lr %g: %w", lr, err)
		default:
			out.Errors[i] = far
		}
	}
	out.Slopes = slopes(c.LR, out.Errors)
	return out, nil
}

// tolerance returns the one that an equation is followed to, or why it is not compared: its fields are not there, or rounding drowns them.
func (c *stateComparison) tolerance(ctx context.Context, fields *state.Fields, order int) (tolerance float64, why string, err error) {
	lr, wait := c.problem.StepSize(c.opt.Wait), float64(c.opt.Wait)
	missing, err := fields.Missing(ctx, lr, wait, c.start)
	if err != nil {
		return 0, "", err
	}
	if missing != nil {
		return 0, missing.Error(), nil
	}
	rounding, err := fields.Rounding(ctx, lr, wait, c.start)
	switch tolerance = c.opt.RelTol; {
	case rounding > mostRounding:
		why = fmt.Sprintf("rounding changes its fields by %.0e of the state in a step, which leaves nothing to compare", rounding)
	case rounding > leastRounding && magnified*rounding > tolerance:
		tolerance = magnified * rounding
		c.note("order %d: rounding changes its fields by %.0e of the state in a step, so that it is followed to a tolerance of %.0e", order, rounding, tolerance)
	}
	return tolerance, why, err
}

// jumping says what in a step may keep its equation from being followed.
func jumping(kinks []string) string {
	if len(kinks) == 0 {
		return ""
	}
	return fmt.Sprintf("; the step has %s, and where their arguments cross, its fields or their slopes jump", strings.Join(kinks, " and "))
}

// distanceEstimate returns Prodigy's estimate in a state; 0 for another optimizer.
func distanceEstimate(p *Problem[float64], z []float64) float64 {
	at := len(p.Theta)
	for i, entry := range p.Rule.State {
		if p.Rule.Name == "prodigy" && entry == "d" {
			return z[at]
		}
		at += p.Rule.Length(i, len(p.Theta))
	}
	return 0
}

// farFromState moves the state z by a number of steps of a size, and returns the largest distance of a coordinate of theta from the equation,
// and from where it was. count is called behind each step.
func farFromState(ctx context.Context, p *Problem[float64], f *state.Fields, z []float64, age, size float64, steps int, relTol float64, count func()) (far, moved float64, err error) {
	start := append([]float64(nil), z...)
	opt := flow.Options{RelTol: relTol, AbsTol: relTol / 10}
	varies := p.varying() != nil
	if err := timesFit(steps, varies); err != nil {
		return 0, 0, err
	}
	for k := range steps {
		opt.Times = append(opt.Times, float64(k+1)*size)
		if varies {
			opt.Breaks = append(opt.Breaks, float64(k+1)*size)
		}
	}
	plan, passed := p.Schedule.Stretched(1/size), int(math.Round(age/size))
	lr := func(k int) float64 {
		if !varies {
			return p.LR
		}
		return p.LR * plan.At(passed+k)
	}
	opt.Output = func(k int, _ float64, y []float64) error {
		if err := f.Step(ctx, lr(k), age+float64(k)*size, size, z); err != nil {
			return err
		}
		if slices.ContainsFunc(z[:len(p.Theta)], notFinite) {
			return &DivergedError{math.NaN(), k}
		}
		for i := range p.Theta {
			far, moved = math.Max(far, math.Abs(z[i]-y[i])), math.Max(moved, math.Abs(z[i]-start[i])) // keeps NaN
		}
		count()
		return nil
	}
	evaluations := 0
	field := func(k int, u float64, y, dydu []float64) error {
		if evaluations++; float64(evaluations) > mostEvaluations*(1+u/size) {
			return &stiffError{evaluations - 1, u / size}
		}
		return f.Sum(ctx, lr(k), age+u, size, y, dydu)
	}
	_, err = flow.Integrate(ctx, flow.DormandPrince8, field, 0, float64(steps)*size, start, opt)
	var undefined *flow.NonFiniteError
	if age == 0 && errors.As(err, &undefined) && undefined.T == 0 {
		return far, moved, errNoMemoryYet
	}
	return far, moved, err
}

// timesFit refuses a list of times that this process cannot hold, one of each step and, where steps vary, one more, in slices that double as they
// grow.
func timesFit(steps int, varies bool) error {
	need := 24 * int64(steps)
	if varies {
		need *= 2
	}
	if err := memory.Check(need); err != nil {
		return fmt.Errorf("a comparison of %s %w: want a larger lr or a shorter time", plural.Count(steps, "step"), err)
	}
	return nil
}

// mostEvaluations of the fields in a step of the optimizer are some thirty steps of the integrator: an equation that takes more is stiff, for what it follows
// changes by no more than a step does.
const mostEvaluations = 400

// stiffError says how far an equation was followed until it was given up for the evaluations that it took.
type stiffError struct {
	evaluations int
	steps       float64
}

func (e *stiffError) Error() string {
	return fmt.Sprintf("its fields were evaluated %d times within %.2g steps of the optimizer: it is stiff there", e.evaluations, e.steps)
}

// unfollowable reports whether an equation runs away, or is too stiff for its integrator.
func unfollowable(err error) bool {
	return errors.As(err, new(*flow.TooManyStepsError)) || errors.As(err, new(*flow.StepUnderflowError)) || errors.As(err, new(*flow.NonFiniteError)) || errors.As(err, new(*stiffError))
}

// errNoMemoryYet says why an equation with memory as state has no number at the very start.
var errNoMemoryYet = &schema.Error{
	Key: "flow.start", Problem: "0: the equation is no number before the first step, where bias correction divides by weights that are 0 yet; want at least 1",
}

func notFinite(v float64) bool { return !finite(v) }

// StateFields returns the fields f_0 .. f_(order-1) of dz/dt = f_0 + lr f_1 + .. with the memory as state, at the problem's theta and
// moments; nil moments are the problem's, or those that wait steps leave behind which all see the gradient there. wait is also the number of steps that bias
// correction counts.
func StateFields(ctx context.Context, p *Problem[float64], order int, moments [][]float64, wait int) ([][]float64, error) {
	if err := p.Rule.StepsOfAllSizes(); err != nil {
		return nil, err
	}
	loss, ok := p.Objective.(objective.GraphLoss)
	if !ok {
		return nil, errors.New("fields need derivatives of any order, which this objective does not have")
	}
	fields, err := state.CompileFields(p.Rule, loss, len(p.Theta), order, p.Threads)
	if err != nil {
		return nil, err
	}
	if err := CheckPoint(ctx, p); err != nil {
		return nil, err
	}
	if moments, wait = p.remembered(moments, wait); moments == nil {
		if moments, err = constantMoments(ctx, p, wait); err != nil {
			return nil, err
		}
	}
	z, err := stateOf(ctx, p, moments, wait)
	if err != nil {
		return nil, err
	}
	for i, at := 0, len(p.Theta); i < len(p.Rule.State); i++ {
		n := p.Rule.Length(i, len(p.Theta))
		if err := checkVector("the optimizer's memory "+p.Rule.State[i], z[at:at+n]); err != nil {
			return nil, err
		}
		at += n
	}
	out := make([][]float64, order)
	for j := range out {
		out[j] = make([]float64, fields.Size())
	}
	lr := p.StepSize(wait)
	if lr == 0 {
		return nil, fmt.Errorf("step %d has size 0, and nothing moves in it", wait)
	}
	if err := fields.At(ctx, lr, float64(wait), z, out); err != nil {
		return nil, err
	}
	if wait == 0 && slices.ContainsFunc(out[0], notFinite) {
		return nil, errNoMemoryYet
	}
	switch missing, err := fields.Missing(ctx, lr, float64(wait), z); {
	case err != nil:
		return nil, err
	case missing != nil:
		return nil, missing
	}
	for j, f := range out { // from the rule's own steps to time
		for i := range f {
			f[i] /= math.Pow(lr, float64(j+1))
		}
	}
	return out, CheckFields(out)
}

// constantMoments returns what a number of steps leave that all see the gradient at theta.
func constantMoments(ctx context.Context, p *Problem[float64], steps int) ([][]float64, error) {
	theta, g := append([]float64(nil), p.Theta...), make([]float64, len(p.Theta))
	o, err := newOptimizer(p, theta)
	if err != nil {
		return nil, err
	}
	if _, err := p.Objective.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
		return nil, err
	}
	for n := range steps {
		copy(theta, p.Theta)
		if err := o.stepper.StepContext(ctx, p.StepSize(n), theta, g); err != nil {
			return nil, err
		}
	}
	moments := make([][]float64, 0)
	for _, s := range o.stepper.State() {
		moments = append(moments, append([]float64(nil), s...))
	}
	return moments, nil
}
