package record

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
)

// A Checkpoint is the state of a run between two steps: everything that the next
// step depends on.
type Checkpoint struct {
	// Step is the number of steps taken.
	Step int
	// Meta holds the small things: states of random generators, counters, times.
	Meta json.RawMessage
	// Arrays holds the large ones.
	Arrays []Array

	// historySize is the length of the history at this step, in bytes.
	historySize int64
}

// An Array is a named array of a checkpoint. Data is a []float32, []float64, []int64
// or []byte.
type Array struct {
	Name string
	Data any
}

// Element is a type of the elements of an Array.
type Element interface {
	float32 | float64 | int64 | byte
}

// ArrayOf returns the array of that name and element type. The error says what is
// there instead.
func ArrayOf[T Element](c *Checkpoint, name string) ([]T, error) {
	for _, a := range c.Arrays {
		if a.Name != name {
			continue
		}
		data, ok := a.Data.([]T)
		if !ok {
			return nil, fmt.Errorf("checkpoint of step %d: array %s is a %T, expected a %T", c.Step, name, a.Data, data)
		}
		return data, nil
	}
	return nil, fmt.Errorf("checkpoint of step %d: no array %s", c.Step, name)
}

// The format: the magic bytes, a version and the header's length (both uint32), the
// header (JSON), the arrays one after the other, and the SHA-256 of all that. All
// numbers are little-endian.
const (
	checkpointMagic   = "shadowCK"
	checkpointVersion = 1
	maxHeader         = 64 << 20
	fixedSize         = int64(len(checkpointMagic) + 4 + 4)
)

// checkpointHeader describes what follows it.
type checkpointHeader struct {
	Step        int             `json:"step"`
	HistorySize int64           `json:"history_size"`
	Meta        json.RawMessage `json:"meta,omitempty"`
	Arrays      []arrayHeader   `json:"arrays"`
}

type arrayHeader struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Count int64  `json:"count"`
}

// elementSize gives the size of an element of each type, in bytes.
func elementSize(typ string) (int64, bool) {
	switch typ {
	case "float32":
		return 4, true
	case "float64", "int64":
		return 8, true
	case "bytes":
		return 1, true
	}
	return 0, false
}

func describeArray(a Array) (arrayHeader, error) {
	switch d := a.Data.(type) {
	case []float32:
		return arrayHeader{a.Name, "float32", int64(len(d))}, nil
	case []float64:
		return arrayHeader{a.Name, "float64", int64(len(d))}, nil
	case []int64:
		return arrayHeader{a.Name, "int64", int64(len(d))}, nil
	case []byte:
		return arrayHeader{a.Name, "bytes", int64(len(d))}, nil
	}
	return arrayHeader{}, fmt.Errorf("array %s: cannot store a %T; expected []float32, []float64, []int64 or []byte", a.Name, a.Data)
}

// writeTo writes the checkpoint.
func (c *Checkpoint) writeTo(w io.Writer) error {
	header := checkpointHeader{Step: c.Step, HistorySize: c.historySize, Meta: c.Meta, Arrays: []arrayHeader{}}
	for _, a := range c.Arrays {
		h, err := describeArray(a)
		if err != nil {
			return err
		}
		header.Arrays = append(header.Arrays, h)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if len(text) > maxHeader {
		return fmt.Errorf("header of %d bytes; at most %d fit", len(text), maxHeader)
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	var fixed [8]byte
	binary.LittleEndian.PutUint32(fixed[:], checkpointVersion)
	binary.LittleEndian.PutUint32(fixed[4:], uint32(len(text)))
	// A bufio.Writer keeps its first error until Flush.
	_, _ = out.WriteString(checkpointMagic)
	_, _ = out.Write(fixed[:])
	_, _ = out.Write(text)
	for _, a := range c.Arrays {
		writeArray(out, a.Data)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// writeArray writes the elements; the writer keeps the error.
func writeArray(out *bufio.Writer, data any) {
	var b [8]byte
	switch d := data.(type) {
	case []float32:
		for _, v := range d {
			binary.LittleEndian.PutUint32(b[:4], math.Float32bits(v))
			_, _ = out.Write(b[:4])
		}
	case []float64:
		for _, v := range d {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
			_, _ = out.Write(b[:])
		}
	case []int64:
		for _, v := range d {
			binary.LittleEndian.PutUint64(b[:], uint64(v))
			_, _ = out.Write(b[:])
		}
	case []byte:
		_, _ = out.Write(d)
	}
}

// errDamaged marks a checkpoint that is not what was written.
var errDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// cutShort says where a checkpoint ends too early. Any other error of reading says
// nothing about the checkpoint.
func cutShort(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("cut short in its %s", where)
	}
	return err
}

// readCheckpoint reads a checkpoint from a file of the given size. Nothing larger
// than that is ever allocated, whatever the bytes claim.
func readCheckpoint(r io.Reader, size int64) (*Checkpoint, error) {
	sum := sha256.New()
	in := &hashingReader{r: bufio.NewReaderSize(r, 1<<16), hash: sum}
	header, err := readCheckpointHeader(in, size)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Step: header.Step, Meta: header.Meta, historySize: header.HistorySize}
	for _, h := range header.Arrays {
		data, err := readArray(in, h)
		if err != nil {
			return nil, cutShort("array "+h.Name, err)
		}
		c.Arrays = append(c.Arrays, Array{h.Name, data})
	}
	want := sum.Sum(nil)
	var got [sha256.Size]byte
	if _, err := io.ReadFull(in.r, got[:]); err != nil {
		return nil, cutShort("checksum", err)
	}
	if !bytes.Equal(got[:], want) {
		return nil, damaged("its checksum is not that of its content")
	}
	return c, nil
}

func readCheckpointHeader(in io.Reader, size int64) (*checkpointHeader, error) {
	var fixed [fixedSize]byte
	if _, err := io.ReadFull(in, fixed[:]); err != nil {
		return nil, cutShort("first bytes", err)
	}
	if string(fixed[:8]) != checkpointMagic {
		return nil, damaged("starts with %q; expected %q", fixed[:8], checkpointMagic)
	}
	if v := binary.LittleEndian.Uint32(fixed[8:]); v != checkpointVersion {
		return nil, fmt.Errorf("version %d of the format; this program reads %d", v, checkpointVersion)
	}
	length := int64(binary.LittleEndian.Uint32(fixed[12:]))
	if length > maxHeader || length > size-fixedSize {
		return nil, damaged("a header of %d bytes in a file of %d", length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, cutShort("header", err)
	}
	header := &checkpointHeader{}
	if err := json.Unmarshal(text, header); err != nil {
		return nil, damaged("header: %v", err)
	}
	want := fixedSize + length + sha256.Size
	for _, a := range header.Arrays {
		element, ok := elementSize(a.Type)
		if !ok || a.Count < 0 || a.Count > (size-want)/element {
			return nil, damaged("array %s of %d %s in a file of %d bytes", a.Name, a.Count, a.Type, size)
		}
		want += a.Count * element
	}
	if want != size || header.Step < 0 || header.HistorySize < 0 {
		return nil, damaged("%d bytes; its header describes %d", size, want)
	}
	return header, nil
}

func readArray(in io.Reader, h arrayHeader) (any, error) {
	switch h.Type {
	case "float32":
		return readElements(in, h.Count, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	case "float64":
		return readElements(in, h.Count, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	case "int64":
		return readElements(in, h.Count, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	}
	data := make([]byte, h.Count)
	_, err := io.ReadFull(in, data)
	return data, err
}

func readElements[T Element](in io.Reader, count, size int64, decode func([]byte) T) ([]T, error) {
	out := make([]T, count)
	buffer := make([]byte, 1<<15)
	for done := 0; done < len(out); {
		chunk := buffer[:min(len(buffer), (len(out)-done)*int(size))]
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		for ; len(chunk) > 0; chunk = chunk[size:] {
			out[done] = decode(chunk)
			done++
		}
	}
	return out, nil
}

// hashingReader hashes what is read through it.
type hashingReader struct {
	r    io.Reader
	hash hash.Hash
}

func (h *hashingReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	return n, err
}
