package run

import (
	"fmt"

	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Problem is an optimizer at work on a loss, and where it begins.
type Problem[T graph.Float] struct {
	Objective objective.Objective[T]
	Rule      *rule.Rule
	LR        float64
	Theta     []T
	// Order gives the batch of each step. If nil, every step takes the full batch.
	Order func(step int) int
	// BiasScale is the s of the intervention theta - lr U - s lr^2 C(theta): 0 is the rule as it is, -1 has no bias to second order.
	BiasScale float64
	// Eps is that of the perturbed one-norm.
	Eps     float64
	Threads int
}

// check refuses what does not fit together.
func (p *Problem[T]) check() error {
	if err := p.Rule.Validate(); err != nil {
		return err
	}
	if len(p.Theta) != p.Objective.Dim() {
		return fmt.Errorf("theta has %d numbers: the objective has %d parameters", len(p.Theta), p.Objective.Dim())
	}
	if !(p.LR > 0) || !finite(p.LR) {
		return fmt.Errorf("lr %v: want a number above 0", p.LR)
	}
	if !finite(p.BiasScale) {
		return fmt.Errorf("bias scale %v: want a finite number", p.BiasScale)
	}
	return nil
}

// optimizer returns the optimizer at a copy of the problem's start, and the second-order terms if its bias is scaled.
func (p *Problem[T]) optimizer(s *secondOrder[T]) (*Optimizer[T], error) {
	theta := append([]T(nil), p.Theta...)
	o, err := newOptimizer(p.Rule, p.Objective.Blocks(), p.LR, theta, p.Threads)
	if err != nil || p.BiasScale == 0 {
		return o, err
	}
	o.bias = &biasScale[T]{scale: p.BiasScale, lr: p.LR, order: p.Order, term: s, f: make([]T, len(theta)), c: make([]T, len(theta))}
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
