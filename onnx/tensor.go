package onnx

import (
	"fmt"
	"math"

	"shadowflow/internal/element"
	"shadowflow/internal/plural"
)

// Type is the type of a tensor's elements, by its number in the format.
type Type int64

// The types of elements that are read.
const (
	Float32  Type = 1
	Uint8    Type = 2
	Int8     Type = 3
	Int16    Type = 5
	Int32    Type = 6
	Int64    Type = 7
	Bool     Type = 9
	Float16  Type = 10
	Float64  Type = 11
	BFloat16 Type = 16
)

// Floating reports whether the elements are floating-point numbers.
func (t Type) Floating() bool { return t == Float32 || t == Float64 || t == Float16 || t == BFloat16 }

func (t Type) String() string {
	names := []string{"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32", "uint64",
		"complex64", "complex128", "bfloat16"}
	if t < 0 || int(t) >= len(names) {
		return fmt.Sprintf("type %d", int64(t))
	}
	return names[t]
}

// element returns how the elements lie in a file, nil for a type that is not read.
func (t Type) element() *element.Type {
	return map[Type]*element.Type{Float32: element.Float32, Uint8: element.Uint8, Int8: element.Int8, Int16: element.Int16, Int32: element.Int32, Int64: element.Int64,
		Bool: element.Bool, Float16: element.Float16, Float64: element.Float64, BFloat16: element.BFloat16}[t]
}

// Tensor is an array, row-major. Data is a []float32 (of Float16 and BFloat16, too), a []float64, or, of whole numbers and truth values, a []int64.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // empty for a scalar
	Data  any
	Kind  string // of an initializer, what PyTorch's newer exporter says that it is, like [Parameter]; empty where the file does not say
}

// What initializers are.
const (
	Parameter = "PARAMETER"
	Buffer    = "BUFFER"          // of a module, beside its parameters: not trained
	Constant  = "CONSTANT_TENSOR" // of its code
)

// Size returns the number of elements.
func (t *Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

const (
	maxRank     = 64
	maxElements = 1 << 40 // of a tensor: far from overflow, and more than any machine holds
)

// setShape checks the lengths of the axes and takes them.
func (t *Tensor) setShape(dims []int64) error {
	if len(dims) > maxRank {
		return malformed("it has %d axes, want at most %d", len(dims), maxRank)
	}
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > maxElements || n > maxElements/max(d, 1) {
			return malformed("its shape %v has a length below 0, or more elements than a machine holds", dims)
		}
		n *= max(d, 1)
		t.Shape = append(t.Shape, int(d))
	}
	return nil
}

// stored is where the elements of a tensor are; one of the fields is set, none where there are no elements.
type stored struct {
	raw      []byte
	numbers  []field           // of which numbers are made once all are known
	external map[string]string // keys and values that say where else they are; nil where they are in the file
}

func (r *reader) tensor(raw []byte) (Tensor, error) {
	var t Tensor
	var dims []int64
	var in stored
	outside := false
	err := r.each(raw, func(f field) (err error) {
		switch f.number {
		case 1:
			dims, err = r.integers(f, dims)
		case 2:
			var n int64
			n, err = f.integer()
			t.Type = Type(n)
		case 3:
			err = malformed("it is a segment of a tensor: want whole tensors")
		case 4, 5, 7, 10:
			in.numbers = append(in.numbers, f)
		case 8:
			t.Name, err = f.text()
		case 9:
			in.raw, err = f.message()
		case 13:
			var key, value string
			key, value, err = r.pair(f)
			if in.external == nil {
				in.external = map[string]string{}
			}
			in.external[key] = value
		case 14:
			var n int64
			n, err = f.integer()
			outside = n == 1
		}
		return err
	})
	if err == nil {
		err = t.setShape(dims)
	}
	if err != nil {
		return t, err
	}
	of := t.Type.element()
	if of == nil {
		return t, malformed("its elements are of %s, which is not read: want float32, float64, float16, bfloat16, bool, or whole numbers of up to 64 bits, with sign from 16 bits on", t.Type)
	}
	if outside {
		if in.raw, err = r.outside(in.external, t.Size(), of.Size); err != nil {
			return t, err
		}
	}
	return t, r.fill(&t, in, of)
}

// fill makes the elements of what the file has.
func (r *reader) fill(t *Tensor, in stored, of *element.Type) (err error) {
	n := t.Size()
	if len(in.numbers) > 0 {
		return r.fromNumbers(t, in.numbers)
	}
	if len(in.raw) != n*of.Size {
		return malformed("it has %s, want %d of shape %v and %s: the file is cut short or damaged", plural.Count(len(in.raw), "byte"), n*of.Size, t.Shape, t.Type)
	}
	if err := r.room(int64(8 * n)); err != nil {
		return malformed("its %s %v", plural.Count(n, "element"), err)
	}
	switch {
	case of.F32 != nil:
		t.Data = decode(in.raw, of.Size, of.F32)
	case of.F64 != nil:
		t.Data = decode(in.raw, of.Size, of.F64)
	default:
		t.Data = decode(in.raw, of.Size, of.I64)
	}
	return nil
}

func decode[T any](raw []byte, size int, read func([]byte) T) []T {
	out := make([]T, len(raw)/size)
	for i := range out {
		out[i] = read(raw[i*size:])
	}
	return out
}

// fromNumbers makes the elements of numbers, as files without raw bytes have them: float32, float64 and int64 of their own, the others as integers, of 16-bit
// floats the bits.
func (r *reader) fromNumbers(t *Tensor, fields []field) error {
	var floats []float32
	var doubles []float64
	var integers []int64
	var err error
	for _, f := range fields {
		switch {
		case err != nil:
		case f.number == 4 && t.Type == Float32:
			floats, err = r.floats(f, floats)
		case f.number == 10 && t.Type == Float64:
			doubles, err = r.doubles(f, doubles)
		case f.number == 7 && t.Type == Int64, f.number == 5 && t.Type != Float32 && t.Type != Float64 && t.Type != Int64:
			integers, err = r.integers(f, integers)
		default:
			err = malformed("its %s elements stand in field %d, where those of another type do", t.Type, f.number)
		}
	}
	if err != nil {
		return err
	}
	count := 0
	switch t.Type {
	case Float32:
		count, t.Data = len(floats), floats
	case Float64:
		count, t.Data = len(doubles), doubles
	case Float16, BFloat16:
		count, t.Data = len(integers), fromBits(t.Type, integers)
	default:
		count, t.Data = len(integers), integers
	}
	if count != t.Size() {
		return malformed("it has %s, want %d, as its shape %v says: the file is cut short or damaged", plural.Count(count, "element"), t.Size(), t.Shape)
	}
	return nil
}

func fromBits(of Type, bits []int64) []float32 {
	out := make([]float32, len(bits))
	for i, b := range bits {
		if out[i] = math.Float32frombits(uint32(b) << 16); of == Float16 {
			out[i] = element.Half(uint16(b))
		}
	}
	return out
}
