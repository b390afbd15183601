// Package report tells what was found: in figures, tables, sentences with numbers, and on pages that need nothing beside themselves.
//
// A [Report] is that of a run, [SweepPage] that of a sweep; both read directories only, so that they can be asked again at any time,
// also while a run goes on. [Derivation] and [ConvergenceChart] tell what formulas and comparisons say. Whoever has other findings
// makes a [Document] of [Chart], [Heatmap] and [Table].
package report

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"path/filepath"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/schema"
)

// A Report is what a run directory holds.
type Report struct {
	Dir     string
	Config  *config.Config
	History record.Measurements
	// Result is nil if the run has not ended.
	Result *run.Result
	// Points bounds the points of a curve; 0 stands for as many as can be told apart on a page.
	Points int
	// source is the text of a config that is not one of a run of ours.
	source []byte
}

// watched reports whether the record is of a loop in Python that was watched.
func (r *Report) watched() bool { return r.Config.Objective.Name == config.Watched }

// Read reads a run directory, also of a run that goes on.
func Read(dir string) (*Report, error) {
	r, err := With(dir, nil)
	if err != nil {
		return nil, err
	}
	r.History, err = record.ReadHistory(dir)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// With reads a run directory but for its history, which somebody has read before.
func With(dir string, history record.Measurements) (*Report, error) {
	r := &Report{Dir: dir, History: history}
	var err error
	if r.Config, err = run.ReadConfig(dir); err != nil {
		return nil, err
	}
	if r.watched() { // keys that are not in it have no meaning there
		if r.source, err = schema.Source(record.ConfigPath(dir)); err != nil {
			return nil, err
		}
	}
	if r.Result, err = run.ReadResult(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r, nil
}

// column returns the steps at which something was measured, and the numbers that are finite.
func (r *Report) column(name string) (steps, values []float64) {
	all := r.History.Floats("step")
	for i, v := range r.History.Floats(name) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			steps, values = append(steps, all[i]), append(values, v)
		}
	}
	return steps, values
}

// pageFile is the name of the page in a run directory.
const pageFile = "report.html"

// RunPagePath returns where Write puts the page of a run.
func RunPagePath(dir string) string { return filepath.Join(dir, pageFile) }

// Source returns the config as text.
func (r *Report) Source() string {
	if r.watched() {
		return string(r.source)
	}
	return string(r.Config.YAML())
}

// Document returns the figures and sentences of a run, with its config.
func (r *Report) Document() *Document {
	d := &Document{
		Title: "shadowflow: " + filepath.Base(r.Dir), Findings: r.Sentences(), Figures: r.Figures(),
		Sources: []Source{{"config.yaml", r.Source()}},
	}
	if r.Result != nil {
		costs := Table{Caption: "Where the time went"}
		for _, c := range r.Result.Costs {
			costs.Rows = append(costs.Rows, []string{c.String()})
		}
		d.Tables = []Table{costs}
	}
	return d
}

// Write draws every figure as PNG, SVG and PDF into the folder figures of the run directory, and writes the page report.html,
// whose path it returns.
func (r *Report) Write(ctx context.Context, style Style) (page string, err error) {
	d := r.Document()
	d.Style = style
	return d.write(ctx, r.Dir, pageFile)
}
