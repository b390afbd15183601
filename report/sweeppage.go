package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// WriteSweep writes the page of a sweep and its figures into the sweep's directory, and returns the page's path.
func WriteSweep(ctx context.Context, s *sweep.Sweep, dir string) (page string, err error) {
	d, err := SweepPage(ctx, s, dir)
	if err != nil {
		return "", err
	}
	return d.Write(ctx, dir)
}

// maxCurves is how many groups of runs can be told apart in one figure.
const maxCurves = 8

// SweepPage returns the page of a sweep in a directory: curves of loss and norm for each group of runs that differ in their seeds
// only, what came of each group, and which runs failed.
func SweepPage(ctx context.Context, s *sweep.Sweep, dir string) (*Document, error) {
	table, err := s.Table(ctx, dir)
	if err != nil {
		return nil, err
	}
	means, err := sweep.Means(ctx, table)
	if err != nil {
		return nil, err
	}
	groups, err := groupsOf(ctx, s, dir, table)
	if err != nil {
		return nil, err
	}
	d := &Document{
		Title: "Sweep " + s.Name, Sources: []Source{{"sweep.yaml", string(s.Source)}},
		Commands: []string{"shadowflow sweep sweep.yaml --out " + dir, "shadowflow sweep table sweep.yaml --out " + dir},
		Design: fmt.Sprintf("%s in %s that differ in their seeds only. Means are given with 95%% confidence intervals (Student's t); "+
			"runs that failed or diverged are left out of them.", plural.Of(len(table.Rows), "run"), plural.Of(len(means.Rows), "group")),
		Figures: sweepFigures(groups),
		Tables:  []Table{summary(means)},
	}
	if len(groups) > maxCurves {
		d.Findings = append(d.Findings, fmt.Sprintf("The figures show the first %d of %d groups.", maxCurves, len(groups)))
	}
	d.Findings = append(d.Findings, failures(table)...)
	return d, nil
}

// A group is the runs that differ in their seeds only.
type group struct {
	name string
	runs []curves
	// ofBatches says that nothing was measured over all examples, and that the curves are those of single mini-batches.
	ofBatches bool
}

// curves are what the page draws of a run: all is not kept of many runs.
type curves struct{ steps, losses, norms []float64 }

// groupsOf returns the groups of runs in the order of the table.
func groupsOf(ctx context.Context, s *sweep.Sweep, dir string, table *record.History) ([]group, error) {
	var out []group
	at := map[string]int{} // in out, by the name
	for t, err := range s.Trials(ctx, dir) {
		if err != nil {
			return nil, err
		}
		name := groupName(table, t.Run.Index)
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name], out = i, append(out, group{name: name})
		}
		if h := t.History; h != nil {
			loss, overAll := run.OverAll(t.Run.Config, h, "loss")
			excess, _ := run.OverAll(t.Run.Config, h, "excess")
			out[i].runs = append(out[i].runs, curves{h.Floats("step"), h.Floats(loss), h.Floats(excess)})
			out[i].ofBatches = !overAll
		}
	}
	return out, nil
}

// groupName says what the config of a row has beside its seed, by the last part of each key.
func groupName(table *record.History, row int) string {
	var parts []string
	for i, c := range table.Columns[1:table.Index("status")] {
		v := table.Rows[row][i+1].String()
		if c.Name == "seed" || v == "" {
			continue
		}
		_, short, found := strings.Cut(c.Name, ".")
		if !found {
			short = c.Name
		}
		parts = append(parts, short+" "+v)
	}
	return strings.Join(parts, ",\n")
}

// failures says which runs ended badly or have nothing at a loss, and why, and which are made of something else than others.
func failures(table *record.History) []string {
	var out []string
	for _, column := range []string{"reason", "changed"} {
		at := table.Index(column)
		if at < 0 {
			continue
		}
		for _, row := range table.Rows {
			if text := row[at].String(); text != "" {
				out = append(out, fmt.Sprintf("Run %s: %s.", row[0], text))
			}
		}
	}
	return out
}

// summary is the means as a table of texts.
func summary(m *record.History) Table {
	t := Table{Caption: "Means over seeds ± half-widths of 95% confidence intervals"}
	var shown []int
	for i, c := range m.Columns {
		if i == 0 || strings.HasSuffix(c.Name, "_ci95") || strings.HasSuffix(c.Name, "_mean") && !wanted(c.Name) {
			continue
		}
		shown = append(shown, i)
		t.Header = append(t.Header, strings.TrimSuffix(c.Name, "_mean"))
	}
	for _, row := range m.Rows {
		var texts []string
		for _, i := range shown {
			text := row[i].String()
			if half := m.Index(strings.TrimSuffix(m.Columns[i].Name, "_mean") + "_ci95"); half >= 0 && row[i].Measured() {
				text = number(row[i].Float())
				if row[half].Measured() {
					text += " ± " + number(row[half].Float())
				}
			}
			texts = append(texts, text)
		}
		t.Rows = append(t.Rows, texts)
	}
	return t
}

// wanted says which of the many means the page shows; the files have all.
func wanted(mean string) bool {
	name := strings.TrimSuffix(mean, "_mean")
	base, _, _ := strings.Cut(name, "_at_loss_")
	return slices.Contains([]string{"loss", "test_accuracy", "test_r2", "excess_max", "excess_last", "batch_loss", "batch_excess_max", "batch_excess_last", "seconds"}, name) ||
		base != name && slices.Contains([]string{"step", "excess", "test_accuracy", "test_r2", "bias.realized_share"}, base)
}

func sweepFigures(groups []group) []Drawing {
	c := &Chart{
		Labels: Label{Name: "curves", Title: "Training loss and norm of the gradient", Caption: "Training loss, and excess of the perturbed one-norm of the gradient, means over seeds; bands are 95% confidence intervals. With mini-batches both are over all training examples, as often as that was measured, unless the name says otherwise."},
		Axes: []Axes{
			{X: "step", Y: "training loss", LogY: true}, {X: "step", Y: "excess norm (loss/parameter)", LogY: true},
		},
	}
	drawn := false
	for i, g := range groups[:min(len(groups), maxCurves)] {
		for panel, measured := range []func(curves) []float64{
			func(c curves) []float64 { return c.losses }, func(c curves) []float64 { return c.norms },
		} {
			s := meanOf(g.runs, measured)
			if len(s.X) == 0 {
				continue
			}
			drawn = true
			if s.Name, s.Color, s.Dash, s.Line = g.name, i, i, true; g.ofBatches {
				s.Name += ",\nsingle batches"
			}
			c.Axes[panel].Series = append(c.Axes[panel].Series, s)
		}
	}
	if !drawn || len(c.Axes[1].Series) == 0 {
		return nil
	}
	c.Height = max(2.5, 0.3*float64(min(len(groups), maxCurves))*(1+float64(strings.Count(groups[0].name, "\n"))*0.6))
	return []Drawing{c}
}

// meanOf returns the mean over runs of what was measured against the step, as far as all of them go, with its interval.
func meanOf(runs []curves, measured func(curves) []float64) Series {
	var s Series
	values := map[float64][]float64{}
	for _, r := range runs {
		for i, v := range measured(r) {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				values[r.steps[i]] = append(values[r.steps[i]], v)
			}
		}
	}
	for step, v := range values {
		if len(v) == len(runs) {
			s.X = append(s.X, step)
		}
	}
	slices.Sort(s.X)
	if every := len(s.X)/maxPoints + 1; every > 1 {
		s.X = slices.DeleteFunc(s.X, func(x float64) bool { return int(x)%every != 0 })
	}
	for _, step := range s.X {
		mean, half := stats.Interval(values[step])
		s.Y, s.Low, s.High = append(s.Y, mean), append(s.Low, mean-half), append(s.High, mean+half)
	}
	return s
}
