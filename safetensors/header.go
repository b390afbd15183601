package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"shadowflow/internal/plural"
)

// entry is what the header says of one tensor. Its elements are the bytes from begin to end after the header.
type entry struct {
	name       string
	dtype      string
	shape      []uint64
	begin, end uint64
	at         int64 // offset in the file of the entry's end
}

// headerParser walks over the header token by token, because encoding/json alone would let repeated keys pass.
type headerParser struct {
	dec  *json.Decoder
	name string // the tensor being read
}

func (p *headerParser) offset() int64 { return 8 + p.dec.InputOffset() }

func (p *headerParser) fail(format string, args ...any) error {
	return &FormatError{Tensor: p.name, Offset: p.offset(), Reason: fmt.Sprintf(format, args...)}
}

func (p *headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, p.fail("the header's JSON ends too early")
	case err != nil:
		return nil, p.fail("the header is not JSON: %v", err)
	}
	return t, nil
}

// delim reads a bracket or brace.
func (p *headerParser) delim(want json.Delim) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != want {
		return p.fail("found %.120s in the header, want %v", fmt.Sprint(t), want)
	}
	return nil
}

func (p *headerParser) text() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", p.fail("found %.120s in the header, want a string", fmt.Sprint(t))
	}
	return s, nil
}

// object reads an object, calling field after each key; a key that comes twice is an error.
func (p *headerParser) object(field func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		key, err := p.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return p.fail("the name %.120q comes twice in the header", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// numbers reads an array of non-negative integers, at most as many as NumPy allows dimensions: each takes several times the memory of
// its text.
func (p *headerParser) numbers() ([]uint64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []uint64
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, p.fail("found %.120q, want an integer of at least 0", fmt.Sprint(t))
		}
		v, err := strconv.ParseUint(n.String(), 10, 63)
		if err != nil {
			return nil, p.fail("found %.120s, want an integer from 0 to 2^63-1", n)
		}
		if out = append(out, v); len(out) > maxRank {
			return nil, p.fail("found more than %d numbers in one list", maxRank)
		}
	}
	return out, p.delim(']')
}

// parseHeader returns the tensors by increasing offset. Data is the number of bytes after the header.
func parseHeader(header []byte, data uint64) ([]entry, map[string]string, error) {
	p := &headerParser{dec: json.NewDecoder(bytes.NewReader(header))}
	p.dec.UseNumber()
	if !utf8.Valid(header) {
		return nil, nil, p.fail("the header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, p.fail("the header does not start with {")
	}
	var entries []entry
	var metadata map[string]string
	err := p.object(func(key string) (err error) {
		if key == "__metadata__" {
			metadata, err = p.metadata()
			return err
		}
		p.name = key
		e, err := p.entry(key)
		if err != nil {
			return err
		}
		p.name = ""
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := strings.TrimRight(string(header[p.dec.InputOffset():]), " "); rest != "" {
		return nil, nil, p.fail("the header goes on after its closing brace")
	}
	return entries, metadata, checkOffsets(entries, data, int64(8+len(header)))
}

func (p *headerParser) metadata() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(func(key string) (err error) {
		m[key], err = p.text()
		return err
	})
	return m, err
}

func (p *headerParser) entry(name string) (entry, error) {
	e := entry{name: name}
	fields := 0
	err := p.object(func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			e.dtype, err = p.text()
		case "shape":
			e.shape, err = p.numbers()
		case "data_offsets":
			var span []uint64
			if span, err = p.numbers(); err != nil {
				return err
			}
			if len(span) != 2 || span[0] > span[1] {
				return p.fail("data_offsets %v: want [begin, end] with begin <= end", span)
			}
			e.begin, e.end = span[0], span[1]
		default:
			return p.fail("unknown field %.120q: want dtype, shape and data_offsets", key)
		}
		return err
	})
	if err != nil {
		return e, err
	}
	e.at = p.offset()
	if fields != 3 {
		return e, p.fail("want the three fields dtype, shape and data_offsets")
	}
	of := elements[e.dtype]
	if of == nil {
		return e, p.fail("dtype %.120q: want %s", e.dtype, readable)
	}
	bytes, ok := product(append([]uint64{uint64(of.Size)}, e.shape...))
	if !ok || bytes != e.end-e.begin {
		return e, p.fail("data_offsets [%d, %d] hold %d bytes, which shape %v of type %.120s does not fill",
			e.begin, e.end, e.end-e.begin, e.shape, e.dtype)
	}
	return e, nil
}

// checkOffsets sorts the entries and checks that they cover the data exactly once.
func checkOffsets(entries []entry, data uint64, start int64) error {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := uint64(0)
	for _, e := range entries {
		if e.begin != at {
			kind := "leave a gap after"
			if e.begin < at {
				kind = "overlap"
			}
			return &FormatError{Tensor: e.name, Offset: e.at, Reason: fmt.Sprintf(
				"data_offsets [%d, %d] %s the tensor before, which ends at %d", e.begin, e.end, kind, at)}
		}
		if e.end > data {
			return &FormatError{Tensor: e.name, Offset: e.at, Reason: fmt.Sprintf(
				"data_offsets [%d, %d] reach beyond the %s after the header: the file is cut short", e.begin, e.end, plural.Count(data, "byte"))}
		}
		at = e.end
	}
	if at != data {
		return &FormatError{Offset: start + int64(at), Reason: fmt.Sprintf("%s behind the last tensor, want none", plural.Count(data-at, "byte"))}
	}
	return nil
}
