package run

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// noiseMeter measures how much the gradients of batches scatter, and what that does to the bias.
type noiseMeter[T graph.Float] struct {
	schedule
	batches  objective.Objective[T] // whose batches are compared
	size     int                    // of a batch, in examples
	g        []T
	expected *expectedBias[T] // nil where the rule has no memory, or no memory form
	adam     *modeq.AdamNoise // nil for other rules

	trace, one, dominated, scale, scaleError, batch, over, total, flip *Gauge
}

// newNoiseMeter returns the meter for a problem whose batches, or parts of whose full batch, are of a size in examples. mode is that
// of a config's section batch.
func newNoiseMeter[T graph.Float](p *Problem[T], batches objective.Objective[T], size, every int, mode string) (*noiseMeter[T], error) {
	const headline = "C_total = a1 - a2 + (C1 + C2) B_simple/b of Adam with the memory full and eps small: positive where memory penalizes, " +
		"on the average over the order of batches of noise_batch examples, negative where it hinders"
	m := &noiseMeter[T]{
		schedule: schedule{"gradient noise", every},
		batches:  batches, size: size, g: make([]T, batches.Dim()),
		trace:     gauge("noise_trace", "(loss/parameter)^2", "tr Cov of the batches' gradients: mean over batches of ||g_j - g||^2"),
		one:       gauge("noise_one_norm", "loss/parameter", "sum over coordinates of the deviation of the batches' gradients"),
		dominated: gauge("noise_dominated", "", "fraction of coordinates whose deviation exceeds |g_j|"),
		scale: gauge("noise_scale", "examples", "noise scale B_simple = tr Sigma/||g||^2, Sigma being the covariance of one example's gradient: "+
			"b tr Cov/||g||^2 over (N-b)/(N-1), N examples in batches of b that have none in common"),
		scaleError: gauge("noise_scale_error", "examples", "standard error of noise_scale over the ways to cut the examples "+
			"into batches, by the jackknife over the batches"),
		batch: counter("noise_batch", "examples", "size b of the batches whose gradients were compared"),
		over: gauge("monitor.noise_over_batch", "", "B_simple/b, noise_scale over noise_batch: above 1 the noise of such a batch's gradient is "+
			"larger than the gradient, as a vector; on how many coordinates it is, says noise_dominated"),
		total: gauge("noise.bias_total", "", headline),
		flip: gauge("noise.flip_batch", "examples", "batch size at which the preferred beta2 flips, dC_total/dbeta2 = 0 at the run's beta1 and "+
			"beta2: in larger batches a larger beta2 hinders more, in smaller ones it penalizes more"),
	}
	if p.Rule.Memory == nil || p.changed() != "" { // then nothing is known of how noise acts through it
		return m, nil
	}
	beta1, beta2, ok, err := modeq.AdamDecays(p.Rule)
	if err != nil {
		return nil, err
	}
	if ok {
		adam := modeq.NewAdamNoise(beta1, beta2)
		m.adam = &adam
	}
	remembers := slices.ContainsFunc(p.Rule.Memory.Moments, func(mo rule.Moment) bool { return mo.Kernel.Next != 0 })
	if !p.Rule.Elementwise || !remembers {
		return m, nil
	}
	m.expected, err = newExpectedBias(p, batches, mode)
	return m, err
}

// Gauges implements Meter.
func (m *noiseMeter[T]) Gauges() []*Gauge {
	out := []*Gauge{m.trace, m.one, m.dominated, m.scale, m.scaleError, m.batch, m.over}
	if m.adam != nil {
		out = append(out, m.total, m.flip)
	}
	if m.expected != nil {
		out = append(out, m.expected.gauges()...)
	}
	return out
}

// Measure implements Meter.
func (m *noiseMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	var meter diagnose.NoiseMeter
	for b := range m.batches.Batches() {
		if err := m.gradient(ctx, at, b); err != nil {
			return err
		}
		diagnose.Add(&meter, m.g)
	}
	if err := m.revisit(ctx, at, &meter); err != nil {
		return err
	}
	noise := meter.Noise(m.size)
	m.trace.Set(noise.Trace)
	m.one.Set(noise.One)
	m.dominated.Set(noise.Dominated)
	m.scale.Set(noise.Scale)
	if !math.IsNaN(noise.ScaleError) {
		m.scaleError.Set(noise.ScaleError)
	}
	m.batch.Count(m.size)
	m.over.Set(noise.Scale / float64(m.size))
	if m.adam == nil {
		return nil
	}
	m.total.Set(m.adam.Total(noise.Scale / float64(m.size)))
	if flip := m.adam.FlipBatch(); !math.IsNaN(flip) {
		m.flip.Set(flip * noise.Scale)
	}
	return nil
}

func (m *noiseMeter[T]) gradient(ctx context.Context, at *Point[T], batch int) error {
	_, err := m.batches.Evaluate(ctx, at.Theta, batch, objective.Want[T]{Gradient: m.g})
	return err
}

// revisit takes each batch's gradient once more, for its distance from the mean, and measures what the noise does to the bias.
func (m *noiseMeter[T]) revisit(ctx context.Context, at *Point[T], meter *diagnose.NoiseMeter) error {
	if m.expected != nil {
		return m.expected.measure(ctx, at, meter)
	}
	mean := meter.Mean()
	for b := range m.batches.Batches() {
		if err := m.gradient(ctx, at, b); err != nil {
			return err
		}
		for j, v := range m.g {
			m.g[j] = T(float64(v) - mean[j])
		}
		diagnose.Revisit(meter, m.g)
	}
	return nil
}

// expectedBias measures the terms of the expected bias over the order of batches.
type expectedBias[T graph.Float] struct {
	batches objective.Objective[T]
	bias    *modeq.BatchBias[T]
	eps     float64
	g, v, q []T

	memory  *Gauge
	drives  [modeq.NoiseTerms]*Gauge
	leftOut *Gauge
}

func newExpectedBias[T graph.Float](p *Problem[T], batches objective.Objective[T], mode string) (*expectedBias[T], error) {
	law := modeq.ShuffledCorrelation(batches.Batches())
	switch mode {
	case "sampled":
		law = modeq.SampledCorrelation()
	case "cyclic":
		law = modeq.CyclicCorrelation(batches.Batches())
	}
	b, err := modeq.NewBatchBias(p.Rule, batches, modeq.BatchBiasOptions{Order: law, Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	dim := batches.Dim()
	e := &expectedBias[T]{
		batches: batches, bias: b, eps: p.Eps, g: make([]T, dim), v: make([]T, dim), q: make([]T, dim),
		memory: gauge("noise.drive_memory", "1/h", "dN/dt by what memory adds to the bias without noise, -h q.C_mem, memory full; "+
			"like the drives of noise over the coordinates that noise.left_out leaves"),
		leftOut: gauge("noise.left_out", "", "fraction of coordinates without terms of noise, their variance being too large to expand "+
			"in: for Adam with a long memory above g_j^2 + eps"),
	}
	for i, what := range []string{
		"a coordinate's own variance (C1)", "the variances of the others through the update (C2)",
		"the change of a coordinate's variance along F (C3)", "the change of the others' variances (C4)",
		"covariances of two coordinates (C5)",
	} {
		e.drives[i] = gauge(fmt.Sprintf("noise.drive_%d", i+1), "1/h", "dN/dt by "+what+
			", on the average over the order of batches of noise_batch examples")
	}
	return e, nil
}

func (e *expectedBias[T]) gauges() []*Gauge {
	return append(append([]*Gauge{e.memory}, e.drives[:]...), e.leftOut)
}

func (e *expectedBias[T]) measure(ctx context.Context, at *Point[T], meter *diagnose.NoiseMeter) error {
	mean := meter.Mean()
	found, err := e.bias.At(ctx, at.Theta, mean, meter.Variance(), func(noise []T) { diagnose.Revisit(meter, noise) })
	if err != nil {
		return err
	}
	for j, v := range mean {
		e.g[j] = T(v)
	}
	normDirection(e.v, e.g, e.eps)
	if err := product(ctx, e.batches, objective.Full, at.Theta, e.v, e.q); err != nil {
		return err
	}
	for j, kept := range found.Kept {
		e.q[j] *= T(kept)
	}
	e.memory.Set(diagnose.Drive(at.LR, e.q, found.Terms[0]))
	for i, d := range e.drives {
		d.Set(diagnose.Drive(at.LR, e.q, found.Terms[1+i]))
	}
	e.leftOut.Set(float64(found.LeftOut) / float64(len(mean)))
	return nil
}
