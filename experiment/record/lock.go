package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"shadowflow/internal/userfile"
)

// The lock's file is never removed, so that no two processes can lock different
// files of that name; who holds it is written beside it, since a lock says nothing.
const (
	lockFile   = "lock"
	holderFile = "lock.json"
)

// InUseError says that another process works in a run directory.
type InUseError struct {
	Dir string
	// PID, Host and Since say which process, as far as it is known.
	PID   int
	Host  string
	Since time.Time
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d on %s, since %s", e.PID, e.Host, e.Since.Format(time.DateTime))
	}
	return fmt.Sprintf("run directory %s is in use by %s; wait for it to end, stop it, or choose another directory", e.Dir, who)
}

// LostError says that a run directory, or its lock, is no longer that of the process that worked in it.
type LostError struct{ Dir, What string }

func (e *LostError) Error() string {
	return fmt.Sprintf("run directory %s: %s while the run went on, which ends here; "+
		"run --resume goes on from the newest checkpoint, where the directory is now", e.Dir, e.What)
}

// Explain returns the error of something that failed in the directory: a *LostError where the directory is no longer that of this process, or a file of it is
// not there, for then this is why.
func (d *Dir) Explain(err error) error {
	if lost := d.check(); lost != nil {
		return lost
	}
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) && filepath.Dir(path.Path) == filepath.Clean(d.path) {
		return &LostError{d.path, fmt.Sprintf("its file %s was moved or deleted", filepath.Base(path.Path))}
	}
	return err
}

// check returns a *LostError if the lock is not where it was taken: the directory was moved or deleted, or the lock was.
func (d *Dir) check() error {
	if there, err := os.Stat(d.file(lockFile)); err == nil && os.SameFile(there, d.held) {
		return nil
	}
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
		return &LostError{d.path, "it was moved or deleted"}
	}
	return &LostError{d.path, "its lock was removed or replaced, so that another process may work in it,"}
}

type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// patience is for how long a lock that is held is asked for again: InUse holds one for a moment.
const patience = 100 * time.Millisecond

// lockDir takes the lock of a run directory or returns an *InUseError. The system frees it when the process ends, however that
// happens.
func lockDir(dir string) (*flock.Flock, error) {
	if err := userfile.Writable(filepath.Join(dir, lockFile)); err != nil { // a pipe would be waited for
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, patience/20)
	if err != nil && ctx.Err() == nil {
		return nil, unlockable(dir, err)
	}
	path := filepath.Join(dir, holderFile)
	if !ok {
		var h holder // stays empty if nobody can say
		_ = readJSON(path, &h)
		return nil, &InUseError{Dir: dir, PID: h.PID, Host: h.Host, Since: h.Since}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	if err := writeJSON(path, holder{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second)}); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}

// unlockable says why a directory cannot be locked, and what to do on a file system that has no locks: the one of flock, which NFS has as a lock of all of
// the file's bytes (Linux since 2.6.12), and Lustre where it is mounted so.
func unlockable(dir string, err error) error {
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK) {
		return fmt.Errorf("cannot lock run directory %s: its file system has no locks (%w), so two processes might work in it unseen; "+
			"mount NFS with locks (without nolock, its lock service running) or Lustre with flock, or choose another directory", dir, err)
	}
	return fmt.Errorf("cannot lock run directory %s: %w", dir, err)
}

// InUse reports whether a process works in a run directory.
func InUse(dir string) bool {
	path := filepath.Join(dir, lockFile)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false // flock would make the file, or wait for a pipe
	}
	lock := flock.New(path)
	free, err := lock.TryRLock()
	if free {
		_ = lock.Unlock() // the descriptor is closed with it
	}
	return err == nil && !free
}

// recently is for how long a run on another machine, where no process can be looked up, is taken to go on after its last row.
const recently = 15 * time.Minute

// Working reports whether a process seems to work in a run directory, without touching its lock: the process that last took it lives, or, if it is one of
// another machine, a row came not long ago. It is for whoever looks on; who is going to write asks the lock.
func Working(dir string) bool {
	var h holder
	if err := readJSON(filepath.Join(dir, holderFile), &h); err != nil || h.PID <= 0 {
		return false
	}
	if host, err := os.Hostname(); err == nil && host == h.Host {
		return lives(h.PID)
	}
	info, err := os.Stat(HistoryPath(dir))
	return err == nil && time.Since(info.ModTime()) < recently
}

// lives reports whether there is a process of that number.
func lives(pid int) bool {
	p, err := os.FindProcess(pid) // on Windows an error where there is none
	if err != nil || runtime.GOOS == "windows" {
		return err == nil
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, syscall.EPERM)
}
