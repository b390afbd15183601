package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
)

// Sum returns the SHA-256 of all that is computed with, in hexadecimal: the examples of both parts as their files had them, what
// standardizes them, and what is to be predicted. It does not depend on where the data lay, nor on how it was packed.
func (d *Dataset) Sum() string {
	s := summer{sha256.New()}
	s.lengths(d.Classes)
	for _, p := range []Part{d.Train, d.Test} {
		s.lengths(len(p.Shape))
		s.lengths(p.Shape...)
		s.lengths(len(p.raw.u8))
		s.Write(p.raw.u8)
		addNumbers(s, p.raw.f32, func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)) })
		for _, x := range [][]float64{p.raw.f64, p.mean, p.std, p.Targets.Values} {
			s.floats(x)
		}
		addNumbers(s, p.Labels, func(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) })
	}
	return hex.EncodeToString(s.Sum(nil))
}

// summer hashes arrays, each behind its length.
type summer struct{ hash.Hash }

func (s summer) lengths(n ...int) {
	for _, v := range n {
		s.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
	}
}

func (s summer) floats(x []float64) {
	addNumbers(s, x, func(b []byte, v float64) []byte { return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) })
}

// addNumbers adds an array without a copy of it.
func addNumbers[T any](s summer, x []T, put func([]byte, T) []byte) {
	const chunk = 4096
	s.lengths(len(x))
	var b []byte
	for len(x) > 0 {
		n := min(chunk, len(x))
		b = b[:0]
		for _, v := range x[:n] {
			b = put(b, v)
		}
		s.Write(b)
		x = x[n:]
	}
}
