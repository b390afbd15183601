// Package report tells what a run found: in figures, in sentences with numbers, and on a page that needs nothing beside itself.
//
// It reads run directories only, those of package experiment, so that it can be asked again at any time, also while a run
// goes on.
package report

import (
	"errors"
	"io/fs"
	"math"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

// A Report is what a run directory holds.
type Report struct {
	Dir     string
	Config  *config.Config
	History *record.History
	// Result is nil if the run has not ended.
	Result *run.Result
}

// Read reads a run directory, also of a run that goes on.
func Read(dir string) (*Report, error) {
	r := &Report{Dir: dir}
	var err error
	if r.Config, err = run.ReadConfig(dir); err != nil {
		return nil, err
	}
	if r.History, err = record.ReadHistory(dir); err != nil {
		return nil, err
	}
	result := &run.Result{}
	switch err := record.ReadResult(dir, result); {
	case err == nil:
		r.Result = result
	case !errors.Is(err, fs.ErrNotExist):
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
