package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx512 is the 512-bit machine for elements of 4 or 8 bytes.
type avx512 struct{ bytes int }

func (ma avx512) name() string   { return fmt.Sprintf("F%dAVX512", 8*ma.bytes) }
func (ma avx512) rows() int      { return 14 }
func (ma avx512) vecs() int      { return 2 }
func (ma avx512) lanes() int     { return 64 / ma.bytes }
func (ma avx512) size() int      { return ma.bytes }
func (ma avx512) maskWide() bool { return true }

var zmm = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

var masks = []reg.OpmaskPhysical{reg.K1, reg.K2}

// Vectors 28 and 29 hold B, 30 and 31 broadcasts of A in turn; the accumulators come before.
func (avx512) b(j int) reg.VecPhysical         { return zmm[28+j] }
func (avx512) broadcast(i int) reg.VecPhysical { return zmm[30+i%2] }
func (avx512) acc(i, j, v int) reg.VecPhysical { return zmm[i*v+j] }

func (ma avx512) begin(m, v int) {
	ma.loadMasks(arg(offMask), v)
	for i := range m * v {
		VPXORD(zmm[i], zmm[i], zmm[i])
	}
}

// loadMasks splits the mask at from into one for each vector.
func (ma avx512) loadMasks(from Mem, v int) {
	MOVQ(from, inner)
	KMOVW(inner.As32(), masks[0])
	if v > 1 {
		SHRQ(Imm(uint64(ma.lanes())), inner)
		KMOVW(inner.As32(), masks[1])
	}
}

func (ma avx512) step(m, v int) {
	for j := range v {
		ma.load(Mem{Base: right, Disp: 64 * j}, masks[j], ma.b(j))
		PREFETCHT0(Mem{Base: right, Disp: 64*j + 4096})
	}
	for i := range m {
		if v == 1 {
			ma.fmaBroadcast(row(left, i), ma.b(0), ma.acc(i, 0, v))
			continue
		}
		ma.spread(row(left, i), ma.broadcast(i))
		for j := range v {
			ma.fma(ma.broadcast(i), ma.b(j), ma.acc(i, j, v))
		}
	}
}

func (ma avx512) stepLanes(m int) {
	ma.load(Mem{Base: right}, masks[0], ma.b(0))
	for i := range m {
		if ma.bytes == 4 {
			VFMADD231PS(row(left, i), ma.b(0), masks[0], ma.acc(i, 0, 1))
		} else {
			VFMADD231PD(row(left, i), ma.b(0), masks[0], ma.acc(i, 0, 1))
		}
	}
}

func (ma avx512) prefetch(c Mem, v int) {
	for j := range v {
		c.Disp = 64 * j
		PREFETCHT0(c)
	}
}

func (ma avx512) end(c Mem, i, m, v int, add bool) {
	for j := range v {
		p := c
		p.Disp += 64 * j
		acc := ma.acc(i, j, v)
		if add {
			ma.load(p, masks[j], ma.b(j))
			ma.add(ma.b(j), acc)
		}
		ma.store(acc, masks[j], p)
	}
}

func (ma avx512) load(p Mem, k, z Op) {
	if ma.bytes == 4 {
		VMOVUPS_Z(p, k, z)
	} else {
		VMOVUPD_Z(p, k, z)
	}
}

func (ma avx512) store(z, k Op, p Mem) {
	if ma.bytes == 4 {
		VMOVUPS(z, k, p)
	} else {
		VMOVUPD(z, k, p)
	}
}

func (ma avx512) spread(p Mem, z Op) {
	if ma.bytes == 4 {
		VBROADCASTSS(p, z)
	} else {
		VBROADCASTSD(p, z)
	}
}

func (ma avx512) fma(a, b, acc Op) {
	if ma.bytes == 4 {
		VFMADD231PS(a, b, acc)
	} else {
		VFMADD231PD(a, b, acc)
	}
}

func (ma avx512) fmaBroadcast(p Mem, b, acc Op) {
	if ma.bytes == 4 {
		VFMADD231PS_BCST(p, b, acc)
	} else {
		VFMADD231PD_BCST(p, b, acc)
	}
}

func (ma avx512) add(a, acc Op) {
	if ma.bytes == 4 {
		VADDPS(a, acc, acc)
	} else {
		VADDPD(a, acc, acc)
	}
}

// move writes the copy of a matrix: whole vectors, then a masked one.
func (ma avx512) move() {
	TEXT("move"+ma.name(), NOSPLIT, "func(b *byte)")
	Load(Param("b"), args)
	dst, src, rows, lds, ldd := reg.RDI, reg.RSI, reg.RBX, reg.R8, reg.R9
	full, tail, i, n := reg.R10, reg.RCX, reg.RDX, reg.R11
	loadBlock(dst, src, rows, ldd, lds)
	MOVQ(arg(offCols), tail)
	MOVQ(tail, full)
	if ma.bytes == 4 {
		SHRQ(Imm(4), full)
		ANDQ(Imm(15), tail)
	} else {
		SHRQ(Imm(3), full)
		ANDQ(Imm(7), tail)
	}
	MOVQ(U32(1), i)
	SHLQ(reg.CL, i)
	DECQ(i)
	KMOVW(i.As32(), reg.K1)
	SHLQ(Imm(6), full) // bytes in whole vectors

	Label("row")
	XORQ(i, i)
	MOVQ(full, n)
	SUBQ(U32(256), n)
	JL(LabelRef("few"))
	Label("four")
	for j := range 4 {
		VMOVUPS(Mem{Base: src, Index: i, Scale: 1, Disp: 64 * j}, zmm[j])
	}
	for j := range 4 {
		VMOVUPS(zmm[j], Mem{Base: dst, Index: i, Scale: 1, Disp: 64 * j})
	}
	ADDQ(U32(256), i)
	CMPQ(i, n)
	JLE(LabelRef("four"))
	Label("few")
	CMPQ(i, full)
	JGE(LabelRef("rest"))
	Label("one")
	VMOVUPS(Mem{Base: src, Index: i, Scale: 1}, zmm[0])
	VMOVUPS(zmm[0], Mem{Base: dst, Index: i, Scale: 1})
	ADDQ(Imm(64), i)
	CMPQ(i, full)
	JL(LabelRef("one"))
	Label("rest")
	TESTQ(tail, tail)
	JZ(LabelRef("next"))
	ma.load(Mem{Base: src, Index: i, Scale: 1}, reg.K1, zmm[0])
	ma.store(zmm[0], reg.K1, Mem{Base: dst, Index: i, Scale: 1})
	Label("next")
	ADDQ(lds, src)
	ADDQ(ldd, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// Masks are K1 to K4.
func (avx512) setMask(bits reg.Register, which int) {
	KMOVW(bits.(reg.GP).As32(), []Op{reg.K1, reg.K2, reg.K3, reg.K4}[which])
}

func (ma avx512) loadMasked(p Mem, which, i int) {
	ma.load(p, []Op{reg.K1, reg.K2, reg.K3, reg.K4}[which], zmm[i])
}

// spreadQuarters exchanges quarters of vectors, in two rounds.
func (ma avx512) spreadQuarters(in, out []reg.VecPhysical) []reg.VecPhysical {
	// Now quarter q of in[c+w*g] is column c+w*q of rows w*g.. : transpose the quarters of four vectors at a time.
	w := len(in) / 4
	for c := range w {
		a, b, d, e := in[c], in[c+w], in[c+2*w], in[c+3*w]
		VSHUFF32X4(Imm(0x88), b, a, out[c])
		VSHUFF32X4(Imm(0xdd), b, a, out[c+w])
		VSHUFF32X4(Imm(0x88), e, d, out[c+2*w])
		VSHUFF32X4(Imm(0xdd), e, d, out[c+3*w])
	}
	in, out = out, in
	// in[c] = (a0, a2, b0, b2), in[c+w] = (a1, a3, b1, b3), in[c+2w] = (d0, d2, e0, e2), in[c+3w] = (d1, d3, e1, e3).
	for c := range w {
		VSHUFF32X4(Imm(0x88), in[c+2*w], in[c], out[c])
		VSHUFF32X4(Imm(0x88), in[c+3*w], in[c+w], out[c+w])
		VSHUFF32X4(Imm(0xdd), in[c+2*w], in[c], out[c+2*w])
		VSHUFF32X4(Imm(0xdd), in[c+3*w], in[c+w], out[c+3*w])
	}
	return out
}

func (avx512) register(i int) reg.VecPhysical { return zmm[i] }

func (avx512) clear(i int) { VPXORD(zmm[i], zmm[i], zmm[i]) }

func (avx512) loadWhole(b Mem, m int) { VMOVUPS(b, zmm[m]) }

func (ma avx512) fmaWhole(a Mem, m, i int) { ma.fma(a, zmm[m], zmm[i]) }

func (avx512) restMask(n reg.GPPhysical) {
	MOVQ(n, reg.RCX)
	MOVQ(U32(1), n)
	SHLQ(reg.CL, n)
	DECQ(n)
	KMOVW(n.As32(), reg.K1)
}

func (ma avx512) loadRest(b Mem, m int) { ma.load(b, reg.K1, zmm[m]) }

func (ma avx512) fmaRest(a Mem, m, i int) {
	ma.load(a, reg.K1, zmm[m+1])
	ma.fma(zmm[m+1], zmm[m], zmm[i])
}

func (ma avx512) halve(i int) {
	y, x, scratch := zmm[i].AsY(), zmm[i].AsX(), ymm[15]
	VEXTRACTF64X4(Imm(1), zmm[i], scratch)
	if ma.bytes == 4 {
		VADDPS(scratch, y, y)
	} else {
		VADDPD(scratch, y, y)
	}
	VEXTRACTF128(Imm(1), y, scratch.AsX())
	if ma.bytes == 4 {
		VADDPS(scratch.AsX(), x, x)
	} else {
		VADDPD(scratch.AsX(), x, x)
	}
}
