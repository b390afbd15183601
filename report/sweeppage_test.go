package report

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
)

// smallSweep makes a sweep of two groups of two seeds with records of its own: the norm is 1 for the first seed and 2 for the
// second, which takes a step more. The last run fails.
func smallSweep(t *testing.T) (s *sweep.Sweep, dir string) {
	t.Helper()
	s, err := sweep.Parse("betas.yaml", []byte("grid: {optimizer.beta2: [0.9, 0.99]}\nseeds: 2\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	columns := []record.Column{
		{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn}, {Name: "excess", Type: record.FloatColumn},
	}
	runner := func(_ context.Context, c *config.Config, dir string) error {
		if c.Seed == 1 && c.Optimizer.Value("beta2") > 0.95 {
			return errors.New("disk full")
		}
		d, err := record.Create(dir, c.YAML(), columns)
		if err != nil {
			return err
		}
		for n := range 5 + int(c.Seed) {
			row := []record.Value{record.Int(int64(n)), record.Float(math.Exp(-float64(n))), record.Float(1 + float64(c.Seed))}
			if err := d.Append(row); err != nil {
				return err
			}
		}
		return errors.Join(d.WriteResult(run.Result{Status: run.Finished, Parameters: 1}), d.Close())
	}
	dir = t.TempDir()
	if err := s.Execute(t.Context(), dir, sweep.Options{Parallel: 1, Run: runner}); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestASweepsPageHasCurvesMeansAndReasons(t *testing.T) {
	s, dir := smallSweep(t)
	d, err := SweepPage(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Figures) != 1 {
		t.Fatalf("%d figures", len(d.Figures))
	}
	chart := d.Figures[0].(*Chart)
	norms := chart.Axes[1].Series
	if len(norms) != 2 || norms[0].Name != "beta2 0.9" || len(norms[0].X) != 5 || norms[0].Y[0] != 1.5 {
		t.Errorf("curves %+v, want two, the first of 5 steps and of the mean norm 1.5", norms)
	}
	path, err := WriteSweep(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Sweep betas", "Run 3: disk full.", "1.5 ± ", "seeds: 2"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "figures", "curves.png")); err != nil {
		t.Error(err)
	}
}

func TestASweepWithNothingToDrawHasAPageAllTheSame(t *testing.T) {
	s, _ := smallSweep(t)
	d, err := SweepPage(t.Context(), s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Page(); err != nil || len(d.Figures) != 0 {
		t.Errorf("%d figures, %v", len(d.Figures), err)
	}
}

func TestCurvesOfMiniBatchesAreOfAllExamples(t *testing.T) {
	s, err := sweep.Parse("sizes.yaml", []byte("base: {steps: 6, data: {subset: 40, test_subset: 10}, model: {hidden: [4]}, batch: {mode: shuffled, size: 10},\n"+
		"  record: {sharpness: 0, state: 0, test: 0}}\ngrid: {record.bias: [0, 3]}\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.Execute(t.Context(), dir, sweep.Options{}); err != nil {
		t.Fatal(err)
	}
	d, err := SweepPage(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := record.ReadHistory(s.RunDirs(dir)[1])
	if err != nil {
		t.Fatal(err)
	}
	for panel, column := range []string{"full_loss", "full_excess"} {
		curves, want := d.Figures[0].(*Chart).Axes[panel].Series, h.Floats(column)
		if len(curves) != 2 || curves[0].Name != "bias 0,\nsingle batches" || len(curves[0].Y) != 7 || curves[1].Name != "bias 3" || len(curves[1].Y) != 3 ||
			curves[1].Y[0] != want[0] || curves[1].Y[2] != want[6] {
			t.Errorf("%s: curves %+v, want single batches, and %v", column, curves, want)
		}
	}
}
