package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/experiment/config"
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
	// Peers says that it differs not from its own steps so far, but from the runs of its sweep that were made before.
	Peers bool
}

func (e *ChangedError) Error() string {
	if e.Peers {
		return fmt.Sprintf("the run in %s would be made of something else than runs of the sweep before it:\n  %s\n"+
			"put it back as it was, make the sweep anew in another directory, or, if the change is meant, say --accept-changed", e.Dir, strings.Join(e.What, "\n  "))
	}
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
	"data.path", "data.train_images", "data.train_labels", "data.test_images", "data.test_labels", "model.weights", "model.path", "optimizer.moments",
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

// read returns what a run reads that is not what it read before.
func (r *resumption) read(out runner) []string {
	if r.bond == nil {
		return nil
	}
	now := out.contents(r.at.Step)
	var changed []string
	keys := slices.Concat(slices.Collect(maps.Keys(r.bond.contents)), slices.Collect(maps.Keys(now)))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if was, is := r.bond.contents[key], now[key]; was != is {
			changed = append(changed, r.describe(key, was, is))
		}
	}
	return changed
}

// describe says what is changed about something that was read.
func (r *resumption) describe(key, was, is string) string {
	if key != scheduleContent {
		return contentsChanged(r.config, key, was, is)
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

// contentsChanged says that what is read under a name has another SHA-256 than it had.
func contentsChanged(c *config.Config, name, was, is string) string {
	return fmt.Sprintf("%s: the contents of %s changed (SHA-256 %.12s, was %.12s)", name, filesOf(c, name), orNone(is), orNone(was))
}

// filesOf returns the files that a key, or a section, names.
func filesOf(c *config.Config, key string) string {
	switch key {
	case workerContent:
		return strings.Join(c.Objective.Command, " ")
	case scheduleContent:
		return c.Schedule.Path
	}
	var files []string
	for _, path := range paths {
		if v, ok := c.Get(path).(string); ok && v != "" && (path == key || strings.HasPrefix(path, key+".")) {
			files = append(files, v)
		}
	}
	if files == nil {
		return "what the program has of its own"
	}
	return strings.Join(files, ", ")
}
