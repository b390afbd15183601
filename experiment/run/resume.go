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
	"shadowflow/internal/plural"
	"shadowflow/internal/version"
	"shadowflow/rule/stepsize"
)

// ChangedError says that a run would go on with something else than its steps so far were made of.
type ChangedError struct {
	Dir string
	// What are the changes, a sentence each.
	What []string
	// Never says why the run cannot go on with them even if they are accepted; nil if it can.
	Never error
}

func (e *ChangedError) Error() string {
	advice := "put it back as it was, make the run anew in another directory, or, if the change is meant, say --accept-changed"
	if e.Never != nil {
		advice = fmt.Sprintf("put it back as it was, or make the run anew in another directory: it cannot go on with the change (%v)", e.Never)
	}
	return fmt.Sprintf("the run in %s would go on otherwise than it began:\n  %s\n%s", e.Dir, strings.Join(e.What, "\n  "), advice)
}

// EndedError says that a run which has ended was to go on with settings that do not let it.
type EndedError struct {
	Dir, Left string
	// What are the changes, each a phrase.
	What []string
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("%s: %s; %s: want more steps than it took (a lower stop.loss, more stop.seconds, where these ended it), the settings that it had, or another directory",
		e.Dir, e.Left, strings.Join(e.What, "; "))
}

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

// changes returns what differs from what the steps so far were made of, with the program if it is to compute.
func (r *resumption) changes(computes bool) []string {
	if r.bond == nil {
		return nil
	}
	var out []string
	for _, c := range r.bond.config.Changes(r.config) {
		if !r.free(c) {
			out = append(out, describeAll([]config.Change{c})...)
		}
	}
	if computes {
		for _, change := range r.bond.program.Changes(version.Current()) {
			out = append(out, "the program: "+change)
		}
	}
	return out
}

// describeAll returns changes of a config as people read them.
func describeAll(changes []config.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s was %s, is %s", c.Key, orNone(c.Before), orNone(c.Now)))
	}
	return out
}

func orNone(value string) string {
	if value == "" {
		return "not there"
	}
	return value
}

// paths are the keys of files, whose contents are compared.
var paths = []string{
	"data.path", "data.train_images", "data.train_labels", "data.test_images", "data.test_labels", "model.weights", "optimizer.moments",
}

// free reports whether a change says nothing of the steps so far, or whether what it does to them is seen elsewhere: by the contents of files,
// the factors of the steps' sizes, the number of steps.
func (r *resumption) free(c config.Change) bool {
	moved := c.Before != "" && c.Now != "" && slices.Contains(paths, c.Key)
	return moved || c.Key == "steps" || c.Key == "stop.seconds" || strings.HasPrefix(c.Key, "schedule.") ||
		c.Key == "stop.loss" && r.config.Stop.Loss < r.bond.config.Stop.Loss
}

// refuse returns the changes as an error, unless they are accepted.
func (r *resumption) refuse(changes []string) error {
	switch {
	case len(changes) == 0:
		return nil
	case !r.opt.AcceptChanged:
		return &ChangedError{Dir: r.dir.Path(), What: changes}
	}
	r.accepted = append(r.accepted, changes...)
	return nil
}

// withoutHope adds to a refusal why it would be one with --accept-changed as well: the run has ended and does not go on, or what it remembers does not
// fit what it would be.
func (r *resumption) withoutHope(ctx context.Context, refused error, ended *Result, over bool) error {
	var changed *ChangedError
	switch {
	case !errors.As(refused, &changed):
		return refused
	case over && len(r.opt.Settings) > 0:
		return &EndedError{changed.Dir, leftAsItIs(ended), changed.What}
	case over:
		changed.Never = errors.New(leftAsItIs(ended))
	default:
		quiet := *r
		quiet.opt.Notice = nil
		out, err := newRunner(ctx, r.config, quiet.opt)
		if err != nil {
			changed.Never = err
			break
		}
		defer out.close()
		changed.Never = quiet.takes(out)
	}
	return changed
}

// takes restores a run from the checkpoint, if what it records is what the directory has.
func (r *resumption) takes(out runner) error {
	if err := r.sameColumns(out); err != nil || r.at == nil {
		return err
	}
	return out.restore(r.at)
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
	for _, name := range []string{weightsFile, averageFile} { // of an end that is none
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
	for _, change := range r.accepted {
		change = fmt.Sprintf("from step %d on %s", step, change)
		out.noteChange(change)
		if err := r.tell("accepted: " + change); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sameColumn reports whether columns hold the same; what a version says of their meaning may differ.
func sameColumn(a, b record.Column) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Unit == b.Unit
}

// read returns what a run reads that is not what it read before.
func (r *resumption) read(out runner) []string {
	if r.bond == nil {
		return nil
	}
	now := out.contents(r.at.Step)
	var changed []string
	for _, key := range []string{dataContent, weightsContent, momentsContent, scheduleContent} {
		if was, is := r.bond.contents[key], now[key]; was != is {
			changed = append(changed, r.describe(key, was, is))
		}
	}
	return changed
}

// describe says what is changed about something that was read.
func (r *resumption) describe(key, was, is string) string {
	if key != scheduleContent {
		return fmt.Sprintf("%s: the contents of %s changed (SHA-256 %.12s, was %.12s)", key, r.filesOf(key), orNone(is), orNone(was))
	}
	text := fmt.Sprintf("schedule: the sizes of the %s taken would not be those that they had", plural.Of(r.at.Step, "step"))
	shape := stepsize.Shape(r.config.Schedule.Shape)
	ends := slices.Contains([]stepsize.Shape{stepsize.Linear, stepsize.Cosine, stepsize.WSD}, shape)
	switch {
	case shape == stepsize.File:
		return text + ": " + r.config.Schedule.Path + " changed"
	case ends && r.config.Schedule.Steps == 0 && r.config.Steps != r.bond.config.Steps:
		return fmt.Sprintf("%s, for %s comes to its final value at the run's steps where schedule.steps is 0; schedule.steps=%d keeps them",
			text, shape, r.bond.config.Steps)
	}
	return text
}

// filesOf returns the files that a key, or a section, names.
func (r *resumption) filesOf(key string) string {
	var files []string
	for _, path := range paths {
		if v, ok := r.config.Get(path).(string); ok && v != "" && (path == key || strings.HasPrefix(path, key+".")) {
			files = append(files, v)
		}
	}
	if files == nil {
		return "what the program has of its own"
	}
	return strings.Join(files, ", ")
}
