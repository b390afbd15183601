package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// own2 is one of the instructions with two operands that only NEON has.
func (m *machine) own2(f func(double bool, a, b, d operand.Op) *ir.Instruction, a, b op) vec {
	d := m.vector()
	m.Instruction(f(m.double, a, b, d))
	return d
}

func (m *machine) not(a op) vec {
	d := m.vector()
	m.Instruction(neon.Not(a, d))
	return d
}

// compareNEON makes the predicates of VCMPPS from the comparisons that NEON has.
func (m *machine) compareNEON(predicate int, a, b op) op {
	switch predicate {
	case equal:
		return m.own2(neon.Equal, a, b)
	case less:
		return m.own2(neon.Greater, b, a)
	case greater:
		return m.own2(neon.Greater, a, b)
	case greaterEqual:
		return m.own2(neon.GreaterEqual, a, b)
	case notEqual:
		return m.not(m.own2(neon.Equal, a, b))
	case notLess:
		return m.not(m.own2(neon.Greater, b, a))
	case unordered:
		if a == b {
			return m.not(m.own2(neon.Equal, a, a))
		}
	}
	panic(fmt.Sprintf("asm: NEON has no predicate %d", predicate))
}

// inside returns a mask that choose takes: on NEON, where masks are numbers of lanes, one with those lanes set.
func (m *machine) inside(mask op) op {
	if !m.neon {
		return mask
	}
	lanes := m.vector()
	m.VMOVUPS(m.laneTable(), lanes)
	return m.own2(neon.IntGreater, m.broadcast(mask.(reg.Register)), lanes)
}

// pool is a table of constants, each in every lane of a vector, which one pointer reaches: loading from it takes one instruction.
type pool struct {
	size int // bytes of a constant
	at   map[uint64]int
	bits []uint64
}

func newPool(size int) *pool { return &pool{size: size, at: map[uint64]int{}} }

func (p *pool) name() string { return fmt.Sprintf("constants%d", 8*p.size) }

// pooled addresses a constant in the pool.
func (m *machine) pooled(bits uint64) operand.Mem {
	if m.poolAt == nil {
		m.poolAt = m.GP64()
		m.LEAQ(operand.Mem{Symbol: operand.Symbol{Name: m.pool.name(), Static: true}, Base: reg.StaticBase}, m.poolAt)
	}
	i, ok := m.pool.at[bits]
	if !ok {
		i = len(m.pool.bits)
		m.pool.at[bits] = i
		m.pool.bits = append(m.pool.bits, bits)
	}
	return operand.Mem{Base: m.poolAt, Disp: i * m.width}
}

// add adds the pool to a file. Constants of four bytes are there twice as often.
func (p *pool) add(c *build.Context) {
	c.StaticGlobal(p.name())
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, bits := range p.bits {
		if p.size == 4 {
			bits |= bits << 32
		}
		c.AppendDatum(operand.U64(bits))
		c.AppendDatum(operand.U64(bits))
	}
}
