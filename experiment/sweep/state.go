package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shadowflow/experiment/config"
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
	Stopped     State = "stopped"     // interrupted, and left at that: halving found it hopeless
	Ended       State = "ended"       // its result is there, be it finished or diverged
)

// Status is where a run stands.
type Status struct {
	Run    Run
	Dir    string
	State  State
	Result *run.Result // of an ended run
	// Reason says why a run failed, diverged or was stopped, "" for others.
	Reason string
	// Damaged says that it failed because its directory does not hold what it should: nothing is made or changed there until a person looks at it.
	Damaged bool
	// Step is that of its last record, 0 where there is none; see [Sweep.Status].
	Step int

	pause int  // the step at which it waits for the others of its rung, 0 where it may go to its end
	waits bool // it has come there
}

// Missing reports whether the run is to be made, or to go on: it has not ended and was not stopped, no process has it, and it has not failed, unless what failed
// is to be made again.
func (s Status) Missing(retryFailed bool) bool {
	return s.State == Pending || s.State == Interrupted || s.State == Failed && retryFailed && !s.Damaged
}

// over reports whether nothing more is to be made of the run.
func (s Status) over() bool { return s.State == Ended || s.State == Stopped }

// damaged returns the status of a run whose directory does not hold what it should.
func (s Status) damaged(why error) Status {
	s.State, s.Damaged, s.Result = Failed, true, nil
	s.Reason = fmt.Sprintf("%v (where %s is removed, the run is made anew)", why, s.Dir)
	return s
}

// RunDirs returns where the runs of a sweep in a directory are. A run whose place in the sweep changed keeps its directory, and so does one whose directory
// has the name that an earlier version gave it.
func (s *Sweep) RunDirs(dir string) []string {
	byHash := map[string]string{}
	entries, _ := os.ReadDir(filepath.Join(dir, record.SweepRuns)) // none yet: nothing to find
	for _, e := range entries {
		if i := strings.LastIndexByte(e.Name(), '-'); i >= 0 && e.IsDir() {
			byHash[e.Name()[i+1:]] = e.Name()
		}
	}
	sharing := map[string]int{} // runs that an earlier version had one name for
	for _, r := range s.Runs {
		sharing[r.Hash[:earlierLength]]++
	}
	out := make([]string, len(s.Runs))
	for i, r := range s.Runs {
		earlier := r.Hash[:earlierLength]
		name, ok := byHash[r.shortHash()]
		if !ok {
			name, ok = byHash[earlier]
			ok = ok && (sharing[earlier] == 1 || holds(filepath.Join(dir, record.SweepRuns, name), r))
		}
		if !ok {
			name = r.DirName()
		}
		out[i] = filepath.Join(dir, record.SweepRuns, name)
	}
	return out
}

// holds reports whether a directory is that of a run.
func holds(dir string, r Run) bool {
	there, err := run.ReadConfig(dir)
	return err == nil && there.Hash() == r.Hash
}

// Status returns where each run of a sweep in a directory stands. One whose directory is damaged has failed, with what is wrong as its reason. The
// error is the context's cause if that ends first.
func (s *Sweep) Status(ctx context.Context, dir string) ([]Status, error) {
	out, err := s.states(dir)
	for i, st := range out {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		switch st.State {
		case Pending:
			continue
		case Ended:
			out[i].Step = st.Result.Step
			if err := record.CheckHistory(st.Dir); err != nil {
				out[i] = out[i].damaged(err)
			}
		default:
			out[i].Step = record.LastStep(st.Dir)
		}
	}
	return out, err
}

// states returns where each run stands, of those that have ended by their configs and results alone.
func (s *Sweep) states(dir string) ([]Status, error) {
	dirs, err := s.runDirs(dir)
	if err != nil {
		return nil, err
	}
	out := make([]Status, len(s.Runs))
	for i, r := range s.Runs {
		out[i] = statusOf(r, dirs[i])
	}
	s.halve(out)
	return out, nil
}

// runDirs returns where the runs are, or why that cannot be read.
func (s *Sweep) runDirs(dir string) ([]string, error) {
	if _, err := os.ReadDir(filepath.Join(dir, record.SweepRuns)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("runs of the sweep %s: %w", s.Name, err)
	}
	return s.RunDirs(dir), nil
}

func statusOf(r Run, dir string) Status {
	s := Status{Run: r, Dir: dir, State: Pending}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return s
	}
	result, unread := run.ReadResult(dir)
	there, err := run.ReadConfig(dir)
	again := errors.Is(unread, record.ErrNoResult) // a damaged result is made again, whatever its sums say of the config
	if again {
		there, err = config.Read(record.ConfigPath(dir), nil)
	}
	switch {
	case err == nil && there.Hash() != r.Hash:
		return s.damaged(fmt.Errorf("%s holds another config than run %d, though its name is the same", dir, r.Index))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return s.damaged(err)
	case unread == nil:
		s.State, s.Result = Ended, result
		if result.Diverged() {
			s.Reason = fmt.Sprintf("diverged at step %d", result.Step)
		}
		return s
	case !again && !errors.Is(unread, fs.ErrNotExist):
		return s.damaged(unread)
	}
	if record.InUse(dir) {
		s.State = Running
		return s
	}
	if reason, ok := record.ReadFailure(dir); ok {
		s.State, s.Reason = Failed, reason
		return s
	}
	if there != nil {
		s.State = Interrupted
	}
	return s
}

// Prepare makes the directory of a sweep, with a copy of its file, which replaces that of the sweep as it was, and the program that works on
// it. A directory of something else is refused.
func (s *Sweep) Prepare(dir string) error {
	if err := s.owns(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, record.SweepRuns), 0o755); err != nil {
		return err
	}
	return errors.Join(
		record.WriteVersion(dir, version.Current()), atomicfile.WriteBytes(filepath.Join(dir, record.SweepFile), s.Source))
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
	if there, err := userfile.ReadAll(filepath.Join(dir, record.SweepFile)); err == nil {
		if was, is := nameIn(there), nameIn(s.Source); was != "" && is != "" && was != is {
			return fmt.Errorf("directory %s is of the sweep %s; %s wants one of its own", dir, was, is)
		}
		return nil
	}
	for _, e := range entries { // but for what a start that was killed left
		if name := e.Name(); name != record.SweepRuns && name != record.VersionFile && !atomicfile.IsAside(name) {
			return fmt.Errorf("directory %s: %q is in it, and it is not of a sweep, whose file %s it would have; choose one that is new or empty",
				dir, name, record.SweepFile)
		}
	}
	return nil
}

// nameIn returns the name that a sweep file says, "" if it says none.
func nameIn(source []byte) string {
	document, _ := schema.Parse(record.SweepFile, source) // a file that cannot be read says nothing
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
		src := filepath.Join(path, record.SweepFile)
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
