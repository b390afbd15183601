package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func TestADirectoryInUseSaysByWhom(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	if !InUse(dir) {
		t.Error("InUse does not see it")
	}
	_, err = Open(dir)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprintf("is in use by process %d on ", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if _, err := Create(dir, testConfig(), testColumns()); !errors.As(err, &inUse) {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if InUse(dir) {
		t.Error("InUse does not see that it is free again")
	}
	if err := tryToResume(dir); err != nil {
		t.Error(err)
	}
}

func TestAFileSystemWithoutLocksIsNamed(t *testing.T) {
	for _, c := range []struct {
		err  error
		says bool
	}{{syscall.ENOSYS, true}, {syscall.ENOLCK, true}, {syscall.EOPNOTSUPP, true}, {syscall.EACCES, false}} {
		t.Run(c.err.Error(), func(t *testing.T) {
			got := unlockable("runs/1", &os.PathError{Op: "flock", Path: "runs/1/lock", Err: c.err})
			if strings.Contains(got.Error(), "its file system has no locks") != c.says || !errors.Is(got, c.err) {
				t.Error(got)
			}
		})
	}
}

func TestAMomentsLookAtTheLockStopsNoRun(t *testing.T) {
	dir := t.TempDir()
	look := flock.New(filepath.Join(dir, lockFile))
	if err := look.RLock(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(patience/5, func() { _ = look.Unlock() })
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhereNothingIsNobodyWorks(t *testing.T) {
	dir := t.TempDir()
	if InUse(dir) || len(listing(t, dir)) > 0 {
		t.Errorf("in use, or it left %v", listing(t, dir))
	}
}

func TestAFailureIsReadUntilTheRunStarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if reason, failed := ReadFailure(dir); failed {
		t.Errorf("got %q of no directory", reason)
	}
	const why = "out of memory:\n\"data\""
	if err := WriteFailure(dir, errors.New(why)); err != nil {
		t.Fatal(err)
	}
	if reason, failed := ReadFailure(dir); !failed || reason != why {
		t.Errorf("got %q, %v", reason, failed)
	}
	if _, err := runToy(dir, 3); err != nil {
		t.Fatal(err)
	}
	if reason, failed := ReadFailure(dir); failed {
		t.Errorf("the run has ended, but %q", reason)
	}
}

func TestWorkingLooksAtTheHolderAndLeavesTheLockAlone(t *testing.T) {
	d, err := Create(filepath.Join(t.TempDir(), "run"), []byte("steps: 1\n"), followed)
	if err != nil {
		t.Fatal(err)
	}
	if !Working(d.Path()) {
		t.Error("not working while this process holds it")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(d.file(lockFile))
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		holder
		written time.Duration // ago
		want    bool
	}{
		{"a process that has ended", holder{PID: child.Process.Pid, Host: host}, 0, false},
		{"another machine, a row just now", holder{PID: 1, Host: host + "-other"}, 0, true},
		{"another machine, no row for hours", holder{PID: 1, Host: host + "-other"}, 3 * time.Hour, false},
		{"no process", holder{}, 0, false},
	} {
		if err := writeJSON(d.file(holderFile), c.holder); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-c.written)
		if err := os.Chtimes(HistoryPath(d.Path()), at, at); err != nil {
			t.Fatal(err)
		}
		if got := Working(d.Path()); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if after, err := os.Stat(d.file(lockFile)); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the lock was touched, %v", err)
	}
}
