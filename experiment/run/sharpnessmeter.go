package run

import (
	"errors"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// sharpnessMeter measures the curvature of the loss over all examples, and how much the gradients of its batches scatter.
type sharpnessMeter[T graph.Float] struct {
	precondition *diagnose.Preconditioner[T]
	root         []T
	batches      objective.Objective[T] // the batches whose gradients are compared
	size         int
}

// noiseBatches is the number of batches that a full batch is cut into for the noise, unless batch.physical is smaller still.
const noiseBatches = 16

func newSharpnessMeter[T graph.Float](t *trainer[T]) (*sharpnessMeter[T], error) {
	m := &sharpnessMeter[T]{root: make([]T, t.loss.Dim())}
	var err error
	var lacks *rule.NoMemoryError
	m.precondition, err = diagnose.NewPreconditioner[T](t.rule, t.loss.Dim(), t.config.Threads)
	switch {
	case errors.As(err, &lacks):
		m.precondition = nil // the plain sharpness needs none
	case err != nil:
		return nil, err
	}
	if t.order != nil {
		m.batches, m.size = t.loss, t.config.Batch.Size
		return m, nil
	}
	c := *t.config
	c.Batch.Mode, c.Batch.Shuffle = "cyclic", false
	c.Batch.Size = min(c.Batch.Physical, t.data.Train.N()/noiseBatches)
	if c.Batch.Size < 2 {
		return m, nil
	}
	m.size = c.Batch.Size
	m.batches, err = newObjective[T](&c, t.model, t.data)
	return m, err
}

// measure records sharpness and noise at the present point.
func (m *sharpnessMeter[T]) measure(t *trainer[T]) error {
	if err := t.watch.time("sharpness", func() error { return m.sharpness(t) }); err != nil {
		return err
	}
	if m.batches == nil {
		return nil
	}
	return t.watch.time("gradient noise", func() error { return m.noise(t) })
}

func (m *sharpnessMeter[T]) sharpness(t *trainer[T]) error {
	hvp := func(v, hv []T) error { return t.product(objective.Full, v, hv) }
	opt := diagnose.LanczosOptions{Seed: t.config.Seed}
	plain, err := diagnose.LargestEigenvalue(t.loss.Dim(), hvp, opt)
	if err != nil {
		return err
	}
	t.record.float("sharpness", plain.Value)
	t.record.float("sharpness_residual", plain.Residual)
	if m.precondition == nil {
		return nil
	}
	threshold, err := m.precondition.At(t.point.step, t.config.Optimizer.LR, t.theta, t.point.g, t.stepper.State(), m.root)
	if err != nil {
		return err
	}
	scaled, err := diagnose.LargestEigenvalue(t.loss.Dim(), diagnose.Preconditioned(m.root, hvp), opt)
	if err != nil {
		return err
	}
	t.record.float("preconditioned_sharpness", scaled.Value)
	t.record.float("preconditioned_residual", scaled.Residual)
	t.record.float("stability_threshold", threshold)
	return nil
}

func (m *sharpnessMeter[T]) noise(t *trainer[T]) error {
	g := make([]T, t.loss.Dim())
	var meter diagnose.NoiseMeter
	for b := range m.batches.Batches() {
		if _, err := m.batches.Evaluate(t.context(), t.theta, b, objective.Want[T]{Gradient: g}); err != nil {
			return err
		}
		diagnose.Add(&meter, g)
	}
	noise := meter.Noise(m.size)
	t.record.float("noise_trace", noise.Trace)
	t.record.float("noise_one_norm", noise.One)
	t.record.float("noise_dominated", noise.Dominated)
	t.record.float("noise_scale", noise.Scale)
	t.record.set("noise_batch", record.Int(int64(m.size)))
	return nil
}
