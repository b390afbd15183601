package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/diagnose/spectrum"
	"shadowflow/graph"
	"shadowflow/objective"
)

// What a run measures of a spectrum: eigenvalues with residuals of at most modeTolerance times the largest, in at most so many products for each of
// record.modes, and for fewestModes where these are fewer, and a trace from so many random probes.
const (
	modeTolerance = 1e-3
	modeProbes    = 8
	modeProducts  = 80
	fewestModes   = 5
)

// spectrumMeter measures the spectrum of the Hessian over all examples, plain and preconditioned by the optimizer, and how much of what moves lies in the span
// of the sharpest directions.
type spectrumMeter[T graph.Float] struct {
	schedule
	conditioner[T]
	seed      uint64
	objective objective.Objective[T]
	modes     *modes[T]
	start     []T               // where the step begins
	top       spectrum.Pairs[T] // at the point that was measured
	bias      *biasMeter[T]     // nil: not measured
	lift      *equation[T]      // nil: none follows the run

	plain, scaled                                                []*Gauge
	bottom, residual, trace, traceError, diagonal, diagonalError *Gauge
	beyond                                                       *Gauge
	gradientShare, stepShare, biasShare, liftShare               *Gauge
}

// newSpectrumMeter returns the meter of so many modes, beside one of the bias and equations that follow the run, if there are any.
func newSpectrumMeter[T graph.Float](p *Problem[T], o *Optimizer[T], every, modes int, seed uint64, bias *biasMeter[T], beside []*equation[T]) (*spectrumMeter[T], error) {
	const unit = "loss/parameter^2"
	m := &spectrumMeter[T]{
		schedule: schedule{"spectrum", every}, seed: seed, objective: objective.Plain(p.Objective), start: make([]T, p.Objective.Dim()), modes: newModes[T](p.Objective.Dim(), modes),
		bottom:        gauge("spectrum.bottom", unit, "smallest eigenvalue of the Hessian of the training loss"),
		residual:      gauge("spectrum.residual", unit, "an eigenvalue lies within this of each of these"),
		trace:         gauge("spectrum.trace", unit, "trace of that Hessian"),
		traceError:    gauge("spectrum.trace_error", unit, "standard error of spectrum.trace, which is estimated from random probes"),
		diagonal:      gauge("spectrum.root_diagonal", "loss^(1/2)/parameter", "tr Diag(H)^(1/2), elements below 0 left out"),
		diagonalError: gauge("spectrum.root_diagonal_error", "loss^(1/2)/parameter", "standard error of spectrum.root_diagonal"),
		gradientShare: gauge("spectrum.gradient_share", "", "share of the squared norm of the step's gradient that lies in the span of the directions of spectrum.top_1 and those after it"),
		stepShare:     gauge("spectrum.step_share", "", "such share of the step from here"),
	}
	for k := range m.modes.top {
		m.plain = append(m.plain, gauge(fmt.Sprintf("spectrum.top_%d", k+1), unit, ordinal(k)+" eigenvalue of the Hessian of the training loss"))
	}
	if bias != nil && bias.realized != nil {
		m.bias, m.biasShare = bias, gauge("spectrum.bias_share", "", "such share of the realized bias of that step, where it is measured")
	}
	if at := slices.IndexFunc(beside, func(e *equation[T]) bool { return e.previous != nil && e.predict == nil }); at >= 0 {
		m.lift, m.liftShare = beside[at], gauge("spectrum.lift_share", "", "such share of the oscillation of the "+beside[at].title)
	}
	var err error
	if m.conditioner, err = newConditioner(p, o); err != nil || m.precondition == nil {
		return m, err
	}
	for k := range m.plain {
		m.scaled = append(m.scaled, gauge(fmt.Sprintf("spectrum.preconditioned_%d", k+1), "1/h", ordinal(k)+" eigenvalue of P^-1 H; see preconditioned_sharpness"))
	}
	m.beyond = gauge("spectrum.period_two", "1/h", "value of them above which oscillations of period two grow; see stability_threshold")
	return m, nil
}

// ordinal says which of the largest an eigenvalue is.
func ordinal(k int) string {
	if words := []string{"", "second ", "third ", "fourth ", "fifth "}; k < len(words) {
		return words[k] + "largest"
	}
	n, ending := k+1, "th"
	if tens := n / 10 % 10; tens != 1 {
		ending = []string{"th", "st", "nd", "rd", "th", "th", "th", "th", "th", "th"}[n%10]
	}
	return fmt.Sprintf("%d%s largest", n, ending)
}

// Gauges implements Meter.
func (m *spectrumMeter[T]) Gauges() []*Gauge {
	out := append(slices.Clone(m.plain), m.bottom, m.residual, m.trace, m.traceError, m.diagonal, m.diagonalError, m.gradientShare, m.stepShare)
	for _, g := range append([]*Gauge{m.biasShare, m.liftShare, m.beyond}, m.scaled...) {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// Measure implements Meter.
func (m *spectrumMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	m.top = spectrum.Pairs[T]{}
	if !at.measurable() {
		return nil
	}
	hessian, _, err := hessianAt(ctx, m.objective, at.Theta)
	if err != nil {
		return err
	}
	if err := m.measurePlain(at, hessian); errors.Is(err, spectrum.ErrNotFinite) {
		return nil // beyond what numbers hold there is nothing to measure
	} else if err != nil {
		return err
	}
	m.share(m.gradientShare, at.Gradient)
	if m.liftShare != nil && m.lift.follows(at.Step) {
		m.lift.enter(at.Step)
		flip := m.lift.y[len(m.lift.y)/2:]
		m.share(m.liftShare, narrow[T](flip[:len(at.Theta)]))
	}
	if m.precondition == nil {
		return nil
	}
	if err := m.measureScaled(at, hessian); !errors.Is(err, spectrum.ErrNotFinite) {
		return err
	}
	return nil
}

// measurePlain finds what the Hessian has.
func (m *spectrumMeter[T]) measurePlain(at *Point[T], hessian spectrum.Product[T]) error {
	dim, top, bottom := len(at.Theta), len(m.plain), len(m.modes.bottom)
	found, err := spectrum.Extremal(dim, hessian, m.options(top, bottom, m.modes.top, m.modes.bottom))
	if err != nil {
		return err
	}
	m.top = found.Top
	m.modes.found(m.modes.top, found.Top)
	m.modes.found(m.modes.bottom, found.Bottom)
	for k, v := range found.Top.Values {
		m.plain[k].Set(v)
	}
	residuals := found.Top.Residuals
	if bottom > 0 {
		m.bottom.Set(found.Bottom.Values[0])
		residuals = append(slices.Clone(residuals), found.Bottom.Residuals[0])
	}
	m.residual.Set(slices.Max(residuals))
	traced, err := spectrum.Trace(dim, hessian, spectrum.TraceOptions[T]{
		Probes: modeProbes, Known: []spectrum.Pairs[T]{found.Top, found.Bottom}, Diagonal: true, Seed: m.seed + uint64(at.Step),
	})
	if err != nil {
		return err
	}
	m.trace.Set(traced.Trace.Mean)
	m.traceError.Set(traced.Trace.Deviation)
	m.diagonal.Set(traced.RootDiagonal.Mean)
	m.diagonalError.Set(traced.RootDiagonal.Deviation)
	return nil
}

// measureScaled finds the largest eigenvalues of P^-1/2 H P^-1/2.
func (m *spectrumMeter[T]) measureScaled(at *Point[T], hessian spectrum.Product[T]) error {
	stability, g, err := m.conditioner.at(at)
	if err != nil || g == nil {
		return err
	}
	if !m.rooted() {
		return nil
	}
	apply := scaledBy(m.with, m.root, hessian)
	found, err := spectrum.Extremal(len(at.Theta), apply, m.options(len(m.scaled), 0, m.modes.scaled))
	if err != nil {
		return err
	}
	m.modes.found(m.modes.scaled, found.Top)
	for k, v := range found.Top.Values {
		m.scaled[k].Set(v)
	}
	if finite(stability.PeriodTwo) {
		m.beyond.Set(stability.PeriodTwo)
	}
	return nil
}

// options are those of a search that begins with the modes found before.
func (m *spectrumMeter[T]) options(top, bottom int, before ...[][]T) spectrum.ExtremalOptions[T] {
	opt := spectrum.ExtremalOptions[T]{Top: top, Bottom: bottom, Tolerance: modeTolerance, AtOnce: atOnce, Seed: m.seed, MaxProducts: modeProducts * max(fewestModes, top)}
	for _, vectors := range before {
		for _, v := range vectors {
			opt.Start = append(opt.Start, slices.Clone(v))
		}
	}
	return opt
}

// share sets a gauge to the share of a vector's squared norm in the span of the sharpest directions.
func (m *spectrumMeter[T]) share(to *Gauge, v []T) {
	square, inside := diagnose.Dot(v, v), 0.0
	for _, u := range m.top.Vectors {
		x := diagnose.Dot(u, v)
		inside += x * x
	}
	if square > 0 && finite(square) && len(m.top.Vectors) > 0 {
		to.Set(inside / square)
	}
}

// Before implements Follower.
func (m *spectrumMeter[T]) Before(_ context.Context, at *Point[T]) error {
	copy(m.start, at.Theta)
	return nil
}

// After implements Follower.
func (m *spectrumMeter[T]) After(_ context.Context, at *Point[T]) error {
	for j, v := range at.Theta {
		m.start[j] = v - m.start[j]
	}
	m.share(m.stepShare, m.start)
	if m.bias != nil && due(m.bias.every, at.Step) { // which has read that step before
		m.share(m.biasShare, m.bias.b)
	}
	return nil
}

// modes keeps the eigenvectors found last, with which the next search begins. It moves with the run as processes do, so that a run that is resumed searches as
// if it had gone on.
type modes[T graph.Float] struct {
	top, bottom, scaled [][]T
	next                map[*T][]T // by the first element of the vector that it replaces, once the step is taken
}

// newModes returns one of so many modes that has found nothing yet.
func newModes[T graph.Float](dim, count int) *modes[T] {
	m := &modes[T]{next: map[*T][]T{}}
	top := min(count, dim)
	for _, of := range []struct {
		to    *[][]T
		count int
	}{{&m.top, top}, {&m.bottom, min(1, dim-top)}, {&m.scaled, top}} {
		for range of.count {
			*of.to = append(*of.to, make([]T, dim))
		}
	}
	return m
}

// found notes what a search has found.
func (m *modes[T]) found(to [][]T, pairs spectrum.Pairs[T]) {
	for k, v := range pairs.Vectors {
		m.next[&to[k][0]] = v
	}
}

// Name implements Process.
func (m *modes[T]) Name() string { return "modes of the spectrum" }

// Advance implements Process: the meter has searched.
func (m *modes[T]) Advance(context.Context, *Point[T]) error { return nil }

// Commit implements Process.
func (m *modes[T]) Commit() error {
	for _, vectors := range [][][]T{m.top, m.bottom, m.scaled} {
		for _, v := range vectors {
			if next, ok := m.next[&v[0]]; ok {
				copy(v, next)
			}
		}
	}
	clear(m.next)
	return nil
}

// State implements Process.
func (m *modes[T]) State() []Vector {
	var out []Vector
	for _, of := range []struct {
		name    string
		vectors [][]T
	}{{"top", m.top}, {"bottom", m.bottom}, {"preconditioned", m.scaled}} {
		for k, v := range of.vectors {
			out = append(out, Vector{Prefix: fmt.Sprintf("spectrum.%s.%d.", of.name, k), Data: v})
		}
	}
	return out
}

var (
	_ Follower[float32] = (*spectrumMeter[float32])(nil)
	_ Process[float32]  = (*modes[float32])(nil)
)
