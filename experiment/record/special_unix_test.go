//go:build unix

package record

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A run's directory may come from anywhere: none of its files is waited for, or read without end.
func TestPipesAndDevicesInARunsDirectoryAreRefused(t *testing.T) {
	for _, name := range []string{configFile, columnsFile, historyFile, resultFile, timesFile, logFile, lockFile} {
		for what, target := range map[string]string{"a named pipe": "pipe", "a device": "/dev/zero"} {
			t.Run(name+" is "+what, func(t *testing.T) {
				dir := t.TempDir()
				if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
					t.Skip(err)
				}
				for _, other := range []string{configFile, columnsFile, historyFile} {
					if other != name {
						text := "name,type,unit,meaning\nstep,int,1,n\n"
						if other == configFile {
							text = "steps: 1\n"
						}
						if err := os.WriteFile(filepath.Join(dir, other), []byte(text), 0o600); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				var err error
				switch name {
				case columnsFile, historyFile:
					_, err = ReadHistory(dir)
				case timesFile:
					_, _, _, err = (&Dir{path: dir}).OpenTimes(0)
				case lockFile:
					if InUse(dir) {
						t.Error("it is in use")
					}
					_, err = lockFor(dir)
				case logFile:
					_, err = lockFor(dir)
				default:
					err = readJSON(filepath.Join(dir, name), new(any))
				}
				if err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("error %v, want that it is %s", err, what)
				}
			})
		}
	}
}

func TestADirectoryThatIsNoneIsSaidToBe(t *testing.T) {
	pipe, file := filepath.Join(t.TempDir(), "pipe"), filepath.Join(t.TempDir(), "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, file, "/dev/zero"} {
		for name, read := range map[string]func() error{
			"history": func() error { _, err := ReadHistory(path); return err },
			"config":  func() error { return CheckConfig(path) },
			"resume":  func() error { _, err := Open(path); return err },
			"export":  func() error { _, _, err := Export(path, "csv", ""); return err },
		} {
			if err := read(); err == nil || !strings.Contains(err.Error(), path+" is not a directory; want that of a run") {
				t.Errorf("%s of %s: %v", name, path, err)
			}
		}
	}
}
