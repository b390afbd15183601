package dataset

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Source is a file that can be fetched.
type Source struct {
	Name string // as Spec.Name calls the data
	URL  string // http or https
	File string // the name that the file gets
	MD5  string // of the file, in hexadecimal
}

// Sources returns the official sources.
func Sources() []Source {
	return []Source{{
		Name: NameCIFAR10,
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
		File: "cifar-10-binary.tar.gz",
		MD5:  "c32a1d4ab5d03f1284b67883e8d87530",
	}, {
		Name: NameCIFAR100,
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
		File: "cifar-100-binary.tar.gz",
		MD5:  "03b5dce01913d631647c71ecec9e9cb8",
	}}
}

// Progress is told how many bytes of the file are there, and how many there
// will be: -1 if the server does not say.
type Progress func(done, total int64)

const (
	// fetchMaxBytes is six times the largest source.
	fetchMaxBytes = 1 << 30

	// fetchStall is how long a server may send nothing.
	fetchStall = time.Minute

	// fetchPause is the wait before reconnecting.
	fetchPause = 200 * time.Millisecond

	partialSuffix = ".partial"
)

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
// name; one with a wrong checksum is deleted. A nil progress is not told.
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

func (s Source) fetchTo(ctx context.Context, address, final string, progress Progress) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("address %q; expected an http or https address", address)
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
	lock := flock.New(partial, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return err
	case !locked:
		return fmt.Errorf("%s is being written by another fetch", partial)
	}
	defer lock.Close()
	if err := download(ctx, address, partial, progress); err != nil {
		if info, statErr := os.Stat(partial); statErr == nil && info.Size() == 0 {
			return errors.Join(err, os.Remove(partial))
		}
		return err
	}
	if err := s.check(partial); err != nil {
		return errors.Join(fmt.Errorf("%w; the download is deleted", err), os.Remove(partial))
	}
	if err := os.Rename(partial, final); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(final))
}

// check compares a file's checksum with the source's.
func (s Source) check(file string) error {
	f, err := os.Open(file)
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

// download brings the partial file to its full length, synced. It reconnects
// after a cut as long as each connection brings more than was ever there.
func download(ctx context.Context, address, partial string, progress Progress) error {
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	most, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for {
		err := transfer(ctx, address, f, progress)
		if err == nil {
			return errors.Join(f.Sync(), f.Close())
		}
		var cut *cutError
		now, seekErr := f.Seek(0, io.SeekEnd)
		if errors.Is(err, errNoSuchRange) && now > 0 {
			// What is there is not the start of the server's file.
			if err := f.Truncate(0); err != nil {
				return err
			}
			continue
		}
		if !errors.As(err, &cut) || seekErr != nil || now <= most || ctx.Err() != nil {
			return errors.Join(err, seekErr, f.Sync())
		}
		most = now
		select {
		case <-time.After(fetchPause):
		case <-ctx.Done():
		}
	}
}

// cutError is what ended a connection that had begun to deliver.
type cutError struct{ err error }

func (e *cutError) Error() string { return "the connection was cut: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// transfer makes one request for what is missing of f.
func transfer(ctx context.Context, address string, f *os.File, progress Progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(fetchStall, func() {
		cancel(fmt.Errorf("the server sent nothing for %v", fetchStall))
	})
	defer stall.Stop()

	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	response, err := request(ctx, address, have)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer response.Body.Close()
	have, whole, err := startOf(response, have)
	if err != nil || whole {
		return err
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	if total > fetchMaxBytes {
		return fmt.Errorf("%s has %d bytes; expected at most %d", address, total, fetchMaxBytes)
	}
	w := &progressWriter{f: f, done: have, total: total, progress: progress, stall: stall}
	_, err = io.Copy(w, io.LimitReader(response.Body, fetchMaxBytes+1-have))
	switch {
	case w.failed != nil:
		return w.failed
	case err != nil:
		return &cutError{causeOf(ctx, err)}
	case w.done > fetchMaxBytes:
		return fmt.Errorf("%s has more than %d bytes", address, fetchMaxBytes)
	}
	return nil
}

// request asks for the file from byte have on.
func request(ctx context.Context, address string, have int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	// The checksum is of the bytes as they lie on the server.
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	return http.DefaultClient.Do(req)
}

// errNoSuchRange says that a server cannot go on from where the partial file ends.
var errNoSuchRange = errors.New("the server has no such range")

// startOf returns where in the file the response's body belongs. If whole, the
// server says that nothing is missing.
func startOf(r *http.Response, have int64) (start int64, whole bool, err error) {
	var first, last, size int64
	contentRange := r.Header.Get("Content-Range")
	switch r.StatusCode {
	case http.StatusOK:
		return 0, false, nil
	case http.StatusPartialContent:
		if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/", &first, &last); err == nil && first == have {
			return have, false, nil
		}
		return 0, false, errNoSuchRange
	case http.StatusRequestedRangeNotSatisfiable:
		if _, err := fmt.Sscanf(contentRange, "bytes */%d", &size); err == nil && size == have {
			return have, true, nil
		}
		return 0, false, errNoSuchRange
	default:
		return 0, false, fmt.Errorf("%s: the server says %s", r.Request.URL, r.Status)
	}
}

// causeOf prefers why the context ended to the fact that it did.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// progressWriter writes to a file and tells how far it is.
type progressWriter struct {
	f        *os.File
	done     int64
	total    int64
	progress Progress
	stall    *time.Timer
	failed   error // of the file
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.failed = err
	w.done += int64(n)
	w.stall.Reset(fetchStall)
	if w.progress != nil {
		w.progress(w.done, w.total)
	}
	return n, err
}

// syncFolder makes a rename in a folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
