package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// neonMachine is arm64's 128-bit machine for elements of 4 or 8 bytes. It has no masks: tiles of one vector come in a version for each
// number of columns.
type neonMachine struct {
	bytes   int
	columns int            // of a tile of one vector
	rest    reg.GPPhysical // how many elements an inner product's last vectors have
}

func (ma *neonMachine) name() string   { return fmt.Sprintf("F%dNEON", 8*ma.bytes) }
func (ma *neonMachine) rows() int      { return 6 }
func (ma *neonMachine) vecs() int      { return 4 }
func (ma *neonMachine) lanes() int     { return 16 / ma.bytes }
func (ma *neonMachine) size() int      { return ma.bytes }
func (ma *neonMachine) maskWide() bool { return false }
func (ma *neonMachine) double() bool   { return ma.bytes == 8 }

func xmm(i int) reg.VecPhysical { return zmm[i].AsX().(reg.VecPhysical) }

// Vectors 24 to 27 hold B, 28 to 31 elements of A in turn; the accumulators come before.
func (*neonMachine) b(j int) reg.VecPhysical         { return xmm(24 + j) }
func (*neonMachine) a(i int) reg.VecPhysical         { return xmm(28 + i%4) }
func (*neonMachine) acc(i, j, v int) reg.VecPhysical { return xmm(i*v + j) }

func (ma *neonMachine) begin(m, v int) {
	for i := range m * v {
		ma.clear(i)
	}
}

// step loads single elements of A, which multiply vectors without being spread first.
func (ma *neonMachine) step(m, v int) {
	for j := 0; j < v; j += 2 {
		switch p := (Mem{Base: right, Disp: 16 * j}); {
		case v == 1:
			ma.load(p, ma.b(0))
		case j+1 < v:
			ctx.Instruction(neon.LoadPair(p, ma.b(j), ma.b(j+1)))
		default:
			VMOVUPS(p, ma.b(j))
		}
	}
	PREFETCHT0(Mem{Base: right, Disp: ahead})
	for i := range m {
		if ma.double() {
			VMOVSD(row(left, i), ma.a(i))
		} else {
			VMOVSS(row(left, i), ma.a(i))
		}
		for j := range v {
			ctx.Instruction(neon.MulAddLane(ma.double(), ma.b(j), ma.a(i), ma.acc(i, j, v)))
		}
	}
}

func (ma *neonMachine) stepLanes(m int) {
	ma.load(Mem{Base: right}, ma.b(0))
	for i := range m {
		ma.load(row(left, i), ma.a(i))
		ma.fma(ma.a(i), ma.b(0), ma.acc(i, 0, 1))
	}
}

// prefetch asks for one line: a row of c has at most 64 bytes.
func (ma *neonMachine) prefetch(c Mem, _ int) { PREFETCHT0(c) }

func (ma *neonMachine) end(c Mem, i, _, v int, add bool) {
	for j := range v {
		p, acc := c.Offset(16*j), ma.acc(i, j, v)
		if v == 1 && ma.columns < ma.lanes() {
			if add {
				ma.load(p, ma.b(0))
				ma.add(ma.b(0), acc)
			}
			ctx.Instruction(neon.StoreSome(ma.double(), U8(ma.columns), acc, p))
			continue
		}
		if add {
			VMOVUPS(p, ma.b(j))
			ma.add(ma.b(j), acc)
		}
		VMOVUPS(acc, p)
	}
}

// load loads what a tile of one vector has of it.
func (ma *neonMachine) load(p Mem, x reg.VecPhysical) {
	if ma.columns == ma.lanes() {
		VMOVUPS(p, x)
		return
	}
	ctx.Instruction(neon.LoadSome(ma.double(), U8(ma.columns), p, x))
}

func (ma *neonMachine) add(x, acc reg.VecPhysical) {
	if ma.double() {
		VADDPD(x, acc, acc)
	} else {
		VADDPS(x, acc, acc)
	}
}

func (ma *neonMachine) fma(a, b, acc Op) { avx2{bytes: ma.bytes}.fma(a, b, acc) }

func (*neonMachine) register(i int) reg.VecPhysical { return xmm(i) }

func (*neonMachine) clear(i int) { VXORPS(xmm(i), xmm(i), xmm(i)) }

func (*neonMachine) loadWhole(b Mem, m int) { VMOVUPS(b, xmm(m)) }

func (ma *neonMachine) fmaWhole(a Mem, m, i int) {
	VMOVUPS(a, xmm(16+i))
	ma.fma(xmm(16+i), xmm(m), xmm(i))
}

func (ma *neonMachine) restMask(n reg.GPPhysical) { ma.rest = n }

func (ma *neonMachine) loadRest(b Mem, m int) {
	ctx.Instruction(neon.LoadSome(ma.double(), ma.rest, b, xmm(m)))
}

func (ma *neonMachine) fmaRest(a Mem, m, i int) {
	ma.loadRest(a, 16+i)
	ma.fma(xmm(16+i), xmm(m), xmm(i))
}

// halve has nothing to do for 16 bytes.
func (*neonMachine) halve(int) {}
