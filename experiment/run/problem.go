package run

import (
	"fmt"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/rule/stepsize"
)

// Problem is an optimizer at work on a loss, and where it begins.
type Problem[T graph.Float] struct {
	Objective objective.Objective[T]
	Rule      *rule.Rule
	LR        float64
	// Schedule is what LR is multiplied by in each step.
	Schedule stepsize.Schedule
	Theta    []T
	// Moments are what the optimizer remembers there; nil if nothing.
	Moments *Moments[T]
	// Order gives the batch of each step. If nil, every step takes the full batch.
	Order func(step int) int
	// BiasScale is the s of the intervention theta - lr U - s lr^2 C(theta): 0 is the rule as it is, -1 has no bias to second order.
	BiasScale float64
	// OfRealized says that the bias so scaled is the realized one, theta - lr U - s lr (U - F): -1 takes the step without memory, whatever the expansion says.
	OfRealized bool
	// Seed draws the estimates of the Hessian's diagonal, for rules that read them.
	Seed uint64
	// Eps is that of the perturbed one-norm.
	Eps     float64
	Threads int

	closer func() error
}

// Close ends the program that serves the loss, if one does. Problems of [NewProblem] need it.
func (p *Problem[T]) Close() error {
	if p.closer == nil {
		return nil
	}
	return p.closer()
}

// check refuses what does not fit together.
func (p *Problem[T]) check() error {
	if err := p.Rule.Validate(); err != nil {
		return err
	}
	if len(p.Theta) != p.Objective.Dim() {
		return fmt.Errorf("theta has %s: the objective has %s", plural.Count(len(p.Theta), "number"), plural.Count(p.Objective.Dim(), "parameter"))
	}
	if !(p.LR > 0) || !finite(p.LR) {
		return fmt.Errorf("lr %v: want a number above 0", p.LR)
	}
	if err := p.Schedule.Validate(); err != nil {
		return err
	}
	if !finite(p.BiasScale) {
		return fmt.Errorf("bias scale %v: want a finite number", p.BiasScale)
	}
	return nil
}

// ExpansionScale returns the s of a modified equation of the problem's optimizer, as of [modeq.FieldOptions], or an error if its steps are not those of any.
func (p *Problem[T]) ExpansionScale() (float64, error) {
	if p.OfRealized && p.BiasScale != 0 {
		return 0, fmt.Errorf("bias.scale %g of the realized bias moves the optimizer by what no equation here expands: want bias.of predicted, or bias.scale 0", p.BiasScale)
	}
	return p.BiasScale, nil
}

// StepSize returns the size of a step, counted from 0.
func (p *Problem[T]) StepSize(n int) float64 {
	if !p.Schedule.Varies() {
		return p.LR
	}
	return p.LR * p.Schedule.At(n)
}

// varying returns the size of each step, nil if they are all of one.
func (p *Problem[T]) varying() func(n int) float64 {
	if !p.Schedule.Varies() {
		return nil
	}
	return p.StepSize
}

// perturbed reports whether the gradient is taken elsewhere than at theta.
func (p *Problem[T]) perturbed() bool { return objective.Plain(p.Objective) != p.Objective }

// changed says what is done to the loss's gradient before the optimizer's formulas see it, empty if nothing is.
func (p *Problem[T]) changed() string {
	parts := []string{}
	if p.perturbed() {
		parts = append(parts, "sam")
	}
	if with := p.Rule.Conditioning(); with.Active() {
		parts = append(parts, with.String())
	}
	return strings.Join(parts, ", ")
}

// pace says what the step sizes are, and what the gradient becomes before the optimizer's formulas see it.
func (p *Problem[T]) pace() string {
	text := fmt.Sprint(p.LR)
	if p.Schedule.Varies() {
		text += ", schedule " + string(p.Schedule.Shape)
	}
	if with := p.changed(); with != "" {
		text += ", " + with
	}
	return text
}

// oneSize refuses steps of different sizes, for what is of those of one size alone.
func (p *Problem[T]) oneSize(what string) error {
	if p.Schedule.Varies() {
		return fmt.Errorf("%s is of steps of one size: want schedule.shape constant without warmup", what)
	}
	return nil
}

// optimizer returns the optimizer at a copy of the problem's start, and the second-order terms if its bias is scaled.
func (p *Problem[T]) optimizer(s *secondOrder[T]) (*Optimizer[T], error) {
	theta := objective.Vector(p.Objective)
	copy(theta, p.Theta)
	o, err := newOptimizer(p, theta)
	if err == nil && p.Moments != nil {
		err = o.stepper.Restore(p.Moments.Steps, p.Moments.State)
	}
	if err != nil || p.BiasScale == 0 {
		return o, err
	}
	o.bias = &biasScale[T]{scale: p.BiasScale, term: s, f: make([]T, len(theta)), c: make([]T, len(theta))}
	if p.OfRealized {
		o.bias.update = o.stepper.Update
	}
	return o, nil
}

// batchOrder returns the batch of each step for a mode of a config's section batch: nil for the full batch. It depends on the seed and the step alone.
func batchOrder(mode string, batches int, seed uint64) func(step int) int {
	switch mode {
	case "cyclic":
		return modeq.Cyclic(batches)
	case "shuffled":
		return modeq.Shuffled(batches, seed)
	case "sampled":
		return modeq.Sampled(batches, seed)
	}
	return nil
}
