package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elementwise is a function of one, two or three vectors. It is written for one vector and run over slices.
type elementwise struct {
	name   string // the assembly's and the plain Go function's name
	field  string // the field of Kernels
	arity  int
	unroll int
	// exact functions give the bits of plain Go, so plain Go may serve the shortest slices.
	exact bool
	body  func(m *machine, a []vec) vec
}

var arguments = []string{"", "x", "x, y", "x, y, z"}

// functions lists the elementwise functions.
func functions() []elementwise {
	one := func(f func(*machine, vec) vec) func(*machine, []vec) vec {
		return func(m *machine, a []vec) vec { return f(m, a[0]) }
	}
	two := func(f func(m *machine, a, b op) vec) func(*machine, []vec) vec {
		return func(m *machine, a []vec) vec { return f(m, a[0], a[1]) }
	}
	compare := func(predicate int) func(*machine, []vec) vec {
		return func(m *machine, a []vec) vec { return m.indicate(m.compare(predicate, a[0], a[1])) }
	}
	return []elementwise{
		{"neg", "Neg", 1, 4, true, one(func(m *machine, x vec) vec { return m.xor(x, m.signBit()) })},
		{"abs", "Abs", 1, 4, true, one((*machine).abs)},
		{"sign", "Sign", 1, 4, true, one((*machine).sign)},
		{"sqrt", "Sqrt", 1, 2, true, one(func(m *machine, x vec) vec { return m.sqrt(x) })},
		{"rsqrt", "Rsqrt", 1, 2, true, one(func(m *machine, x vec) vec { return m.div(m.number(1), m.sqrt(x)) })},
		{"recip", "Recip", 1, 2, true, one(func(m *machine, x vec) vec { return m.div(m.number(1), x) })},
		{"relu", "Relu", 1, 4, true, one((*machine).relu)},
		{"step", "Step", 1, 4, true, one(func(m *machine, x vec) vec { return m.indicate(m.compare(greater, x, m.number(0))) })},
		{"add", "Add", 2, 4, true, two((*machine).add)},
		{"sub", "Sub", 2, 4, true, two((*machine).sub)},
		{"mul", "Mul", 2, 4, true, two((*machine).mul)},
		{"div", "Div", 2, 2, true, two((*machine).div)},
		{"maximum", "Max", 2, 2, true, func(m *machine, a []vec) vec { return m.max(a[0], a[1]) }},
		{"minimum", "Min", 2, 2, true, func(m *machine, a []vec) vec { return m.min(a[0], a[1]) }},
		{"greater", "Greater", 2, 4, true, compare(greater)},
		{"greaterEqual", "GreaterEqual", 2, 4, true, compare(greaterEqual)},
		{"equal", "Equal", 2, 4, true, compare(equal)},
		{"choose", "Select", 3, 2, true, func(m *machine, a []vec) vec {
			return m.choose(m.compare(notEqual, a[0], m.number(0)), a[1], a[2])
		}},
		{"mulAdd", "MulAdd", 3, 2, true, func(m *machine, a []vec) vec { return m.add(m.mul(a[0], a[1]), a[2]) }},
		{"exp", "Exp", 1, 2, false, one((*machine).exp)},
		{"log", "Log", 1, 1, false, one((*machine).log)},
		{"log1p", "Log1p", 1, 1, false, one((*machine).log1p)},
		{"tanh", "Tanh", 1, 2, false, one((*machine).tanh)},
		{"sigmoid", "Sigmoid", 1, 2, false, one((*machine).sigmoid)},
		{"erf", "Erf", 1, 2, false, one((*machine).erf)},
	}
}

func (m *machine) abs(x vec) vec {
	return m.and(x, m.constant(m.bitsOf(math.NaN())|(1<<m.mantissa()-1)))
}

// relu keeps -0 and NaN.
func (m *machine) relu(x vec) vec {
	if m.neon {
		return m.choose(m.compare(less, x, m.number(0)), m.number(0), x)
	}
	return m.secondMax(m.number(0), x)
}

func (m *machine) sign(x vec) vec {
	unit := m.or(m.and(x, m.signBit()), m.number(1))
	unit = m.choose(m.compare(equal, x, m.number(0)), m.number(0), unit)
	return m.choose(m.compare(unordered, x, x), x, unit)
}

// elementwise emits f over n elements: several vectors at a time, then one, then the rest under a mask.
func (m *machine) elementwise(f elementwise) {
	m.begin(f.name, "dst, "+arguments[f.arity], "n", "sets dst[i] for i < n.")
	var x []reg.Register
	for _, name := range []string{"x", "y", "z"}[:f.arity] {
		x = append(x, m.pointer(name))
	}
	m.hoist(func(m *machine) {
		a := make([]vec, f.arity)
		for i := range a {
			a[i] = m.vector()
		}
		f.body(m, a)
	})
	unroll := f.unroll
	if !f.exact && !m.avx512 {
		unroll = 1 // for want of registers
	}
	m.overVectors(unroll, !f.exact, x, func(at func(base reg.Register) operand.Mem, mask op) vec {
		var a []vec
		for _, base := range x {
			a = append(a, m.load(at(base), mask))
		}
		return f.body(m, a)
	})
}

// overVectors emits the loops over dst and the sources at x, with the instructions for several vectors alternating if they are to be done in turn; value computes the vector to store at an offset from the arguments' start.
func (m *machine) overVectors(unroll int, inTurn bool, x []reg.Register, value func(at func(base reg.Register) operand.Mem, mask op) vec) {
	dst, n := m.pointer("dst"), m.Load(m.Param("n"), m.GP64())
	i := m.GP64()
	if !m.neon {
		m.XORQ(i, i)
	}
	vectors := func(count int, mask op) {
		for u := range count {
			if inTurn && count > 1 {
				m.beginStrand(u)
			}
			at := func(base reg.Register) operand.Mem {
				if m.neon { // which has no address of three parts
					return operand.Mem{Base: base, Disp: u * m.width}
				}
				return operand.Mem{Base: base, Index: i, Scale: 1, Disp: u * m.width}
			}
			m.store(value(at, mask), at(dst), mask)
		}
		if inTurn && count > 1 {
			m.endStrands()
		}
	}
	loop := func(label, next string, count int) {
		elements := operand.I32(count * m.lanes())
		m.CMPQ(n, elements)
		m.JLT(operand.LabelRef(next))
		m.Label(label)
		vectors(count, nil)
		moving := []reg.Register{i}
		if m.neon {
			moving = append(x[:len(x):len(x)], dst)
		}
		for _, r := range moving {
			m.ADDQ(operand.I32(count*m.width), r)
		}
		m.SUBQ(elements, n)
		m.CMPQ(n, elements)
		m.JGE(operand.LabelRef(label))
	}
	if unroll > 1 {
		loop("many", "few", unroll)
		m.Label("few")
	}
	loop("one", "tail", 1)
	m.Label("tail")
	m.TESTQ(n, n)
	m.JE(operand.LabelRef("done"))
	vectors(1, m.tailMask(n))
	m.Label("done")
	m.end()
}

// fill emits the function that sets every element to one value.
func (m *machine) fill() {
	m.begin("fill", "dst, v", "n", "sets dst[i] to *v for i < n.")
	v := m.everywhere(m.pointer("v"))
	m.overVectors(4, false, nil, func(func(reg.Register) operand.Mem, op) vec { return v })
}

// addScaled emits the function that adds a multiple of one array to another.
func (m *machine) addScaled() {
	m.begin("addScaled", "dst, a, x", "n", "adds *a x[i] to dst[i] for i < n.")
	a, x, old := m.everywhere(m.pointer("a")), m.pointer("x"), m.pointer("dst")
	m.overVectors(4, false, []reg.Register{x, old}, func(at func(base reg.Register) operand.Mem, mask op) vec {
		return m.add(m.mul(m.load(at(x), mask), a), m.load(at(old), mask))
	})
}

// everywhere returns the number at an address in every lane.
func (m *machine) everywhere(from reg.Register) vec {
	v := m.vector()
	switch {
	case !m.double:
		m.VBROADCASTSS(operand.Mem{Base: from}, v)
	case m.neon:
		m.VMOVDDUP(operand.Mem{Base: from}, v)
	default:
		m.VBROADCASTSD(operand.Mem{Base: from}, v)
	}
	return v
}
