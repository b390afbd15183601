package reproduce

import (
	"math"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
	"shadowflow/internal/stats"
)

// regimes from harmless to bad.
var regimes = []diagnose.Regime{diagnose.Monotone, diagnose.Oscillating, diagnose.Spiking, diagnose.Diverged}

// pointOf fills in what a point's runs show.
func pointOf(ts trials, p Point) Point {
	p.Regime = diagnose.Unknown // until a run tells
	var realized, predicted, observed [3][]float64
	var defects [2][]float64
	var state []float64
	better, measured, followed, tried := 0, 0, 0, 0
	for _, t := range ts {
		if r := regimeOf(t); slices.Index(regimes, r) > slices.Index(regimes, p.Regime) {
			p.Regime = r
		}
		for i := range stages {
			names := []string{"drive.main", "drive.realized", "drive.observed"}
			if t.column("drive.predicted") != nil { // an optimizer without the memory form has no prediction
				names = append(names, "drive.predicted")
			}
			drives := together(t, i, withinReach(t), names...)
			for k, main := range drives[0] {
				size := math.Abs(main)
				if size == 0 {
					continue // there is nothing to be beside
				}
				realized[i], observed[i] = append(realized[i], drives[1][k]/size), append(observed[i], drives[2][k]/size)
				if len(drives) > 3 {
					predicted[i] = append(predicted[i], drives[3][k]/size)
				}
				if i < late {
					p.Compared++
					p.Up += count(drives[1][k] > 0)
				}
			}
			if i == 0 {
				d := together(t, i, nil, "defect_1", "defect_2", "monitor.second_over_first")
				defects[0], defects[1] = append(defects[0], d[0]...), append(defects[1], d[1]...)
			}
		}
		bornOut, judged := countBornOut(t)
		better, measured = better+bornOut, measured+judged
		defects := stateDefects(t)
		tried += len(defects)
		for _, v := range defects {
			followed += count(v < run.StateHolds)
			state = append(state, v)
		}
	}
	for i := range stages {
		p.Realized[i], p.Predicted[i], p.Observed[i] = stats.Median(realized[i]), stats.Median(predicted[i]), stats.Median(observed[i])
	}
	p.Defects = [2]float64{stats.Median(defects[0]), stats.Median(defects[1])}
	p.State, p.Better, p.Follows = stats.Median(state), share(better, measured), share(followed, tried)
	return p
}

func share(n, of int) float64 {
	if of == 0 {
		return math.NaN()
	}
	return float64(n) / float64(of)
}

// countBornOut returns at how many steps a run says anything of the equation of order 2 without memory, and at how many of them it bears it out.
func countBornOut(t *trial) (bornOut, judged int) {
	if t.History == nil {
		return 0, 0
	}
	return run.CountBornOut(run.Verdicts(t.History))
}

// stateDefects returns the defect of the state equation of order 2 at every step where it was asked for and rounding does not hide it, +Inf where it
// could not be followed.
func stateDefects(t *trial) []float64 {
	return slices.DeleteFunc(slices.Clone(t.column("monitor.state_defect")), math.IsNaN)
}

// coordinates say where a run is on a map.
type coordinates struct {
	beta1, beta2, lr, eps float64
	batch                 int
}

// coordinates are 0 in what the optimizer does not have, and in the batch where it is the same for all runs.
func (t *trial) coordinates(oneBatch bool) coordinates {
	of := func(key string) float64 {
		v := t.number("optimizer." + key)
		if math.IsNaN(v) {
			return 0
		}
		return v
	}
	p := coordinates{beta1: of("beta1"), beta2: of("beta2"), lr: of("lr"), eps: of("eps")}
	if !oneBatch {
		p.batch, _ = t.Run.Config.Get("batch.size").(int)
	}
	return p
}

// regimeOf is that of the result. Of a run that failed, or was not made, nothing is known.
func regimeOf(t *trial) diagnose.Regime {
	switch {
	case t.Result == nil:
		return diagnose.Unknown
	case t.Result.Status == run.Diverged:
		return diagnose.Diverged
	}
	return t.Result.Regime
}

// withinReach reports of each record of a run whether its drives can be compared with the main one.
func withinReach(t *trial) []bool {
	if t.History == nil {
		return nil
	}
	reaches := run.Overreaches(t.Run.Config, t.History)
	out := make([]bool, len(reaches))
	for i, reach := range reaches {
		out[i] = !(reach > run.Incomparable)
	}
	return out
}

// together returns what was measured of some columns in a stage of training, at the steps at which all of them were, of those that count; nil: all count.
// The first record is left out: the memory is empty there.
func together(t *trial, stage int, counts []bool, names ...string) [][]float64 {
	losses := t.losses()
	columns, out := make([][]float64, len(names)), make([][]float64, len(names))
	for c, name := range names {
		if columns[c] = t.column(name); columns[c] == nil {
			return out
		}
	}
	for i := 1; i < len(losses); i++ {
		f := losses[i] / losses[0]
		if counts != nil && !counts[i] || !(f >= stages[stage].low && f < stages[stage].high) || slices.ContainsFunc(columns, func(v []float64) bool { return math.IsNaN(v[i]) }) {
			continue
		}
		for c := range columns {
			out[c] = append(out[c], columns[c][i])
		}
	}
	return out
}
