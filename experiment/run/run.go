package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/internal/patience"
	"shadowflow/internal/plural"
	"shadowflow/internal/version"
	"shadowflow/objective/worker"
	"shadowflow/schema"
)

// Options say how a run is carried out.
type Options struct {
	// Settings, of Resume alone, replace those of the run's config.
	Settings [][]schema.Setting
	// AcceptChanged lets a run go on whose config, data or program changed, and one be made that differs from its Peers. Its result says so.
	AcceptChanged bool
	// Peers, if not nil, are the other runs of its sweep. What they were made of this is to be made of, or the error is a *ChangedError.
	Peers *Peers
	// Workers, if not nil, keeps the program that serves the loss, if one does, for the runs that follow; the result is the same with none.
	Workers *worker.Pool
	// Pause, if not 0, interrupts the run behind the first row it records of so many steps or more.
	Pause int
	// Progress, if not nil, is told where the run begins, and after each step.
	Progress func(Progress)
	// Introduce, if not nil, is told before the first step what the run is, line by line: its optimizer's groups.
	Introduce func(text string)
	// Notice, if not nil, is told what a person should know: a damaged checkpoint, or labels that skip a class.
	Notice func(text string)
}

// Progress is where a run stands.
type Progress struct {
	Step, Steps int
	Loss        float64
	// Excess is the excess of the perturbed one-norm of the gradient where something was last recorded.
	Excess float64
	// RealizedDrive is the last measured part of dN/dt that the realized bias has: negative where it acts to lower the norm, 0 where the
	// step had none; NaN before the first, and where the main drive is no measure of it, see [Overreaches].
	RealizedDrive float64
	// Verdict is what the step that was last measured says of the second-order equation without memory.
	Verdict Verdict
	// StateDefect is the last measured one-step defect of the state equation of order 2 over the step's length, see [StateHolds]; NaN before the first.
	StateDefect float64
}

// A Status says how a run ended.
type Status string

// The ways in which a run ends. An interrupted run has not ended: it can be resumed.
const (
	Finished    Status = "finished"     // all steps were taken
	LossReached Status = "loss-reached" // the training loss, over all examples, fell below stop.loss
	TimeUp      Status = "time-up"      // the wall time reached stop.seconds
	Diverged    Status = "diverged"     // loss or gradient ceased to be finite, or the loss rose out of all bounds
	Interrupted Status = "interrupted"
)

// A Result is the summary of a run, kept as result.json.
type Result struct {
	Status Status `json:"status"`
	// Step is the number of the last step, those before the run's start included.
	Step int `json:"step"`
	// Before is the number of steps that optimizer.moments are the memory of, which others took.
	Before     int `json:"steps_before,omitempty"`
	Parameters int `json:"parameters"`
	Examples   int `json:"examples"`
	// Untrained is the number of examples that are in no mini-batch, for these do not divide all of them.
	Untrained int `json:"untrained_examples,omitempty"`
	// Loss and Accuracy are those of the training examples at the end, with mini-batches as they were last measured over all examples. OfBatch says that
	// this was never done, and that they, and R2, are those of the last mini-batch alone.
	Loss     record.Number `json:"loss"`
	Accuracy record.Number `json:"accuracy"`
	OfBatch  bool          `json:"of_last_batch,omitempty"`
	// TestLoss and TestAccuracy are those of the last test, nil without one.
	TestLoss     *record.Number `json:"test_loss,omitempty"`
	TestAccuracy *record.Number `json:"test_accuracy,omitempty"`
	// R2 and TestR2 are the last coefficients of determination where numbers are predicted, nil elsewhere.
	R2     *record.Number  `json:"r2,omitempty"`
	TestR2 *record.Number  `json:"test_r2,omitempty"`
	Regime diagnose.Regime `json:"regime"`
	// RegimeEvery is, where the records that the regime was judged from are further apart than a step, by how many steps at most: what happened between
	// them is not known. 0 otherwise.
	RegimeEvery int `json:"regime_every,omitempty"`
	// Groups are those of the optimizer, nil without any.
	Groups []Group `json:"groups,omitempty"`
	// Seconds is the wall time of all parts of the run, without the time between them.
	Seconds float64 `json:"seconds"`
	// Costs says where the time went.
	Costs []Cost `json:"costs"`
	// Changed says what was accepted to change in the course of the run, and from which step on: its record is not of one config then.
	Changed []string `json:"changed,omitempty"`
	// Read has the SHA-256 of what was read beside the config, by its section or key: the examples of data, weights and moments to start from, the
	// program of a worker, the factors of a schedule's file.
	Read map[string]string `json:"read,omitempty"`
}

// Taken is the number of steps that the run itself took.
func (r *Result) Taken() int { return r.Step - r.Before }

// Diverged reports whether the loss rose out of all bounds, was no number, or ended at more than twice what it was.
func (r *Result) Diverged() bool { return r.Status == Diverged || r.Regime == diagnose.Diverged }

// A Cost is the time spent on one kind of work.
type Cost struct {
	Kind    string  `json:"kind"`
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
}

// Run carries out a config in a new run directory. When the context ends, the run writes a checkpoint and returns a result
// with status Interrupted.
func Run(ctx context.Context, c *config.Config, dir string, opt Options) (*Result, error) {
	r, err := newRunner(ctx, c, opt)
	if err != nil {
		return nil, err
	}
	accepted, err := besidePeers(r, c, dir, opt)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	d, err := record.Create(dir, c.YAML(), r.columns())
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	if err := errors.Join(d.WriteVersion(version.Current()), d.Logf("begun by %v", version.Current())); err != nil {
		return nil, errors.Join(err, d.Close(), r.close())
	}
	if err := accept(r, d, opt, accepted); err != nil {
		return nil, errors.Join(err, d.Close(), r.close())
	}
	return carryOut(ctx, r, d)
}

// accept makes changes that were accepted part of the record, and says them.
func accept(r runner, d *record.Dir, opt Options, changes []string) error {
	for _, change := range changes {
		r.noteChange(change)
		if opt.Notice != nil {
			opt.Notice("accepted: " + change)
		}
		if err := d.Logf("accepted: %s", change); err != nil {
			return err
		}
	}
	return nil
}

// ReadConfig returns the config of the run in a directory. One that is empty, or was altered since the run ended, is refused.
func ReadConfig(dir string) (*config.Config, error) {
	if err := record.CheckConfig(dir); err != nil {
		return nil, err
	}
	return config.Read(record.ConfigPath(dir), nil)
}

// ReadResult returns the result of the run in a directory. The error is [fs.ErrNotExist] where there is none, and [record.ErrNoResult] where what
// is there is none.
func ReadResult(dir string) (*Result, error) {
	r := &Result{}
	if err := record.ReadResult(dir, r); err != nil {
		return nil, err
	}
	if ends := []Status{Finished, LossReached, TimeUp, Diverged}; !slices.Contains(ends, r.Status) || r.Before < 0 || r.Step < r.Before || r.Parameters < 1 {
		return nil, fmt.Errorf("%w: %s: status %q, %s, %s; run --resume writes it anew", record.ErrNoResult, dir, r.Status, plural.Count(r.Step, "step"), plural.Count(r.Parameters, "parameter"))
	}
	return r, nil
}

// runner is a run of either precision.
type runner interface {
	// columns returns what it records.
	columns() []record.Column
	// restore continues from a checkpoint.
	restore(at *record.Checkpoint) error
	// contents returns the SHA-256 of what so many steps depend on beside the config.
	contents(steps int) map[string]string
	// reads returns the SHA-256 of what the whole run depends on beside the config; see Result.Read.
	reads() map[string]string
	// noteChange makes a change that was accepted part of the record.
	noteChange(change string)
	// run takes the steps.
	run(ctx context.Context, d *record.Dir) (*Result, error)
	// close ends what serves the loss.
	close() error
}

func newRunner(ctx context.Context, c *config.Config, opt Options) (runner, error) {
	return patience.Wait(ctx, func() (runner, error) {
		if c.DType == "float64" {
			return newTraining[float64](ctx, c, opt)
		}
		return newTraining[float32](ctx, c, opt)
	})
}

// carryOut runs to the end and closes the directory.
func carryOut(ctx context.Context, r runner, d *record.Dir) (*Result, error) {
	result, err := r.run(ctx, d)
	err = errors.Join(err, r.close())
	if err != nil {
		err = d.Explain(err)
		return nil, errors.Join(err, d.Logf("stopped by an error: %v", err), d.Close())
	}
	whose := ""
	if result.OfBatch {
		whose = " of the last batch"
	}
	return result, errors.Join(d.Logf("%s at step %d, loss%s %.6g", result.Status, result.Step, whose, result.Loss), d.Close())
}
