package record

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

const (
	checkpointPrefix = "checkpoint-"
	endedMark        = "-ended"
	checkpointSuffix = ".safetensors"
	keptCheckpoints  = 2
)

// Open opens the directory of a run that there is, to see where it goes on (Newest) and to go on from there (GoOn). The error is an
// *InUseError if another process has the directory, and wraps fs.ErrNotExist if there is no run in it.
func Open(path string) (*Dir, error) {
	err := isDir(path)
	if err == nil {
		_, err = os.Stat(ConfigPath(path))
	}
	if err != nil {
		return nil, fmt.Errorf("no run to resume in %s: %w", path, err)
	}
	d, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	if d.columns, err = readColumns(d.file(columnsFile)); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Newest returns the newest checkpoint that is whole, that was written with the history that is there, and that use takes: nil to start
// from step 0. The notes say what is wrong with newer ones. The error says that columns or history were altered, and that
// nothing can be gone on from. Nothing in the directory changes.
func (d *Dir) Newest(use func(*Checkpoint) (bool, error)) (c *Checkpoint, notes []string, err error) {
	c, notes, err = newest(d.path, use)
	if c != nil && len(notes) > 0 {
		notes = append(notes, fmt.Sprintf("resuming from %s, step %d", c.name, c.Step))
	}
	return c, notes, err
}

// Latest returns the newest checkpoint, as [Dir.Newest] does, of the run in a directory that another process may have: nil where none is whole yet. The
// notes say what is wrong with newer ones.
func Latest(dir string) (c *Checkpoint, notes []string, err error) {
	all := func(*Checkpoint) (bool, error) { return true, nil }
	c, notes, err = newest(dir, all)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errAltered) { // the run goes on meanwhile: two newer ones were written, or a resumed one was cut off
		c, notes, err = newest(dir, all)
	}
	return c, notes, err
}

func newest(dir string, use func(*Checkpoint) (bool, error)) (c *Checkpoint, notes []string, err error) {
	names, err := checkpointsOf(dir)
	if err != nil {
		return nil, nil, err
	}
	columns, history, err := recordedIn(dir)
	if err != nil {
		return nil, nil, err
	}
	var altered error
	passed := false
	slices.Reverse(names)
	for _, name := range names {
		c, err := openCheckpoint(filepath.Join(dir, name))
		if err == nil {
			err = c.belongsTo(dir, columns, history)
		}
		switch {
		case errors.Is(err, errAltered):
			altered = err
			fallthrough
		case errors.Is(err, errDamaged):
			notes = append(notes, fmt.Sprintf("checkpoint not used: %v", err))
			continue
		case err != nil:
			return nil, notes, err
		}
		c.name = name
		switch taken, err := use(c); {
		case err != nil:
			return nil, notes, err
		case !taken:
			passed = true
			continue
		}
		return c, notes, nil
	}
	switch {
	case altered != nil:
		return nil, notes, fmt.Errorf("%w; there is no checkpoint from before that: put the file back as it was, "+
			"or make the run anew in another directory", altered)
	case passed:
		notes = append(notes, "no checkpoint is from before the run's end")
	case len(notes) > 0:
		notes = append(notes, "no checkpoint is whole")
	}
	return nil, notes, nil
}

// recordedIn returns the SHA-256 of the file of columns in a run directory, and the history.
func recordedIn(dir string) (columns string, history []byte, err error) {
	if columns, err = sumOf(filepath.Join(dir, columnsFile)); err == nil {
		history, err = userfile.ReadAll(filepath.Join(dir, historyFile))
	}
	return columns, history, err
}

// errAltered marks a history that is not the one that a checkpoint was written with.
var errAltered = errors.New("altered")

// belongsTo says why a checkpoint does not belong to what is recorded in a directory: another file of columns, or, wrapping errAltered, another history.
func (c *Checkpoint) belongsTo(dir, columns string, history []byte) error {
	if c.history.columns != "" && c.history.columns != columns {
		return fmt.Errorf("%s was altered since the checkpoint of step %d was written: put it back as it was, "+
			"or make the run anew in another directory", filepath.Join(dir, columnsFile), c.Step)
	}
	path, size := filepath.Join(dir, historyFile), c.history.size
	switch {
	case size > int64(len(history)):
		return fmt.Errorf("%s was %w: it has %d bytes, and the checkpoint of step %d was written after %d", path, errAltered, len(history), c.Step, size)
	case !c.history.isOf(history):
		return fmt.Errorf("%s was %w: its first %d bytes are not those after which the checkpoint of step %d was written", path, errAltered, size, c.Step)
	}
	return nil
}

// GoOn makes the run go on from a checkpoint of Newest with a config: the result and its sums, if there are any, and newer checkpoints are removed, and
// the history is cut off behind it, so that what is recorded from here on is what a run that was never interrupted would have recorded. It
// may be killed anywhere.
func (d *Dir) GoOn(c *Checkpoint, config []byte) error {
	if err := d.check(); err != nil {
		return err
	}
	if err := d.cutDensities(c); err != nil { // before the sums go, which say what they were
		return err
	}
	for _, name := range []string{resultFile, sumsFile} {
		if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if before, err := userfile.ReadAll(d.file(configFile)); err != nil || string(before) != string(config) {
		if err := atomicfile.WriteBytes(d.file(configFile), config); err != nil {
			return err
		}
	}
	names, err := d.checkpoints()
	if err != nil {
		return err
	}
	size, kept := int64(0), 0
	if c != nil {
		size, kept = c.history.size, slices.Index(names, c.name)+1
	}
	for _, name := range names[kept:] {
		if err := os.Remove(d.file(name)); err != nil {
			return err
		}
	}
	d.history, err = reopenHistory(d.path, d.columns, size)
	return err
}

// WriteCheckpoint makes the history durable and then stores the state that it led
// to; the two newest checkpoints are kept, beside that of the run's end. If it fails the older ones are untouched.
func (d *Dir) WriteCheckpoint(c *Checkpoint) error {
	if err := errors.Join(d.check(), d.history.sync()); err != nil {
		return err
	}
	stored, mark := *c, ""
	if c.Ended {
		mark = endedMark
	}
	columns, err := sumOf(d.file(columnsFile))
	if err != nil {
		return err
	}
	stored.history = binding{size: d.history.size, sum: hex.EncodeToString(d.history.sum.Sum(nil)), columns: columns}
	path := d.file(fmt.Sprintf("%s%012d%s%s", checkpointPrefix, c.Step, mark, checkpointSuffix))
	if err := atomicfile.Write(path, func(w io.Writer) error { return stored.writeTo(w) }); err != nil {
		return err
	}
	names, err := d.checkpoints()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, ofEnded)
	for _, name := range names[:max(0, len(names)-keptCheckpoints)] {
		if err := os.Remove(d.file(name)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) checkpoints() ([]string, error) { return checkpointsOf(d.path) }

// checkpointsOf returns the names of the files of the checkpoints in a run directory, the oldest first; that of a run that has ended is newer than another of
// its step.
func checkpointsOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), checkpointPrefix) && strings.HasSuffix(e.Name(), ".ckpt") {
			return nil, fmt.Errorf("%s is of an earlier version of the program: resume the run with that", filepath.Join(dir, e.Name()))
		}
	}
	return checkpointsAmong(entries), err
}

// checkpointsAmong returns the names of the checkpoints among the files of a directory, in the order of checkpoints.
func checkpointsAmong(entries []os.DirEntry) []string {
	var names []string
	for _, e := range entries {
		if isCheckpoint(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.TrimSuffix(a, checkpointSuffix), strings.TrimSuffix(b, checkpointSuffix))
	})
	return names
}

// ofEnded reports whether a checkpoint of that name is that of a run that has ended.
func ofEnded(name string) bool { return strings.HasSuffix(name, endedMark+checkpointSuffix) }

// isCheckpoint reports whether a file of that name in a run directory is a checkpoint.
func isCheckpoint(name string) bool {
	return strings.HasPrefix(name, checkpointPrefix) && strings.HasSuffix(name, checkpointSuffix)
}
