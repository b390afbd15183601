package onnx

import (
	"hash"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"shadowflow/internal/memory"
)

// maxParts is the most fields of a file that are looked at, a few hundred bytes of memory each at most: a network of ten thousand operators has some
// hundred thousand.
const maxParts = 1 << 21

// reader walks over a file's messages.
type reader struct {
	folder string // of files beside it
	parts  int    // fields that may still be looked at
	taken  int64  // bytes that were made since the memory was last asked for
	sum    hash.Hash
}

// uncounted is how many bytes are made before the memory is asked for.
const uncounted = 64 << 20

// room returns an error if that many bytes, with those that were made since it last asked, are more than there are.
func (r *reader) room(bytes int64) error {
	if r.taken += bytes; r.taken < uncounted {
		return nil
	}
	need := r.taken
	r.taken = 0
	return memory.Check(need)
}

// field is a field of a message as it stands in the file.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bits   uint64 // of a number
	bytes  []byte // of what has a length; a part of the file
}

// each calls use with the fields of a message in their order.
func (r *reader) each(message []byte, use func(field) error) error {
	for len(message) > 0 {
		if r.parts--; r.parts < 0 {
			return malformed("the file has more than %d parts, which no network needs: it is damaged", maxParts)
		}
		f, n := consume(message)
		if n < 0 {
			return malformed("this is no protobuf message (%v): the file is cut short, damaged, or no ONNX file", protowire.ParseError(n))
		}
		message = message[n:]
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

// consume returns the first field of a message and its length, which is below 0 if there is none.
func consume(message []byte) (f field, n int) {
	var head int
	if f.number, f.kind, head = protowire.ConsumeTag(message); head < 0 {
		return f, head
	}
	message = message[head:]
	switch f.kind {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(message)
	case protowire.Fixed32Type:
		var bits uint32
		bits, n = protowire.ConsumeFixed32(message)
		f.bits = uint64(bits)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(message)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(message)
	default: // groups, which ONNX has not
		n = protowire.ConsumeFieldValue(f.number, f.kind, message)
	}
	if n < 0 {
		return f, n
	}
	return f, head + n
}

func (f field) want(kind protowire.Type) error {
	if f.kind != kind {
		return malformed("field %d is of protobuf's wire type %d, want %d: the file is damaged, or no ONNX file", f.number, f.kind, kind)
	}
	return nil
}

// message returns the bytes of a message or of raw data.
func (f field) message() ([]byte, error) { return f.bytes, f.want(protowire.BytesType) }

func (f field) text() (string, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return "", err
	}
	if !utf8.Valid(f.bytes) {
		return "", malformed("field %d is no text of UTF-8: the file is damaged, or no ONNX file", f.number)
	}
	return string(f.bytes), nil
}

func (f field) integer() (int64, error) { return int64(f.bits), f.want(protowire.VarintType) }

func (f field) float() (float32, error) {
	return math.Float32frombits(uint32(f.bits)), f.want(protowire.Fixed32Type)
}

// numbers counts what a packed field's numbers take, so many bytes for each of the file's, in lists that grow.
func (r *reader) numbers(f field, each int64) error {
	if err := r.room(each * int64(len(f.bytes))); err != nil {
		return malformed("field %d %v", f.number, err)
	}
	return nil
}

// integers appends the numbers of a repeated field, packed or one by one.
func (r *reader) integers(f field, to []int64) ([]int64, error) {
	if f.kind != protowire.BytesType {
		v, err := f.integer()
		return append(to, v), err
	}
	if err := r.numbers(f, 16); err != nil { // of a byte becomes a number
		return to, err
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return to, malformed("field %d has a number that is cut short: the file is damaged", f.number)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

// floats appends the numbers of a repeated field, packed or one by one.
func (r *reader) floats(f field, to []float32) ([]float32, error) {
	if f.kind != protowire.BytesType {
		v, err := f.float()
		return append(to, v), err
	}
	if err := r.numbers(f, 2); err != nil {
		return to, err
	}
	b := f.bytes
	for ; len(b) >= 4; b = b[4:] {
		bits, _ := protowire.ConsumeFixed32(b)
		to = append(to, math.Float32frombits(bits))
	}
	if len(b) > 0 {
		return to, malformed("field %d has a number that is cut short: the file is damaged", f.number)
	}
	return to, nil
}

// doubles appends the numbers of a repeated field, packed or one by one.
func (r *reader) doubles(f field, to []float64) ([]float64, error) {
	if f.kind != protowire.BytesType {
		return append(to, math.Float64frombits(f.bits)), f.want(protowire.Fixed64Type)
	}
	if err := r.numbers(f, 2); err != nil {
		return to, err
	}
	b := f.bytes
	for ; len(b) >= 8; b = b[8:] {
		bits, _ := protowire.ConsumeFixed64(b)
		to = append(to, math.Float64frombits(bits))
	}
	if len(b) > 0 {
		return to, malformed("field %d has a number that is cut short: the file is damaged", f.number)
	}
	return to, nil
}
