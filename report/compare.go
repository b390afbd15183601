package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/internal/plural"
)

// Comparison returns the page of some runs beside one another: what they differ in, what each found, and the same figures of all. Names tell them apart.
func Comparison(runs []*Report, names []string) *Document {
	d := &Document{
		Title:   "shadowflow: " + plural.Of(len(runs), "run") + " compared",
		Figures: ComparisonFigures(runs, names),
		Tables:  []Table{Differences(runs, names)},
	}
	for i, r := range runs {
		if said := r.Sentences(); len(said) > 0 {
			d.Findings = append(d.Findings, names[i]+": "+strings.Join(said, " "))
		}
	}
	return d
}

// Names returns names that tell directories apart: what their paths have behind the folder that all are in.
func Names(dirs []string) []string {
	parts := make([][]string, len(dirs))
	for i, dir := range dirs {
		parts[i] = strings.Split(filepath.ToSlash(filepath.Clean(dir)), "/")
	}
	shared := 0
	for len(parts) > 1 && !slices.ContainsFunc(parts, func(p []string) bool { return len(p)-1 <= shared || p[shared] != parts[0][shared] }) {
		shared++
	}
	out := make([]string, len(dirs))
	for i, p := range parts {
		if len(dirs) == 1 {
			shared = len(p) - 1
		}
		out[i] = strings.Join(p[shared:], "/")
	}
	return out
}

// Differences returns the keys in which the runs' configs differ, a row a run. An empty cell is of a key that has no meaning there.
func Differences(runs []*Report, names []string) Table {
	t := Table{Caption: "What the runs differ in", Header: []string{"run"}}
	values := make([]map[string]string, len(runs)) // of the keys that differ from the first run's
	for i, r := range runs {
		values[i] = map[string]string{}
		for _, c := range runs[0].Config.Changes(r.Config) {
			if !slices.Contains(t.Header, c.Key) {
				t.Header = append(t.Header, c.Key)
			}
			values[0][c.Key], values[i][c.Key] = c.Before, c.Now
		}
	}
	for i := range runs {
		row := []string{names[i]}
		for _, key := range t.Header[1:] {
			value, differs := values[i][key]
			if !differs {
				value = values[0][key]
			}
			row = append(row, value)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// A measure is what one pair of axes of a comparison shows of each run.
type measure struct {
	y         string
	log, zero bool
	column    func(r *Report) string
	// at is a value that means something, drawn as a grey line.
	at float64
}

func named(column string) func(*Report) string { return func(*Report) string { return column } }

// overAllOf is a column over all training examples, where that was measured.
func overAllOf(name string) func(*Report) string {
	return func(r *Report) string {
		column, _ := r.overAll(name)
		return column
	}
}

// A comparison is a figure of several runs, a pair of axes for each measure.
type comparison struct {
	label    Label
	measures []measure
}

// comparisons are the figures that there may be.
func comparisons(runs []*Report) []comparison {
	var distances []measure
	for _, r := range runs {
		for _, name := range r.Config.Beside {
			y := name + ": distance / way"
			if !slices.ContainsFunc(distances, func(m measure) bool { return m.y == y }) {
				distances = append(distances, measure{y: y, log: true, column: named(name + ".relative_distance")})
			}
		}
	}
	withUnit := func(name, column string) string { // where all runs have the same
		if slices.ContainsFunc(runs[1:], func(r *Report) bool { return r.History.Unit(column) != runs[0].History.Unit(column) }) {
			return name
		}
		return runs[0].withUnit(name, column)
	}
	return []comparison{
		{Label{"loss", "Loss", "Training loss, with mini-batches over all examples where that was measured, and test loss."},
			[]measure{{y: withUnit("training loss", "loss"), log: true, column: overAllOf("loss")}, {y: withUnit("test loss", "loss"), log: true, column: named("test_loss")}}},
		{Label{"bits", "Bits per byte", "Bits per byte of the training and of the test data."},
			[]measure{{y: "training bits per byte", column: overAllOf("bits_per_byte")}, {y: "test bits per byte", column: named("test_bits_per_byte")}}},
		{Label{"accuracy", "Accuracy", "Share of the training and of the test examples classified rightly."},
			[]measure{{y: "training accuracy", column: overAllOf("accuracy")}, {y: "test accuracy", column: named("test_accuracy")}}},
		{Label{"r2", "R²", "Share of the targets' variance that predictions explain."},
			[]measure{{y: "training R²", column: overAllOf("r2")}, {y: "test R²", column: named("test_r2")}}},
		{Label{"norm", "The gradient's perturbed one-norm", "Excess of the perturbed one-norm of the gradient over its value at a gradient of zero."},
			[]measure{{y: withUnit("excess norm", "excess"), log: true, column: overAllOf("excess")}}},
		{Label{"bias", "The realized bias", "Above, the size of the realized bias, of what the steps have beyond those of the optimizer without memory, over the main term; in the middle, the share of coordinates that it moves so that the norm falls; below, the cosine between it and the bias that the second-order equation predicts, which is a run's own only where the figure of what holds says so."},
			[]measure{{y: "realized bias / main term", log: true, column: named("bias.realized_share")}, {y: "fraction lowering N", at: 0.5, column: named("realized.penalized")}, {y: "cosine", zero: true, column: named("bias.cosine")}}},
		{Label{"monitors", "Which statement holds", "Above, how far the second-order equation misses a step over how far the first-order one does: what it predicts is a run's own where that is well below 1. Below, preconditioned sharpness over the threshold above which oscillations grow that flip at every step: above 1 no stable flow follows the iterates, a lift does."},
			[]measure{{y: "order 2 / order 1", log: true, at: 1, column: named(monitor)}, {y: "sharpness / threshold", log: true, at: 1, column: named("monitor.period_two")}}},
		{Label{"flow", "Distance of the equations", "Distance between the iterates and each equation from the same start, over the way that the iterates have gone since."}, distances},
		{Label{"noise", "Gradient noise", "The noise scale tr Σ / ||g||², Σ being the covariance of one example's gradient."},
			[]measure{{y: withUnit("noise scale", "noise_scale"), log: true, column: named("noise_scale")}}},
		{Label{"steps", "Size of the steps", "The step size lr."}, []measure{{y: "lr", zero: true, column: named("lr")}}},
	}
}

// ComparisonFigures returns the figures of a comparison that any of the runs has numbers for. The curves of a run look the same in all.
func ComparisonFigures(runs []*Report, names []string) []Drawing {
	var out []Drawing
	for _, f := range comparisons(runs) {
		c := &Chart{Labels: f.label, Height: 2.5}
		for _, m := range f.measures {
			if axes := m.axes(runs, names); axes.drawable() {
				c.Axes = append(c.Axes, axes)
			}
		}
		if len(c.Axes) == 0 {
			continue
		}
		c.Axes[len(c.Axes)-1].X = stepAxis
		c.Height = max(c.Height, 0.2*float64(len(runs)))
		out = append(out, c)
	}
	return out
}

// stepAxis names the axis of steps.
const stepAxis = "step"

func (m *measure) axes(runs []*Report, names []string) Axes {
	a := Axes{Y: m.y, LogY: m.log, Zero: m.zero}
	for i, r := range runs {
		if s := r.line(m.column(r), names[i], i, i+i/len(palette)); len(s.X) > 0 {
			a.Series = append(a.Series, s)
		}
	}
	if m.at == 0 || len(a.Series) == 0 {
		return a
	}
	low, high := a.Series[0].X[0], a.Series[0].X[0]
	for _, s := range a.Series {
		low, high = min(low, s.X[0]), max(high, s.X[len(s.X)-1])
	}
	a.Series = append(a.Series, Series{Name: fmt.Sprintf("%v", m.at), X: []float64{low, high}, Y: []float64{m.at, m.at}, Faint: true})
	return a
}
