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
	m.open(m.symbol("windowArgMax"), fmt.Sprintf("func(index *int32, x *%s, n, at, rows, rowStride, cols, colStride int)", m.float()), "sets index[c] for c < n.")
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

// places emits what goes between images x and their windows by the places that windowArgMax found, for a row of windows of n neighbouring channels: the elements
// there into pooled, a window after the other, or those of pooled to there and zeros to the other positions. Places are of the size of float32.
func (m *machine) places(kernel string, put bool) {
	doc := "sets pooled[w*n+c] to the element of x at index[w*n+c], which lies in the window in x from at + w*next on, for c < n and w < windows."
	if put {
		doc = "sets the elements of the windows in x from at + w*next on to 0 + pooled[w*n+c] at index[w*n+c], for c < n and w < windows, and to 0 elsewhere."
	}
	m.open(m.symbol(kernel), fmt.Sprintf("func(x, pooled *%s, index *int32, n, at, rows, rowStride, cols, colStride, windows, next int)", m.float()), doc)
	x, pooled, index := m.pointer("x"), m.pointer("pooled"), m.pointer("index")
	n, at := m.Load(m.Param("n"), m.GP64()), m.Load(m.Param("at"), m.GP64())
	windows := m.Load(m.Param("windows"), m.GP64())
	lanes := m.vector()
	m.VMOVUPS(m.laneTable(), lanes)
	left, from := m.GP64(), m.GP64()
	m.Label("window")
	m.MOVQ(n, left)
	m.MOVQ(at, from)
	m.Label("loop")
	m.CMPQ(left, operand.I32(m.lanes()))
	m.JLT(operand.LabelRef("tail"))
	m.place("all", put, x, pooled, index, from, lanes, nil)
	for _, at := range []reg.Register{pooled, index} {
		m.ADDQ(operand.I32(4*m.lanes()), at)
	}
	m.ADDQ(operand.I32(m.lanes()), from)
	m.SUBQ(operand.I32(m.lanes()), left)
	m.JMP(operand.LabelRef("loop"))
	m.Label("tail")
	m.TESTQ(left, left)
	m.JE(operand.LabelRef("next"))
	m.place("some", put, x, pooled, index, from, lanes, left)
	m.SHLQ(operand.U8(2), left)
	for _, at := range []reg.Register{pooled, index} {
		m.ADDQ(left, at)
	}
	m.Label("next")
	m.ADDQ(m.Load(m.Param("next"), m.GP64()), at)
	m.DECQ(windows)
	m.JNE(operand.LabelRef("window"))
	m.end()
}

// place emits that for one vector of channels, the first n of them if n is not nil.
func (m *machine) place(prefix string, put bool, x, pooled, index, at reg.Register, lanes vec, n reg.Register) {
	var mask op
	if n != nil {
		mask = m.tailMask(n)
	}
	found := m.load(operand.Mem{Base: index}, mask)
	zero := m.zero()
	value := zero // what is taken, or what is put
	if put {
		value = m.add(zero, m.load(operand.Mem{Base: pooled}, mask))
	}
	row, col, from, p := m.GP64(), m.GP64(), m.GP64(), m.GP64()
	m.MOVQ(at, from)
	m.Load(m.Param("rows"), row)
	m.Label(prefix + "Row")
	m.Load(m.Param("cols"), col)
	m.MOVQ(from, p)
	m.Label(prefix + "Col")
	here := m.equalBits(found, m.addBits(lanes, m.broadcast(p)))
	element := operand.Mem{Base: x, Index: p, Scale: 4}
	if put {
		m.store(m.choose(here, value, zero), element, mask)
	} else {
		m.move(m.choose(here, m.load(element, mask), value), value)
	}
	m.ADDQ(m.Load(m.Param("colStride"), m.GP64()), p)
	m.DECQ(col)
	m.JNE(operand.LabelRef(prefix + "Col"))
	m.ADDQ(m.Load(m.Param("rowStride"), m.GP64()), from)
	m.DECQ(row)
	m.JNE(operand.LabelRef(prefix + "Row"))
	if !put {
		m.store(value, operand.Mem{Base: pooled}, mask)
	}
}

// equalBits is a mask of the 32-bit lanes that are the same in both.
func (m *machine) equalBits(a, b vec) op {
	if m.neon {
		return m.own2(neon.IntEqual, a, b)
	}
	if m.avx512 {
		k := m.K()
		m.VPCMPEQD(a, b, k)
		return k
	}
	d := m.vector()
	m.VPCMPEQD(a, b, d)
	return d
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
