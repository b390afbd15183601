package safetensors

import (
	"encoding/binary"
	"math"
)

// element is an element type: its size in a file, and the one function that reads an element of it. Numbers of 16 bits are read as float32, which holds
// them exactly, and whole numbers as int64.
type element struct {
	size int
	f32  func(b []byte) float32
	f64  func(b []byte) float64
	i64  func(b []byte) int64
}

// elements are the types that are read, by their names in the format, and readable says which these are.
var elements = map[string]*element{
	"F64":  {size: 8, f64: func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }},
	"F32":  {size: 4, f32: func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"F16":  {size: 2, f32: func(b []byte) float32 { return Half(binary.LittleEndian.Uint16(b)) }},
	"BF16": {size: 2, f32: func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
	"I64":  {size: 8, i64: func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }},
	"I32":  {size: 4, i64: func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }},
	"I16":  {size: 2, i64: func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }},
	"I8":   {size: 1, i64: func(b []byte) int64 { return int64(int8(b[0])) }},
	"U8":   {size: 1, i64: func(b []byte) int64 { return int64(b[0]) }},
	"BOOL": {size: 1, i64: func(b []byte) int64 { return int64(b[0]) }},
}

const readable = "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL"

// width returns the size in bytes of an element in memory.
func (e *element) width() int {
	if e.f32 != nil {
		return 4
	}
	return 8
}

// newData returns count elements as a Tensor has them.
func (e *element) newData(count int) any {
	switch {
	case e.f32 != nil:
		return make([]float32, count)
	case e.f64 != nil:
		return make([]float64, count)
	}
	return make([]int64, count)
}

// decode sets the elements from number at on.
func (e *element) decode(data any, at int, from []byte) {
	switch d := data.(type) {
	case []float32:
		for i := range len(from) / e.size {
			d[at+i] = e.f32(from[e.size*i:])
		}
	case []float64:
		for i := range len(from) / e.size {
			d[at+i] = e.f64(from[e.size*i:])
		}
	case []int64:
		for i := range len(from) / e.size {
			d[at+i] = e.i64(from[e.size*i:])
		}
	}
}

// Half returns a number of IEEE 754's 16 bits, which float32 holds exactly.
func Half(bits uint16) float32 {
	fraction, exponent := float64(bits&0x3ff), int(bits>>10&0x1f)
	switch {
	case exponent == 0x1f && fraction == 0:
		fraction = math.Inf(1)
	case exponent == 0x1f:
		return float32(math.NaN())
	case exponent > 0:
		fraction += 1 << 10
	}
	return float32(math.Copysign(math.Ldexp(fraction, max(exponent, 1)-25), float64(int16(bits))))
}
