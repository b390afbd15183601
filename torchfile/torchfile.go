// Package torchfile reads what torch.save wrote of state_dicts: named tensors, and what an optimizer remembers. Both the zip files of today and
// the older ones are read.
//
// Such a file is a pickle, which in Python may run anything. Here nothing is ever executed: dictionaries, lists, numbers and texts are
// values, a handful of names stand for tensors, and any other for an object that is passed over, unless it stands where tensors should: then a sentence
// says what to save instead. Before the pickle
// is read its lengths are compared with what is there, and no more bytes of tensors are kept than the file has; so a hostile file costs its
// own size and some hundred megabytes at most. gopickle knows the pickle's instructions; the containers are read here, within these bounds.
package torchfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
	"slices"
)

// Advice says what to save, for whoever has saved something else.
const Advice = `save the tensors alone: torch.save(model.state_dict(), "weights.pt"), torch.save(optimizer.state_dict(), "optimizer.pt")`

// FormatError says why a file cannot be read.
type FormatError struct {
	File   string // empty if it has no name
	Reason string
}

func (e *FormatError) Error() string {
	if e.File == "" {
		return e.Reason
	}
	return visible.Line(e.File) + ": " + e.Reason
}

func malformed(format string, args ...any) error {
	return &FormatError{Reason: fmt.Sprintf(format, args...)}
}

// File is what torch.save wrote.
type File struct {
	root any
	size int64 // in bytes
}

var (
	zipMagic = []byte("PK\x03\x04")
	// pickleMagic is how every file of the older format begins: a pickle of the number 0x1950a86a20f9469cfc6c.
	pickleMagic = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
)

// Is reports whether a file is to be read by this package: its first bytes, or its name if there are no such bytes, say so.
func Is(path string) bool {
	if slices.Contains([]string{".pt", ".pth"}, filepath.Ext(path)) {
		return true
	}
	file, _, err := userfile.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, len(pickleMagic))
	n, _ := io.ReadFull(file, head)
	return bytes.HasPrefix(head[:n], zipMagic) || bytes.HasPrefix(head[:n], pickleMagic)
}

// ReadFile reads a file of torch.save.
func ReadFile(path string) (*File, error) {
	file, size, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, err := Read(file, size)
	var format *FormatError
	if errors.As(err, &format) {
		format.File = path
		return nil, format
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Read reads a file of size bytes. Faults of the content are reported as *FormatError.
func Read(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, min(size, int64(len(pickleMagic))))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	l := &loader{left: size, storages: map[string]*storage{}}
	var root any
	var err error
	switch {
	case bytes.HasPrefix(head, zipMagic):
		root, err = l.readZip(r, size)
	case bytes.HasPrefix(head, pickleMagic):
		root, err = l.readSequence(bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<16))
	default:
		const no = "this is no file of torch.save, neither today's (a zip archive) nor an older one (pickles)"
		if what := userfile.ExplainBinary(r); what != "" {
			return nil, malformed("%s%s", no, what)
		}
		return nil, malformed("%s: %s", no, Advice)
	}
	if err != nil {
		return nil, err
	}
	return &File{root: root, size: size}, nil
}
