package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
)

// dotRows are the numbers of rows that there are kernels of inner products for. Eight hide the latency of the additions.
var dotRows = []int{1, 8}

// dots writes the kernel of m inner products: rows of a, contiguous, with the vector at b, to c at distance rc.
func dots(ma machine, m int) {
	TEXT(fmt.Sprintf("dots%s_%d", ma.name(), m), NOSPLIT, "func(t *byte)")
	Load(Param("t"), args)
	MOVQ(arg(offA), left)
	MOVQ(arg(offB), right)
	MOVQ(arg(offRS), odd[0])
	multiples(m, ldb)
	MOVQ(arg(offCount), ks)
	for i := range m {
		ma.clear(i)
	}
	width := ma.lanes() * ma.size()

	SUBQ(Imm(uint64(ma.lanes())), ks)
	JL(LabelRef("rest"))
	Label("vector")
	ma.loadWhole(Mem{Base: right}, m)
	for i := range m {
		ma.fmaWhole(row(left, i), m, i)
	}
	ADDQ(Imm(uint64(width)), left)
	ADDQ(Imm(uint64(width)), right)
	SUBQ(Imm(uint64(ma.lanes())), ks)
	JGE(LabelRef("vector"))

	Label("rest")
	ADDQ(Imm(uint64(ma.lanes())), ks)
	JZ(LabelRef("sum"))
	ma.restMask(ks)
	ma.loadRest(Mem{Base: right}, m)
	for i := range m {
		ma.fmaRest(row(left, i), m, i)
	}

	Label("sum")
	MOVQ(arg(offC), left)
	MOVQ(arg(offRC), odd[0])
	multiples(m, ldb)
	for i := range m {
		ma.halve(i)
		fold(ma, ymm[i].AsX(), ymm[15].AsX())
	}
	CMPQ(arg(offAccumulate), Imm(0))
	JE(LabelRef("store"))
	for i := range m {
		if x := ymm[i].AsX(); ma.size() == 4 {
			VADDSS(row(left, i), x, x)
		} else {
			VADDSD(row(left, i), x, x)
		}
	}
	Label("store")
	for i := range m {
		if x := ymm[i].AsX(); ma.size() == 4 {
			VMOVSS(x, row(left, i))
		} else {
			VMOVSD(x, row(left, i))
		}
	}
	VZEROUPPER()
	RET()
}

// fold adds up the lanes of x, by way of scratch.
func fold(ma machine, x, scratch Op) {
	if ma.size() == 8 {
		VUNPCKHPD(x, x, scratch)
		VADDSD(scratch, x, x)
		return
	}
	VMOVHLPS(x, x, scratch)
	VADDPS(scratch, x, x)
	VMOVSHDUP(x, scratch)
	VADDSS(scratch, x, x)
}
