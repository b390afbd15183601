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

// Exports returns the runs of a sweep in a directory that have a history, each with its folder in the log directory out, called as the run's, and
// how many have none yet. If out is empty it is in the sweep's directory.
func (s *Sweep) Exports(dir, out string) (exports []Export, logDir string, without int, err error) {
	if out == "" {
		out = filepath.Join(dir, exportDir)
	}
	for _, run := range s.RunDirs(dir) {
		switch _, err := record.ReadHistory(run); {
		case err == nil:
			exports = append(exports, Export{run, filepath.Join(out, filepath.Base(run))})
		case errors.Is(err, fs.ErrNotExist):
			without++
		default:
			return nil, "", 0, err
		}
	}
	return exports, out, without, nil
}

// IsDir reports whether a directory is one of a sweep.
func IsDir(path string) bool {
	_, err := os.Stat(filepath.Join(path, sourceFile))
	runs, missing := os.Stat(filepath.Join(path, runsDir))
	return err == nil && missing == nil && runs.IsDir()
}
