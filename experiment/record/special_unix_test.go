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
	for _, name := range []string{configFile, columnsFile, historyFile, resultFile, timesFile, logFile} {
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
					_, _, err = OpenTimes(dir, 0)
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
