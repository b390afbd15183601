package sweep

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"shadowflow/experiment/record"
)

// exportDir is the folder for TensorBoard in the directory of a sweep.
const exportDir = "tensorboard"

// An Export is a run of a sweep, and the folder of TensorBoard's log directory that it goes to.
type Export struct{ Dir, Out string }

// Exports returns the runs of a sweep in a directory that have a history, which may be damaged, each with its folder in the log directory out, called
// as the run's. If out is empty it is in the sweep's directory.
func (s *Sweep) Exports(dir, out string) []Export {
	if out == "" {
		out = filepath.Join(dir, exportDir)
	}
	var exports []Export
	for _, run := range s.RunDirs(dir) {
		if _, err := os.Stat(record.HistoryPath(run)); !errors.Is(err, fs.ErrNotExist) {
			exports = append(exports, Export{run, filepath.Join(out, filepath.Base(run))})
		}
	}
	return exports
}

// IsDir reports whether a directory is one of a sweep.
func IsDir(path string) bool {
	_, err := os.Stat(filepath.Join(path, record.SweepFile))
	runs, missing := os.Stat(filepath.Join(path, record.SweepRuns))
	return err == nil && missing == nil && runs.IsDir()
}
