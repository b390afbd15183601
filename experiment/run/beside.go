package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"shadowflow/diagnose"
	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/modeq/state"
	"shadowflow/objective"
	"shadowflow/schema"
)

// company makes what moves beside the optimizer of a problem, from the point that the optimizer reaches after start steps.
type company[T graph.Float] struct {
	problem   *Problem[T]
	optimizer *Optimizer[T]
	start     int
	how       integration
	// noise is the floor of a lift's amplitude over the parameters' norm, and seed draws the direction that it begins in.
	noise float64
	seed  uint64

	exact *modeq.SecondOrder[T] // made when first needed
}

// named returns the process of a name that configs know.
func (c *company[T]) named(name string) (*equation[T], error) {
	var e *equation[T]
	var err error
	switch name {
	case "memoryless-1":
		e, err = c.memoryless(1)
	case "memoryless-2":
		e, err = c.memoryless(2)
	case "memoryless-3":
		e, err = c.series(3)
	case "memoryless-4":
		e, err = c.series(4)
	case "iteration-1":
		e, err = c.iteration(1)
	case "iteration-2":
		e, err = c.iteration(2)
	case "gradient-flow":
		e, err = c.gradientFlow()
	case "state-1":
		e, err = c.state(1)
	case "state-2":
		e, err = c.state(2)
	case "state-3":
		e, err = c.stateSeries(3)
	case "state-4":
		e, err = c.stateSeries(4)
	case "lift-1":
		e, err = c.lift(1)
	case "lift-2":
		e, err = c.lift(2)
	case "central":
		e, err = c.central()
	default:
		err = fmt.Errorf("nothing of that name moves beside an optimizer")
	}
	if err != nil {
		return nil, &schema.Error{Key: "beside", Problem: fmt.Sprintf("%s: %v", name, err)}
	}
	e.name, e.start = name, c.start
	return e, nil
}

func (c *company[T]) memoryless(order int) (*equation[T], error) {
	if c.exact == nil {
		var err error
		opt := modeq.SecondOptions{Order: c.problem.Order, LR: c.problem.varying(), Threads: c.problem.Threads}
		if c.exact, err = modeq.NewSecondOrder(c.problem.Rule, c.problem.Objective, opt); err != nil {
			return nil, err
		}
	}
	e, err := memorylessEquation(c.problem, c.exact, order, c.how)
	if err != nil {
		return nil, err
	}
	e.begin = c.beginAtTheta
	return e, nil
}

// series is the modified equation without memory of any order, for a full batch and the memory full.
func (c *company[T]) series(order int) (*equation[T], error) {
	p := c.problem
	if err := c.fullBatch("memoryless"); err != nil {
		return nil, err
	}
	field, err := seriesField(p, order)
	if err != nil {
		return nil, err
	}
	s, err := c.how.solver(field, p.StepSize)
	if err != nil {
		return nil, err
	}
	e := newMemoryless(p, order, s)
	e.begin = c.beginAtTheta
	return e, nil
}

// fullBatch refuses mini-batches, for equations that take derivatives of any order of one loss.
func (c *company[T]) fullBatch(kind string) error {
	if c.problem.Order != nil {
		return fmt.Errorf("it is of the full batch: want batch.mode full, or %s-1 and %s-2", kind, kind)
	}
	return nil
}

// gradientFlow is dtheta/dt = -grad E, with t the sum of the step sizes.
func (c *company[T]) gradientFlow() (*equation[T], error) {
	p := c.problem
	theta, g := make([]T, len(p.Theta)), make([]T, len(p.Theta))
	field := func(ctx context.Context, n int) flow.Field {
		return func(_ int, _ float64, y, dydt []float64) error {
			for i, v := range y {
				theta[i] = T(v)
			}
			_, err := p.Objective.Evaluate(ctx, theta, c.batch(n), objective.Want[T]{Gradient: g})
			for i, v := range g {
				dydt[i] = -float64(v)
			}
			return err
		}
	}
	s, err := c.how.solver(field, p.StepSize)
	return c.equation("gradient flow", 1, c.parts("theta"), c.beginAtTheta, s), err
}

// state is the modified equation with memory as state. Time is counted in steps.
func (c *company[T]) state(order int) (*equation[T], error) {
	if err := c.unscaled(); err != nil {
		return nil, err
	}
	equation, s, err := c.stateSolver(order)
	if err != nil {
		return nil, err
	}
	e := c.equation(fmt.Sprintf("state equation of order %d", order), order, c.wholeState(""), c.beginAtState, s)
	e.negative = equation.Negative
	return e, nil
}

// stateSolver returns the state equation of an order, and its solver.
func (c *company[T]) stateSolver(order int) (*state.Equation[T], *fading, error) {
	p := c.problem
	equation, err := state.NewEquation(p.Rule, p.Objective, order, p.Threads)
	if err != nil {
		return nil, nil, err
	}
	field := func(ctx context.Context, n int) flow.Field {
		return func(_ int, t float64, y, dydt []float64) error {
			return equation.At(ctx, p.StepSize(n), float64(n)+t, c.batch(n), y, dydt)
		}
	}
	s, err := c.fadingSolver(field)
	return equation, s, err
}

// fadingSolver returns the solver of an equation of theta and the optimizer's state, whose time is counted in steps.
func (c *company[T]) fadingSolver(field fieldOf) (*fading, error) {
	r := c.problem.Rule
	rates := []float64{0}
	for i := range r.State {
		rates = append(rates, r.Decay(i))
	}
	return newFading(c.how, field, rates, r.Lengths(len(c.problem.Theta)))
}

// stateSeries is the modified equation of any order with memory as state, for a full batch. Time is counted in steps, each of which is one of the
// size that the schedule has there.
func (c *company[T]) stateSeries(order int) (*equation[T], error) {
	p := c.problem
	if err := errors.Join(c.unscaled(), c.fullBatch("state"), p.Rule.StepsOfAllSizes()); err != nil {
		return nil, err
	}
	loss, err := p.graphLoss()
	if err != nil {
		return nil, err
	}
	fields, err := state.CompileFields(p.Rule, loss, len(p.Theta), order, p.Threads)
	if err != nil {
		return nil, err
	}
	s, err := c.fadingSolver(func(ctx context.Context, n int) flow.Field {
		return func(_ int, t float64, y, dydt []float64) error {
			return fields.Sum(ctx, p.StepSize(n), float64(n)+t, 1, y, dydt)
		}
	})
	return c.equation(fmt.Sprintf("state equation of order %d", order), order, c.wholeState(""), c.beginAtState, s), err
}

// lift is the flow of the period-two lift. Its amplitude is kept above the floor of noise.
func (c *company[T]) lift(order int) (*equation[T], error) {
	if err := c.unscaled(); err != nil {
		return nil, err
	}
	p := c.problem
	lift, err := state.NewLift(p.Rule, p.Objective, order, p.Threads)
	if err != nil {
		return nil, err
	}
	field := func(ctx context.Context, n int) flow.Field {
		return func(_ int, t float64, y, dydt []float64) error {
			return lift.At(ctx, p.StepSize(n), float64(n)+t, c.batch(n), y, dydt)
		}
	}
	how := c.how
	if order == 2 && how.steps > 0 {
		how.steps *= 2 // modes that do not flip die out at the rate 4, which is beyond the stability of a whole step
	}
	s, err := how.solver(field, oneStep)
	if err != nil {
		return nil, err
	}
	parts := append(c.wholeState(""), c.wholeState("flip.")...)
	begin := func(y []float64) {
		c.beginAtState(y[:len(y)/2])
		flip := y[len(y)/2:]
		clear(flip)
		rnd := rand.New(rand.NewPCG(c.seed, 0x11f7))
		for i := range p.Theta {
			flip[i] = 1e-100 * rnd.NormFloat64()
		}
		c.raise(y)
	}
	e := c.equation(fmt.Sprintf("period-two lift of order %d", order), order, parts, begin, &noisy{s, c.raise})
	e.negative, e.previous = lift.Negative, make([]float64, len(p.Theta))
	return e, nil
}

// noisy is a solver that keeps a state from falling to nothing.
type noisy struct {
	solver
	raise func(y []float64)
}

func (s *noisy) solve(ctx context.Context, n int, y, next []float64) error {
	err := s.solver.solve(ctx, n, y, next)
	if err == nil {
		s.raise(next)
	}
	return err
}

// raise lengthens the parameters' part of the amplitude of a lift to the floor. What the memory flips by follows from that: lengthened too, a part that
// fades more slowly than the parameters' would grow with every step.
func (c *company[T]) raise(w []float64) {
	dim := len(c.problem.Theta)
	flip := w[len(w)/2:][:dim]
	length, floor := diagnose.Norm(flip), c.noise*diagnose.Norm(w[:dim])
	if length >= floor || length == 0 {
		return
	}
	for i := range flip {
		flip[i] *= floor / length
	}
}

// unscaled refuses optimizers that were intervened in: their step is not the rule's.
func (c *company[T]) unscaled() error {
	if _, err := c.problem.ExpansionScale(); err != nil {
		return err
	}
	if c.problem.BiasScale != 0 {
		return fmt.Errorf("bias.scale %g moves the optimizer by more than its rule's step: want 0, or memoryless-1 and memoryless-2", c.problem.BiasScale)
	}
	return nil
}

// batch returns the batch of a step.
func (c *company[T]) batch(n int) int {
	if c.problem.Order == nil {
		return objective.Full
	}
	return c.problem.Order(n)
}

// beginAtTheta sets y to the optimizer's parameters.
func (c *company[T]) beginAtTheta(y []float64) {
	for i, v := range c.optimizer.theta {
		y[i] = float64(v)
	}
}

// beginAtState sets y to the optimizer's parameters, and what it remembers.
func (c *company[T]) beginAtState(y []float64) {
	c.beginAtTheta(y)
	y = y[len(c.optimizer.theta):]
	for _, s := range c.optimizer.stepper.State() {
		for i, v := range s {
			y[i] = float64(v)
		}
		y = y[len(s):]
	}
}

// parts returns stretches with an element for each parameter.
func (c *company[T]) parts(names ...string) (parts []stretch) {
	for _, name := range names {
		parts = append(parts, stretch{name: name, length: len(c.problem.Theta)})
	}
	return parts
}

// wholeState returns the stretches of theta and the optimizer's state.
func (c *company[T]) wholeState(prefix string) []stretch {
	r := c.problem.Rule
	parts := c.parts(prefix + "theta")
	for i, name := range r.State {
		parts = append(parts, stretch{prefix + name, r.PartsOf(i), r.Length(i, len(c.problem.Theta))})
	}
	return parts
}

func (c *company[T]) equation(title string, order int, parts []stretch, begin func(y []float64), s solver) *equation[T] {
	size := 0
	for _, p := range parts {
		size += p.length
	}
	return &equation[T]{title: title, order: order, parts: parts, begin: begin, solver: s, y: make([]float64, size), next: make([]float64, size)}
}
