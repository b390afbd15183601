package onnx

import (
	"fmt"
	"io"
	"strconv"

	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
)

// outside reads a tensor's elements from a file in the model's folder.
func (r *reader) outside(where map[string]string, elements, size int) ([]byte, error) {
	name := where["location"]
	if r.folder == "" || name == "" {
		return nil, malformed("its elements are in another file, and it is not known where that is")
	}
	need := int64(elements) * int64(size)
	offset, err := external(where, "offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := external(where, "length", need)
	if err != nil {
		return nil, err
	}
	if length != need {
		return nil, malformed("its elements in %q have %d bytes, want %d, as its shape says", visible.Name(name), length, need)
	}
	f, has, err := userfile.OpenIn(r.folder, name)
	if err != nil {
		return nil, malformed("its elements are in another file: %v", err)
	}
	defer f.Close()
	if offset > has || need > has-offset {
		return nil, malformed("its elements are bytes %d to %d of %q, which has %s: it is cut short, or another's", offset, offset+need, visible.Name(name), plural.Count(has, "byte"))
	}
	if err := r.room(2 * need); err != nil {
		return nil, malformed("its %s %v", memory.Format(need), err)
	}
	raw := make([]byte, need)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, need), raw); err != nil {
		return nil, fmt.Errorf("%s: %w", visible.Line(name), err)
	}
	r.sum.Write(raw)
	return raw, nil
}

// external reads a number of bytes among what says where a tensor is.
func external(where map[string]string, key string, absent int64) (int64, error) {
	text, ok := where[key]
	if !ok {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<60 {
		return 0, malformed("the %s of its elements in another file is %q, want a number of bytes", key, visible.Name(text))
	}
	return n, nil
}
