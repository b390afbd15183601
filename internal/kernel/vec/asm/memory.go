package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// tailMask returns the mask of the first n lanes, n less than a vector's. NEON's loads and stores take n itself.
func (m *machine) tailMask(n reg.Register) op {
	if m.neon {
		return n
	}
	if m.avx512 {
		ones, k := m.GP64(), m.K()
		m.MOVQ(operand.I32(-1), ones)
		m.BZHIQ(n, ones, ones)
		m.KMOVW(ones.As32(), k)
		return k
	}
	// The 32 bytes that end n elements into a run of 32 set and 32 clear bytes.
	at, mask := m.GP64(), m.vector()
	m.LEAQ(m.maskTable(), at)
	offset := m.GP64()
	m.MOVQ(n, offset)
	m.NEGQ(offset)
	m.VMOVDQU(operand.Mem{Base: at, Index: offset, Scale: uint8(m.size()), Disp: 32}, mask)
	return mask
}

const maskTableName = "setThenClear"

func (m *machine) maskTable() operand.Mem {
	return operand.Mem{Symbol: operand.Symbol{Name: maskTableName, Static: true}, Base: reg.StaticBase}
}

// addMaskTable adds the table that tailMask reads to the file.
func addMaskTable(c *build.Context) {
	c.StaticGlobal(maskTableName)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		all := uint64(math.MaxUint64)
		if i >= 4 {
			all = 0
		}
		c.AppendDatum(operand.U64(all))
	}
}

// load reads a vector; with a mask, lanes outside it are not read and zero.
func (m *machine) load(from operand.Mem, mask op) vec {
	d := m.vector()
	switch {
	case mask == nil:
		m.do((*build.Context).VMOVUPS, (*build.Context).VMOVUPD, from, d)
	case m.neon:
		m.Instruction(neon.LoadSome(m.double, mask, from, d))
	case m.avx512 && m.double:
		m.VMOVUPD_Z(from, mask, d)
	case m.avx512:
		m.VMOVUPS_Z(from, mask, d)
	case m.double:
		m.VMASKMOVPD(from, mask, d)
	default:
		m.VMASKMOVPS(from, mask, d)
	}
	return d
}

// store writes a vector; with a mask, lanes outside it are not written.
func (m *machine) store(v vec, to operand.Mem, mask op) {
	switch {
	case mask == nil:
		m.do((*build.Context).VMOVUPS, (*build.Context).VMOVUPD, v, to)
	case m.neon:
		m.Instruction(neon.StoreSome(m.double, mask, v, to))
	case m.avx512:
		m.do((*build.Context).VMOVUPS, (*build.Context).VMOVUPD, v, mask, to)
	case m.double:
		m.VMASKMOVPD(v, mask, to)
	default:
		m.VMASKMOVPS(v, mask, to)
	}
}
