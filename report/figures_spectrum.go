package report

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"shadowflow/experiment/run"
)

func (r *Report) spectrumFigure() *Chart {
	var scaled, plain, shares []Series
	for k := 0; r.History.Index(fmt.Sprintf("spectrum.top_%d", k+1)) >= 0; k++ {
		name := "largest"
		if k > 0 {
			name = fmt.Sprintf("largest, number %d", k+1)
		}
		scaled = append(scaled, r.line(fmt.Sprintf("spectrum.preconditioned_%d", k+1), name, 0, 0))
		plain = append(plain, r.line(fmt.Sprintf("spectrum.top_%d", k+1), name, 2, 0))
		scaled[k].Unlisted, plain[k].Unlisted = k > 0, k > 0
	}
	scaled = append(scaled, r.line("spectrum.period_two", "stability threshold", 1, 1))
	plain = append(plain, r.line("spectrum.bottom", "smallest", 3, 1))
	for i, of := range []struct{ column, name string }{{"gradient", "gradient"}, {"step", "step"}, {"bias", "realized bias"}, {"lift", "oscillation of the lift"}} {
		shares = append(shares, r.line("spectrum."+of.column+"_share", of.name, i, i))
	}
	c := &Chart{
		Labels: Label{"spectrum", "Eigenvalues of the Hessian",
			"From above: the largest eigenvalues of the preconditioned Hessian beside the threshold over which oscillations grow; the largest and the smallest of the Hessian; and the shares of squared norms in the span of the directions of these largest eigenvalues."},
		Axes: []Axes{{Y: r.withUnit("preconditioned eigenvalues", "spectrum.preconditioned_1"), LogY: true, Series: scaled}, {Y: r.withUnit("eigenvalues", "spectrum.top_1"), Zero: true, Series: plain}, {Y: "share of a squared norm", Series: shares}},
	}
	if !c.Axes[0].drawable() {
		c.Axes = c.Axes[1:]
	}
	return c
}

// mostDensities bounds the densities of a figure, which could not be told apart otherwise.
const mostDensities = 5

// A stepDensity is the density of eigenvalues behind so many steps.
type stepDensity struct {
	step int
	*run.SpectralDensity
}

// densities returns the first density that the record has, the last, and some between. Problems say which of them could not be read.
func (r *Report) densities() (found []stepDensity, problems []string) {
	steps, _ := r.column("spectrum.density_width")
	count := min(len(steps), mostDensities)
	for k := range count {
		step := int(steps[k*(len(steps)-1)/max(1, count-1)])
		d, err := run.ReadDensity(r.Dir, step)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fmt.Sprintf("the density of step %d is not there any more", step))
		case err != nil:
			problems = append(problems, err.Error())
		default:
			found = append(found, stepDensity{step, d})
		}
	}
	return found, problems
}

// densityFigure draws the densities of a run.
func (r *Report) densityFigure() *Chart {
	found, _ := r.densities()
	var curves []Series
	var widths []string
	for k, d := range found {
		curves = append(curves, densityCurve(fmt.Sprintf("step %d", d.step), k, d.SpectralDensity))
		widths = append(widths, fmt.Sprintf("%.3g at step %d", d.Width, d.step))
	}
	c := densityChart("eigenvalue", curves)
	c.Labels = Label{"density", "Density of the Hessian's eigenvalues",
		"The share of eigenvalues per unit, with its standard error where it is estimated. Each eigenvalue is smoothed to a Gaussian, whose standard deviation is " + strings.Join(widths, ", ") + "."}
	return c
}

// DensityChart draws the density of a spectrum on a logarithmic axis, with its standard errors.
func DensityChart(s *run.Spectrum) *Chart {
	c := densityChart(fmt.Sprintf("eigenvalue (smoothed by %.2g)", s.Density.Width), []Series{densityCurve("density", 0, s.Density)})
	c.Labels = Label{Title: "Eigenvalues of the Hessian"}
	return c
}

// densityChart draws densities, nine decades of them.
func densityChart(x string, curves []Series) *Chart {
	highest := 0.0
	for _, s := range curves {
		highest = max(highest, slices.Max(s.Y))
	}
	return &Chart{
		Axes:   []Axes{{X: x, Y: "share of eigenvalues per unit", LogY: true, MinY: highest * 1e-9, MaxY: highest * 2, Series: curves}},
		Height: 3, Apart: true,
	}
}

// densityCurve is a density with the band of its standard errors, of which an exact one has none.
func densityCurve(name string, k int, d *run.SpectralDensity) Series {
	s := Series{Name: name, Color: k, Dash: k, X: make([]float64, len(d.X)), Y: make([]float64, len(d.X)), Low: make([]float64, len(d.X)), High: make([]float64, len(d.X))}
	exact := true
	for i, x := range d.X {
		y, e := float64(d.Y[i]), float64(d.Deviation[i])
		exact = exact && e == 0
		s.X[i], s.Y[i], s.Low[i], s.High[i] = float64(x), y, max(y-e, 0), y+e
	}
	if exact {
		s.Low, s.High = nil, nil
	}
	return s
}
