package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/internal/version"
)

// Resume continues the run in a directory where its newest whole checkpoint left it, and ends with the record of a run that
// was never interrupted. A run that has ended is left as it is, and its result is returned, unless the settings let it go on: more steps,
// or less to stop it. Its record is then that of a run that had these settings from the start. Other settings than it had, which do not let it go on, are an
// *EndedError.
//
// The error is a *ChangedError if config, data, files or program are not those of the steps so far. A directory that was moved is none such,
// nor is data of the same content in another place.
func Resume(ctx context.Context, dir string, opt Options) (*Result, error) {
	d, err := record.Open(dir)
	if err != nil {
		return nil, err
	}
	r, ended, err := takeUp(ctx, d, opt)
	if err != nil || ended != nil {
		return ended, errors.Join(err, d.Close())
	}
	return carryOut(ctx, r, d)
}

// resumption is a run that is about to go on.
type resumption struct {
	dir    *record.Dir
	opt    Options
	config *config.Config // to go on with
	before *config.Config // of the steps so far, as far as anything says
	at     *record.Checkpoint
	bond   *bond // of at; nil without one
	meta   checkpointMeta
	// accepted are the changes that AcceptChanged lets pass.
	accepted []string
}

// takeUp makes a run of its directory, ready to go on, or returns the result of one that has ended.
func takeUp(ctx context.Context, d *record.Dir, opt Options) (runner, *Result, error) {
	r := &resumption{dir: d, opt: opt}
	if err := r.readConfig(); err != nil {
		return nil, nil, err
	}
	notes, err := r.findCheckpoint()
	if err != nil {
		return nil, nil, err
	}
	ended, damaged, err := r.result()
	if err != nil {
		return nil, nil, err
	}
	notes = append(notes, damaged...)
	if r.at != nil {
		cut, err := d.CutOff(r.at)
		if err != nil {
			return nil, nil, err
		}
		if cut != "" { // the end is made again, behind what was recorded
			notes, ended = append(notes, cut), nil
		}
	}
	// A checkpoint of the end that is damaged is made again, by the way to the end; one that is not there is not missed.
	atEnd := r.at == nil || r.meta.Ended != "" || len(notes) == 0
	over := ended != nil && atEnd && !r.extended(ended.Status)
	if r.at == nil && !over {
		notes = append(notes, "starting again from step 0")
	}
	if err := r.tell(notes...); err != nil {
		return nil, nil, err
	}
	if err := r.refuse(r.changes(!over)); err != nil {
		return nil, nil, r.withoutHope(ctx, err, ended, over)
	}
	if err := r.keepProgram(); err != nil {
		return nil, nil, err
	}
	if over {
		left := leftAsItIs(ended)
		switch {
		case len(r.accepted) > 0:
			return nil, nil, fmt.Errorf("%s: %s; what changed (%s) is of another run: begin one", d.Path(), left, strings.Join(r.accepted, "; "))
		case r.bond != nil && len(r.bond.config.Changes(r.config)) > 0:
			return nil, nil, &EndedError{d.Path(), left, describeAll(r.bond.config.Changes(r.config))}
		case len(opt.Settings) > 0:
			err = r.tell(left)
		}
		return nil, ended, err
	}
	out, err := r.begin(ctx)
	return out, nil, err
}

// keepProgram writes what says which program made the run where that was removed, as the checkpoint knows it.
func (r *resumption) keepProgram() error {
	if r.bond == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(r.dir.Path(), record.VersionFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.tell(record.VersionFile + " was not there: it is written anew"); err != nil {
		return err
	}
	return r.dir.WriteVersion(r.bond.program)
}

// readConfig reads the config that the directory has, and puts the settings into it.
func (r *resumption) readConfig() error {
	document, err := record.ReadConfig(r.dir.Path())
	if err != nil {
		return err
	}
	if r.before, err = config.Resolve(document); err != nil {
		return err
	}
	if r.before.Objective.Name == config.Watched { // said before anything else, for there is no checkpoint to look for
		_, _, err := r.before.Objective.New()
		return err
	}
	r.config, err = config.Resolve(document, r.opt.Settings...)
	return err
}

// findCheckpoint finds where the run goes on: if it has ended and is to go on, before its last row.
func (r *resumption) findCheckpoint() (notes []string, err error) {
	r.at, notes, err = r.dir.Newest(func(at *record.Checkpoint) (bool, error) {
		b, err := bondOf(at)
		if err != nil {
			return false, err
		}
		var meta checkpointMeta
		if err := json.Unmarshal([]byte(at.Metadata[runMetadata]), &meta); err != nil {
			return false, fmt.Errorf("checkpoint of step %d: metadata %q: %w", at.Step, runMetadata, err)
		}
		if b != nil {
			r.before = b.config
		}
		if meta.Ended != "" && r.extended(meta.Ended) {
			return false, nil
		}
		r.bond, r.meta = b, meta
		return true, nil
	})
	return notes, err
}

// result returns the result of a run that has ended, nil without one. Notes say that there is one, and that it is damaged.
func (r *resumption) result() (ended *Result, notes []string, err error) {
	ended, err = ReadResult(r.dir.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case errors.Is(err, record.ErrNoResult):
		return nil, []string{"result.json is damaged: it is written anew"}, nil
	case err != nil:
		return nil, nil, err
	case r.meta.Ended != "" && (r.meta.Ended != ended.Status || r.at.Step != ended.Step):
		return nil, []string{fmt.Sprintf("result.json is not of this run, which ended at step %d, %s: it is written anew", r.at.Step, r.meta.Ended)}, nil
	}
	wrong, bound, err := r.dir.Changed()
	if err != nil || len(wrong) == 0 || !bound && r.meta.Ended == "" { // of an earlier version whose checkpoint of the end was removed
		return ended, nil, err
	}
	return nil, []string{strings.Join(wrong, "; ") + ": the end is made again"}, nil
}

// extended reports whether the settings let a run go on that ended in a way. One that diverged would do so again.
func (r *resumption) extended(ended Status) bool {
	before, now := r.before, r.config
	switch ended {
	case Finished:
		return now.Steps > before.Steps
	case LossReached:
		return now.Stop.Loss < before.Stop.Loss
	case TimeUp:
		return now.Stop.Seconds == 0 || now.Stop.Seconds > before.Stop.Seconds
	}
	return false
}

// tell says what a person should know, and logs it.
func (r *resumption) tell(notes ...string) error {
	for _, note := range notes {
		if r.opt.Notice != nil {
			r.opt.Notice(note)
		}
		if err := r.dir.Logf("%s", note); err != nil {
			return err
		}
	}
	return nil
}

func (r *resumption) sameColumns(out runner) error {
	if slices.EqualFunc(out.columns(), r.dir.Columns(), sameColumn) {
		return nil
	}
	return fmt.Errorf("the history in %s has other columns than this version of the program records with this config: "+
		"what is measured cannot change in a run", r.dir.Path())
}

func leftAsItIs(ended *Result) string {
	return fmt.Sprintf("the run has ended, %s at step %d, and the settings do not make it go on: it is left as it is", ended.Status, ended.Step)
}

// begin makes the run, compares what it has read, restores it and puts the directory in order.
func (r *resumption) begin(ctx context.Context) (_ runner, err error) {
	out, err := newRunner(ctx, r.config, r.opt)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.close())
		}
	}()
	if err := r.sameColumns(out); err != nil {
		return nil, err
	}
	step := 0
	if r.at != nil {
		step = r.at.Step
		if err := r.refuse(r.read(out)); err != nil {
			return nil, err
		}
		if err := out.restore(r.at); err != nil {
			return nil, err
		}
	}
	var beside []string
	if r.bond != nil {
		r.opt.Peers.goesOn(r.config, r.dir.Path(), out.reads())
	} else if beside, err = besidePeers(out, r.config, r.dir.Path(), r.opt); err != nil {
		return nil, err
	}
	for _, name := range []string{record.WeightsFile, record.AverageFile} { // of an end that is none
		if err := os.Remove(filepath.Join(r.dir.Path(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := r.dir.GoOn(r.at, r.config.YAML()); err != nil {
		return nil, err
	}
	if err := errors.Join(r.dir.WriteVersion(version.Current()), r.dir.Logf("resumed at step %d by %v", step, version.Current())); err != nil {
		return nil, err
	}
	if r.at != nil && r.bond == nil {
		if err := r.tell(fmt.Sprintf("the checkpoint of step %d is of a version that did not say what its steps were made of: "+
			"config, data and program are taken to be the same", step)); err != nil {
			return nil, err
		}
	}
	for i, change := range r.accepted {
		r.accepted[i] = fmt.Sprintf("from step %d on %s", step, change)
	}
	return out, accept(out, r.dir, r.opt, append(r.accepted, beside...))
}

// sameColumn reports whether columns hold the same; what a version says of their meaning may differ.
func sameColumn(a, b record.Column) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Unit == b.Unit
}
