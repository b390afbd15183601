package reproduce

import (
	"math"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
)

// near reports whether two numbers agree to a tolerance relative to those above 1.
func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol*math.Max(1, math.Abs(b)) }

func TestRiseIsTheHillAndItsIntegrals(t *testing.T) {
	c := config.Default()
	h := &record.History{Columns: []record.Column{
		{Name: "step", Type: record.IntColumn}, {Name: "excess", Type: record.FloatColumn},
		{Name: "drive.main", Type: record.FloatColumn}, {Name: "drive.realized", Type: record.FloatColumn},
	}}
	for n, v := range []float64{1, 2, 5, 4, 0.5} {
		row := []record.Value{record.Int(int64(n)), record.Float(v), {}, {}}
		if n%2 == 0 {
			row[2], row[3] = record.Float(1000), record.Float(500*float64(n))
		}
		h.Rows = append(h.Rows, row)
	}
	one := &trial{sweep.Trial{History: h}}
	one.Run = sweep.Run{Config: c}
	one.Result = &run.Result{Status: run.Finished}
	if got := riseOf(one); got.height != 4 || !got.fell || got.top != 2 || !near(got.main, 2, 1e-12) || !near(got.bias, 1, 1e-12) {
		t.Errorf("%+v", got) // lr is 1e-3, the drives 1000 and 0..1000 over two steps
	}
	h.Rows[0][1] = record.Float(6) // the start is the top
	if got := riseOf(one); got.height != 0 || got.top != 0 || !math.IsNaN(got.main) || !math.IsNaN(got.bias) {
		t.Errorf("without a hill: %+v", got)
	}
}

func TestTheNormIsInterpolatedWhereTheLossPasses(t *testing.T) {
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn}, {Name: "excess", Type: record.FloatColumn}}}
	for n := range 4 { // both fall exponentially, so that the interpolation is exact
		h.Rows = append(h.Rows, []record.Value{record.Int(int64(n)), record.Float(math.Exp(-float64(n))), record.Float(math.Exp(-2 * float64(n)))})
	}
	one := &trial{sweep.Trial{History: h}}
	one.Result = &run.Result{Status: run.Finished}
	if got := one.logNormAt(math.Exp(-1.25)); !near(got, -2.5, 1e-12) {
		t.Errorf("%v, want -2.5", got)
	}
	if got := one.logNormAt(1e-9); !math.IsNaN(got) {
		t.Errorf("%v at a loss that was not reached", got)
	}
}

func TestSlopesWithinSeeds(t *testing.T) {
	norms := [][]float64{{0, 0}, {1, 1}, {2, math.NaN()}}
	accuracies := [][]float64{{0, 0}, {-0.1, 1}, {-0.2, 2}}
	got := slopesWithin(norms, accuracies)
	if !near(got[0], -0.1, 1e-12) || !math.IsNaN(got[1]) {
		t.Errorf("%v", got)
	}
}
