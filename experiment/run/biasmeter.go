package run

import (
	"fmt"
	"math"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// biasMeter finds the second-order term of the modified equation along a run, measures it, and intervenes in it.
//
// For a full batch under a rule that is Steady one Hessian-vector product is enough, and comes with the gradient. Otherwise the
// general theorem is evaluated over the steps that the memory holds, which costs a gradient and some Hessian-vector products of
// each mini-batch.
type biasMeter[T graph.Float] struct {
	direction *objective.Direction // F; nil where the general theorem is needed
	field     func(g, theta, f []T) error
	terms     *modeq.Terms[T]
	second    *diagnose.Acceleration[T]
	general   *modeq.SecondOrder[T]
	effects   *modeq.Effects
	// direct says that F is the derivative of the perturbed one-norm, so that H F is its gradient q.
	direct bool

	f, hf, c, ff []T // at the present point: F, H F, C, and F'F
	q            []T
	full         []T // gradient over all examples, with mini-batches
	strength     []T // the C that an intervention scales
	start        []T
	wantsDefect  bool
	work         []T
}

func newBiasMeter[T graph.Float](t *trainer[T]) (*biasMeter[T], error) {
	dim, threads := t.loss.Dim(), t.config.Threads
	m := &biasMeter[T]{}
	for _, v := range []*[]T{&m.f, &m.c, &m.ff, &m.q, &m.start, &m.work} {
		*v = make([]T, dim)
	}
	memory, err := t.rule.MemoryForm()
	if err != nil {
		return nil, fmt.Errorf("record.bias, bias.scale: %w: set them to 0", err)
	}
	if m.effects, err = modeq.NewEffects(t.rule); err != nil {
		return nil, err
	}
	if t.config.Bias.Scale != 0 {
		m.strength = make([]T, dim)
	}
	if t.order != nil {
		m.full = make([]T, dim)
	}
	if t.order != nil || !memory.Steady() {
		m.general, err = modeq.NewSecondOrder[T](t.rule, t.loss, modeq.SecondOptions{Order: t.order, Threads: threads})
		return m, err
	}
	m.hf = make([]T, dim)
	if m.terms, err = modeq.NewTerms[T](t.rule, dim, threads); err != nil {
		return nil, err
	}
	if m.second, err = diagnose.NewAcceleration[T](t.rule, dim, threads); err != nil {
		return nil, err
	}
	m.direction = modeq.MemorylessDirection(memory)
	if m.field, err = objective.CompileDirection[T](m.direction, dim, threads); err != nil {
		return nil, err
	}
	m.direct, err = derivesPerturbedNorm(m.direction, t.eps)
	return m, err
}

// derivesPerturbedNorm reports whether a direction is g / sqrt(g^2 + eps), by trying it over all sizes of g.
func derivesPerturbedNorm(d *objective.Direction, eps float64) (bool, error) {
	var gs, thetas []float64
	for e := -12.0; e <= 4; e += 0.5 {
		for _, sign := range []float64{-1, 1} {
			gs, thetas = append(gs, sign*math.Pow(10, e)), append(thetas, 1+math.Mod(e, 3))
		}
	}
	field, err := objective.CompileDirection[float64](d, len(gs), 1)
	if err != nil {
		return false, err
	}
	f := make([]float64, len(gs))
	if err := field(gs, thetas, f); err != nil {
		return false, err
	}
	for i, v := range gs {
		if want := v / math.Sqrt(v*v+eps); math.Abs(f[i]-want) > 1e-12*math.Abs(want) {
			return false, nil
		}
	}
	return true, nil
}

// together evaluates the gradient, F and H F.
func (m *biasMeter[T]) together(t *trainer[T]) (err error) {
	p := &t.point
	want := objective.Want[T]{Gradient: p.g, Along: m.direction, Field: m.f, HField: m.hf}
	p.seen, err = t.loss.Evaluate(t.context(), t.theta, p.batch, want)
	p.paired = err == nil
	return err
}

// ensure evaluates F and C of the coming step, and H F where that is all it takes.
func (m *biasMeter[T]) ensure(t *trainer[T]) error {
	p := &t.point
	if m.direction == nil {
		return m.general.At(t.context(), p.step, t.theta, m.f, m.c)
	}
	if !p.paired {
		if err := m.field(p.g, t.theta, m.f); err != nil {
			return err
		}
		if err := t.product(p.batch, m.f, m.hf); err != nil {
			return err
		}
		p.paired = true
	}
	return m.terms.SecondOrder(p.step, p.g, t.theta, m.f, m.hf, m.c)
}

// measure records the bias at the present point.
func (m *biasMeter[T]) measure(t *trainer[T]) error {
	if err := m.ensure(t); err != nil {
		return err
	}
	q, err := m.normGradient(t)
	if err != nil {
		return err
	}
	t.recordBias(diagnose.BiasOf(t.config.Optimizer.LR, m.f, m.c, q))
	// A rule of the user's may give no number for sizes that no gradient has: no reason to end the run.
	if sizes, err := m.effects.Critical(t.point.step); err == nil && len(sizes) > 0 {
		t.record.float("critical_gradient", sizes[0])
	}
	m.wantsDefect = true
	return nil
}

// normGradient returns q, the gradient of the perturbed one-norm of the gradient over all examples.
func (m *biasMeter[T]) normGradient(t *trainer[T]) ([]T, error) {
	if m.direct {
		return m.hf, nil
	}
	g := t.point.g
	if t.order != nil {
		e, err := t.loss.Evaluate(t.context(), t.theta, objective.Full, objective.Want[T]{Gradient: m.full})
		if err != nil {
			return nil, err
		}
		g = m.full
		t.record.float("full_loss", e.Loss)
		t.record.float("full_accuracy", e.Accuracy())
		t.record.float("full_excess", diagnose.GradientNorms(g, t.eps).Excess)
	}
	normDirection(m.work, g, t.eps)
	return m.q, t.product(objective.Full, m.work, m.q)
}

// normDirection writes g / sqrt(g^2 + eps), the derivative of the perturbed one-norm.
func normDirection[T graph.Float](dst, g []T, eps float64) {
	for j, v := range g {
		x := float64(v)
		dst[j] = T(x / math.Sqrt(x*x+eps))
	}
}

// before prepares what the measurement of the coming step needs of the point that it leaves.
func (m *biasMeter[T]) before(t *trainer[T]) error {
	if m.wantsDefect {
		copy(m.start, t.theta)
		if err := m.acceleration(t); err != nil {
			return err
		}
	}
	if t.config.Bias.Scale == 0 {
		return nil
	}
	p := &t.point
	switch {
	case m.direction != nil:
		return m.terms.SecondOrder(modeq.FullMemory, p.g, t.theta, m.f, m.hf, m.strength)
	case t.order == nil:
		return m.general.At(t.context(), modeq.FullMemory, t.theta, m.work, m.strength)
	default:
		return m.general.At(t.context(), p.step, t.theta, m.work, m.strength)
	}
}

// acceleration sets F'F: where the general theorem is needed by the update half a step on, F(theta - (h/2) F) = F - (h/2) F'F
// + O(h^2).
func (m *biasMeter[T]) acceleration(t *trainer[T]) error {
	if m.direction != nil {
		return m.second.At(t.point.step, t.theta, t.point.g, m.f, m.hf, m.ff)
	}
	half := T(t.config.Optimizer.LR / 2)
	for j, v := range t.theta {
		m.work[j] = v - half*m.f[j]
	}
	if err := m.general.At(t.context(), t.point.step, m.work, m.ff, nil); err != nil {
		return err
	}
	for j, v := range m.ff {
		m.ff[j] = (m.f[j] - v) / half
	}
	return nil
}

// intervene moves the parameters by -scale h^2 C.
func (m *biasMeter[T]) intervene(t *trainer[T]) {
	h := t.config.Optimizer.LR
	w := T(t.config.Bias.Scale * h * h)
	for j, v := range m.strength {
		t.theta[j] -= w * v
	}
}

// after records the defects of the step that was taken.
func (m *biasMeter[T]) after(t *trainer[T]) {
	if !m.wantsDefect {
		return
	}
	m.wantsDefect = false
	d := diagnose.DefectsOf(t.config.Optimizer.LR, 1+t.config.Bias.Scale, m.start, t.theta, m.f, m.c, m.ff)
	t.record.float("step_norm", d.Step)
	t.record.float("defect_1", d.First)
	t.record.float("defect_2", d.Second)
}
