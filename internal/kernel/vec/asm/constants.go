package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// mantissa is the number of explicit bits of the significand.
func (m *machine) mantissa() int {
	if m.double {
		return 52
	}
	return 23
}

func (m *machine) bias() int {
	if m.double {
		return 1023
	}
	return 127
}

// bitsOf is the representation of a number in the element type.
func (m *machine) bitsOf(v float64) uint64 {
	if m.double {
		return math.Float64bits(v)
	}
	return uint64(math.Float32bits(float32(v)))
}

func (m *machine) signBit() vec { return m.constant(m.bitsOf(math.Copysign(0, -1))) }

func (m *machine) number(v float64) vec { return m.constant(m.bitsOf(v)) }

// constant returns a register with the bits in every lane.
func (m *machine) constant(bits uint64) vec {
	if v, ok := m.hoisted[bits]; ok {
		return v
	}
	m.found = append(m.found, bits)
	d := m.vector()
	if m.neon {
		m.VMOVUPS(m.pooled(bits), d)
		return d
	}
	if m.double {
		m.VBROADCASTSD(m.datum(operand.U64(bits)), d)
	} else {
		m.VBROADCASTSS(m.datum(operand.U32(bits)), d)
	}
	return d
}

// inMemory returns where an instruction of AVX-512 itself finds a number that no register holds.
func (m *machine) inMemory(v float64) (operand.Mem, bool) {
	bits := m.bitsOf(v)
	if _, held := m.hoisted[bits]; !m.avx512 || held {
		return operand.Mem{}, false
	}
	m.found = append(m.found, bits)
	if m.double {
		return m.datum(operand.U64(bits)), true
	}
	return m.datum(operand.U32(bits)), true
}

func (m *machine) datum(v operand.Constant) operand.Mem {
	name := fmt.Sprintf("bits%d_%x", 8*v.Bytes(), v)
	if _, ok := m.data[name]; !ok {
		m.data[name] = m.ConstData(name, v)
	}
	return m.data[name]
}

// hoist broadcasts a body's constants ahead of its loops. It finds them by a dry run.
func (m *machine) hoist(body func(m *machine)) {
	dry := *m
	dry.Context = build.NewContext()
	dry.Function("dry")
	dry.hoisted, dry.found, dry.data, dry.pool = nil, nil, map[string]operand.Mem{}, newPool(m.size())
	body(&dry)
	m.hoisted = map[uint64]vec{}
	for _, bits := range dry.found {
		if len(m.hoisted) == m.spare {
			break
		}
		if _, ok := m.hoisted[bits]; !ok {
			m.hoisted[bits] = m.constant(bits)
		}
	}
}
