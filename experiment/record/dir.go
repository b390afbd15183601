package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
	"shadowflow/schema"
)

const (
	configFile   = "config.yaml"
	logFile      = "log.txt"
	resultFile   = "result.json"
	standardFile = "standardization.json"

	// VersionFile says in the directory of a run, or of a sweep, which program worked on it last.
	VersionFile = "version.json"
	// WeightsFile has the weights that a run ended with, as PyTorch's state_dict, and AverageFile, in the same form, their average.
	WeightsFile = "weights.safetensors"
	AverageFile = "average.safetensors"
)

// A Dir is the directory of a run, locked by this process until Close.
//
// Every method that writes returns an error that names the file if it could not, a
// full disk for example; what was recorded before is still there then. It is a *LostError once the directory is not this process's any more.
type Dir struct {
	path    string
	lock    *flock.Flock
	held    fs.FileInfo // the lock's file
	log     *os.File
	history *historyWriter // nil before Create or GoOn
	columns []Column
}

// ErrExists is what Create returns if there is a run in the directory.
var ErrExists = errors.New("there is a run in it already")

// Create makes the directory of a new run, with the config as resolved and an
// empty history of the given columns, the first of which is step. The directory is new, or empty but for what a start that was killed
// left. The error is an *InUseError if another process has it, and wraps ErrExists if a run is in it.
func Create(path string, config []byte, columns []Column) (*Dir, error) {
	// A directory of something else gets not even a lock. One with a run may be in use, which the lock says.
	if err := unused(path); err != nil && !errors.Is(err, ErrExists) {
		return nil, err
	}
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
	if err := unused(d.path); err != nil { // another process may have been here before the lock was ours
		return err
	}
	d.columns = columns
	var err error
	if d.history, err = createHistory(d.path, columns); err != nil {
		return err
	}
	// The config comes last: a directory with one holds all the rest as well.
	return atomicfile.WriteBytes(d.file(configFile), config)
}

// unused refuses a directory with a run in it, or with anything that a start that was killed does not leave.
func unused(path string) error {
	if _, err := os.Stat(ConfigPath(path)); err == nil {
		return fmt.Errorf("run directory %s: %w; go on with it by shadowflow run --resume %s, or choose another directory", path, ErrExists, path)
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return fmt.Errorf("run directory %s: it is a file; choose a directory that is new or empty", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run directory %s: %w", path, err)
	}
	var others []string
	for _, e := range entries {
		name := e.Name()
		left := slices.Contains([]string{lockFile, holderFile, logFile, columnsFile, failureFile}, name) || atomicfile.IsAside(name)
		if name == historyFile { // whoever has rows has a config
			data, err := userfile.ReadAll(filepath.Join(path, name))
			left = err == nil && headerSize(data) == int64(len(data))
		}
		if !left {
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	const named = 3
	what := strings.Join(others[:min(named, len(others))], ", ")
	if more := len(others) - named; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("run directory %s: %q and no run is in it; choose one that is new or empty", path, what)
}

// lockFor locks an existing directory, removes what a killed process left unfinished there and why an earlier one failed, and opens
// the log.
func lockFor(path string) (*Dir, error) {
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if d.held, err = lock.Stat(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	if err := errors.Join(d.check(), atomicfile.Sweep(path, 0), d.removeFailure(), userfile.Writable(d.file(logFile))); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	if d.log, err = os.OpenFile(d.file(logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return d, nil
}

// ConfigPath returns the path of the config of the run in a directory.
func ConfigPath(dir string) string { return filepath.Join(dir, configFile) }

// HistoryPath returns the path of the history of the run in a directory.
func HistoryPath(dir string) string { return filepath.Join(dir, historyFile) }

// ResultPath returns the path of the result of the run in a directory, which is there once it has ended.
func ResultPath(dir string) string { return filepath.Join(dir, resultFile) }

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Append adds a row to the history, its values in the order of the columns. It is in
// the file when Append returns, though not safe from a power failure before the next
// checkpoint.
func (d *Dir) Append(row []Value) error {
	if err := d.check(); err != nil {
		return err
	}
	return d.history.append(row)
}

// Columns returns the columns of the history.
func (d *Dir) Columns() []Column { return d.columns }

// Logf adds a line to the log, with the time.
func (d *Dir) Logf(format string, args ...any) error {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n\t")
	_, err := fmt.Fprintf(d.log, "%s %s\n", time.Now().Format(time.RFC3339), text)
	return err
}

// WriteResult makes v, as JSON, the result of the run, which marks its end. The files of the directory that are named here, and those of the record
// itself, are bound to it: SHA256SUMS has what they are.
func (d *Dir) WriteResult(v any, files ...string) error {
	data, err := formatJSON(d.file(resultFile), v)
	if err != nil {
		return err
	}
	if err := errors.Join(d.check(), d.history.sync()); err != nil {
		return err
	}
	if err := d.writeSums(data, files); err != nil {
		return err
	}
	return atomicfile.WriteBytes(d.file(resultFile), data)
}

// WriteStandardization makes v, as JSON, what says how the run's data was standardized.
func (d *Dir) WriteStandardization(v any) error { return writeJSON(d.file(standardFile), v) }

// WriteVersion makes v, as JSON, what says which program the run is of.
func (d *Dir) WriteVersion(v any) error { return WriteVersion(d.path, v) }

// WriteVersion makes v, as JSON, what says which program a directory is of.
func WriteVersion(dir string, v any) error { return writeJSON(filepath.Join(dir, VersionFile), v) }

// ReadVersion reads into v what says which program worked last on the run, or the sweep, in a directory. The error is fs.ErrNotExist if nothing says.
func ReadVersion(dir string, v any) error { return readJSON(filepath.Join(dir, VersionFile), v) }

// ReadResult reads the result of the run in a directory into v. The error is fs.ErrNotExist if the run has not ended, and wraps
// ErrNoResult if the file has none: the run that is resumed writes it anew.
func ReadResult(dir string, v any) error {
	path := filepath.Join(dir, resultFile)
	data, err := userfile.ReadAll(path)
	if err != nil {
		return err
	}
	if err := parseJSON(path, data, v); err != nil {
		return fmt.Errorf("%w: %w; run --resume writes it anew", ErrNoResult, err)
	}
	switch s, err := readSums(dir); {
	case errors.Is(err, errSums):
		return fmt.Errorf("%w: %w, by which the result is known", ErrNoResult, err)
	case err != nil:
		return err
	case s != nil && s[resultFile] != sumOfBytes(data):
		return fmt.Errorf("%w: %s is not the one that the run wrote, by %s; run --resume writes it anew", ErrNoResult, path, sumsFile)
	}
	return nil
}

// ReadConfig reads the config of a run. An empty one is refused.
func ReadConfig(dir string) ([]schema.Setting, error) {
	path := ConfigPath(dir)
	document, err := schema.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noRun(dir, configFile)
	case err == nil && len(document) == 0:
		return nil, fmt.Errorf("%s is empty, and a run's has every key: it was %w; put it back as it was", path, errAltered)
	}
	return document, err
}

// CheckConfig refuses a config of a run that is empty, or is not the one that the run ended with.
func CheckConfig(dir string) error {
	if err := isDir(dir); err != nil {
		return err
	}
	if err := CheckFile(dir, configFile); err != nil {
		return err
	}
	_, err := ReadConfig(dir)
	return err
}

// CheckFile refuses a file of a run that has ended, which is not the one that it ended with. Of one that has not, and of files that it does not
// end with, nothing is known.
func CheckFile(dir, name string) error {
	s, err := readSums(dir)
	if err != nil {
		return err
	}
	if err := s.check(dir, name); err != nil {
		return fmt.Errorf("%w; put it back as it was", err)
	}
	return nil
}

// ErrNoResult says that a run's result is damaged.
var ErrNoResult = errors.New("the result is damaged")

// Close makes the history durable and gives the directory free.
func (d *Dir) Close() error {
	var errs []error
	if d.history != nil {
		errs = append(errs, d.history.close())
	}
	return errors.Join(append(errs, d.log.Close(), d.lock.Unlock())...)
}
