package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
)

// SweepInput is what a sweep's page is made of.
type SweepInput struct {
	Name string
	// Table has one row a run, Means one for all runs that differ in their seeds only.
	Table, Means *record.History
	// Histories are those of the table's rows, nil where there is none.
	Histories []*record.History
	// Commands do it again, Source is the sweep file.
	Commands []string
	Source   string
}

// maxCurves is how many groups of runs can be told apart in one figure.
const maxCurves = 8

// SweepPage returns the page of a sweep: curves of loss and norm for each group of runs that differ in their seeds only, what came of
// each group, and which runs failed.
func SweepPage(in SweepInput) *Document {
	d := &Document{
		Title: "Sweep " + in.Name, Commands: in.Commands, Sources: []Source{{"sweep.yaml", in.Source}},
		Design: fmt.Sprintf("%d runs in %d groups that differ in their seeds only. Means are given with 95%% confidence intervals (Student's t); runs that failed or diverged are left out of them.", len(in.Table.Rows), len(in.Means.Rows)),
	}
	groups := in.groups()
	d.Figures = sweepFigures(groups)
	if len(groups) > maxCurves {
		d.Findings = append(d.Findings, fmt.Sprintf("The figures show the first %d of %d groups.", maxCurves, len(groups)))
	}
	d.Findings = append(d.Findings, in.failures()...)
	d.Tables = []Table{in.summary()}
	return d
}

// A group is the runs that differ in their seeds only.
type group struct {
	name string
	runs []*record.History
}

// keys returns the columns of the table that hold keys of the config, without the seed.
func (in *SweepInput) keys() []int {
	var keys []int
	for i, c := range in.Table.Columns[:in.Table.Index("status")] {
		if i > 0 && c.Name != "seed" {
			keys = append(keys, i)
		}
	}
	return keys
}

func (in *SweepInput) groups() []group {
	var out []group
	keys := in.keys()
	for r, row := range in.Table.Rows {
		var parts []string
		for _, k := range keys {
			_, short, found := strings.Cut(in.Table.Columns[k].Name, ".")
			if !found {
				short = in.Table.Columns[k].Name
			}
			if v := row[k].String(); v != "" {
				parts = append(parts, short+" "+v)
			}
		}
		name := strings.Join(parts, ",\n")
		i := slices.IndexFunc(out, func(g group) bool { return g.name == name })
		if i < 0 {
			out = append(out, group{name: name})
			i = len(out) - 1
		}
		if in.Histories[r] != nil {
			out[i].runs = append(out[i].runs, in.Histories[r])
		}
	}
	return out
}

// failures says which runs ended badly, and why.
func (in *SweepInput) failures() []string {
	var out []string
	at := in.Table.Index("reason")
	for _, row := range in.Table.Rows {
		if reason := row[at].String(); reason != "" {
			out = append(out, fmt.Sprintf("Run %s: %s.", row[0], reason))
		}
	}
	return out
}

// summary is the means as a table of texts.
func (in *SweepInput) summary() Table {
	t := Table{Caption: "Means over seeds ± half-widths of 95% confidence intervals"}
	m := in.Means
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
	return slices.Contains([]string{"loss", "test_accuracy", "excess_max", "excess_last", "seconds"}, name) ||
		base != name && slices.Contains([]string{"step", "excess", "test_accuracy", "bias_share"}, base)
}

func sweepFigures(groups []group) []Drawing {
	c := &Chart{
		Labels: Label{Name: "curves", Title: "Training loss and norm of the gradient", Caption: "Training loss, and excess of the perturbed one-norm of the gradient, means over seeds; bands are 95% confidence intervals."},
		Axes: []Axes{
			{X: "step", Y: "training loss", LogY: true}, {X: "step", Y: "excess norm", LogY: true},
		},
	}
	drawn := false
	for i, g := range groups[:min(len(groups), maxCurves)] {
		for panel, column := range []string{"loss", "excess"} {
			s := meanOf(g.runs, column)
			if len(s.X) == 0 {
				continue
			}
			drawn = true
			s.Name, s.Color, s.Dash, s.Line = g.name, i, i, true
			c.Axes[panel].Series = append(c.Axes[panel].Series, s)
		}
	}
	if !drawn || len(c.Axes[1].Series) == 0 {
		return nil
	}
	c.Height = max(2.5, 0.3*float64(min(len(groups), maxCurves))*(1+float64(strings.Count(groups[0].name, "\n"))*0.6))
	return []Drawing{c}
}

// meanOf returns the mean over runs of a column against the step, as far as all of them go, with its interval.
func meanOf(runs []*record.History, column string) Series {
	var s Series
	values := map[float64][]float64{}
	for _, h := range runs {
		steps := h.Floats("step")
		for i, v := range h.Floats(column) {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				values[steps[i]] = append(values[steps[i]], v)
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
		mean, half := sweep.Interval(values[step])
		s.Y, s.Low, s.High = append(s.Y, mean), append(s.Low, mean-half), append(s.High, mean+half)
	}
	return s
}
