// Package element is the table of the types of numbers that files of arrays have, and how an element of each is read. The formats call the types by names of
// their own; their bytes are the same in all of them, the least significant first.
package element

import (
	"encoding/binary"
	"math"
)

// A Type is a type of elements: its size in a file, in bytes, and the one function that reads an element from that many bytes. Numbers of 16 bits are read as
// float32, which holds them exactly, and whole numbers as int64.
type Type struct {
	Size int
	F32  func(b []byte) float32
	F64  func(b []byte) float64
	I64  func(b []byte) int64
}

// The types, which nothing changes.
var (
	Float64  = &Type{Size: 8, F64: func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }}
	Float32  = &Type{Size: 4, F32: func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }}
	Float16  = &Type{Size: 2, F32: func(b []byte) float32 { return Half(binary.LittleEndian.Uint16(b)) }}
	BFloat16 = &Type{Size: 2, F32: func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }}
	Int64    = &Type{Size: 8, I64: func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }}
	Int32    = &Type{Size: 4, I64: func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }}
	Int16    = &Type{Size: 2, I64: func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }}
	Int8     = &Type{Size: 1, I64: func(b []byte) int64 { return int64(int8(b[0])) }}
	Uint8    = &Type{Size: 1, I64: func(b []byte) int64 { return int64(b[0]) }}
	Bool     = &Type{Size: 1, I64: func(b []byte) int64 { return int64(b[0]) }} // of its own, for a file tells it from a byte
)

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
