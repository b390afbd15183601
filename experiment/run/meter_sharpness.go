package run

import (
	"context"
	"math"

	"shadowflow/diagnose"
	"shadowflow/diagnose/spectrum"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// sharpnessMeter measures the curvature of the loss over all examples, plain and preconditioned by the optimizer, beside the thresholds at
// which the optimizer's behaviour changes.
type sharpnessMeter[T graph.Float] struct {
	schedule
	seed      uint64
	objective objective.Objective[T]
	conditioner[T]
	lanczos spectrum.Lanczos[T]
	along   *objective.Direction // the gradient, as the rule's formulas see it where nothing is clipped
	// d is what alternates, then the gradient over all examples, and the Hessian times it.
	d, g, hg []T
	above    int     // measurements in sequence up to the last with lambda_grad above 2/h
	sharpest []T     // direction of the largest eigenvalue of P^-1 H; nil where it is not known
	pull     float64 // of the gradient along it

	plain, plainResidual, scaled, scaledResidual, threshold *Gauge
	memoryEdge, periodTwo, flip, lambdaGrad, spikeRows      *Gauge
}

func newSharpnessMeter[T graph.Float](p *Problem[T], o *Optimizer[T], every int, seed uint64) (*sharpnessMeter[T], error) {
	m := &sharpnessMeter[T]{
		schedule: schedule{"sharpness", every},
		seed:     seed, objective: objective.Plain(p.Objective),
		plain:          gauge("sharpness", "loss/parameter^2", "largest eigenvalue of the Hessian of the training loss"),
		plainResidual:  gauge("sharpness_residual", "loss/parameter^2", "an eigenvalue lies within this of sharpness"),
		scaled:         gauge("preconditioned_sharpness", "1/h", "largest eigenvalue of P^-1 H, for Adam P = diag(sqrt(v + eps)); not recorded where an element of P is below 0, as those of lamb and muon may be"),
		scaledResidual: gauge("preconditioned_residual", "1/h", "an eigenvalue lies within this of preconditioned_sharpness"),
		threshold:      gauge("stability_threshold", "1/h", "preconditioned sharpness above which oscillations grow, for Adam (2 + 2 beta1)/((1 - beta1) h); where groups answer to the past differently, preconditioned_sharpness over monitor.period_two; not recorded where elements of one optimizer do, as of centered RMSProp"),
		memoryEdge:     gauge("monitor.memory_edge", "", "preconditioned sharpness over that beyond which the series of the equations without memory diverges, for Adam (1 - sqrt beta1)/((1 + sqrt beta1) h): above 1 higher orders come no nearer; whether order 2 is near the step all the same, monitor.second_over_first says. Not recorded where elements answer to the past differently"),
		periodTwo:      gauge("monitor.period_two", "", "preconditioned sharpness over stability_threshold, (h/2) times the largest eigenvalue of D(-1) H: above 1 oscillations grow that flip at every step, which a lift has and a stable flow has not"),
		flip:           gauge("monitor.flip", "", "gradient along the sharpest direction of P^-1 H behind the step, over that before it: -1 in a two-cycle from side to side of the valley. Between -2 and -1/2 a step is counted as one of such; any one step may be, of those below the threshold too"),
		lambdaGrad:     gauge("monitor.lambda_grad", "1/h", "g'DHg/|g|^2, sharpness along the gradient of what alternates, for Adam D = (1 - beta1)/((1 + beta1)(1 - beta1^(n+1)) sqrt(v + eps)): where it stays above 2/h it is a warning of a spike of the loss"),
		spikeRows:      counter("monitor.spike_rows", "rows", "measurements in sequence up to this one with monitor.lambda_grad above 2/h"),
	}
	var err error
	if m.conditioner, err = newConditioner(p, o); err != nil || m.precondition == nil {
		return m, err
	}
	for _, v := range []*[]T{&m.d, &m.g, &m.hg} {
		*v = make([]T, p.Objective.Dim())
	}
	m.along = &objective.Direction{Make: m.with.Decay().Of}
	return m, nil
}

// Gauges implements Meter.
func (m *sharpnessMeter[T]) Gauges() []*Gauge {
	out := []*Gauge{m.plain, m.plainResidual}
	if m.precondition != nil {
		out = append(out, m.scaled, m.scaledResidual, m.threshold, m.memoryEdge, m.periodTwo, m.flip, m.lambdaGrad, m.spikeRows)
	}
	return out
}

// Measure implements Meter.
func (m *sharpnessMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	m.sharpest = nil
	if !at.measurable() {
		return nil
	}
	hvp := func(v, hv []T) error { return product(ctx, m.objective, objective.Full, at.Theta, v, hv) }
	opt := spectrum.LanczosOptions{Seed: m.seed}
	plain, err := m.lanczos.LargestEigenpair(len(at.Theta), hvp, opt)
	if err != nil {
		return err
	}
	m.plain.Set(plain.Value)
	m.plainResidual.Set(plain.Residual)
	if m.precondition == nil {
		return nil
	}
	stability, g, err := m.conditioner.at(at)
	if err != nil || g == nil {
		return err
	}
	decayed := func(v, hv []T) error {
		err := hvp(v, hv)
		rule.AddDecay(m.with, hv, v)
		return err
	}
	scaled, err := m.lanczos.LargestEigenpair(len(at.Theta), diagnose.Preconditioned(m.root, decayed), opt)
	if err != nil {
		return err
	}
	if math.IsNaN(scaled.Value) {
		return nil // P^-1 has no root: an element is below 0
	}
	m.scaled.Set(scaled.Value)
	m.scaledResidual.Set(scaled.Residual)
	switch {
	case math.IsNaN(stability.PeriodTwo) && !stability.Uneven:
		return m.alongGradient(ctx, at, g)
	case stability.Uneven:
		if scaled, err = m.uneven(at.LR, scaled, decayed, opt); err != nil {
			return err
		}
	default:
		m.threshold.Set(stability.PeriodTwo)
		m.memoryEdge.Set(scaled.Value / stability.Memory)
		m.periodTwo.Set(scaled.Value / stability.PeriodTwo)
	}
	if scaled.Residual <= 0.05*math.Abs(scaled.Value) {
		m.sharpest = scaled.Vector
		for j, r := range m.root {
			m.sharpest[j] *= r
		}
	}
	return m.alongGradient(ctx, at, g)
}

// uneven measures the threshold where elements answer to the past differently, given the largest eigenpair of P^-1/2 H P^-1/2: oscillations of period two
// grow where the largest eigenvalue of D(-1) H is above 2/h. It returns the eigenpair that they grow along, and leaves the roots of D(-1) in those of P^-1. Where
// an element of D(-1) is below 0 there is none.
func (m *sharpnessMeter[T]) uneven(h float64, scaled spectrum.Eigenpair[T], hvp func(v, hv []T) error, opt spectrum.LanczosOptions) (spectrum.Eigenpair[T], error) {
	m.precondition.Alternation(m.root)
	alternating, err := m.lanczos.LargestEigenpair(len(m.root), diagnose.Preconditioned(m.root, hvp), opt)
	if err != nil || math.IsNaN(alternating.Value) {
		alternating.Residual = math.Inf(1)
		return alternating, err
	}
	m.periodTwo.Set(h / 2 * alternating.Value)
	if alternating.Value > 0 {
		m.threshold.Set(scaled.Value / (h / 2 * alternating.Value))
	}
	return alternating, nil
}

// Before implements Follower.
func (m *sharpnessMeter[T]) Before(ctx context.Context, at *Point[T]) (err error) {
	if m.sharpest != nil {
		m.pull, err = m.alongSharpest(ctx, at.Theta)
	}
	return err
}

// After implements Follower.
func (m *sharpnessMeter[T]) After(ctx context.Context, at *Point[T]) error {
	if m.sharpest == nil {
		return nil
	}
	pull, err := m.alongSharpest(ctx, at.Theta)
	if m.pull != 0 && finite(pull) {
		m.flip.Set(pull / m.pull)
	}
	return err
}

// alongSharpest returns the derivative of the loss over all examples, with coupled decay, along the sharpest direction.
func (m *sharpnessMeter[T]) alongSharpest(ctx context.Context, theta []T) (float64, error) {
	_, err := m.objective.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Gradient: m.g})
	rule.AddDecay(m.with, m.g, theta)
	return diagnose.Dot(m.sharpest, m.g), err
}

// alongGradient measures the sharpness along the gradient over all examples, g being that of the coming step.
func (m *sharpnessMeter[T]) alongGradient(ctx context.Context, at *Point[T], g []T) error {
	if err := m.precondition.Alternating(at.Step, at.Theta, g, m.stepper.State(), m.d); err != nil {
		return err
	}
	if at.Batch == objective.Full {
		if err := product(ctx, m.objective, objective.Full, at.Theta, g, m.hg); err != nil {
			return err
		}
	} else {
		g = m.g
		if _, err := m.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{Direction: m.along, Field: g, HField: m.hg}); err != nil {
			return err
		}
	}
	rule.AddDecay(m.with, m.hg, g)
	lambda := diagnose.AlongGradient(m.d, g, m.hg)
	if m.above++; !(lambda > 2/at.LR) {
		m.above = 0
	}
	m.lambdaGrad.Set(lambda)
	m.spikeRows.Count(m.above)
	return nil
}

// Kept implements Keeper.
func (m *sharpnessMeter[T]) Kept() any { return &m.above }

var (
	_ Keeper            = (*sharpnessMeter[float32])(nil)
	_ Follower[float32] = (*sharpnessMeter[float32])(nil)
)
