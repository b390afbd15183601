package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
)

// trials are the runs of a sweep.
type trials []*trial

// trial is a run and its record.
type trial struct{ sweep.Trial }

func readTrials(ctx context.Context, s *sweep.Sweep, dir string) (trials, error) {
	var out trials
	for t, err := range s.Trials(ctx, dir) {
		if err != nil {
			return nil, err
		}
		out = append(out, &trial{t})
	}
	return out, nil
}

// failed returns how many runs have not ended: with an error, or because another process has them.
func (ts trials) failed() int {
	n := 0
	for _, t := range ts {
		if t.State != sweep.Ended {
			n++
		}
	}
	return n
}

// missing says which runs are left out of the findings.
func missing(sweeps []trials) []string {
	var out []string
	for _, ts := range sweeps {
		for _, t := range ts {
			if t.Reason != "" && len(out) < 5 {
				out = append(out, fmt.Sprintf("Run %d of %s (%s): %s; it is left out.", t.Run.Index, problemOf(t), t.Run, t.Reason))
			}
		}
	}
	return out
}

// number returns a key of the run's config that is a number, NaN if it has no meaning there.
func (t *trial) number(key string) float64 {
	if x, ok := t.Run.Config.Get(key).(float64); ok {
		return x
	}
	return math.NaN()
}

// good reports whether the run ended in any other way than by diverging.
func (t *trial) good() bool {
	return t.History != nil && t.Result != nil && t.Result.Status != run.Diverged
}

// column returns a column of the record, nil if there is none.
func (t *trial) column(name string) []float64 {
	if t.History == nil {
		return nil
	}
	return t.History.Floats(name)
}

// at returns a measurement where the training loss first passes a level, NaN if it never does.
func (t *trial) at(column string, loss float64) float64 {
	values := t.column(column)
	if !t.good() || values == nil {
		return math.NaN()
	}
	return sweep.AtLoss(t.losses(), values, loss)
}

// logNormAt returns the logarithm of the excess norm where the training loss passes a level, interpolated in the logarithms of both; NaN if
// the loss never does.
func (t *trial) logNormAt(level float64) float64 {
	if !t.good() {
		return math.NaN()
	}
	var logs []float64
	for _, v := range t.norms() {
		logs = append(logs, math.Log(v))
	}
	return sweep.AtLoss(t.losses(), logs, level)
}

// losses returns the loss over all training examples, where it is known.
func (t *trial) losses() []float64 {
	if full := t.column("full_loss"); full != nil {
		return full
	}
	return t.column("loss")
}

// norms returns the excess norm of the gradient over all training examples, where it is known.
func (t *trial) norms() []float64 {
	if full := t.column("full_excess"); full != nil {
		return full
	}
	return t.column("excess")
}

// unsteady returns the number of runs that oscillate, spike or diverge.
func (ts trials) unsteady() int {
	n := 0
	for _, t := range ts {
		if t.Result != nil && t.Result.Regime != diagnose.Monotone && t.Result.Regime != diagnose.Unknown {
			n++
		}
	}
	return n
}

// where keeps the runs with a value of a key.
func (ts trials) where(key string, value any) trials {
	var out trials
	for _, t := range ts {
		if t.Run.Config.Get(key) == value {
			out = append(out, t)
		}
	}
	return out
}

// values returns the different values of a key, in the order of the runs; nil is that of runs in which it has no meaning.
func (ts trials) values(key string) []any {
	var out []any
	for _, t := range ts {
		if v := t.Run.Config.Get(key); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// numbers returns the different values of a key that is a number, in the order of the runs.
func (ts trials) numbers(key string) []float64 {
	var out []float64
	for _, t := range ts {
		if x := t.number(key); !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// A trialGroup is the runs that have a name in common.
type trialGroup struct {
	name string
	trials
}

// groups returns the runs of each name, in the order of the runs.
func (ts trials) groups(name func(*trial) string) []trialGroup {
	var out []trialGroup
	for _, t := range ts {
		i := slices.IndexFunc(out, func(g trialGroup) bool { return g.name == name(t) })
		if i < 0 {
			out = append(out, trialGroup{name: name(t)})
			i = len(out) - 1
		}
		out[i].trials = append(out[i].trials, t)
	}
	return out
}

// matrix returns a measurement of each run, a row for each seed and a column for each value of a key.
func (ts trials) matrix(key string, measure func(*trial) float64) [][]float64 {
	columns, seeds := ts.values(key), ts.values("seed")
	out := make([][]float64, len(seeds))
	for i := range out {
		out[i] = slices.Repeat([]float64{math.NaN()}, len(columns))
	}
	for _, t := range ts {
		row, column := slices.Index(seeds, t.Run.Config.Get("seed")), slices.Index(columns, t.Run.Config.Get(key))
		out[row][column] = measure(t)
	}
	return out
}

// votes asks of every run whether it does something, and whether it counts: a row a seed, with 1 for each run that does and -1 for each that does not. Runs of a
// seed have examples and weights in common, and are no independent evidence.
func votes(ts trials, does func(*trial) (yes, counts bool)) [][]float64 {
	seeds := ts.values("seed")
	out := make([][]float64, len(seeds))
	for _, t := range ts {
		if yes, counts := does(t); counts {
			i := slices.Index(seeds, t.Run.Config.Get("seed"))
			out[i] = append(out[i], vote(yes))
		}
	}
	return out
}

// vote is 1 for what does something, -1 for what does not.
func vote(does bool) float64 { return float64(2*count(does) - 1) }

// shareOfRuns is that of the runs which do something in the number of those that count.
func shareOfRuns(ts trials, does func(*trial) (yes, counts bool)) (share float64, of int) {
	n := 0
	for _, t := range ts {
		yes, counts := does(t)
		n, of = n+count(yes && counts), of+count(counts)
	}
	return float64(n) / float64(of), of
}

// transpose turns rows into columns.
func transpose(m [][]float64) [][]float64 {
	if len(m) == 0 {
		return nil
	}
	out := make([][]float64, len(m[0]))
	for j := range out {
		for i := range m {
			out[j] = append(out[j], m[i][j])
		}
	}
	return out
}

// intervals returns mean, low and high ends of the 95% confidence interval of each row.
func intervals(rows [][]float64) (mean, low, high []float64) {
	for _, row := range rows {
		m, half := stats.Interval(row)
		mean, low, high = append(mean, m), append(low, m-half), append(high, m+half)
	}
	return mean, low, high
}

// geometricIntervals are those of positive numbers' logarithms: of ratios, whose means single seeds would decide, and whose intervals would reach below 0.
func geometricIntervals(rows [][]float64) (mean, low, high []float64) {
	for _, row := range rows {
		logarithms := make([]float64, len(row))
		for i, v := range row {
			logarithms[i] = math.Log(v)
		}
		m, half := stats.Interval(logarithms)
		mean, low, high = append(mean, math.Exp(m)), append(low, math.Exp(m-half)), append(high, math.Exp(m+half))
	}
	return mean, low, high
}

// relative divides each row by one of its numbers.
func relative(m [][]float64, base int) [][]float64 {
	out := make([][]float64, len(m))
	for i, row := range m {
		for _, v := range row {
			out[i] = append(out[i], v/row[base])
		}
	}
	return out
}
