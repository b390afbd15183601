package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/objective"
)

// besideMeter compares an equation with the optimizer.
type besideMeter[T graph.Float] struct {
	schedule
	objective objective.Objective[T]
	equation  *equation[T]
	trail     *trail[T]
	eps       float64
	theta, g  []T
	negatives int // that were counted before

	distance, relative, loss, excess *Gauge
	negative, amplitude, largest     *Gauge // nil where there is no such thing
	curvature, directions            *Gauge
}

func newBesideMeter[T graph.Float](p *Problem[T], e *equation[T], t *trail[T], lossUnit string) *besideMeter[T] {
	dim := p.Objective.Dim()
	m := &besideMeter[T]{
		schedule:  schedule{"comparison with " + e.name, 0},
		objective: p.Objective, equation: e, trail: t, eps: p.Eps, theta: make([]T, dim), g: make([]T, dim),
		relative: gauge(e.column("relative_distance"), "", "distance over the two-norm of the way that the optimizer has gone from where the "+e.title+" begins"),
		excess:   gauge(e.column("excess"), "loss/parameter", "excess of the perturbed one-norm at the "+e.title),
	}
	switch {
	case e.previous == nil:
		m.distance = gauge(e.column("distance"), "parameter", "two-norm of the difference between the parameters and the "+e.title)
		m.loss = gauge(e.column("loss"), lossUnit, "training loss at the "+e.title)
	case e.predict != nil:
		m.distance = gauge(e.column("distance"), "parameter", "two-norm of the difference between the mean of this and the last parameters and that of the "+e.title)
		m.loss = gauge(e.column("loss"), lossUnit, "training loss at the "+e.title+" and (1/2) <H, Sigma>, its rise by the oscillation: predicts iterates.mean_loss")
		m.amplitude = gauge(e.column("amplitude"), "parameter", "root of the oscillation's mean square, sqrt(tr Sigma): predicts iterates.amplitude")
		m.curvature = gauge(e.column("curvature"), "", "largest eigenvalue of h P^-1 H at the "+e.title+"; the threshold is 2")
		m.directions = counter(e.column("directions"), "", "directions that the "+e.title+" may oscillate along: eigenvalues of h P^-1 H above 1.95")
	default:
		m.distance = gauge(e.column("distance"), "parameter", "two-norm of the difference between the mean of this and the last parameters and that of the "+e.title)
		m.loss = gauge(e.column("loss"), lossUnit, "mean of the training losses at the two ends of the "+e.title+": predicts iterates.mean_loss")
		m.amplitude = gauge(e.column("amplitude"), "parameter", "half the distance between the two ends of the "+e.title+": predicts iterates.amplitude")
	}
	if e.leaps {
		m.largest = gauge(e.column("largest"), "parameter", "largest difference of a parameter from that of the "+e.title)
	}
	if e.negative != nil {
		m.negative = counter(e.column("negative"), "", "times that a coordinate of a state that cannot be negative was so at a stage of the integrator since the last row: it counts as 0")
	}
	return m
}

// Gauges implements Meter.
func (m *besideMeter[T]) Gauges() []*Gauge {
	out := []*Gauge{m.distance, m.relative, m.loss, m.excess}
	for _, g := range []*Gauge{m.largest, m.amplitude, m.curvature, m.directions, m.negative} {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// Measure implements Meter.
func (m *besideMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	e := m.equation
	if !e.follows(at.Step) {
		return nil
	}
	e.enter(at.Step)
	for i, v := range e.theta() {
		m.theta[i] = T(v)
	}
	seen, err := m.objective.Evaluate(ctx, m.theta, objective.Full, objective.Want[T]{Gradient: m.g})
	if err != nil {
		return err
	}
	m.excess.Set(diagnose.GradientNorms(m.g, m.eps).Excess)
	switch {
	case e.previous == nil:
		m.loss.Set(seen.Loss)
		m.compare(diagnose.Distance(at.Theta, e.theta()), at)
		if m.largest != nil {
			m.largest.Set(diagnose.LargestDifference(at.Theta, e.theta()))
		}
	case e.predict != nil:
		m.measureCentral(ctx, at)
	default:
		if err := m.measureLift(ctx, at); err != nil {
			return err
		}
	}
	if m.negative != nil {
		m.negative.Count(e.negative() - m.negatives)
		m.negatives = e.negative()
	}
	return nil
}

func (m *besideMeter[T]) compare(distance float64, at *Point[T]) {
	m.distance.Set(distance)
	if way := m.trail.way(at); way > 0 {
		m.relative.Set(distance / way)
	}
}

// measureCentral sets what a central flow says of the iterates, and nothing where it can say nothing more: the coming step ends it, and says why.
func (m *besideMeter[T]) measureCentral(ctx context.Context, at *Point[T]) {
	says, err := m.equation.predict(ctx, at.Step, m.equation.y)
	if err != nil {
		return
	}
	m.loss.Set(says.MeanLoss)
	m.amplitude.Set(says.Amplitude)
	m.curvature.Set(says.Curvature)
	m.directions.Count(says.Directions)
	m.compareMeans(at)
}

// measureLift measures the two ends of a lift.
func (m *besideMeter[T]) measureLift(ctx context.Context, at *Point[T]) error {
	e := m.equation
	mean, flip := 0.0, e.y[len(e.y)/2:]
	m.amplitude.Set(diagnose.Norm(flip[:len(m.theta)]))
	for _, sign := range []float64{1, -1} {
		for i, v := range e.theta() {
			m.theta[i] = T(v + sign*flip[i])
		}
		seen, err := m.objective.Evaluate(ctx, m.theta, objective.Full, objective.Want[T]{})
		if err != nil {
			return err
		}
		mean += seen.Loss / 2
	}
	m.loss.Set(mean)
	m.compareMeans(at)
	return nil
}

// compareMeans compares the means of two consecutive points, which flips leave alone.
func (m *besideMeter[T]) compareMeans(at *Point[T]) {
	e := m.equation
	if at.Step == e.start {
		return
	}
	difference := make([]float64, len(m.theta))
	for i, v := range at.Theta {
		difference[i] = (float64(v) + float64(m.trail.last[i]) - e.y[i] - e.previous[i]) / 2
	}
	m.compare(diagnose.Norm(difference), at)
}

// flipMeter measures how the optimizer flips from side to side, beside lifts that predict it.
type flipMeter[T graph.Float] struct {
	schedule
	objective objective.Objective[T]
	trail     *trail[T]

	loss, amplitude *Gauge
}

func newFlipMeter[T graph.Float](o objective.Objective[T], t *trail[T], lossUnit string) *flipMeter[T] {
	return &flipMeter[T]{
		schedule: schedule{"comparison with equations", 0}, objective: o, trail: t,
		loss:      gauge("iterates.mean_loss", lossUnit, "mean of the training losses at this and the last parameters"),
		amplitude: gauge("iterates.amplitude", "parameter", "a quarter of the two-norm of the second difference of the last three parameters: half the distance that they flip by"),
	}
}

// Gauges implements Meter.
func (m *flipMeter[T]) Gauges() []*Gauge { return []*Gauge{m.loss, m.amplitude} }

// Measure implements Meter.
func (m *flipMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if at.Step < max(2, m.trail.start) {
		return nil
	}
	now := at.Seen.Loss
	if at.Batch != objective.Full {
		seen, err := m.objective.Evaluate(ctx, at.Theta, objective.Full, objective.Want[T]{})
		if err != nil {
			return err
		}
		now = seen.Loss
	}
	last, err := m.objective.Evaluate(ctx, m.trail.last, objective.Full, objective.Want[T]{})
	if err != nil {
		return err
	}
	m.loss.Set((now + last.Loss) / 2)
	second := make([]float64, len(at.Theta))
	for i, v := range at.Theta {
		second[i] = (float64(v) - 2*float64(m.trail.last[i]) + float64(m.trail.before[i])) / 4
	}
	m.amplitude.Set(diagnose.Norm(second))
	return nil
}
