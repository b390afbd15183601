package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
	"shadowflow/internal/version"
	"shadowflow/schema"
)

// State says how far a run of a sweep has come.
type State string

// The states of a run.
const (
	Pending     State = "pending"     // nothing of it is there
	Running     State = "running"     // a process works in its directory
	Interrupted State = "interrupted" // begun, not ended: it continues from its last checkpoint
	Failed      State = "failed"      // it stopped with an error
	Ended       State = "ended"       // its result is there, be it finished or diverged
)

// Status is where a run stands.
type Status struct {
	Run    Run
	Dir    string
	State  State
	Result *run.Result // of an ended run
	// Reason says why a run failed or diverged, "" for others.
	Reason string
}

// sourceFile is the copy of the sweep file in the sweep's directory.
const sourceFile = "sweep.yaml"

// runsDir is the directory of the runs in it.
const runsDir = "runs"

// RunDirs returns where the runs of a sweep in a directory are. A run whose place in the sweep changed keeps its directory.
func (s *Sweep) RunDirs(dir string) []string {
	byHash := map[string]string{}
	entries, _ := os.ReadDir(filepath.Join(dir, runsDir)) // none yet: nothing to find
	for _, e := range entries {
		if i := strings.LastIndexByte(e.Name(), '-'); i >= 0 && e.IsDir() {
			byHash[e.Name()[i+1:]] = e.Name()
		}
	}
	out := make([]string, len(s.Runs))
	for i, r := range s.Runs {
		name := r.DirName()
		if there, ok := byHash[r.shortHash()]; ok {
			name = there
		}
		out[i] = filepath.Join(dir, runsDir, name)
	}
	return out
}

// Status returns where each run of a sweep in a directory stands.
func (s *Sweep) Status(dir string) ([]Status, error) {
	dirs := s.RunDirs(dir)
	out := make([]Status, len(s.Runs))
	for i, r := range s.Runs {
		var err error
		if out[i], err = statusOf(r, dirs[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func statusOf(r Run, dir string) (Status, error) {
	s := Status{Run: r, Dir: dir, State: Pending}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	there, err := run.ReadConfig(dir)
	if err == nil && there.Hash() != r.Hash {
		return s, fmt.Errorf("%s holds another config than run %d, though its name is the same; remove it", dir, r.Index)
	}
	switch result, err := run.ReadResult(dir); {
	case err == nil:
		s.State, s.Result = Ended, result
		if result.Diverged() {
			s.Reason = fmt.Sprintf("diverged at step %d", result.Step)
		}
		return s, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, record.ErrNoResult): // a damaged one is made again
		return s, err
	}
	if record.InUse(dir) {
		s.State = Running
		return s, nil
	}
	if reason, ok := record.ReadFailure(dir); ok {
		s.State, s.Reason = Failed, reason
		return s, nil
	}
	if there != nil {
		s.State = Interrupted
	}
	return s, nil
}

// Prepare makes the directory of a sweep, with a copy of its file, which replaces that of the sweep as it was, and the program that works on
// it. A directory of something else is refused.
func (s *Sweep) Prepare(dir string) error {
	if err := s.owns(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, runsDir), 0o755); err != nil {
		return err
	}
	return errors.Join(
		record.WriteVersion(dir, version.Current()), atomicfile.WriteBytes(filepath.Join(dir, sourceFile), s.Source))
}

// owns refuses a directory that holds anything and is not one of a sweep, or is of one with another name.
func (s *Sweep) owns(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("directory %s of the sweep: it is a file; choose a directory that is new or empty", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("directory %s of the sweep: %w", dir, err)
	}
	if there, err := userfile.ReadAll(filepath.Join(dir, sourceFile)); err == nil {
		if was, is := nameIn(there), nameIn(s.Source); was != "" && is != "" && was != is {
			return fmt.Errorf("directory %s is of the sweep %s; %s wants one of its own", dir, was, is)
		}
		return nil
	}
	for _, e := range entries { // but for what a start that was killed left
		if name := e.Name(); name != runsDir && name != record.VersionFile && !atomicfile.IsAside(name) {
			return fmt.Errorf("directory %s: %q is in it, and it is not of a sweep, whose file %s it would have; choose one that is new or empty",
				dir, name, sourceFile)
		}
	}
	return nil
}

// nameIn returns the name that a sweep file says, "" if it says none.
func nameIn(source []byte) string {
	document, _ := schema.Parse(sourceFile, source) // a file that cannot be read says nothing
	for _, s := range document {
		if name, ok := s.Text(); ok && s.Key == "name" {
			return name
		}
	}
	return ""
}

// Open reads a sweep from its file, or from its directory, and returns the directory too: the one given, or, for a file,
// sweeps/NAME.
func Open(path string, limit int, overrides ...[]schema.Setting) (s *Sweep, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		src := filepath.Join(path, sourceFile)
		if _, err := os.Stat(src); err != nil {
			return nil, "", fmt.Errorf("%s is a directory, but not of a sweep: %w", path, err)
		}
		s, err = Read(src, limit, overrides...)
		return s, path, err
	}
	if s, err = Read(path, limit, overrides...); err != nil {
		return nil, "", err
	}
	return s, filepath.Join("sweeps", s.Name), nil
}
