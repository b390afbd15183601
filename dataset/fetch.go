package dataset

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

// Source is a file that can be fetched.
type Source struct {
	Name string // as Spec.Name calls the data
	URL  string // http or https
	File string // the name that the file gets
	Size int64  // of the file, in bytes
	MD5  string // of the file, in hexadecimal

	afterFunc func(time.Duration, func()) alarm // nil for time.AfterFunc
}

// Sources returns the official sources.
func Sources() []Source {
	return []Source{{
		Name: NameCIFAR10,
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
		File: "cifar-10-binary.tar.gz",
		Size: 170052171,
		MD5:  "c32a1d4ab5d03f1284b67883e8d87530",
	}, {
		Name: NameCIFAR100,
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
		File: "cifar-100-binary.tar.gz",
		Size: 168513733,
		MD5:  "03b5dce01913d631647c71ecec9e9cb8",
	}}
}

// Progress is told how many bytes of the file are there, and how many there
// will be.
type Progress func(done, total int64)

const partialSuffix = ".partial"

// Fetch downloads the data of that name, cifar10 or cifar100, into the folder
// dir, which it makes if need be, and returns the file's path. If address is
// not empty it is used in place of the official one; the checksum is the
// official one all the same. See Source.Fetch.
func Fetch(ctx context.Context, name, address, dir string, progress Progress) (string, error) {
	var names []string
	for _, s := range Sources() {
		if s.Name == name {
			return s.fetch(ctx, address, dir, progress)
		}
		names = append(names, s.Name)
	}
	return "", fmt.Errorf("no source for %q; expected one of %s", name, strings.Join(names, ", "))
}

// Fetch downloads the source into the folder dir and returns the file's path.
// A file that is there already and has the right checksum is kept. What an
// interrupted fetch leaves (its name ends in .partial) is resumed, also within
// one call after a cut connection. Only a file with the right checksum gets its
// name; one with a wrong checksum is deleted, and fetched once more if it came
// in parts, which may have been those of two files. No more bytes are taken
// than there are to be, and no server may take longer than a slow line does. A
// nil progress is not told.
func (s Source) Fetch(ctx context.Context, dir string, progress Progress) (string, error) {
	return s.fetch(ctx, s.URL, dir, progress)
}

func (s Source) fetch(ctx context.Context, address, dir string, progress Progress) (string, error) {
	if address == "" {
		address = s.URL
	}
	final := filepath.Join(dir, s.File)
	err := s.fetchTo(ctx, address, final, progress)
	if err == nil {
		return final, nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("fetch %s: %w; what has arrived is kept, fetch again to go on", s.Name, err)
	}
	return "", fmt.Errorf("fetch %s: %w; to do it by hand, download %s (MD5 %s) and put it at %s",
		s.Name, err, s.URL, s.MD5, final)
}

// withoutPassword returns an address as messages may show it.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the address"
	}
	return u.Redacted()
}

func (s Source) fetchTo(ctx context.Context, address, final string, progress Progress) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("address %q; expected an http or https address", withoutPassword(address))
	}
	switch err := s.check(final); {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w; move it away first", err)
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o777); err != nil {
		return err
	}
	partial := final + partialSuffix
	if info, err := os.Lstat(partial); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file that a fetch left, but %s; remove it", partial, kindOf(info.Mode()))
	}
	lock := flock.New(partial, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return err
	case !locked:
		return fmt.Errorf("%s is being written by another fetch", partial)
	}
	defer lock.Close()
	d := &download{source: s, address: address, partial: partial, progress: progress}
	if err := d.run(ctx); err != nil {
		if info, statErr := os.Stat(partial); statErr == nil && info.Size() == 0 {
			return errors.Join(err, os.Remove(partial))
		}
		return err
	}
	if err := os.Rename(partial, final); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(final))
}

// kindOf says what is no regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a folder"
	}
	return "a device or a pipe"
}

// check compares a file's checksum with the source's.
func (s Source) check(file string) error {
	f, _, err := userfile.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != s.MD5 {
		return fmt.Errorf("%s has MD5 %s; expected %s", file, got, s.MD5)
	}
	return nil
}
