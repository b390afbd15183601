package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in gemm's struct block.
const (
	offDst = 8 * iota
	offSrc
	offRows
	offCols
	offLDD
	offLDS
	offPiece
	offGap
	offIndex
)

// loadBlock loads what every copy needs of a block.
func loadBlock(dst, src, rows, ldd, lds reg.Register) {
	MOVQ(arg(offDst), dst)
	MOVQ(arg(offSrc), src)
	MOVQ(arg(offRows), rows)
	MOVQ(arg(offLDD), ldd)
	MOVQ(arg(offLDS), lds)
}

// deal writes the copy of a matrix whose rows are cut into pieces of one or two vectors. Copies are whole vectors. Masks 0 and 1 are
// those of a piece's vectors, 2 and 3 those of what is left of a row behind its last whole piece.
func deal(ma copier) {
	TEXT("deal"+ma.name(), NOSPLIT, "func(b *byte)")
	Load(Param("b"), args)
	dst, src, rows, lds, ldd, gap := reg.RDI, reg.RSI, reg.RBX, reg.R8, reg.R9, reg.R10
	whole, rest, piece, s, d, n := reg.R11, reg.R12, reg.R13, reg.R14, reg.R15, reg.RDX
	MOVQ(args, d)
	MOVQ(arg(offPiece), piece)
	MOVQ(arg(offCols), reg.RAX)
	XORQ(reg.RDX, reg.RDX)
	DIVQ(piece)
	MOVQ(reg.RAX, whole)
	MOVQ(reg.RDX, rest)
	MOVQ(d, args)
	loadBlock(dst, src, rows, ldd, lds)
	MOVQ(arg(offGap), gap)
	pieceMasks(ma, piece, 0)
	pieceMasks(ma, rest, 2)
	CMPQ(piece, Imm(uint64(ma.lanes())))
	JG(LabelRef("two_row"))
	width := ma.lanes() * ma.size()
	for v := 1; v <= 2; v++ {
		name := func(s string) string { return []string{"one_", "two_"}[v-1] + s }
		copies := func(mask int) {
			for j := range v {
				ma.loadMasked(Mem{Base: s, Disp: width * j}, mask+j, j)
			}
			for j := range v {
				VMOVUPS(ma.register(j), Mem{Base: d, Disp: width * j})
			}
		}
		Label(name("row"))
		MOVQ(src, s)
		MOVQ(dst, d)
		MOVQ(whole, n)
		TESTQ(n, n)
		JZ(LabelRef(name("rest")))
		Label(name("piece"))
		copies(0)
		LEAQ(Mem{Base: s, Index: piece, Scale: uint8(ma.size())}, s)
		ADDQ(gap, d)
		DECQ(n)
		JNZ(LabelRef(name("piece")))
		Label(name("rest"))
		TESTQ(rest, rest)
		JZ(LabelRef(name("next")))
		copies(2)
		Label(name("next"))
		ADDQ(lds, src)
		ADDQ(ldd, dst)
		DECQ(rows)
		JNZ(LabelRef(name("row")))
		VZEROUPPER()
		RET()
	}
}

// pieceMasks sets two masks, the first one given, for n elements in two vectors.
func pieceMasks(ma copier, n reg.Register, first int) {
	MOVQ(n, reg.RCX)
	MOVQ(U32(1), reg.RDX)
	SHLQ(reg.CL, reg.RDX)
	DECQ(reg.RDX)
	ma.setMask(reg.RDX, first)
	SHRQ(Imm(uint64(ma.lanes())), reg.RDX)
	ma.setMask(reg.RDX, first+1)
}

// flip writes the transposed copy of a matrix of whole squares, one vector wide and high.
func flip(ma copier) {
	n := ma.lanes()
	width := uint64(n * ma.size())
	TEXT("flip"+ma.name(), NOSPLIT, "func(b *byte)")
	Load(Param("b"), args)
	dst, src, rows, cols, d, s := reg.RDI, reg.RSI, reg.RBX, reg.RCX, reg.R14, reg.R15
	ldd, lds := reg.RDX, odd[0]
	loadBlock(dst, src, rows, ldd, lds)

	Label("rows")
	MOVQ(arg(offCols), cols)
	MOVQ(dst, d)
	MOVQ(src, s)
	Label("square")
	MOVQ(s, reg.R9)
	for i := range n {
		VMOVUPS(Mem{Base: reg.R9}, ma.register(i))
		if i < n-1 {
			ADDQ(lds, reg.R9)
		}
	}
	out := transpose(ma)
	for i := range n {
		VMOVUPS(out[i], Mem{Base: d})
		ADDQ(ldd, d)
	}
	ADDQ(Imm(width), s)
	SUBQ(Imm(uint64(n)), cols)
	JNZ(LabelRef("square"))
	ADDQ(Imm(width), dst)
	MOVQ(lds, reg.R9)
	SHLQ(Imm(map[int]uint64{16: 4, 8: 3, 4: 2}[n]), reg.R9)
	ADDQ(reg.R9, src)
	SUBQ(Imm(uint64(n)), rows)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// spread writes the copy of a matrix of whole vectors whose parts of 4 bytes change places within each.
func spread(ma copier) {
	width := ma.lanes() * ma.size()
	TEXT("spread"+ma.name(), NOSPLIT, "func(b *byte)")
	Load(Param("b"), args)
	dst, src, rows, cols, lds, ldd, i := reg.RDI, reg.RSI, reg.RBX, reg.RCX, reg.R8, reg.R9, reg.RDX
	loadBlock(dst, src, rows, ldd, lds)
	MOVQ(arg(offCols), cols)
	SHLQ(Imm(map[int]uint64{4: 2, 8: 3}[ma.size()]), cols)
	index, moved := ma.register(0), ma.register(1)
	VMOVUPS(arg(offIndex), index)
	Label("row")
	XORQ(i, i)
	Label("vector")
	VPERMPS(Mem{Base: src, Index: i, Scale: 1}, index, moved)
	VMOVUPS(moved, Mem{Base: dst, Index: i, Scale: 1})
	ADDQ(Imm(uint64(width)), i)
	CMPQ(i, cols)
	JL(LabelRef("vector"))
	ADDQ(lds, src)
	ADDQ(ldd, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// transpose transposes the square in the first registers, and returns those that hold the result's rows. Elements change places
// in pairs, then (4 bytes) in pairs of pairs, then quarters of vectors.
func transpose(ma copier) []reg.VecPhysical {
	n := ma.lanes()
	var in, out []reg.VecPhysical
	for i := range n {
		in, out = append(in, ma.register(i)), append(out, ma.register(n+i))
	}
	for i := 0; i < n; i += 2 {
		if ma.size() == 4 {
			VUNPCKLPS(in[i+1], in[i], out[i])
			VUNPCKHPS(in[i+1], in[i], out[i+1])
		} else {
			VUNPCKLPD(in[i+1], in[i], out[i])
			VUNPCKHPD(in[i+1], in[i], out[i+1])
		}
	}
	in, out = out, in
	if ma.size() == 4 {
		// in[4g], in[4g+1]: columns 0,1 and 2,3 of rows 4g, 4g+1; in[4g+2], in[4g+3]: of rows 4g+2, 4g+3.
		for g := 0; g < n; g += 4 {
			VUNPCKLPD(in[g+2], in[g], out[g])
			VUNPCKHPD(in[g+2], in[g], out[g+1])
			VUNPCKLPD(in[g+3], in[g+1], out[g+2])
			VUNPCKHPD(in[g+3], in[g+1], out[g+3])
		}
		in, out = out, in
	}
	return ma.spreadQuarters(in, out)
}
