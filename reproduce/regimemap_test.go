package reproduce

import (
	"math"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/schema"
)

func TestAMapTellsRegimesAndLimits(t *testing.T) {
	loss := func(c *config.Config, n int) float64 {
		x := decaying(c, n)
		if c.Optimizer.LR > 5e-3 && c.Optimizer.Value("beta2") > 0.95 && n == 12 {
			x *= 10 // a spike
		}
		return x
	}
	norm := func(_ *config.Config, n int) float64 { return math.Exp(-float64(n) / 5) }
	m, err := RunMap(t.Context(), t.TempDir(), MapOptions{
		Beta1: []float64{0.9, 0.5}, Beta2: []float64{0.9, 0.99}, LR: []float64{1e-3, 1e-2, 3e-3}, Eps: []float64{1e-4, 1e-8}, Batch: []int{100, 0},
		Seeds: 2, Sweep: recording(loss, norm),
	})
	if err != nil {
		t.Fatal(err)
	}
	spiky, err := m.Sentences([]float64{0.9, 0.99})
	if err != nil {
		t.Fatal(err)
	}
	if want := "beta1 = 0.9, beta2 = 0.99, eps = 1e-08, full batch, lr 0.001 to 0.01: the runs are stable up to lr 0.003, spiking at 0.01; " +
		"the realized bias hindered the norm's fall, by 25% of the main drive; the state equation of order 2 predicts nearly all steps to 5% up to lr 0.003; " +
		"the equation of order 2 without memory predicts most steps better than that of order 1 up to lr 0.003."; len(spiky) != 4 || spiky[0] != want {
		t.Errorf("%d sentences, the first %q, want %q", len(spiky), spiky[0], want)
	}
	if calm, _ := m.Sentences([]float64{0.5, 0.9}); !strings.Contains(calm[3], "eps = 0.0001, batches of 100, lr 0.001 to 0.01: the runs are stable up to lr 0.01, the largest that was tried") {
		t.Errorf("%q", calm[3])
	}
	if _, err := m.Sentences([]float64{0.3, 0.9}); err == nil {
		t.Error("a sentence for betas off the map")
	}
	p := m.at(m.slices()[2], 1, 1, 0)
	if p.Regime != diagnose.Monotone || p.Realized[0] != 0.25 || p.Predicted[0] != -4 || p.Observed[0] != -0.75 || p.Better != 1 || p.State != 0.01 || p.Follows != 1 ||
		p.Beta1 != 0.9 || p.LR != 1e-3 || p.Slice.Batch != 100 || p.Slice.Eps != 1e-8 {
		t.Errorf("%+v", p)
	}
}

// A step at which something was not measured is no step to compare at.
func TestAMapComparesWhatWasMeasuredTogether(t *testing.T) {
	c, err := config.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := recordOf(c, decaying, func(*config.Config, int) float64 { return 1 })
	place := h.Index("drive.realized")
	for n := range h.Rows {
		if n%2 == 0 {
			h.Rows[n][place] = record.Value{}
		}
	}
	t1 := &trial{sweep.Trial{History: h}}
	both := together(t1, 0, "drive.main", "drive.realized")
	if all := together(t1, 0, "drive.main"); len(both[0]) != len(both[1]) || len(both[0]) == 0 || len(both[0]) >= len(all[0]) {
		t.Errorf("%d and %d compared, of %d", len(both[0]), len(both[1]), len(all[0]))
	}
}

// What was not measured is neither for an equation nor against it, and a step that it could not be followed through is against it.
func TestAMapTellsWhatWasNotMeasured(t *testing.T) {
	m := &Map{Beta1: []float64{0}, Beta2: []float64{0}, LR: []float64{0.1, 1}, Eps: []float64{0}, Batch: []int{0}, lacks: map[string]bool{"beta1": true, "beta2": true, "eps": true}}
	nan := math.NaN()
	for name, c := range map[string]struct {
		follows, better [2]float64
		want            string
	}{
		"the largest lr was not":  {[2]float64{1, nan}, [2]float64{0.2, 0.2}, "full batch, lr 0.1 to 1: the runs are stable up to lr 1, the largest that was tried; the realized bias was not measured; the state equation of order 2 predicts nearly all steps to 5% up to lr 0.1; at lr 1 that was not measured; the equation of order 2 without memory predicts most steps no better than that of order 1 at any lr that was tried."},
		"nothing was":             {[2]float64{nan, nan}, [2]float64{nan, nan}, "what the state equation misses was not measured; no step was evidence for the equation of order 2 without memory, or against it."},
		"the smallest lr was not": {[2]float64{nan, 1}, [2]float64{1, 1}, "at no lr that was tried; at lr 0.1 that was not measured; the equation of order 2 without memory predicts most steps better than that of order 1 up to lr 1, the largest"},
	} {
		t.Run(name, func(t *testing.T) {
			m.Points = nil
			for k, lr := range m.LR {
				m.Points = append(m.Points, Point{LR: lr, Regime: diagnose.Monotone, Realized: [3]float64{nan, nan, nan}, Follows: c.follows[k], Better: c.better[k]})
			}
			said, err := m.Sentences([]float64{0, 0})
			if err != nil || !strings.Contains(said[0], c.want) {
				t.Errorf("%q, %v; want %q in it", said, err, c.want)
			}
		})
	}
}

func TestStepsThatTheStateEquationCannotBeFollowedThroughCount(t *testing.T) {
	c, err := config.Resolve(nil, []schema.Setting{schema.Set("record.state", 2), schema.Set("flow.start", 4)})
	if err != nil {
		t.Fatal(err)
	}
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}, {Name: "monitor.state_defect", Type: record.FloatColumn}}}
	for n, v := range []float64{0.5, math.NaN(), 0.5, math.NaN(), 0.1, math.NaN(), math.NaN(), math.NaN(), 0.2, math.NaN(), math.NaN()} {
		row := []record.Value{record.Int(int64(n)), {}}
		if !math.IsNaN(v) {
			row[1] = record.Float(v)
		}
		h.Rows = append(h.Rows, row)
	}
	one := &trial{sweep.Trial{History: h}}
	one.Run = sweep.Run{Config: c}
	if got := stateDefects(one); len(got) != 3 || got[0] != 0.1 || !math.IsNaN(got[1]) || got[2] != 0.2 { // steps 4, 6, 8; no step is taken from 10
		t.Errorf("%v", got)
	}
}
