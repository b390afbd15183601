package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"shadowflow/internal/atomicfile"
)

const (
	configFile       = "config.yaml"
	logFile          = "log.txt"
	resultFile       = "result.json"
	standardFile     = "standardization.json"
	checkpointPrefix = "checkpoint-"
	checkpointSuffix = ".safetensors"
	keptCheckpoints  = 2
)

// A Dir is the directory of a run, locked by this process until Close.
//
// Every method that writes returns an error that names the file if it could not, a
// full disk for example; what was recorded before is still there then.
type Dir struct {
	path    string
	lock    *flock.Flock
	log     *os.File
	history *historyWriter
}

// ErrExists is what Create returns if there is a run in the directory.
var ErrExists = errors.New("there is a run in it already")

// Create makes the directory of a new run, with the config as resolved and an
// empty history of the given columns, the first of which is step. The error is an
// *InUseError if another process has it, and wraps ErrExists if a run is in it.
func Create(path string, config []byte, columns []Column) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	d, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	if err := d.create(config, columns); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dir) create(config []byte, columns []Column) error {
	if _, err := os.Stat(d.file(configFile)); err == nil {
		return fmt.Errorf("run directory %s: %w; resume it, or choose another directory", d.path, ErrExists)
	}
	var err error
	if d.history, err = createHistory(d.path, columns); err != nil {
		return err
	}
	// The config comes last: a directory with one holds all the rest as well.
	return atomicfile.WriteBytes(d.file(configFile), config)
}

// A Resumption is a run directory from which a run goes on.
type Resumption struct {
	Dir *Dir
	// Checkpoint is the newest checkpoint that is whole, nil to start from step 0.
	Checkpoint *Checkpoint
	// Notes say what was found damaged, and what is done instead; they are in the log too.
	Notes []string
}

// Resume opens the directory of a run that was interrupted, and cuts off the
// history behind the checkpoint that it returns: a run that continues from there
// records what an uninterrupted one would have. The error is an *InUseError if another
// process has the directory, and wraps fs.ErrNotExist if there is no run in it.
func Resume(path string) (*Resumption, error) {
	if _, err := os.Stat(filepath.Join(path, configFile)); err != nil {
		return nil, fmt.Errorf("no run to resume in %s: %w", path, err)
	}
	d, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	r, err := d.resume()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return r, nil
}

func (d *Dir) resume() (*Resumption, error) {
	r := &Resumption{Dir: d}
	var err error
	r.Checkpoint, r.Notes, err = d.newestCheckpoint()
	for _, note := range r.Notes {
		err = errors.Join(err, d.Logf("%s", note))
	}
	if err != nil {
		return nil, err
	}
	size := int64(0)
	if r.Checkpoint != nil {
		size = r.Checkpoint.historySize
	}
	d.history, err = reopenHistory(d.path, size)
	return r, err
}

// lockFor locks an existing directory, removes what a killed process left unfinished there and why an earlier one failed, and opens
// the log.
func lockFor(path string) (*Dir, error) {
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if err := errors.Join(atomicfile.Sweep(path, 0), d.removeFailure()); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	if d.log, err = os.OpenFile(d.file(logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return d, nil
}

// ConfigPath returns the path of the config of the run in a directory.
func ConfigPath(dir string) string { return filepath.Join(dir, configFile) }

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Append adds a row to the history, its values in the order of the columns. It is in
// the file when Append returns, though not safe from a power failure before the next
// checkpoint.
func (d *Dir) Append(row []Value) error { return d.history.append(row) }

// Columns returns the columns of the history.
func (d *Dir) Columns() []Column { return d.history.columns }

// Logf adds a line to the log, with the time.
func (d *Dir) Logf(format string, args ...any) error {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n\t")
	_, err := fmt.Fprintf(d.log, "%s %s\n", time.Now().Format(time.RFC3339), text)
	return err
}

// WriteResult makes v, as JSON, the result of the run.
func (d *Dir) WriteResult(v any) error { return writeJSON(d.file(resultFile), v) }

// WriteStandardization makes v, as JSON, what says how the run's data was standardized.
func (d *Dir) WriteStandardization(v any) error { return writeJSON(d.file(standardFile), v) }

// ReadResult reads the result of the run in a directory into v. The error is fs.ErrNotExist if the run has not ended.
func ReadResult(dir string, v any) error { return readJSON(filepath.Join(dir, resultFile), v) }

// WriteCheckpoint makes the history durable and then stores the state that it led
// to; the two newest checkpoints are kept. If it fails the older ones are untouched.
func (d *Dir) WriteCheckpoint(c *Checkpoint) error {
	if err := d.history.sync(); err != nil {
		return err
	}
	stored := *c
	stored.historySize = d.history.size
	path := d.file(fmt.Sprintf("%s%012d%s", checkpointPrefix, c.Step, checkpointSuffix))
	if err := atomicfile.Write(path, func(w io.Writer) error { return stored.writeTo(w) }); err != nil {
		return err
	}
	names, err := d.checkpoints()
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keptCheckpoints)] {
		if err := os.Remove(d.file(name)); err != nil {
			return err
		}
	}
	return nil
}

// checkpoints returns the names of the checkpoints' files, the oldest first.
func (d *Dir) checkpoints() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isCheckpoint(e.Name()) {
			names = append(names, e.Name())
		}
		if strings.HasPrefix(e.Name(), checkpointPrefix) && strings.HasSuffix(e.Name(), ".ckpt") {
			return nil, fmt.Errorf("%s is of an earlier version of the program: resume the run with that", d.file(e.Name()))
		}
	}
	return names, nil
}

// isCheckpoint reports whether a file of that name in a run directory is a checkpoint.
func isCheckpoint(name string) bool {
	return strings.HasPrefix(name, checkpointPrefix) && strings.HasSuffix(name, checkpointSuffix)
}

// newestCheckpoint returns the newest checkpoint that is whole, and says what is wrong with
// any newer one. Those are removed, so that they do not count among the kept.
func (d *Dir) newestCheckpoint() (*Checkpoint, []string, error) {
	names, err := d.checkpoints()
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(names)
	var notes []string
	for _, name := range names {
		c, err := openCheckpoint(d.file(name))
		if err == nil {
			if len(notes) > 0 {
				notes = append(notes, fmt.Sprintf("resuming from %s, step %d", name, c.Step))
			}
			return c, notes, nil
		}
		if !errors.Is(err, errDamaged) {
			return nil, notes, err
		}
		notes = append(notes, fmt.Sprintf("checkpoint not used, and removed: %v", err))
		if err := os.Remove(d.file(name)); err != nil {
			return nil, notes, err
		}
	}
	if len(notes) > 0 {
		notes = append(notes, "no checkpoint is whole: starting again from step 0")
	}
	return nil, notes, nil
}

// Close makes the history durable and gives the directory free.
func (d *Dir) Close() error {
	var errs []error
	if d.history != nil {
		errs = append(errs, d.history.close())
	}
	return errors.Join(append(errs, d.log.Close(), d.lock.Unlock())...)
}
