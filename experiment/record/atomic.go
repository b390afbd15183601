package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// replaceFile makes data the content of a file, or leaves what was there.
func replaceFile(path string, data []byte) error {
	return replaceFileFunc(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// replaceFileFunc makes what write writes the content of a file: aside, synced,
// renamed, and the directory synced. After an error the file is what it was.
func replaceFileFunc(path string, write func(w io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() {
		if clean := file.Cleanup(); err == nil {
			err = clean
		}
	}()
	if err := write(file); err != nil {
		return fmt.Errorf("%s was not written: %w", path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("%s was not written: %w", path, err)
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
