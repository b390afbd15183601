package main

import (
	. "github.com/mmcloughlin/avo/operand"
)

// peakChains is how many multiply-adds a round of the peak loop has, and gemm's constant of that name.
const peakChains = 12

// peak writes a loop of independent multiply-adds in registers: the fastest that the processor can do.
func peak(ma machine) {
	TEXT("peak"+ma.name(), NOSPLIT, "func(rounds int)")
	Load(Param("rounds"), inner)
	for i := range peakChains + 2 {
		ma.clear(i)
	}
	Label("round")
	for i := range peakChains {
		ma.fma(ma.register(peakChains), ma.register(peakChains+1), ma.register(i))
	}
	DECQ(inner)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}
