package run

import (
	"context"
	"math"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
)

// biasMeter measures, at a point, the bias that the second-order equation predicts and the realized one, that of the step that was taken
// from there; what each does to N, the perturbed one-norm of the gradient; and how well the equation predicts that step.
//
// The realized bias is what the step over -h, U, has beyond the update without memory there, b = U - F (theory, section 7): it is read, and expands
// nothing. What a finite step is more than a flow, (h/2) F'F to second order, is in the predicted bias h C, but no doing of the memory, and left out
// where the two are compared.
type biasMeter[T graph.Float] struct {
	schedule
	objective objective.Objective[T]
	optimizer *Optimizer[T]
	term      *secondOrder[T]
	scale     float64 // of the bias that the optimizer has: 1 + bias.scale
	eps       float64

	full      *fullGauges      // with mini-batches
	predicted *predictedGauges // where there is a second-order term
	realized  *realizedGauges  // where U - F is the bias
	blocks    []blockGauges
	drive     driveGauges
	causes    *causes[T]
	step      *Gauge

	// normDirection is g/sqrt(g^2 + eps), and q what the Hessian makes of it where F is another direction.
	normDirection, q []T
	qNow             []T // grad N at the point
	gradient         []T // over all examples, with mini-batches
	start            []T
	b                []T         // U, and then the realized bias
	core, zero       []T         // F without the parameters' own part, with which it may cancel, and zeros; nil where there is no such part
	ofMemory         []T         // the part of C that is not (1/2) F'F, and the scaled bias
	waits            observation // of the last point measured
	last             float64     // realized drive that was last read; NaN before the first, and where it cannot be compared
	verdict          Verdict     // of the step that was last measured
}

// driveGauges are dN/dt in parts, and as it is.
type driveGauges struct{ main, predicted, realized, observed *Gauge }

// observation is what the next point is compared with.
type observation struct {
	// Waits says that it is to come.
	Waits bool `json:"waits"`
	// Excess is N less its value at a gradient of 0.
	Excess float64 `json:"excess"`
	// Blocks has the parts of the weights that have columns.
	Blocks []float64 `json:"blocks,omitempty"`
	LR     float64   `json:"lr"`
}

// newBiasMeter returns the meter. With blocks it has columns for every weight.
func newBiasMeter[T graph.Float](p *Problem[T], o *Optimizer[T], s *secondOrder[T], every int, blocks bool, lossUnit string, scores *score) (*biasMeter[T], error) {
	dim := p.Objective.Dim()
	m := &biasMeter[T]{
		schedule:  schedule{"bias", every},
		objective: p.Objective, optimizer: o, term: s, scale: 1 + p.BiasScale, eps: p.Eps,
		normDirection: make([]T, dim), q: make([]T, dim), start: make([]T, dim), b: make([]T, dim), last: math.NaN(),
		drive: driveGauges{
			main:     gauge("drive.main", "1/h", "dN/dt by the main term, -q.F"),
			observed: gauge("drive.observed", "1/h", "dN/dt as it was over the step from here, (N after it - N here)/h"),
		},
		step: gauge("step_norm", "parameter", "two-norm of the step taken from here"),
	}
	if p.Order != nil {
		m.gradient, m.full = make([]T, dim), newFullGauges(lossUnit, scores)
	}
	if s.c != nil {
		memory, err := p.Rule.MemoryForm()
		if err != nil {
			return nil, err
		}
		effects, err := p.effects()
		if err != nil {
			return nil, err
		}
		m.predicted = newPredictedGauges(effects, memory.Remembers() && o.penalty == nil)
		m.drive.predicted = gauge("drive.predicted", "1/h", "dN/dt by the bias that the second-order equation predicts, -h q.C: negative it acts to lower N, positive to raise it")
	}
	if realizable(p, o) == nil {
		m.ofMemory = make([]T, dim)
		if memory, err := p.Rule.MemoryForm(); s.field != nil && (err != nil || memory.Formula == nil || readsTheta(memory)) {
			m.core, m.zero = make([]T, dim), make([]T, dim)
		}
		m.realized = newRealizedGauges(m.predicted != nil)
		m.drive.realized = gauge("drive.realized", "1/h", "dN/dt by the realized bias b of the step taken from here, -q.b: negative it acts to lower N, positive to raise it, which hinders its fall where drive.main is negative. b is 0 where it is within 4 units in the last place of U, F or, with decoupled decay, F without it")
	}
	var err error
	if m.causes, err = newCauses(p, s, m.predicted != nil, o.penalty == nil); err != nil {
		return nil, err
	}
	if blocks {
		if m.blocks, err = newBlockGauges(p.Objective.Blocks(), m.predicted != nil, m.realized != nil); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// NeedsField implements Meter.
func (m *biasMeter[T]) NeedsField() bool { return true }

// Gauges implements Meter.
func (m *biasMeter[T]) Gauges() []*Gauge {
	var all []*Gauge
	if m.full != nil {
		all = append(append(append(all, m.full.loss), m.full.score.gauges()...), m.full.excess)
	}
	p, r, d := m.predicted, m.realized, m.drive
	if p != nil {
		all = append(all, p.share, p.effect.penalized, p.effect.hindered, p.effect.penalizedWeight, p.effect.hinderedWeight, p.critical)
	}
	all = append(all, d.main, d.predicted, d.realized, d.observed, m.causes.schedule, m.causes.clip)
	if r != nil {
		all = append(all, r.cosine, r.explained, r.share, r.effect.penalized, r.effect.hindered, r.effect.penalizedWeight, r.effect.hinderedWeight)
	}
	all = append(all, m.step)
	if p != nil {
		all = append(all, p.first, p.second, p.rounding, p.secondOverFirst)
	}
	for _, b := range m.blocks {
		all = append(all, b.gauges()...)
	}
	var out []*Gauge
	for _, g := range all {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// measures reports whether there is a bias at a point: in a step of size 0 nothing moves.
func (m *biasMeter[T]) measures(at *Point[T]) bool { return at.measurable() && at.LR > 0 }

// Measure implements Meter.
func (m *biasMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !m.measures(at) {
		return nil
	}
	if err := m.term.evaluate(ctx, at); err != nil {
		return err
	}
	m.waits = observation{Excess: at.Norms.Excess, LR: at.LR}
	if m.full == nil {
		m.waits.Blocks = excesses(m.blocks, at.Gradient, m.eps)
	}
	if err := m.normGradient(ctx, at); err != nil {
		return err
	}
	f, c := m.term.f, m.term.c
	if m.predicted != nil {
		b := diagnose.BiasOf(at.LR, f, c, m.qNow)
		m.predicted.set(b, at.Step)
		m.drive.main.Set(b.MainDrive)
		m.drive.predicted.Set(b.Drive)
		if err := m.causes.predict(ctx, at, m.term, m.qNow); err != nil {
			return err
		}
	} else {
		m.drive.main.Set(0 - diagnose.Dot(m.qNow, f)) // never -0
	}
	for _, b := range m.blocks {
		predict(b, at.LR, part(b.at, f), part(b.at, c), part(b.at, m.qNow))
	}
	return nil
}

// normGradient finds q, the gradient of the perturbed one-norm of the gradient over all examples.
func (m *biasMeter[T]) normGradient(ctx context.Context, at *Point[T]) error {
	if m.term.isNormDirection {
		m.qNow = m.term.hf
		return nil
	}
	g := at.Gradient
	if m.full != nil {
		e, err := m.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{Gradient: m.gradient})
		if err != nil {
			return err
		}
		g = m.gradient
		m.waits.Excess, m.waits.Blocks = diagnose.GradientNorms(g, m.eps).Excess, excesses(m.blocks, g, m.eps)
		m.full.set(e, m.waits.Excess)
	}
	normDirection(m.normDirection, g, m.eps)
	m.qNow = m.q
	return objective.TransposedProduct(ctx, m.objective, at.Theta, objective.Full, m.normDirection, m.q)
}

// Before implements Follower.
func (m *biasMeter[T]) Before(ctx context.Context, at *Point[T]) error {
	if !m.measures(at) {
		return nil
	}
	copy(m.start, at.Theta)
	if m.core != nil {
		if err := m.term.fieldFrom(at.Gradient, m.zero, m.core); err != nil {
			return err
		}
	}
	if m.realized != nil || m.causes.clip != nil {
		if err := m.optimizer.stepper.Update(ctx, at.LR, at.Theta, at.Gradient, m.b); err != nil {
			return err
		}
		if err := m.causes.realize(ctx, at, m.optimizer, m.b, m.qNow); err != nil {
			return err
		}
	}
	return m.term.accelerate(ctx, at)
}

// After implements Follower.
func (m *biasMeter[T]) After(_ context.Context, at *Point[T]) error {
	if !m.measures(at) {
		return nil
	}
	m.waits.Waits = true
	m.step.Set(diagnose.Distance(m.start, at.Theta))
	s := m.term
	if m.predicted != nil {
		m.predicted.setDefects(diagnose.DefectsOf(at.LR, m.scale, m.start, at.Theta, s.f, s.c, s.ff), diagnose.Rounding(at.Theta))
	}
	if m.realized == nil {
		return nil
	}
	m.optimizer.addIntervention(m.b)
	diagnose.Subtract(m.b, s.f, m.core)
	b := diagnose.BiasOf(1, s.f, m.b, m.qNow)
	m.realized.set(b)
	m.drive.realized.Set(b.Drive)
	if m.last = b.Drive; at.LR*math.Abs(b.MainDrive) > Incomparable*m.waits.Excess {
		m.last = math.NaN()
	}
	if m.predicted != nil {
		for j, v := range s.c {
			m.ofMemory[j] = T(m.scale)*v - s.ff[j]/2
		}
		m.realized.compare(diagnose.LikenessOf(at.LR, m.ofMemory, m.b))
		m.verdict = Unknown
		if ratio := m.predicted.secondOverFirst; ratio != nil {
			m.verdict = VerdictOf(ratio.reading.Float(), m.realized.cosine.reading.Float())
		}
	}
	for _, b := range m.blocks {
		realize(b, at.LR, part(b.at, s.f), part(b.at, m.ofMemory), part(b.at, m.b), part(b.at, m.qNow))
	}
	return nil
}

// Waits implements Awaiter.
func (m *biasMeter[T]) Waits() bool { return m.waits.Waits }

// Next implements Awaiter: over all examples N is known at the next point, too. With mini-batches it takes their gradient.
func (m *biasMeter[T]) Next(ctx context.Context, at *Point[T]) error {
	excess, g := at.Norms.Excess, at.Gradient
	if m.full != nil {
		if _, err := m.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{Gradient: m.gradient}); err != nil {
			return err
		}
		g = m.gradient
		excess = diagnose.GradientNorms(g, m.eps).Excess
	}
	if finite(excess) {
		m.drive.observed.Set((excess - m.waits.Excess) / m.waits.LR)
		for i, after := range excesses(m.blocks, g, m.eps) {
			m.blocks[i].observed.Set((after - m.waits.Blocks[i]) / m.waits.LR)
		}
	}
	m.waits.Waits = false
	return nil
}

// Kept implements Keeper.
func (m *biasMeter[T]) Kept() any { return &m.waits }

var (
	_ Follower[float32] = (*biasMeter[float32])(nil)
	_ Awaiter[float32]  = (*biasMeter[float32])(nil)
	_ Keeper            = (*biasMeter[float32])(nil)
)

// lastVerdict returns what the step that was last measured says of the second-order equation.
func (m *biasMeter[T]) lastVerdict() Verdict {
	if m == nil {
		return Unknown
	}
	return m.verdict
}

// lastDrive returns the drive of the realized bias that was last measured, NaN if there is none.
func (m *biasMeter[T]) lastDrive() float64 {
	if m == nil {
		return math.NaN()
	}
	return m.last
}
