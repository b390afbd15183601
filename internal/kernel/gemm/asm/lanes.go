package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// lanes512 keeps the constants in registers, and the mask of the vector at hand in K1.
type lanes512 struct {
	avx512
	constants map[float64]reg.VecPhysical
}

func (*lanes512) vectorBytes() int { return 64 }

func (v *lanes512) prepare(constants []float64, mask Mem) {
	v.constants = map[float64]reg.VecPhysical{}
	for i, c := range constants {
		v.constants[c] = zmm[16+i]
		VBROADCASTSS(eightOf(c), zmm[16+i])
	}
	MOVQ(mask, remaining)
	KMOVW(remaining.As32(), reg.K2)
}

func (v *lanes512) constant(c float64) Op {
	if v.constants[c] == nil {
		panic(fmt.Sprintf("asm: the constant %v is not in the transform's list", c))
	}
	return v.constants[c]
}

func (v *lanes512) fma(c float64, x, dst reg.VecPhysical)  { VFMADD231PS(v.constant(c), x, dst) }
func (v *lanes512) fnma(c float64, x, dst reg.VecPhysical) { VFNMADD231PS(v.constant(c), x, dst) }

func (v *lanes512) each(n, last Mem, label string, body func(masked bool)) {
	MOVQ(n, remaining)
	KXNORW(reg.K1, reg.K1, reg.K1)
	Label(label + "_vector")
	CMPQ(remaining, Imm(1))
	JNE(LabelRef(label + "_body"))
	KMOVW(reg.K2, reg.K1)
	Label(label + "_body")
	body(true)
	DECQ(remaining)
	JNZ(LabelRef(label + "_vector"))
}

func (v *lanes512) read(p Mem, masked bool, to reg.VecPhysical)    { v.load(p, reg.K1, to) }
func (v *lanes512) write(from reg.VecPhysical, masked bool, p Mem) { v.store(from, reg.K1, p) }

// lanes256 has constants in memory, and the last vector's mask in a register.
type lanes256 struct{ avx2 }

func (lanes256) vectorBytes() int          { return 32 }
func (lanes256) lastMask() reg.VecPhysical { return ymm[15] }

func (v lanes256) prepare(constants []float64, mask Mem) {
	MOVQ(mask, remaining)
	v.spreadMask(remaining, v.lastMask())
}

func (lanes256) constant(c float64) Op                    { return eightOf(c) }
func (v lanes256) fma(c float64, x, dst reg.VecPhysical)  { VFMADD231PS(eightOf(c), x, dst) }
func (v lanes256) fnma(c float64, x, dst reg.VecPhysical) { VFNMADD231PS(eightOf(c), x, dst) }
func (v lanes256) read(p Mem, masked bool, y reg.VecPhysical) {
	if masked {
		v.maskLoad(p, v.lastMask(), y)
		return
	}
	VMOVUPS(p, y)
}

func (v lanes256) write(y reg.VecPhysical, masked bool, p Mem) {
	if masked {
		VMASKMOVPS(y, v.lastMask(), p)
		return
	}
	VMOVUPS(y, p)
}

func (v lanes256) each(n, last Mem, label string, body func(masked bool)) {
	wholeFirst(0xff, n, last, label, body)
}

// wholeFirst does whole vectors, whose mask is given, without it: storing with one is slow on many processors.
func wholeFirst(whole uint64, n, last Mem, label string, body func(masked bool)) {
	MOVQ(n, remaining)
	CMPQ(last, Imm(whole))
	JE(LabelRef(label + "_vector"))
	DECQ(remaining)
	JZ(LabelRef(label + "_last"))
	Label(label + "_vector")
	body(false)
	DECQ(remaining)
	JNZ(LabelRef(label + "_vector"))
	CMPQ(last, Imm(whole))
	JE(LabelRef(label + "_end"))
	Label(label + "_last")
	body(true)
	Label(label + "_end")
}

// lanes128 keeps the constants in registers, and in one more how many channels the last vector has.
type lanes128 struct {
	neonMachine
	constants map[float64]reg.VecPhysical
}

var lastChannels = reg.RBP

func (*lanes128) vectorBytes() int { return 16 }

// prepare counts the bits of the mask, which are the low ones: x less x/2, x/4 and x/8.
func (v *lanes128) prepare(constants []float64, mask Mem) {
	v.constants = map[float64]reg.VecPhysical{}
	for i, c := range constants {
		v.constants[c] = xmm(16 + i)
		VBROADCASTSS(eightOf(c), xmm(16+i))
	}
	MOVQ(mask, lastChannels)
	MOVQ(lastChannels, remaining)
	for range 3 {
		SHRQ(Imm(1), remaining)
		SUBQ(remaining, lastChannels)
	}
}

func (v *lanes128) constant(c float64) Op {
	if v.constants[c] == nil {
		panic(fmt.Sprintf("asm: the constant %v is not in the transform's list", c))
	}
	return v.constants[c]
}

func (v *lanes128) fma(c float64, x, dst reg.VecPhysical)  { VFMADD231PS(v.constant(c), x, dst) }
func (v *lanes128) fnma(c float64, x, dst reg.VecPhysical) { VFNMADD231PS(v.constant(c), x, dst) }

func (v *lanes128) each(n, last Mem, label string, body func(masked bool)) {
	wholeFirst(0xf, n, last, label, body)
}

func (v *lanes128) read(p Mem, masked bool, to reg.VecPhysical) {
	if masked {
		ctx.Instruction(neon.LoadSome(false, lastChannels, p, to))
		return
	}
	VMOVUPS(p, to)
}

func (v *lanes128) write(from reg.VecPhysical, masked bool, p Mem) {
	if masked {
		ctx.Instruction(neon.StoreSome(false, lastChannels, from, p))
		return
	}
	VMOVUPS(from, p)
}
