package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/plural"
)

// WriteFile writes the tensors to a file, which appears whole or not at all.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, tensors, metadata) })
}

// Write writes the tensors as one safetensors file. Arrays of wider elements come first, so that a program that maps the file
// into memory finds each aligned to its type; otherwise the order is kept.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	slices.SortStableFunc(tensors, func(a, b Tensor) int {
		_, wa, _ := a.elements()
		_, wb, _ := b.elements()
		return wb - wa
	})
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	out.Write(header)
	for _, t := range tensors {
		if count := encode(out, made(t.Data)); count != t.Size() {
			return fmt.Errorf("safetensors: tensor %q: %s for shape %v", t.Name, plural.Count(count, "element"), t.Shape)
		}
	}
	return out.Flush() // reports the first error of the writes before
}

func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	h := bytes.NewBufferString("{")
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(h, `"__metadata__":%s`, text)
	}
	seen := map[string]bool{"__metadata__": true}
	begin := 0
	for _, t := range tensors {
		if seen[t.Name] || !utf8.ValidString(t.Name) {
			return nil, fmt.Errorf("safetensors: tensor name %q: want UTF-8, each name once, and not __metadata__", t.Name)
		}
		seen[t.Name] = true
		dtype, width, count := t.elements()
		if dtype == "" || t.Size() != count {
			return nil, fmt.Errorf("safetensors: tensor %q: %T of %d elements does not fill shape %v: want float32, float64 or int64",
				t.Name, t.Data, count, t.Shape)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return nil, err
		}
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		fmt.Fprintf(h, `%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, begin, begin+width*count)
		begin += width * count
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	if h.Len() > maxHeader {
		return nil, fmt.Errorf("safetensors: %d tensors need a header of %s, want at most %d", len(tensors), plural.Count(h.Len(), "byte"), maxHeader)
	}
	return h.Bytes(), nil
}

// encode writes elements little-endian and returns their number; the writer keeps the first error.
func encode(w *bufio.Writer, data any) int {
	switch d := data.(type) {
	case []float32:
		for _, x := range d {
			w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(x)))
		}
		return len(d)
	case []float64:
		for _, x := range d {
			w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), math.Float64bits(x)))
		}
		return len(d)
	case []int64:
		for _, x := range d {
			w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), uint64(x)))
		}
		return len(d)
	}
	return 0
}
