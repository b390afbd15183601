package dataset

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"shadowflow/internal/userfile"
)

// cursor reads a format's pieces and knows where it is.
type cursor struct {
	file string
	r    io.Reader
	off  int64
}

// bytes reads exactly n bytes. The memory it takes grows with what the file
// really has, so a header that lies about sizes costs nothing.
func (c *cursor) bytes(n int64, what string) ([]byte, error) {
	const step = 1 << 20
	var buf []byte
	for int64(len(buf)) < n {
		var err error
		if buf, err = extend(buf, int(min(n-int64(len(buf)), step))); err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		k, err := io.ReadFull(c, buf[len(buf):min(n, int64(cap(buf)))])
		buf = buf[:len(buf)+k]
		if err != nil {
			return nil, c.ended(err, fmt.Sprintf("%s: %d more bytes", what, n-int64(len(buf))))
		}
	}
	return buf, nil
}

// rest returns what follows, of more than so many bytes only these.
func (c *cursor) rest(most int) (buf []byte, err error) {
	for len(buf) < most {
		if buf, err = extend(buf, min(most-len(buf), 1<<16)); err != nil {
			return nil, fmt.Errorf("%s: %w", c.file, err)
		}
		n, err := c.Read(buf[len(buf):min(most, cap(buf))])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, c.ended(err, "more of the file, or its end")
		}
	}
	return buf, nil
}

// Read reads like the underlying reader.
func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.off += int64(n)
	return n, err
}

// uint32 reads a big-endian number.
func (c *cursor) uint32(what string) (uint32, error) {
	b, err := c.bytes(4, what)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// end checks that nothing follows; for a compressed file that its checksum is right.
func (c *cursor) end() error {
	var one [1]byte
	switch n, err := io.ReadFull(c, one[:]); {
	case n > 0:
		return c.fail(c.off-1, "more bytes", "the end of the file")
	case err == io.EOF:
		return nil
	default:
		return c.ended(err, "the end of the file")
	}
}

// zeros checks that only padding follows, as it does after a tar archive.
func (c *cursor) zeros() error {
	buf := make([]byte, 1<<12)
	for range 1 << 10 {
		n, err := c.Read(buf)
		for i, b := range buf[:n] {
			if b != 0 {
				return c.fail(c.off-int64(n-i), "more bytes", "zeros to the end of the file")
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return c.ended(err, "the end of the file")
		}
	}
	return c.fail(c.off, "more zeros", "the end of the file")
}

// ended explains an error of reading at the present offset. What the operating
// system or the context says is no fault of the format, and what is one already
// says so.
func (c *cursor) ended(err error, want string) error {
	var system *fs.PathError
	var format *FormatError
	if errors.As(err, &system) || errors.As(err, &format) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	got := err.Error()
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		got = "the file ends"
	}
	return &FormatError{File: c.file, Offset: c.off, Got: got, Want: want, Err: err}
}

func (c *cursor) fail(offset int64, got, want string) error {
	return &FormatError{File: c.file, Offset: offset, Got: got, Want: want}
}

// atStart is the last byte that is at a file's start: an archive's first header is that long.
const atStart = 512

// withFile parses a file, which may be compressed with gzip.
func withFile(ctx context.Context, path string, parse func(*cursor) error) error {
	f, _, err := userfile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := maybeGunzip(path, &contextReader{ctx, f})
	if err != nil {
		return err
	}
	err = parse(&cursor{file: path, r: r})
	if _, unzipped := r.(*gunzipper); !unzipped {
		explain(err, path, f)
	}
	return err
}

// explain adds to an error what the file is: what is wrong at the start, in the names of columns, or in an archive's first header may be the whole file.
func explain(err error, path string, f io.ReaderAt) {
	var (
		format *FormatError
		field  *FieldError
	)
	switch {
	case errors.As(err, &format) && format.File == path && format.Offset <= atStart && format.Line <= 1:
		format.Got += userfile.Explain(f)
	case errors.As(err, &field):
		field.Problem += userfile.Explain(f)
	}
}

// maybeGunzip decides by the content, not by the name.
func maybeGunzip(name string, r io.Reader) (io.Reader, error) {
	g := &gunzipper{name: name, raw: r}
	buffered := bufio.NewReaderSize(readerFunc(g.readRaw), 1<<16)
	// An error here comes again when the content is read.
	if magic, _ := buffered.Peek(2); string(magic) != "\x1f\x8b" {
		return buffered, nil
	}
	var err error
	if g.unzipped, err = gzip.NewReader(buffered); err != nil {
		return nil, &FormatError{File: name, Got: err.Error(), Want: "a gzip header", Err: err}
	}
	return g, nil
}

// gunzipper unpacks gzip, but not what becomes more than data does.
type gunzipper struct {
	expansion
	name     string
	raw      io.Reader
	unzipped *gzip.Reader
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (g *gunzipper) readRaw(p []byte) (int, error) {
	n, err := g.raw.Read(p)
	g.in += int64(n)
	return n, err
}

// Read implements io.Reader.
func (g *gunzipper) Read(p []byte) (int, error) {
	n, err := g.unzipped.Read(p)
	g.out += int64(n)
	if much := g.tooMuch(); much != "" {
		return 0, &FormatError{File: g.name, Offset: g.out, Got: much, Want: wantData}
	}
	return n, err
}

// contextReader ends reading with the context's error when that is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
