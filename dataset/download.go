package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"shadowflow/internal/plural"
)

const (
	// fetchLeast bytes must arrive in each fetchPatience, or the server is given up: a server that sends a byte now and then would
	// otherwise never be.
	fetchLeast    = 64 << 10
	fetchPatience = time.Minute

	// fetchPause is the wait before reconnecting.
	fetchPause = 200 * time.Millisecond

	// fetchPoor is how many connections may be cut before they brought fetchLeast bytes.
	fetchPoor = 5
)

// alarm is what a download needs of a time.Timer.
type alarm interface {
	Reset(time.Duration) bool
	Stop() bool
}

// A download brings a source's file to its full length, and checks it.
type download struct {
	source   Source
	address  string
	partial  string // the file that it is written to
	progress Progress

	f *os.File
	// parts is how many responses the file is made of, an earlier fetch's counted as one.
	parts int
	// version is what the server called the file that the parts are of, empty if it did not.
	version string
}

// run downloads the file, synced. A file that came in parts and has a wrong checksum may be made of two that lay there at different
// times: it is fetched once more.
func (d *download) run(ctx context.Context) (err error) {
	if err := d.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.f.Close()) }()
	for again := true; ; again = false {
		if err := d.complete(ctx); err != nil {
			return errors.Join(err, d.f.Sync())
		}
		err := errors.Join(d.f.Sync(), d.source.check(d.partial))
		if err == nil {
			return nil
		}
		if fault := d.restart(); fault != nil {
			return errors.Join(err, fault)
		}
		if d.parts == 1 || !again {
			return fmt.Errorf("%w; the download is deleted", err)
		}
		d.parts = 0
	}
}

// open opens the partial file, which must be itself and no link to another.
func (d *download) open() (err error) {
	if d.f, err = os.OpenFile(d.partial, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	opened, err := d.f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(d.partial); err == nil && (!os.SameFile(opened, there) || linked(opened)) {
			err = fmt.Errorf("%s is no file that a fetch left; remove it", d.partial)
		}
	}
	if err != nil {
		return errors.Join(err, d.f.Close())
	}
	if opened.Size() > 0 {
		d.parts = 1
	}
	return nil
}

// restart throws away what has arrived.
func (d *download) restart() error {
	d.version = ""
	return d.f.Truncate(0)
}

// complete brings the file to its full length. It reconnects after a cut as long as connections bring more than was ever there.
func (d *download) complete(ctx context.Context) error {
	most, poor := int64(0), 0
	for first := true; ; first = false {
		have, err := d.f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if first {
			most = have
		}
		switch {
		case have == d.source.Size:
			return nil
		case have > d.source.Size: // not what the server has
			if err := d.restart(); err != nil {
				return err
			}
			most = 0
			continue
		}
		err = d.transfer(ctx, have)
		if err == nil {
			continue
		}
		if errors.Is(err, errOtherFile) && have > 0 {
			if err := d.restart(); err != nil {
				return err
			}
			continue
		}
		var cut *cutError
		now, fault := d.f.Seek(0, io.SeekEnd)
		if now < most+fetchLeast {
			poor++
		}
		if !errors.As(err, &cut) || fault != nil || now <= most || poor > fetchPoor || ctx.Err() != nil {
			return errors.Join(err, fault)
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

// errOtherFile says that what a server has cannot follow what has arrived.
var errOtherFile = errors.New("the server has no such range of the file")

// transfer makes one request for what is missing behind the bytes there are.
func (d *download) transfer(ctx context.Context, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	after := d.source.afterFunc
	if after == nil {
		after = func(t time.Duration, f func()) alarm { return time.AfterFunc(t, f) }
	}
	patience := after(fetchPatience, func() {
		cancel(fmt.Errorf("the server sent less than %d bytes in %v", fetchLeast, fetchPatience))
	})
	defer patience.Stop()

	response, err := d.request(ctx, have)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer response.Body.Close()
	start, err := d.startOf(response, have)
	if err != nil {
		return err
	}
	if err := d.f.Truncate(start); err != nil {
		return err
	}
	if _, err := d.f.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if start == 0 {
		d.parts = 0
	}
	d.parts++
	size := d.source.Size
	w := &progressWriter{f: d.f, done: start, total: size, progress: d.progress, patience: patience}
	_, err = io.Copy(w, io.LimitReader(response.Body, size+1-start))
	switch {
	case w.failed != nil:
		return w.failed
	case w.done > size:
		return errors.Join(fmt.Errorf("%s sends more than the %s that the file has; the download is deleted", withoutPassword(d.address), plural.Count(size, "byte")), d.restart())
	case err != nil:
		return &cutError{causeOf(ctx, err)}
	case w.done < size:
		return &cutError{io.ErrUnexpectedEOF}
	}
	return nil
}

// request asks for the file from byte have on, if it is still the one that has begun to arrive.
func (d *download) request(ctx context.Context, have int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return nil, err
	}
	// The checksum is of the bytes as they lie on the server.
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if d.version != "" {
			req.Header.Set("If-Range", d.version)
		}
	}
	return http.DefaultClient.Do(req)
}

// versionOf returns what a server calls the version of its file, empty if it says nothing that RFC 9110 lets be compared.
func versionOf(r *http.Response) string {
	if tag := r.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return r.Header.Get("Last-Modified")
}

// startOf returns where in the file the response's body belongs.
func (d *download) startOf(r *http.Response, have int64) (start int64, err error) {
	size := r.ContentLength
	switch r.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		var last int64
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/", &start, &last); err != nil || start != have || last < start {
			return 0, errOtherFile
		}
		if version := versionOf(r); have > 0 && d.version != "" && version != "" && version != d.version {
			return 0, errOtherFile
		}
		if size >= 0 {
			size += start
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, errOtherFile
	default:
		return 0, fmt.Errorf("%s: the server says %s", r.Request.URL, r.Status)
	}
	if size >= 0 && size != d.source.Size {
		return 0, fmt.Errorf("%s has %s; expected %d", withoutPassword(d.address), plural.Count(size, "byte"), d.source.Size)
	}
	d.version = versionOf(r)
	return start, nil
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
	patience alarm
	since    int // bytes since it was last set
	failed   error
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.failed = err
	w.done += int64(n)
	if w.since += n; w.since >= fetchLeast {
		w.since = 0
		w.patience.Reset(fetchPatience)
	}
	if w.progress != nil {
		w.progress(w.done, w.total)
	}
	return n, err
}
