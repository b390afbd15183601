package run

import (
	"context"
	"math"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// biasMeter measures what the second-order term of the modified equation does at a point to N, the perturbed one-norm of the gradient, and
// how well the equation predicts the step that follows.
type biasMeter[T graph.Float] struct {
	schedule
	lr    float64
	scale float64 // of the bias that the optimizer has: 1 + bias.scale
	eps   float64

	objective objective.Objective[T]
	term      *secondOrder[T]
	effects   *modeq.Effects
	steady    *diagnose.Acceleration[T] // where one product is enough

	full   *fullGauges // with mini-batches
	gauges biasGauges

	ff       []T // F'F
	q        []T // grad N
	gradient []T // over all examples, with mini-batches
	start    []T
	work     []T
	drive    float64 // that was last read; NaN before the first
}

// fullGauges are the columns of what mini-batches do not show.
type fullGauges struct{ loss, accuracy, excess *Gauge }

type biasGauges struct {
	share, penalized, hindered, penalizedWeight, hinderedWeight, critical, main, bias, step, first, second *Gauge
}

func newBiasMeter[T graph.Float](p *Problem[T], s *secondOrder[T], every int, lossUnit string, classifies bool) (*biasMeter[T], error) {
	dim := p.Objective.Dim()
	m := &biasMeter[T]{
		schedule: schedule{"bias", every},
		lr:       p.LR, scale: 1 + p.BiasScale, eps: p.Eps, objective: p.Objective, term: s,
		ff: make([]T, dim), q: make([]T, dim), start: make([]T, dim), work: make([]T, dim), drive: math.NaN(),
		gauges: biasGauges{
			share:           gauge("bias_share", "", "||h C|| / ||F||: size of the bias beside the main term of the modified equation"),
			penalized:       gauge("penalized", "", "fraction of coordinates that the bias moves so that N falls: C_j q_j > 0 with q = grad N"),
			hindered:        gauge("hindered", "", "fraction of coordinates that the bias moves so that N rises"),
			penalizedWeight: gauge("penalized_weight", "", "fraction of sum_j |q_j| on penalized coordinates"),
			hinderedWeight:  gauge("hindered_weight", "", "fraction of sum_j |q_j| on hindered coordinates"),
			critical:        gauge("critical_gradient", "loss/parameter", "g*: the |g_j| at which the bias changes between penalizing and hindering; the smallest if there are several"),
			main:            gauge("drive_main", "1/h", "dN/dt by the main term, -q.F"),
			bias:            gauge("drive_bias", "1/h", "dN/dt by the bias, -h q.C: negative lowers N, positive hinders its decrease"),
			step:            gauge("step_norm", "parameter", "two-norm of the step taken from here"),
			first:           gauge("defect_1", "parameter", "two-norm of the step less that of the modified equation of order 1"),
			second:          gauge("defect_2", "parameter", "two-norm of the step less that of the modified equation of order 2"),
		},
	}
	if p.Order != nil {
		m.gradient = make([]T, dim)
		m.full = &fullGauges{
			loss:   gauge("full_loss", lossUnit, "training loss over all examples"),
			excess: gauge("full_excess", "loss/parameter", "excess of the perturbed one-norm N of the gradient over all examples"),
		}
		if classifies {
			m.full.accuracy = gauge("full_accuracy", "", "share of all training examples classified rightly")
		}
	}
	var err error
	if m.effects, err = modeq.NewEffects(p.Rule); err != nil {
		return nil, err
	}
	if s.field != nil {
		m.steady, err = diagnose.NewAcceleration[T](p.Rule, dim, p.Threads)
	}
	return m, err
}

// NeedsField implements Meter.
func (m *biasMeter[T]) NeedsField() bool { return true }

// Gauges implements Meter.
func (m *biasMeter[T]) Gauges() []*Gauge {
	var out []*Gauge
	if f := m.full; f != nil {
		if out = append(out, f.loss); f.accuracy != nil {
			out = append(out, f.accuracy)
		}
		out = append(out, f.excess)
	}
	g := &m.gauges
	return append(out, g.share, g.penalized, g.hindered, g.penalizedWeight, g.hinderedWeight, g.critical, g.main, g.bias, g.step, g.first, g.second)
}

// Measure implements Meter.
func (m *biasMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	if err := m.term.evaluate(ctx, at); err != nil {
		return err
	}
	q, err := m.normGradient(ctx, at)
	if err != nil {
		return err
	}
	b, g := diagnose.BiasOf(m.lr, m.term.f, m.term.c, q), &m.gauges
	g.share.Set(b.Share)
	g.penalized.Set(b.PenalizedCoordinates)
	g.hindered.Set(b.HinderedCoordinates)
	g.penalizedWeight.Set(b.PenalizedWeight)
	g.hinderedWeight.Set(b.HinderedWeight)
	g.main.Set(b.MainDrive)
	g.bias.Set(b.BiasDrive)
	m.drive = b.BiasDrive
	// A rule of the user's may give no number for sizes that no gradient has: no reason to end the run.
	if sizes, err := m.effects.Critical(at.Step); err == nil && len(sizes) > 0 {
		g.critical.Set(sizes[0])
	}
	return nil
}

// normGradient returns q, the gradient of the perturbed one-norm of the gradient over all examples.
func (m *biasMeter[T]) normGradient(ctx context.Context, at *Point[T]) ([]T, error) {
	if m.term.isNormDirection {
		return m.term.hf, nil
	}
	g := at.Gradient
	if m.full != nil {
		e, err := m.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{Gradient: m.gradient})
		if err != nil {
			return nil, err
		}
		g = m.gradient
		m.full.loss.Set(e.Loss)
		if m.full.accuracy != nil {
			m.full.accuracy.Set(e.Accuracy())
		}
		m.full.excess.Set(diagnose.GradientNorms(g, m.eps).Excess)
	}
	normDirection(m.work, g, m.eps)
	return m.q, product(ctx, m.objective, objective.Full, at.Theta, m.work, m.q)
}

// Before implements Follower: it finds F'F, the second derivative in time of the solution of dtheta/dt = -F.
func (m *biasMeter[T]) Before(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	copy(m.start, at.Theta)
	s := m.term
	if m.steady != nil {
		return m.steady.At(at.Step, at.Theta, at.Gradient, s.f, s.hf, m.ff)
	}
	// Where the general theorem is needed, by the update half a step on: F(theta - (h/2) F) = F - (h/2) F'F + O(h^2).
	half := T(m.lr / 2)
	for j, v := range at.Theta {
		m.work[j] = v - half*s.f[j]
	}
	if err := s.general.At(ctx, at.Step, m.work, m.ff, nil); err != nil {
		return err
	}
	for j, v := range m.ff {
		m.ff[j] = (s.f[j] - v) / half
	}
	return nil
}

// After implements Follower: the defects of the step that was taken.
func (m *biasMeter[T]) After(at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	d := diagnose.DefectsOf(m.lr, m.scale, m.start, at.Theta, m.term.f, m.term.c, m.ff)
	m.gauges.step.Set(d.Step)
	m.gauges.first.Set(d.First)
	m.gauges.second.Set(d.Second)
	return nil
}

var _ Follower[float32] = (*biasMeter[float32])(nil)

// lastDrive returns the drive of the bias that was last measured, NaN if there is none.
func (m *biasMeter[T]) lastDrive() float64 {
	if m == nil {
		return math.NaN()
	}
	return m.drive
}
