package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shadowflow/diagnose/spectrum"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/objective"
)

// A density along a run is that of so many probes of so many products each, and exact where the whole matrix takes no more of them.
const (
	densityProbes = 4
	densitySteps  = 64
)

// densityOptions are those of a density along a run, whose vectors the memory estimate counts.
func densityOptions(seed uint64) spectrum.QuadratureOptions {
	return spectrum.QuadratureOptions{Probes: densityProbes, Steps: densitySteps, AtOnce: atOnce, Seed: seed}
}

// densityMeter finds the density of the eigenvalues of the Hessian over all examples. A row says how it is smoothed; the density itself goes into a file of its
// own, before that row is written.
type densityMeter[T graph.Float] struct {
	schedule
	seed      uint64
	objective objective.Objective[T]
	keep      func(step int, d *SpectralDensity) error
	width     *Gauge
}

func newDensityMeter[T graph.Float](p *Problem[T], every int, seed uint64, keep func(step int, d *SpectralDensity) error) *densityMeter[T] {
	return &densityMeter[T]{
		schedule: schedule{"density of the spectrum", every}, seed: seed, objective: objective.Plain(p.Objective), keep: keep,
		width: gauge("spectrum.density_width", "loss/parameter^2", "standard deviation of the Gaussian that stands for each eigenvalue of the Hessian in density-STEP.json"),
	}
}

// Gauges implements Meter.
func (m *densityMeter[T]) Gauges() []*Gauge { return []*Gauge{m.width} }

// Measure implements Meter.
func (m *densityMeter[T]) Measure(ctx context.Context, at *Point[T]) error {
	if !at.measurable() {
		return nil
	}
	hessian, _, err := hessianAt(ctx, m.objective, at.Theta)
	if err != nil {
		return err
	}
	spread, err := m.spread(len(at.Theta), m.seed+uint64(at.Step), hessian)
	if errors.Is(err, spectrum.ErrNotFinite) {
		return nil // beyond what numbers hold there is nothing to measure
	}
	if err != nil {
		return err
	}
	d := densityOf(spread)
	if err := m.keep(at.Step, d); err != nil {
		return err
	}
	m.width.Set(float64(d.Width))
	return nil
}

// spread finds where the eigenvalues lie.
func (m *densityMeter[T]) spread(dim int, seed uint64, hessian spectrum.Product[T]) (*spectrum.Spread, error) {
	if dim > densityProbes*densitySteps {
		return spectrum.Quadrature(dim, hessian, densityOptions(seed))
	}
	matrix, err := spectrum.Dense(dim, hessian, atOnce, nil)
	if err != nil {
		return nil, err
	}
	return matrix.Spread(), nil
}

// densityOf returns the density that is as smooth as a quadrature allows.
func densityOf(s *spectrum.Spread) *SpectralDensity {
	d := s.Density(densityPoints, s.Width())
	return &SpectralDensity{record.Numbers(d.X), record.Numbers(d.Y), record.Numbers(d.Deviation), record.Number(d.Width)}
}

// ReadDensity returns the density that a run kept behind so many steps. The error is fs.ErrNotExist if there is none.
func ReadDensity(dir string, step int) (*SpectralDensity, error) {
	d := &SpectralDensity{}
	if err := record.ReadDensity(dir, step, d); err != nil {
		return nil, err
	}
	n := len(d.X)
	bad := func(v record.Number) bool { return !finite(float64(v)) }
	switch {
	case n < 2 || len(d.Y) != n || len(d.Deviation) != n:
		return nil, fmt.Errorf("%s: the density of step %d has %d x, %d y and %d deviations: want as many of each, at least 2", dir, step, n, len(d.Y), len(d.Deviation))
	case slices.ContainsFunc(d.X, bad) || slices.ContainsFunc(d.Y, bad) || slices.ContainsFunc(d.Deviation, bad) || bad(d.Width) || !(d.Width > 0):
		return nil, fmt.Errorf("%s: the density of step %d has a number that is not finite, or no width above 0", dir, step)
	}
	return d, nil
}
