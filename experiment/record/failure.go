package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// failureFile says why a run could not be made or could not go on. A run that starts or resumes removes it.
const failureFile = "failure.json"

type failure struct {
	Error string `json:"error"`
}

// WriteFailure records in the directory of a run, which is made if there is none, why it failed.
func WriteFailure(dir string, why error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, failureFile), failure{why.Error()})
}

// ReadFailure returns why the run in a directory failed, false if nothing says that it did.
func ReadFailure(dir string) (reason string, failed bool) {
	var f failure
	if err := readJSON(filepath.Join(dir, failureFile), &f); err != nil {
		return "", false
	}
	return f.Error, true
}

func (d *Dir) removeFailure() error {
	if err := os.Remove(d.file(failureFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
