package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// windows emits the search for the largest element among the positions of a window, for n neighbouring windows: positions
// are kept in lanes of the elements' size, so that one mask serves both.
func (m *machine) windows() {
	m.poolAt = nil
	m.Function(m.symbol("windowArgMax"))
	m.Attributes(attr.NOSPLIT)
	m.Pragma("noescape")
	m.SignatureExpr(fmt.Sprintf("func(index *int32, x *%s, n, at, rows, rowStride, cols, colStride int)", m.float()))
	m.Doc(m.symbol("windowArgMax") + " sets index[c] for c < n.")
	index, x := m.pointer("index"), m.pointer("x")
	n, at := m.Load(m.Param("n"), m.GP64()), m.Load(m.Param("at"), m.GP64())

	lanes := m.vector()
	m.do((*build.Context).VMOVUPS, (*build.Context).VMOVUPD, m.laneTable(), lanes)
	m.Label("loop")
	m.CMPQ(n, operand.I32(m.lanes()))
	m.JLT(operand.LabelRef("tail"))
	m.window("all", index, x, at, lanes, nil)
	m.ADDQ(operand.I32(m.lanes()), at)
	m.ADDQ(operand.I32(4*m.lanes()), index)
	m.SUBQ(operand.I32(m.lanes()), n)
	m.JMP(operand.LabelRef("loop"))
	m.Label("tail")
	m.TESTQ(n, n)
	m.JE(operand.LabelRef("done"))
	m.window("some", index, x, at, lanes, n)
	m.Label("done")
	m.end()
}

// window emits the search for one vector of windows, the first n of them if n is not nil.
func (m *machine) window(prefix string, index, x, at reg.Register, lanes vec, n reg.Register) {
	var mask op
	if n != nil {
		mask = m.tailMask(n)
	}
	best, where := m.vector(), m.vector()
	row, from := m.GP64(), m.GP64()
	m.MOVQ(at, from)
	m.move(m.load(operand.Mem{Base: x, Index: from, Scale: uint8(m.size())}, mask), best)
	m.move(m.addBits(lanes, m.broadcast(from)), where)
	m.Load(m.Param("rows"), row)
	m.Label(prefix + "Row")
	col, p := m.GP64(), m.GP64()
	m.Load(m.Param("cols"), col)
	m.MOVQ(from, p)
	m.Label(prefix + "Col")
	v := m.load(operand.Mem{Base: x, Index: p, Scale: uint8(m.size())}, mask)
	here := m.addBits(lanes, m.broadcast(p))
	for _, better := range []op{m.compare(greater, v, best), m.compare(unordered, v, v)} {
		m.move(m.choose(better, v, best), best)
		m.move(m.choose(better, here, where), where)
	}
	step := m.Load(m.Param("colStride"), m.GP64())
	m.ADDQ(step, p)
	m.DECQ(col)
	m.JNE(operand.LabelRef(prefix + "Col"))
	step = m.Load(m.Param("rowStride"), m.GP64())
	m.ADDQ(step, from)
	m.DECQ(row)
	m.JNE(operand.LabelRef(prefix + "Row"))
	m.storeIndices(where, operand.Mem{Base: index}, mask)
}

// broadcast returns an integer in every lane.
func (m *machine) broadcast(r reg.Register) vec {
	if m.neon {
		d := m.vector()
		m.Instruction(neon.Broadcast(m.double, r, d))
		return d
	}
	low, d := m.XMM(), m.vector()
	// Not MOVQ: between AVX, on Intel, an instruction of SSE waits for the register whose upper part it keeps, or saves all of them.
	m.VMOVQ(r, low)
	if m.double {
		m.VPBROADCASTQ(low, d)
	} else {
		m.VPBROADCASTD(low, d)
	}
	return d
}

// storeIndices stores the lanes as 32-bit integers.
func (m *machine) storeIndices(v vec, to operand.Mem, mask op) {
	switch {
	case !m.double:
		m.store(v, to, mask)
	case m.neon: // of two
		low := m.XMM()
		m.Instruction(neon.Narrow(v, low))
		if mask == nil {
			m.VMOVSD(low, to)
		} else {
			m.VMOVSS(low, to)
		}
	case m.avx512:
		low := m.YMM()
		m.VPMOVQD(v, low)
		if mask == nil {
			m.VMOVDQU(low, to)
		} else {
			m.VMOVDQU32(low, mask, to)
		}
	default:
		// The even 32-bit lanes of both halves, side by side; likewise for the mask.
		low := m.narrow(v)
		if mask == nil {
			m.VMOVDQU(low, to)
		} else {
			m.VPMASKMOVD(low, m.narrow(mask.(vec)), to)
		}
	}
}

func (m *machine) narrow(v vec) reg.Register {
	upper, d := m.XMM(), m.XMM()
	m.VEXTRACTF128(operand.U8(1), v, upper)
	m.VSHUFPS(operand.U8(0x88), upper, v.AsX(), d)
	return d
}

const laneTableName = "lanes"

func (m *machine) laneTable() operand.Mem {
	return operand.Mem{Symbol: operand.Symbol{Name: fmt.Sprintf("%s%d", laneTableName, 8*m.size()), Static: true}, Base: reg.StaticBase}
}

// addLaneTables adds the numbers of the lanes, in both sizes, to the file.
func addLaneTables(c *build.Context) {
	c.StaticGlobal(laneTableName + "32")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		c.AppendDatum(operand.U32(i))
	}
	c.StaticGlobal(laneTableName + "64")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AppendDatum(operand.U64(i))
	}
}
