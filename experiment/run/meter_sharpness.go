package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// sharpnessMeter measures the curvature of the loss over all examples, plain and preconditioned by the optimizer.
type sharpnessMeter[T graph.Float] struct {
	schedule
	seed         uint64
	objective    objective.Objective[T]
	stepper      *rule.Stepper[T]
	precondition *diagnose.Preconditioner[T]
	root         []T

	plain, plainResidual, scaled, scaledResidual, threshold *Gauge
}

func newSharpnessMeter[T graph.Float](p *Problem[T], o *Optimizer[T], every int, seed uint64) (*sharpnessMeter[T], error) {
	m := &sharpnessMeter[T]{
		schedule: schedule{"sharpness", every},
		seed:     seed, objective: p.Objective, stepper: o.stepper, root: make([]T, p.Objective.Dim()),
		plain:          gauge("sharpness", "loss/parameter^2", "largest eigenvalue of the Hessian of the training loss"),
		plainResidual:  gauge("sharpness_residual", "loss/parameter^2", "an eigenvalue lies within this of sharpness"),
		scaled:         gauge("preconditioned_sharpness", "1/h", "largest eigenvalue of P^-1 H, for Adam P = diag(sqrt(v + eps))"),
		scaledResidual: gauge("preconditioned_residual", "1/h", "an eigenvalue lies within this of preconditioned_sharpness"),
		threshold:      gauge("stability_threshold", "1/h", "preconditioned sharpness above which oscillations grow, for Adam (2 + 2 beta1)/((1 - beta1) h)"),
	}
	if p.Rule.Memory == nil { // then nothing is known of how it preconditions
		return m, nil
	}
	var err error
	m.precondition, err = diagnose.NewPreconditioner[T](p.Rule, p.Objective.Dim(), p.Threads)
	return m, err
}

// Gauges implements Meter.
func (m *sharpnessMeter[T]) Gauges() []*Gauge {
	out := []*Gauge{m.plain, m.plainResidual}
	if m.precondition != nil {
		out = append(out, m.scaled, m.scaledResidual, m.threshold)
	}
	return out
}

// Measure implements Meter.
func (m *sharpnessMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	hvp := func(v, hv []T) error { return product(ctx, m.objective, objective.Full, at.Theta, v, hv) }
	opt := diagnose.LanczosOptions{Seed: m.seed}
	plain, err := diagnose.LargestEigenvalue(len(at.Theta), hvp, opt)
	if err != nil {
		return err
	}
	m.plain.Set(plain.Value)
	m.plainResidual.Set(plain.Residual)
	if m.precondition == nil {
		return nil
	}
	threshold, err := m.precondition.At(at.Step, at.LR, at.Theta, at.Gradient, m.stepper.State(), m.root)
	if err != nil {
		return err
	}
	scaled, err := diagnose.LargestEigenvalue(len(at.Theta), diagnose.Preconditioned(m.root, hvp), opt)
	if err != nil {
		return err
	}
	m.scaled.Set(scaled.Value)
	m.scaledResidual.Set(scaled.Residual)
	m.threshold.Set(threshold)
	return nil
}
