package report

import (
	"math"
	"os"
	"path/filepath"
	"slices"
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
			Trace: &run.Estimate{Mean: 20, Deviation: 0.5}, RootDiagonal: &run.Estimate{Mean: 30},
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
	if clear(s.Density.Deviation); DensityChart(s).Axes[0].Series[0].Low != nil {
		t.Error("an exact density has an error band")
	}
	if _, err := Render(c, "svg", PageStyle); err != nil {
		t.Error(err)
	}
}

func TestTheSpectrumOfARunIsSaidAndItsDensitiesAreDrawn(t *testing.T) {
	dir := runDir(t, "record.spectrum=10", "record.modes=3", "record.density=10", "beside=[]")
	r := read(t, dir)
	if got := names(r); !slices.Contains(got, "spectrum") || !slices.Contains(got, "density") {
		t.Fatalf("figures %v", got)
	}
	c := r.densityFigure()
	a := c.Axes[0]
	if a.X != "eigenvalue" || !a.LogY || !c.Apart || len(a.Series) != 4 || a.Series[0].Name != "step 0" || a.Series[3].Name != "step 30" || len(a.Series[0].Low) != len(a.Series[0].X) {
		t.Errorf("axes %q, %t, with %d curves", a.X, a.LogY, len(a.Series))
	}
	if _, err := Render(c, "svg", PageStyle); err != nil {
		t.Error(err)
	}
	last := func(name string) float64 { v := r.History.Floats(name); return v[len(v)-1] }
	said := strings.Join(r.Sentences(), "\n")
	for _, want := range []string{
		"At step 30 the Hessian's largest 3 eigenvalues came to " + number(last("spectrum.top_1")) + ", " + number(last("spectrum.top_2")),
		"an eigenvalue being within " + number(last("spectrum.residual")),
		"its trace to " + number(last("spectrum.trace")) + " with a standard error of " + number(last("spectrum.trace_error")),
		"threshold of period two at",
		"4 measured steps",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	if err := os.Remove(filepath.Join(dir, "density-000000000010.json")); err != nil {
		t.Fatal(err)
	}
	r = read(t, dir)
	if said := strings.Join(r.Sentences(), "\n"); len(r.densityFigure().Axes[0].Series) != 3 || !strings.Contains(said, "density-000000000010.json is not there") {
		t.Errorf("of a density that was removed it is said: %s", said)
	}
}

func TestModesBeyondTheThresholdAreCounted(t *testing.T) {
	column := func(values ...float64) []float64 { return values }
	table := func(first, second []float64) *Report {
		h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}, {Name: "spectrum.period_two", Type: record.FloatColumn}, {Name: "spectrum.preconditioned_1", Type: record.FloatColumn}, {Name: "spectrum.preconditioned_2", Type: record.FloatColumn}}}
		for i := range first {
			h.Rows = append(h.Rows, []record.Value{record.Int(int64(10 * i)), record.Float(5), record.Float(first[i]), record.Float(second[i])})
		}
		return &Report{History: h}
	}
	for want, r := range map[string]*Report{
		"No eigenvalue of P^-1 H was above the threshold of period two at any of 2 measured steps.":                 table(column(1, 2), column(0, 1)),
		"above the threshold of period two at 2 of 3 measured steps: 1 of the largest 2 at step 10, the most.":      table(column(1, 6, 7), column(0, 1, 2)),
		"at 1 of 2 measured steps: 2 of the largest 2 at step 10, the most, and perhaps more than were looked for.": table(column(1, 6), column(0, 6)),
	} {
		if got := r.sayModesBeyond(); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
