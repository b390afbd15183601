//go:build !linux

package worker

import "os"

// anonymous returns a new file for temporary use, whose name goes as soon as both have it, where the system lets an open file's go.
func anonymous() (f *os.File, path string, unlink func(), err error) {
	if f, err = os.CreateTemp("", "shadowflow-vectors-*"); err != nil {
		return nil, "", nil, err
	}
	return f, f.Name(), func() { _ = os.Remove(f.Name()) }, nil
}
