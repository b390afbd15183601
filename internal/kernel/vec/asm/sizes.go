package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"shadowflow/internal/kernel/neon"
)

// sizeLanes is how many partial sums each size has, the same for every instruction set.
const sizeLanes = 8

// sizes emits the sums, over n elements, of |x|, of x^2 and of sqrt(x^2 + eps) - sqrt(eps), and the largest |x|: each in sizeLanes partial results at
// sums, which it goes on from. At eps are as many times eps and sqrt(eps). What is left of n over whole rounds is the caller's. Elements may be float32; all
// else is float64.
func (m *machine) sizes(single bool) {
	bits, read := 64, func(from operand.Mem) vec { return m.load(from, nil) }
	if single {
		bits, read = 32, m.widened
	}
	m.open(fmt.Sprintf("sizes%d%s", bits, m.set()), fmt.Sprintf("func(sums *float64, x *float%d, eps *float64, n int)", bits),
		"goes on with the partial results at sums, for whole rounds of x.")
	sums, x, eps := m.pointer("sums"), m.pointer("x"), m.pointer("eps")
	n := m.Load(m.Param("n"), m.GP64())
	const one, square, excess, largest, kinds = 0, 1, 2, 3, 4
	row := sizeLanes * m.size()
	at := func(kind, j int) operand.Mem { return operand.Mem{Base: sums, Disp: kind*row + j*m.width} }
	m.hoist(func(m *machine) {
		m.abs(m.vector())
		m.number(0)
	})
	vectors := row / m.width
	var partial [kinds][]vec
	for kind := range partial {
		for j := range vectors {
			partial[kind] = append(partial[kind], m.load(at(kind, j), nil))
		}
	}
	m.CMPQ(n, operand.I32(sizeLanes))
	m.JLT(operand.LabelRef("done"))
	m.Label("round")
	for j := range vectors {
		a := m.abs(read(operand.Mem{Base: x, Disp: j * m.lanes() * bits / 8}))
		m.move(m.add(partial[one][j], a), partial[one][j])
		m.move(m.secondMax(partial[largest][j], a), partial[largest][j])
		q := m.mul(a, a)
		m.move(m.add(partial[square][j], q), partial[square][j])
		root := m.sqrt(m.add(q, m.load(operand.Mem{Base: eps}, nil)))
		e := m.div(q, m.add(root, m.load(operand.Mem{Base: eps, Disp: row}, nil)))
		e = m.choose(m.compare(equal, q, m.number(0)), m.number(0), e) // 0/0 where eps is 0 too
		m.move(m.add(partial[excess][j], e), partial[excess][j])
	}
	m.ADDQ(operand.I32(sizeLanes*bits/8), x)
	m.SUBQ(operand.I32(sizeLanes), n)
	m.CMPQ(n, operand.I32(sizeLanes))
	m.JGE(operand.LabelRef("round"))
	m.Label("done")
	for kind := range partial {
		for j := range vectors {
			m.store(partial[kind][j], at(kind, j), nil)
		}
	}
	m.hoisted = nil
	m.end()
}

// widened reads a vector of float64 from numbers of float32.
func (m *machine) widened(from operand.Mem) vec {
	d := m.vector()
	if m.neon {
		narrow := m.vector()
		m.VMOVSD(from, narrow)
		m.Instruction(neon.Widen(narrow, d))
		return d
	}
	m.VCVTPS2PD(from, d)
	return d
}
