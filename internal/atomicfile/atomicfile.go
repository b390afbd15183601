// Package atomicfile writes files that appear whole or not at all, whatever happens to the program or the machine meanwhile: aside,
// in the same directory, synced, renamed over the target, the directory synced.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Files are written aside under prefix, a random number and suffix: short, so that a target's name may have any length.
const (
	prefix = ".shadowflow-"
	suffix = ".tmp"
)

// Write makes what write writes the content of a file. After an error, write's own included, the file is what it was; the error
// names it. What is there and is no regular file, a device for example, is not replaced.
func Write(path string, write func(w io.Writer) error) error {
	if err := replace(path, write); err != nil {
		return fmt.Errorf("%s was not written: %w", path, err)
	}
	return nil
}

// WriteBytes makes data the content of a file, as Write does.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func replace(path string, write func(w io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("there is something else of that name (%v); expected a file or nothing", info.Mode().Type())
	}
	dir := filepath.Dir(path)
	aside := filepath.Join(dir, fmt.Sprintf("%s%016x%s", prefix, rand.Uint64(), suffix))
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return SyncDir(dir)
}

// SyncDir makes the names in a directory durable. Windows has no such call, and its file systems keep a journal of names.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Folder makes a folder for temporary files in a directory, or in the nearest above it that exists. remove removes it with all that is in it;
// what a killed process leaves, Sweep does.
func Folder(dir string) (path string, remove func() error, err error) {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	path, err = os.MkdirTemp(dir, prefix+"*"+suffix)
	return path, func() error { return os.RemoveAll(path) }, err
}

// IsAside reports whether a file or folder of that name is one of Write or Folder.
func IsAside(name string) bool {
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
}

// Sweep removes what killed processes left aside in a directory: the files that Write was writing there and the folders of Folder that have
// not grown for the given time. Zero is for the one who knows that nobody else writes there; a process whose file is swept gets an error, and its
// target stays what it was.
func Sweep(dir string, idle time.Duration) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() && !e.IsDir() || !IsAside(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) >= idle {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
