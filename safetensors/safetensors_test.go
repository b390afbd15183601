package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var sample = []Tensor{
	{Name: "a.weight", Shape: []int{2, 3}, Data: []float32{1, -2, 3.5, float32(math.Inf(1)), 0, -0.25}},
	{Name: "a.\"bias\"<é>", Shape: []int{2}, Data: []float64{math.Pi, -math.SmallestNonzeroFloat64}},
	{Name: "count", Shape: []int{}, Data: []int64{-7}},
	{Name: "none", Shape: []int{0, 4}, Data: []float32{}},
}

func encodeSample(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, sample, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenReadsBackBitForBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := WriteFile(path, sample, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors) != len(sample) || f.Metadata["format"] != "pt" {
		t.Fatalf("read %d tensors, metadata %v", len(f.Tensors), f.Metadata)
	}
	for _, want := range sample {
		found := false
		for _, got := range f.Tensors {
			found = found || reflect.DeepEqual(got, want)
		}
		if !found {
			t.Errorf("tensor %q did not come back", want.Name)
		}
	}
}

func TestNarrowTypesAreReadAsWideOnes(t *testing.T) {
	f, err := ReadFile("testdata/narrow.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]Tensor{}
	for _, tensor := range f.Tensors {
		tensors[tensor.Name] = tensor
	}
	for name, dtype := range map[string]string{"half": "F32", "brain": "F32", "int32": "I64", "int16": "I64", "int8": "I64", "uint8": "I64", "bool": "I64"} {
		got, want := tensors[name], tensors["is."+name]
		values, _ := got.Float64s()
		whole, _ := got.Data.([]int64)
		for _, x := range whole {
			values = append(values, float64(x))
		}
		if got.DType() != dtype || !reflect.DeepEqual(got.Shape, want.Shape) || !reflect.DeepEqual(any(values), want.Data) {
			t.Errorf("%s: %s %v %v, want %s %v %v", name, got.DType(), got.Shape, values, dtype, want.Shape, want.Data)
		}
	}
}

func TestArraysOfManyBlocksReadBack(t *testing.T) {
	long := make([]float64, 10_001)
	for i := range long {
		long[i] = float64(i) / 7
	}
	var b bytes.Buffer
	if err := Write(&b, []Tensor{{Name: "long", Shape: []int{73, 137}, Data: long}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Tensors[0].Data, long) {
		t.Error("the elements changed")
	}
}

func TestElementsMayBeMadeWhenTheirTurnComes(t *testing.T) {
	now := []Tensor{{Name: "a", Shape: []int{2, 1}, Data: []float32{1, 2}}, {Name: "b", Data: []float64{3}}}
	later := []Tensor{
		{Name: "a", Shape: []int{2, 1}, Data: func() []float32 { return []float32{1, 2} }},
		{Name: "b", Data: func() []float64 { return []float64{3} }},
	}
	var want, got bytes.Buffer
	if err := errors.Join(Write(&want, now, nil), Write(&got, later, nil)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got %q, want %q", got.Bytes(), want.Bytes())
	}
	if data, ok := later[0].Float64s(); !ok || !reflect.DeepEqual(data, []float64{1, 2}) {
		t.Errorf("Float64s: %v, %v", data, ok)
	}
	later[1].Shape = []int{4}
	if err := Write(&got, later, nil); err == nil || !strings.Contains(err.Error(), `"b": 1 element for shape [4]`) {
		t.Errorf("too few elements: %v", err)
	}
}

func TestDataIsAlignedToItsType(t *testing.T) {
	raw := encodeSample(t)
	n := int(binary.LittleEndian.Uint64(raw))
	entries, _, err := parseHeader(raw[8:8+n], uint64(len(raw)-8-n))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if at := uint64(8+n) + e.begin; at%uint64(elements[e.dtype].Size) != 0 {
			t.Errorf("tensor %q of type %s starts at byte %d", e.name, e.dtype, at)
		}
	}
}

// withHeader makes a file of a header and a number of zero bytes after it.
func withHeader(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestFaultyFilesAreRefusedWithTensorAndReason(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for name, c := range map[string]struct {
		file           []byte
		tensor, reason string
		anyOffset      bool
		offset         int64
	}{
		"empty":              {file: nil, reason: "shorter than the 8 bytes"},
		"header too long":    {file: binary.LittleEndian.AppendUint64(nil, 1<<40), reason: "want at most 100000000"},
		"header beyond file": {file: binary.LittleEndian.AppendUint64(nil, 90), reason: "only 0 follow"},
		"not JSON":           {file: withHeader(`{a}`, 0), reason: "not JSON", anyOffset: true},
		"not an object":      {file: withHeader(`[]`, 0), reason: "start with {", offset: 8},
		"ends early":         {file: withHeader(`{`, 0), reason: "ends too early", anyOffset: true},
		"not UTF-8":          {file: withHeader("{\"\xff\":1}", 0), reason: "not UTF-8", offset: 8},
		"text after":         {file: withHeader(`{`+a+`} x`, 8), reason: "goes on", anyOffset: true},
		"name twice":         {file: withHeader(`{`+a+`,`+a+`}`, 8), reason: `"a" comes twice`, anyOffset: true},
		"field twice": {file: withHeader(`{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: `"dtype" comes twice`, anyOffset: true},
		"field missing": {file: withHeader(`{"a":{"dtype":"F32","shape":[2]}}`, 8), tensor: "a", reason: "three fields", anyOffset: true},
		"field unknown": {file: withHeader(`{"a":{"dtype":"F32","size":[2],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: `unknown field "size"`, anyOffset: true},
		"dtype unknown": {file: withHeader(`{"a":{"dtype":"F8_E5M2","shape":[8],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: `dtype "F8_E5M2": want F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL`, anyOffset: true},
		"negative length": {file: withHeader(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: "want an integer from 0", anyOffset: true},
		"fractional length": {file: withHeader(`{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: "want an integer from 0", anyOffset: true},
		"too many dimensions": {file: withHeader(`{"a":{"dtype":"F32","shape":[0`+strings.Repeat(",0", 64)+`],"data_offsets":[0,0]}}`, 0),
			tensor: "a", reason: "more than 64", anyOffset: true},
		"shape overflows": {file: withHeader(`{"a":{"dtype":"F32","shape":[4611686018427387904,2],"data_offsets":[0,0]}}`, 0),
			tensor: "a", reason: "does not fill", anyOffset: true},
		"shape and bytes differ": {file: withHeader(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8),
			tensor: "a", reason: "does not fill", anyOffset: true},
		"offsets swapped": {file: withHeader(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8),
			tensor: "a", reason: "begin <= end", anyOffset: true},
		"overlap": {file: withHeader(`{`+a+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12),
			tensor: "b", reason: "overlap", anyOffset: true},
		"gap": {file: withHeader(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16),
			tensor: "b", reason: "gap", anyOffset: true},
		"cut short":      {file: withHeader(`{`+a+`}`, 7), tensor: "a", reason: "cut short", anyOffset: true},
		"bytes left":     {file: withHeader(`{`+a+`}`, 9), reason: "1 byte behind the last tensor", offset: 8 + int64(len(a)) + 2 + 8},
		"metadata wrong": {file: withHeader(`{"__metadata__":{"x":1}}`, 0), reason: "want a string", anyOffset: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f.safetensors")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadFile(path)
			var e *FormatError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a FormatError", err)
			}
			if e.File != path || e.Tensor != c.tensor || !strings.Contains(e.Reason, c.reason) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if !c.anyOffset && e.Offset != c.offset {
				t.Errorf("offset %d, want %d", e.Offset, c.offset)
			}
		})
	}
}

func TestTensorsThatDoNotFitAreNotWritten(t *testing.T) {
	for name, ts := range map[string][]Tensor{
		"shape":    {{Name: "a", Shape: []int{3}, Data: []float32{1, 2}}},
		"type":     {{Name: "a", Shape: []int{1}, Data: []int8{1}}},
		"twice":    {{Name: "a", Shape: []int{1}, Data: []float32{1}}, {Name: "a", Shape: []int{1}, Data: []float32{1}}},
		"reserved": {{Name: "__metadata__", Shape: []int{1}, Data: []float32{1}}},
		"UTF-8":    {{Name: "\xff", Shape: []int{1}, Data: []float32{1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Write(&bytes.Buffer{}, ts, nil); err == nil {
				t.Error("written without an error")
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encodeSample(f))
	f.Add(withHeader(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(withHeader(`{"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"__metadata__":{"x":"y"}}  `, 8))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Read(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := Write(&again, file.Tensors, file.Metadata); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := Read(bytes.NewReader(again.Bytes()), int64(again.Len()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(back.Tensors) != len(file.Tensors) {
			t.Fatalf("%d tensors became %d", len(file.Tensors), len(back.Tensors))
		}
	})
}
