package report

import (
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

func exampleSpectrum() *run.Spectrum {
	return &run.Spectrum{
		Loss: 0.5, Parameters: 5000, Examples: 100, Products: 321,
		Eigenvalues: run.Eigenvalues{
			Top: []record.Number{9, 4}, Bottom: []record.Number{-2},
			Residuals: run.Residuals{Top: []record.Number{1e-8, 2e-3}, Bottom: []record.Number{1e-8}}, Tolerance: 1e-7,
			Trace: run.Estimate{Mean: 20, Deviation: 0.5}, RootDiagonal: run.Estimate{Mean: 30},
		},
		Names: []string{"conv"}, Layers: map[string]run.Layer{"conv": {Parameters: 12, Top: 3, Bottom: -1, Trace: run.Estimate{Mean: 2}}},
		Density:        &run.SpectralDensity{X: []record.Number{-2, 0, 9}, Y: []record.Number{0.1, 5, 0.01}, Deviation: []record.Number{0, 0.1, 0}, Width: 0.2},
		Preconditioned: &run.Preconditioned{Eigenvalues: run.Eigenvalues{Top: []record.Number{50, 10}, Residuals: run.Residuals{Top: []record.Number{0, 0}}, Converged: true}, PeriodTwo: 38, Beyond: 1, Memory: "full"},
	}
}

func TestASpectrumIsSaidWithWhatItIsKnownTo(t *testing.T) {
	text := strings.Join(SpectrumLines(exampleSpectrum()), "\n")
	for _, want := range []string{"by 321 Hessian-vector products", "within 2.0e-03", "not all within the tolerance", "20 +- 0.5", "conv", "standard deviation of 0.2; highest at 0",
		"1 above 38, where oscillations of period two begin to grow"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said: %s", want, text)
		}
	}
}

func TestTheThresholdIsComparedAsFarAsItIsKnown(t *testing.T) {
	for want, p := range map[string]*run.Preconditioned{
		"no single threshold": {PeriodTwo: record.Number(math.NaN())},
		"none is above 3":     {PeriodTwo: 3, Eigenvalues: run.Eigenvalues{Top: []record.Number{1}}},
		"and perhaps more":    {PeriodTwo: 3, Beyond: 1, Eigenvalues: run.Eigenvalues{Top: []record.Number{4}}},
	} {
		if got := beyondPeriodTwo(p); !strings.Contains(got, want) {
			t.Errorf("%q, want that it says %q", got, want)
		}
	}
}

func TestADensityIsDrawnOnALogarithmicAxisWithItsErrors(t *testing.T) {
	c := DensityChart(exampleSpectrum())
	if a := c.Axes[0]; !c.drawable() || !a.LogY || len(a.Series[0].Low) != 3 || a.MinY <= 0 {
		t.Errorf("axes %+v", a)
	}
	s := exampleSpectrum()
	if s.Exact = true; DensityChart(s).Axes[0].Series[0].Low != nil {
		t.Error("an exact density has an error band")
	}
	if _, err := Render(c, "svg", PageStyle); err != nil {
		t.Error(err)
	}
}
