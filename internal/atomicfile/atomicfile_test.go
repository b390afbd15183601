package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAFileIsReplacedWholeAndNothingIsLeftBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 255)) // the longest name that file systems take
	for _, text := range []string{"a long first text", "second"} {
		if err := WriteBytes(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got := listing(t, dir); len(got) != 1 {
		t.Errorf("the directory has %v", got)
	}
}

func TestAfterAnErrorTheFileIsWhatItWas(t *testing.T) {
	failure := errors.New("no space left")
	half := func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, failure)
	}
	for name, before := range map[string]string{"a file": "before", "no file": ""} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if before != "" {
				if err := WriteBytes(path, []byte(before)); err != nil {
					t.Fatal(err)
				}
			}
			want := listing(t, dir)
			if err := Write(path, half); !errors.Is(err, failure) || !strings.Contains(err.Error(), path+" was not written") {
				t.Errorf("got %v", err)
			}
			if got := listing(t, dir); !reflect.DeepEqual(got, want) {
				t.Errorf("%v became %v", want, got)
			}
			if got, _ := os.ReadFile(path); string(got) != before {
				t.Errorf("the file is %q", got)
			}
		})
	}
}

func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a directory": dir, "a device": os.DevNull, "a missing directory": filepath.Join(dir, "x", "f")} {
		t.Run(name, func(t *testing.T) {
			if err := WriteBytes(path, nil); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := listing(t, dir); len(got) != 0 {
		t.Errorf("the directory has %v", got)
	}
}

func TestSweepRemovesWhatKilledProcessesLeftAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	long, ago := []string{".shadowflow-0.tmp", ".shadowflow-1.tmp", "history.csv", ".shadowflow-notes"}, time.Now().Add(-time.Hour)
	for _, name := range long {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, long[0]), ago, ago); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		idle time.Duration
		want []string
	}{
		{time.Minute, []string{".shadowflow-1.tmp", ".shadowflow-notes", "history.csv"}},
		{0, []string{".shadowflow-notes", "history.csv"}},
	} {
		if err := Sweep(dir, c.idle); err != nil {
			t.Fatal(err)
		}
		if got := listing(t, dir); !reflect.DeepEqual(got, c.want) {
			t.Errorf("idle for %v: left %v, want %v", c.idle, got, c.want)
		}
	}
}

func TestAFolderAsideLiesInTheNearestDirectoryThereIsAndIsSwept(t *testing.T) {
	dir := t.TempDir()
	path, remove, err := Folder(filepath.Join(dir, "not", "there"))
	if err != nil || filepath.Dir(path) != dir {
		t.Fatalf("%s, %v", path, err)
	}
	if err := os.WriteFile(filepath.Join(path, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if path, _, err = Folder(dir); err != nil { // of a process that is killed now
		t.Fatal(err)
	}
	if err := Sweep(dir, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}
