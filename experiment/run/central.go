package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq/central"
	"shadowflow/objective"
	"shadowflow/rule"
)

// central is the central flow of gradient descent or RMSProp.
func (c *company[T]) central() (*equation[T], error) {
	if err := c.unscaled(); err != nil {
		return nil, err
	}
	p := c.problem
	if with := p.changed(); with != "" {
		return nil, fmt.Errorf("central flows are known of optimizers that take the gradient as it is: want no %s", with)
	}
	if p.Order != nil {
		return nil, fmt.Errorf("a central flow is that of the full batch: want batch.mode full")
	}
	optimizer, moment, err := centralOptimizer(p.Rule, p.LR)
	if err != nil {
		return nil, err
	}
	f, err := central.New(p.Objective, optimizer, central.Options{Seed: c.seed})
	if err != nil {
		return nil, err
	}
	parts := []string{"theta"}
	if moment >= 0 {
		parts = append(parts, p.Rule.State[moment])
	}
	for i := range f.Vectors() {
		parts = append(parts, fmt.Sprintf("direction.%d", i))
	}
	s := &centralSolver[T]{flow: f, objective: p.Objective, lr: p.StepSize, start: c.start, at: -1}
	begin := func(y []float64) {
		dim := len(p.Theta)
		c.beginAtTheta(y)
		if moment >= 0 {
			copy(y[dim:], widen(c.optimizer.stepper.State()[moment]))
		}
		for i, v := range f.Vectors() {
			copy(y[len(y)-(len(f.Vectors())-i)*dim:], widen(v))
		}
	}
	e := c.equation("central flow", 1, c.parts(parts...), begin, s)
	e.previous, e.predict = make([]float64, len(p.Theta)), s.predict
	return e, nil
}

// centralSolver steps a central flow. Its state is theta, the mean square, and the directions that the flow follows. The mean square is that before the
// step where the flow starts, as the optimizer has it, and then that after the coming step.
type centralSolver[T graph.Float] struct {
	flow      *central.Flow[T]
	objective objective.Objective[T]
	lr        func(n int) float64
	start     int
	at        int // the step before which the flow stands, -1 if it is to be told
}

// enter sets the flow to the state before step n.
func (s *centralSolver[T]) enter(ctx context.Context, n int, y []float64) error {
	lr := s.lr(n)
	if lr == 0 {
		return errors.New("a step of size 0 has no threshold of stability")
	}
	s.flow.SetLR(lr)
	if s.at == n {
		return nil
	}
	s.at = -1
	dim := s.objective.Dim()
	for i, v := range s.flow.Vectors() {
		from := len(y) - (len(s.flow.Vectors())-i)*dim
		for j := range v {
			v[j] = T(y[from+j])
		}
	}
	moment := y[dim : dim+len(s.flow.Nu())]
	if n != s.start {
		copy(s.flow.Theta(), y)
		copy(s.flow.Nu(), moment)
		s.flow.Moved()
	} else {
		theta, g := narrow[T](y[:dim]), make([]T, dim)
		if _, err := s.objective.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Gradient: g}); err != nil {
			return err
		}
		central.Start(s.flow, theta, g, narrow[T](moment))
	}
	s.at = n
	return nil
}

// predict returns what the flow says at the state before step n.
func (s *centralSolver[T]) predict(ctx context.Context, n int, y []float64) (central.Prediction, error) {
	if err := s.enter(ctx, n, y); err != nil {
		return central.Prediction{}, err
	}
	return s.flow.Predict(ctx, n)
}

// solve implements solver.
func (s *centralSolver[T]) solve(ctx context.Context, n int, y, next []float64) error {
	if err := s.enter(ctx, n, y); err != nil {
		return err
	}
	if err := s.flow.Step(ctx, n); err != nil {
		return err
	}
	to := next[copy(next, s.flow.Theta()):]
	to = to[copy(to, s.flow.Nu()):]
	for _, v := range s.flow.Vectors() {
		to = to[copy(to, widen(v)):]
	}
	s.at = n + 1
	return nil
}

// commit implements solver.
func (s *centralSolver[T]) commit() {}

// centralOptimizer returns a rule as one that has a central flow, and which of its state is the mean square, -1 for none. It is found by trying
// the step: whatever its name, an optimizer whose steps are those of gradient descent or RMSProp has their flow.
func centralOptimizer(r *rule.Rule, lr float64) (central.Optimizer, int, error) {
	type candidate struct {
		optimizer central.Optimizer
		moment    int
	}
	var candidates []candidate
	if r.Elementwise {
		candidates = append(candidates, candidate{central.Optimizer{LR: lr}, -1})
	}
	if r.Elementwise && r.Memory != nil {
		for _, m := range r.Memory.Moments {
			for _, inside := range []bool{false, true} {
				candidates = append(candidates, candidate{central.Optimizer{
					LR: lr, Average: central.Elements, Beta2: m.Kernel.Beta, Eps: r.Memory.Values["eps"], EpsInside: inside, Corrected: m.Corrected,
				}, slices.Index(r.State, m.State)})
			}
		}
	}
	for _, c := range candidates {
		if c.optimizer.Validate() != nil || c.moment < 0 && c.optimizer.Average != central.Nothing {
			continue
		}
		same, err := stepsAlike(r, c.optimizer, c.moment)
		if same || err != nil {
			return c.optimizer, c.moment, err
		}
	}
	return central.Optimizer{}, 0, fmt.Errorf("central flows are known of gradient descent and of RMSProp (gd; rmsprop; adam with beta1 = 0), "+
		"and optimizer %s takes other steps: want one of these, or lift-2, which any optimizer has", r.Name)
}

// stepsAlike reports whether a rule takes an optimizer's steps, the rule's state number moment being its mean square, by taking some.
func stepsAlike(r *rule.Rule, o central.Optimizer, moment int) (bool, error) {
	gradients := [][]float64{{1, -1e-3, 1e-6, 3}, {-2, 1e-4, 1e-5, 0.1}, {0.5, 2e-3, -1e-7, -1}}
	theta := []float64{1, -2, 0.5, 3}
	stepper, err := rule.NewStepper[float64](r, []graph.Block{{Name: "theta", Shape: []int{len(theta)}}}, engine.Options{Threads: 1})
	if err != nil {
		return false, err
	}
	nu := make([]float64, len(theta))
	for n, g := range gradients {
		before := slices.Clone(theta)
		if err := stepper.Step(o.LR, theta, g); err != nil {
			return false, err
		}
		move := o.Move(n, nu, g)
		for j, v := range before {
			if math.Abs(theta[j]-(v-move[j])) > 1e-12*(1+math.Abs(v)) || math.Abs(move[j]-(v-theta[j])) > 1e-6*math.Abs(move[j])+1e-15 {
				return false, nil
			}
			if moment >= 0 && math.Abs(stepper.State()[moment][j]-nu[j]) > 1e-12*nu[j] {
				return false, nil
			}
		}
	}
	return true, nil
}
