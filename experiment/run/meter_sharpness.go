package run

import (
	"context"
	"errors"
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
	along *objective.Direction // the gradient, as the rule's formulas see it where nothing is clipped
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
	hessian, _, err := hessianAt(ctx, m.objective, at.Theta)
	if err != nil {
		return err
	}
	plain, err := m.largest(hessian)
	if err != nil || plain == nil {
		return err
	}
	m.plain.Set(plain.Values[0])
	m.plainResidual.Set(plain.Residuals[0])
	if m.precondition == nil {
		return nil
	}
	stability, g, err := m.conditioner.at(at)
	if err != nil || g == nil || !m.rooted() {
		return err
	}
	scaled, err := m.largest(scaledBy(m.with, m.root, hessian))
	if err != nil || scaled == nil {
		return err
	}
	m.scaled.Set(scaled.Values[0])
	m.scaledResidual.Set(scaled.Residuals[0])
	switch {
	case math.IsNaN(stability.PeriodTwo) && !stability.Uneven:
		return m.alongGradient(ctx, at, g)
	case stability.Uneven:
		if scaled, err = m.uneven(at.LR, scaled.Values[0], hessian); err != nil {
			return err
		}
	default:
		m.threshold.Set(stability.PeriodTwo)
		m.memoryEdge.Set(scaled.Values[0] / stability.Memory)
		m.periodTwo.Set(scaled.Values[0] / stability.PeriodTwo)
	}
	if scaled != nil && scaled.Residuals[0] <= 0.05*math.Abs(scaled.Values[0]) {
		m.sharpest = scaled.Vectors[0]
		for j, r := range m.root {
			m.sharpest[j] *= r
		}
	}
	return m.alongGradient(ctx, at, g)
}

// A search for the largest eigenvalue ends where its residual stays within largestTolerance of it for so many products more: one just below the largest is
// found first where the start has less of the largest's vector, in some two of a hundred searches with a gap of 2%, and left for it a few products later.
const (
	largestTolerance = 3e-4
	largestLasting   = 4
	largestProducts  = 40
)

// largestSearch are the options of a search for the largest eigenvalue, whose vectors the memory estimate counts.
func largestSearch[T graph.Float](seed uint64) spectrum.ExtremalOptions[T] {
	return spectrum.ExtremalOptions[T]{
		Top: 1, Tolerance: largestTolerance, AtOnce: 1, Brief: true, Lasting: largestLasting, MaxProducts: largestProducts, Seed: seed,
	}
}

// largest finds the largest eigenpair of an operator: nil where products are not finite.
func (m *sharpnessMeter[T]) largest(apply spectrum.Product[T]) (*spectrum.Pairs[T], error) {
	found, err := spectrum.Extremal(m.objective.Dim(), apply, largestSearch[T](m.seed))
	if errors.Is(err, spectrum.ErrNotFinite) {
		return nil, nil
	}
	return &found.Top, err
}

// uneven measures the threshold where elements answer to the past differently, given the largest eigenvalue of P^-1/2 H P^-1/2: oscillations of period two
// grow where the largest eigenvalue of D(-1) H is above 2/h. It returns the eigenpair that they grow along, and leaves the roots of D(-1) in those of P^-1. Where
// an element of D(-1) is below 0 there is none.
func (m *sharpnessMeter[T]) uneven(h, scaled float64, hessian spectrum.Product[T]) (*spectrum.Pairs[T], error) {
	m.precondition.Alternation(m.root)
	if !m.rooted() {
		return nil, nil
	}
	alternating, err := m.largest(scaledBy(m.with, m.root, hessian))
	if err != nil || alternating == nil {
		return nil, err
	}
	value := h / 2 * alternating.Values[0]
	if m.periodTwo.Set(value); value > 0 {
		m.threshold.Set(scaled / value)
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
