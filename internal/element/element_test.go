package element

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestHalfPrecisionCoversItsRange(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x0001: math.Ldexp(1, -24), 0x03ff: math.Ldexp(1023, -24), 0x0400: math.Ldexp(1, -14), 0x3c00: 1, 0xc000: -2,
		0x7bff: 65504, 0x83ff: -1023 * 0x1p-24, 0x3555: 0.333251953125, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := float64(Half(bits)); got != want {
			t.Errorf("0x%04x is %v, want %v", bits, got, want)
		}
	}
	if got := Half(0x8000); got != 0 || !math.Signbit(float64(got)) {
		t.Errorf("0x8000 is %v, want -0", got)
	}
	if got := Half(0x7e00); got == got {
		t.Errorf("0x7e00 is %v, want NaN", got)
	}
}

// What moves the bits to where float32 has them knows nothing of powers of two.
func TestHalfPrecisionIsThatOfItsBitsMoved(t *testing.T) {
	for bits := range uint32(1 << 16) {
		sign, exponent, fraction := bits>>15<<31, bits>>10&0x1f, bits&0x3ff
		want := math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
		switch exponent {
		case 0:
			want = math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
		case 0x1f:
			want = math.Float32frombits(sign | 0xff<<23 | fraction<<13)
		}
		if got := Half(uint16(bits)); math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
			t.Errorf("%04x: %v, want %v", bits, got, want)
		}
	}
}

// Each bit of a type of whole numbers counts, the highest as the sign where there is one.
func TestWholeNumbersHaveTheirBitsAndSigns(t *testing.T) {
	for name, c := range map[string]struct {
		of     *Type
		signed bool
	}{"int64": {Int64, true}, "int32": {Int32, true}, "int16": {Int16, true}, "int8": {Int8, true}, "uint8": {Uint8, false}, "bool": {Bool, false}} {
		bits := 8 * c.of.Size
		for bit := range bits {
			want := int64(1) << bit
			if c.signed && bit == bits-1 {
				want = -want // of int64 the lowest number, which is its own opposite
			}
			b := make([]byte, 8)
			binary.LittleEndian.PutUint64(b, 1<<bit)
			if got := c.of.I64(b[:c.of.Size]); got != want {
				t.Errorf("%s, bit %d: %d, want %d", name, bit, got, want)
			}
		}
	}
}

func TestFloatsAreReadTheLeastSignificantByteFirst(t *testing.T) {
	if got := Float64.F64([]byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}); got != -1.5 {
		t.Errorf("float64: %v", got)
	}
	for name, c := range map[string]struct {
		of    *Type
		bytes []byte
	}{"float32": {Float32, []byte{0, 0, 0xc0, 0xbf}}, "float16": {Float16, []byte{0, 0xbe}}, "bfloat16": {BFloat16, []byte{0xc0, 0xbf}}} {
		if got := c.of.F32(c.bytes); len(c.bytes) != c.of.Size || got != -1.5 {
			t.Errorf("%s: %v of %d bytes", name, got, c.of.Size)
		}
	}
}
