package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx2 is the 256-bit machine for elements of 4 or 8 bytes. It has no mask registers: tiles of two vectors are whole,
// tiles of one keep their mask in a vector.
type avx2 struct{ bytes int }

func (ma avx2) name() string   { return fmt.Sprintf("F%dAVX2", 8*ma.bytes) }
func (ma avx2) rows() int      { return 6 }
func (ma avx2) vecs() int      { return 2 }
func (ma avx2) lanes() int     { return 32 / ma.bytes }
func (ma avx2) size() int      { return ma.bytes }
func (ma avx2) maskWide() bool { return false }

var ymm = []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
}

// Vectors 12 and 13 hold B, or B and the mask; 14 and 15 broadcasts of A in turn; the accumulators come before.
func (avx2) b(j int) reg.VecPhysical         { return ymm[12+j] }
func (avx2) mask() reg.VecPhysical           { return ymm[13] }
func (avx2) broadcast(i int) reg.VecPhysical { return ymm[14+i%2] }
func (avx2) acc(i, j, v int) reg.VecPhysical { return ymm[i*v+j] }

func (ma avx2) begin(m, v int) {
	if v == 1 {
		ma.loadMask(arg(offMask))
	}
	for i := range m * v {
		VXORPS(ymm[i], ymm[i], ymm[i])
	}
}

// bits is a vector with a different low bit set in each lane.
func (ma avx2) bits() Mem {
	name := "bits" + ma.name()
	if m, ok := bitTables[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range ma.lanes() {
		if ma.bytes == 4 {
			DATA(4*i, U32(1<<i))
		} else {
			DATA(8*i, U64(1<<i))
		}
	}
	bitTables[name] = m
	return m
}

var bitTables = map[string]Mem{}

// loadMask turns the bits at from into lanes of ones.
func (ma avx2) loadMask(from Mem) {
	MOVQ(from, inner)
	ma.spreadMask(inner, ma.mask())
}

func (ma avx2) step(m, v int) {
	for j := range v {
		ma.load(Mem{Base: right, Disp: 32 * j}, v == 1, ma.b(j))
	}
	PREFETCHT0(Mem{Base: right, Disp: ahead})
	for i := range m {
		a := ma.broadcast(i)
		if ma.bytes == 4 {
			VBROADCASTSS(row(left, i), a)
		} else {
			VBROADCASTSD(row(left, i), a)
		}
		for j := range v {
			ma.fma(a, ma.b(j), ma.acc(i, j, v))
		}
	}
}

func (ma avx2) stepLanes(m int) {
	ma.load(Mem{Base: right}, true, ma.b(0))
	for i := range m {
		ma.load(row(left, i), true, ma.broadcast(i))
		ma.fma(ma.broadcast(i), ma.b(0), ma.acc(i, 0, 1))
	}
}

func (ma avx2) prefetch(c Mem, v int) {
	for j := range v {
		c.Disp = 32 * j
		PREFETCHT0(c)
	}
}

func (ma avx2) end(c Mem, i, m, v int, add bool) {
	for j := range v {
		p := c
		p.Disp += 32 * j
		acc := ma.acc(i, j, v)
		if add {
			ma.load(p, v == 1, ma.b(j))
			if ma.bytes == 4 {
				VADDPS(ma.b(j), acc, acc)
			} else {
				VADDPD(ma.b(j), acc, acc)
			}
		}
		ma.store(acc, v == 1, p)
	}
}

func (ma avx2) load(p Mem, masked bool, y reg.VecPhysical) {
	switch {
	case !masked:
		VMOVUPS(p, y)
	default:
		ma.maskLoad(p, ma.mask(), y)
	}
}

func (ma avx2) store(y reg.VecPhysical, masked bool, p Mem) {
	switch {
	case !masked:
		VMOVUPS(y, p)
	case ma.bytes == 4:
		VMASKMOVPS(y, ma.mask(), p)
	default:
		VMASKMOVPD(y, ma.mask(), p)
	}
}

func (ma avx2) fma(a, b, acc Op) {
	if ma.bytes == 4 {
		VFMADD231PS(a, b, acc)
	} else {
		VFMADD231PD(a, b, acc)
	}
}

// move writes the copy of a matrix: whole vectors, then single elements.
func (ma avx2) move() {
	TEXT("move"+ma.name(), NOSPLIT, "func(b *byte)")
	Load(Param("b"), args)
	dst, src, rows, lds, ldd := reg.RDI, reg.RSI, reg.RBX, reg.R8, reg.R9
	cols, i, n := reg.R10, reg.RDX, reg.R11
	loadBlock(dst, src, rows, ldd, lds)
	MOVQ(arg(offCols), cols)
	SHLQ(Imm(map[int]uint64{4: 2, 8: 3}[ma.bytes]), cols)

	Label("row")
	XORQ(i, i)
	for _, width := range []int{128, 32} {
		MOVQ(cols, n)
		SUBQ(Imm(uint64(width)), n)
		CMPQ(i, n)
		JG(LabelRef(fmt.Sprintf("below%d", width)))
		Label(fmt.Sprintf("by%d", width))
		for j := range width / 32 {
			VMOVUPS(Mem{Base: src, Index: i, Scale: 1, Disp: 32 * j}, ymm[j])
		}
		for j := range width / 32 {
			VMOVUPS(ymm[j], Mem{Base: dst, Index: i, Scale: 1, Disp: 32 * j})
		}
		ADDQ(Imm(uint64(width)), i)
		CMPQ(i, n)
		JLE(LabelRef(fmt.Sprintf("by%d", width)))
		Label(fmt.Sprintf("below%d", width))
	}
	CMPQ(i, cols)
	JGE(LabelRef("next"))
	Label("element")
	from, to := Mem{Base: src, Index: i, Scale: 1}, Mem{Base: dst, Index: i, Scale: 1}
	if ma.bytes == 4 {
		MOVL(from, reg.ECX)
		MOVL(reg.ECX, to)
	} else {
		MOVQ(from, reg.RCX)
		MOVQ(reg.RCX, to)
	}
	ADDQ(Imm(uint64(ma.bytes)), i)
	CMPQ(i, cols)
	JL(LabelRef("element"))
	Label("next")
	ADDQ(lds, src)
	ADDQ(ldd, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// Masks are vectors 2 to 5.
func (ma avx2) setMask(bits reg.Register, which int) { ma.spreadMask(bits, ymm[2+which]) }

func (ma avx2) loadMasked(p Mem, which, i int) { ma.maskLoad(p, ymm[2+which], ymm[i]) }

// spreadMask turns the bits of r into lanes of ones.
func (ma avx2) spreadMask(r reg.Register, y reg.VecPhysical) {
	bits := ma.bits()
	VMOVQ(r, y.AsX())
	if ma.bytes == 4 {
		VPBROADCASTD(y.AsX(), y)
		VPAND(bits, y, y)
		VPCMPEQD(bits, y, y)
	} else {
		VPBROADCASTQ(y.AsX(), y)
		VPAND(bits, y, y)
		VPCMPEQQ(bits, y, y)
	}
}

func (ma avx2) maskLoad(p Mem, mask, y Op) {
	if ma.bytes == 4 {
		VMASKMOVPS(p, mask, y)
	} else {
		VMASKMOVPD(p, mask, y)
	}
}

// spreadQuarters exchanges the halves of vectors.
func (ma avx2) spreadQuarters(in, out []reg.VecPhysical) []reg.VecPhysical {
	w := len(in) / 2
	for c := range w {
		VPERM2F128(Imm(0x20), in[c+w], in[c], out[c])
		VPERM2F128(Imm(0x31), in[c+w], in[c], out[c+w])
	}
	return out
}

func (avx2) register(i int) reg.VecPhysical { return ymm[i] }

func (avx2) clear(i int) { VXORPS(ymm[i], ymm[i], ymm[i]) }

func (avx2) loadWhole(b Mem, m int) { VMOVUPS(b, ymm[m]) }

func (ma avx2) fmaWhole(a Mem, m, i int) { ma.fma(a, ymm[m], ymm[i]) }

func (ma avx2) restMask(n reg.GPPhysical) {
	MOVQ(n, reg.RCX)
	MOVQ(U32(1), n)
	SHLQ(reg.CL, n)
	DECQ(n)
	ma.spreadMask(n, ma.mask())
}

func (ma avx2) loadRest(b Mem, m int) { ma.maskLoad(b, ma.mask(), ymm[m]) }

func (ma avx2) fmaRest(a Mem, m, i int) {
	ma.maskLoad(a, ma.mask(), ymm[m+1])
	ma.fma(ymm[m+1], ymm[m], ymm[i])
}

func (ma avx2) halve(i int) {
	x, scratch := ymm[i].AsX(), ymm[15].AsX()
	VEXTRACTF128(Imm(1), ymm[i], scratch)
	if ma.bytes == 4 {
		VADDPS(scratch, x, x)
	} else {
		VADDPD(scratch, x, x)
	}
}
