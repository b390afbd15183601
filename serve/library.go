package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
)

// A library is the runs and sweeps below a folder.
type library struct {
	root string // absolute, without symbolic links
	mu   sync.Mutex
	seen map[string]*known // by the path of the entry
	followers
}

// An entry is a run or a sweep as the list shows it.
type entry struct {
	// Path is below the folder, with slashes; "." is the folder itself.
	Path string `json:"path"`
	// Kind is run or sweep, State where it stands: how it ended, running, interrupted, failed or damaged.
	Kind  string `json:"kind"`
	State string `json:"state,omitempty"`
	// Step is the last that is recorded, Steps how many the run takes.
	Step  int            `json:"step,omitempty"`
	Steps int            `json:"steps,omitempty"`
	Loss  *record.Number `json:"loss,omitempty"`
	// Loss is that of the end. Objective and Optimizer are what a run is of.
	Objective string `json:"objective,omitempty"`
	Optimizer string `json:"optimizer,omitempty"`
	// Changed is when anything was last written, in milliseconds since 1970.
	Changed int64 `json:"changed"`
	// Problem says what is wrong with it.
	Problem string `json:"problem,omitempty"`
}

// known is an entry with what it was made from: texts that change with its files, and with its config.
type known struct {
	entry
	mark, config string
}

func newLibrary(dir string) (*library, error) {
	root, err := filepath.Abs(dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory; want one with runs in it", dir)
	}
	return &library{root: root, seen: map[string]*known{}, followers: followers{open: map[string]*followed{}}}, nil
}

// The bounds of a listing.
const (
	deepest     = 8
	mostEntries = 20000
	mostFolders = 200000
)

// list returns the runs and sweeps there are, those that changed last first. Folders that are named by symbolic links are not entered. whole is false where
// there are more.
func (l *library) list(ctx context.Context) (entries []entry, whole bool, err error) {
	whole = true
	folders, here := 0, map[string]bool{}
	var walk func(at string, depth int) error
	walk = func(at string, depth int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if folders++; depth > deepest || folders > mostFolders || len(entries) >= mostEntries {
			whole = false
			return nil
		}
		dir := filepath.Join(l.root, filepath.FromSlash(at))
		files, err := os.ReadDir(dir)
		if err != nil {
			if at == "." {
				return err
			}
			return nil // not ours to read
		}
		names := map[string]fs.DirEntry{}
		for _, f := range files {
			names[f.Name()] = f
		}
		kind := kindOf(names)
		if kind != "" {
			here[at] = true
			entries = append(entries, l.entry(at, kind))
		}
		if kind == "run" {
			return nil
		}
		for _, f := range files {
			if f.IsDir() && !strings.HasPrefix(f.Name(), ".") {
				if err := walk(path.Join(at, f.Name()), depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(".", 0); err != nil {
		return nil, false, err
	}
	l.forget(here)
	slices.SortStableFunc(entries, func(a, b entry) int { return int(b.Changed - a.Changed) })
	return entries, whole, nil
}

// forget drops what is known of entries that are gone.
func (l *library) forget(here map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.seen {
		if !here[at] {
			delete(l.seen, at)
		}
	}
}

// kindOf says what a folder with such files is.
func kindOf(names map[string]fs.DirEntry) string {
	file := func(name string) bool { f, ok := names[name]; return ok && !f.IsDir() }
	switch {
	case file(filepath.Base(record.HistoryPath(""))) && file(filepath.Base(record.ConfigPath(""))):
		return "run"
	case file(record.SweepFile):
		return "sweep"
	}
	return ""
}

// inside returns the directory of an entry, and refuses a path that leads out of the library, itself or by symbolic links, or a run or sweep with files
// that do.
func (l *library) inside(at string) (string, error) {
	if !fs.ValidPath(at) {
		return "", refuse("%.200q is no path below the folder", at)
	}
	dir := filepath.Join(l.root, filepath.FromSlash(at))
	there, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("there is no %s: %w", at, fs.ErrNotExist)
	}
	if there != dir {
		return "", refuse("%.200q leads elsewhere by a symbolic link", at)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f.Type()&fs.ModeSymlink == 0 {
			continue
		}
		to, err := filepath.EvalSymlinks(filepath.Join(dir, f.Name()))
		if err != nil {
			continue // it leads nowhere
		}
		if below, err := filepath.Rel(l.root, to); err != nil || !filepath.IsLocal(below) {
			return "", refuse("%s: its %.200q is a symbolic link to what is not below the folder that is served", at, f.Name())
		}
	}
	return dir, nil
}

// entry returns what the list says of a run or a sweep, from memory where nothing has changed.
func (l *library) entry(at, kind string) entry {
	dir := filepath.Join(l.root, filepath.FromSlash(at))
	mark, changed := markOf(dir)
	l.mu.Lock()
	before := l.seen[at]
	l.mu.Unlock()
	if before != nil && before.mark == mark && before.State != running {
		return before.entry
	}
	e := entry{Path: at, Kind: kind, Changed: changed.UnixMilli()}
	config := markOfFile(record.ConfigPath(dir))
	if dir, err := l.inside(at); err != nil {
		e.State, e.Problem = damaged, err.Error()
	} else if kind == "run" {
		if before != nil && before.config == config && before.State == running { // to read a config takes longest
			e.Steps, e.Objective, e.Optimizer = before.Steps, before.Objective, before.Optimizer
		}
		describe(&e, dir)
	}
	l.mu.Lock()
	l.seen[at] = &known{e, mark, config}
	l.mu.Unlock()
	return e
}

// markOf returns a text that changes with the files of a run or a sweep, and when they last did.
func markOf(dir string) (mark string, changed time.Time) {
	var b strings.Builder
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", changed
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || f.IsDir() {
			continue
		}
		fmt.Fprintf(&b, "%s %d %d\n", f.Name(), info.Size(), info.ModTime().UnixNano())
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
	}
	return b.String(), changed
}

// markOfFile returns a text that changes with a file.
func markOfFile(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}

// States of runs that have not ended, beside those of [run.Status].
const (
	running     = string(sweep.Running)
	interrupted = string(sweep.Interrupted)
	failed      = string(sweep.Failed)
	damaged     = "damaged"
)

// describe says of a run what its files say, without its history; what its config says only where that is not there yet.
func describe(e *entry, dir string) {
	if e.Optimizer == "" {
		c, err := run.ReadConfig(dir)
		if err != nil {
			e.State, e.Problem = damaged, err.Error()
			return
		}
		e.Steps, e.Objective, e.Optimizer = c.Steps, c.Trained(), c.Optimizer.String()
	}
	result, err := run.ReadResult(dir)
	switch reason, hasFailed := record.ReadFailure(dir); {
	case err == nil:
		e.State, e.Step = string(result.Status), result.Step
		e.Loss = &result.Loss
		return
	case !errors.Is(err, fs.ErrNotExist):
		e.State, e.Problem = damaged, err.Error()
	case hasFailed:
		e.State, e.Problem = failed, reason
	case record.Working(dir):
		e.State = running
	default:
		e.State = interrupted
	}
	e.Step = record.LastStep(dir)
}
