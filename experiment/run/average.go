package run

import (
	"context"
	"path/filepath"

	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
)

// average is the process that follows the optimizer by an exponential moving average of its points: a <- d a + (1 - d) theta behind each step,
// from a = theta at the start.
type average[T graph.Float] struct {
	decay float64
	theta []T // the optimizer's, in place
	mean  []float64
}

func newAverage[T graph.Float](decay float64, theta []T) *average[T] {
	return &average[T]{decay, theta, widen(theta)}
}

// Name implements Process.
func (a *average[T]) Name() string { return "average of the weights" }

// Advance implements Process: there is nothing to find before the optimizer has moved.
func (a *average[T]) Advance(context.Context, *Point[T]) error { return nil }

// Commit implements Process: the optimizer has moved.
func (a *average[T]) Commit() error {
	for j, v := range a.theta {
		a.mean[j] = a.decay*a.mean[j] + (1-a.decay)*float64(v)
	}
	return nil
}

// State implements Process.
func (a *average[T]) State() []Vector { return []Vector{{Prefix: "average.", Data: a.mean}} }

// saveAverage writes it; the running averages of batch normalization are the run's own.
func (t *training[T]) saveAverage() error {
	if t.average == nil {
		return nil
	}
	running, batches := t.running()
	state := &nn.State{Theta: t.average.mean, Running: widen(running), Batches: batches}
	return t.source.model.Save(filepath.Join(t.dir.Path(), record.AverageFile), state, graph.TypeOf[T]())
}

// averageMeter measures the losses at the average.
type averageMeter[T graph.Float] struct {
	schedule
	objective objective.Objective[T]
	data      objective.Tester[T] // nil without test data
	average   *average[T]
	theta     []T

	loss, testLoss   *Gauge // without test data there is none of it
	score, testScore scored
}

// newAverageMeter returns the meter; a nil data is no test data.
func newAverageMeter[T graph.Float](p *Problem[T], a *average[T], data objective.Tester[T], every int, lossUnit string, s *score) *averageMeter[T] {
	m := &averageMeter[T]{
		schedule: schedule{"average of the weights", every}, objective: p.Objective, data: data, average: a, theta: make([]T, len(p.Theta)),
		loss:  gauge("average.loss", lossUnit, "training loss over all examples at the moving average of the weights"),
		score: s.gauge("average.", "all training examples there"),
	}
	if data != nil {
		m.testLoss = gauge("average.test_loss", lossUnit, "loss on the test data there, batch normalization by the run's own running averages")
		m.testScore = s.gauge("average.test_", "the test data there")
	}
	return m
}

// Gauges implements Meter.
func (m *averageMeter[T]) Gauges() []*Gauge {
	out := append([]*Gauge{m.loss}, m.score.gauges()...)
	if m.data == nil {
		return out
	}
	return append(append(out, m.testLoss), m.testScore.gauges()...)
}

// Measure implements Meter.
func (m *averageMeter[T]) Measure(ctx context.Context, _ *Point[T]) error {
	for j, v := range m.average.mean {
		m.theta[j] = T(v)
	}
	seen, err := m.objective.Evaluate(ctx, m.theta, objective.Full, objective.Want[T]{})
	if err != nil {
		return err
	}
	m.loss.Set(seen.Loss)
	m.score.set(seen)
	if m.data == nil {
		return nil
	}
	if seen, err = m.data.Test(ctx, m.theta); err != nil {
		return err
	}
	m.testLoss.Set(seen.Loss)
	m.testScore.set(seen)
	return nil
}
