package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

// Sum returns the SHA-256 of all that is computed with, in hexadecimal: the examples of both parts as their files had them, what
// standardizes them, and what is to be predicted. It does not depend on where the data lay, nor on how it was packed.
func (d *Dataset) Sum() string {
	s := summer{sha256.New()}
	s.lengths(d.Classes)
	for _, p := range []Part{d.Train, d.Test} {
		s.lengths(len(p.Shape))
		s.lengths(p.Shape...)
		addNumbers(s, p.raw.u8)
		addNumbers(s, p.raw.f32)
		for _, x := range [][]float64{p.raw.f64, p.mean, p.std, p.Targets.Values} {
			addNumbers(s, x)
		}
		addNumbers(s, p.Labels)
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

// addNumbers adds an array without a copy of it.
func addNumbers[T uint8 | int32 | float32 | float64](s summer, x []T) {
	s.lengths(len(x))
	for part := range slices.Chunk(x, 4096) {
		_ = binary.Write(s, binary.LittleEndian, part) // a hash takes everything
	}
}
