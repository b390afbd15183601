package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// laneBytes is the size of the partial results of a reduction, the same for every instruction set.
const laneBytes = 256

// rowReduction folds rows of elements, or of elements of two factors, to one value each.
type rowReduction struct {
	name    string
	arity   int
	neutral float64
	element func(m *machine, a []vec) vec
	combine func(m *machine, a, b vec) vec
}

func rowReductions() []rowReduction {
	first := func(_ *machine, a []vec) vec { return a[0] }
	add := func(m *machine, a, b vec) vec { return m.add(a, b) }
	return []rowReduction{
		{"sumRows", 1, 0, first, add},
		{"maxRows", 1, math.Inf(-1), first, (*machine).max},
		{"dotRows", 2, 0, func(m *machine, a []vec) vec { return m.mul(a[0], a[1]) }, add},
	}
}

// rows emits a row reduction. Element i of a row goes to partial result i mod laneBytes/size; what is left of a row
// after its full rounds goes to the first of them.
func (m *machine) rows(f rowReduction) {
	m.begin(f.name, "dst, "+arguments[f.arity], "rows, cols", "reduces each of the rows of [rows, cols] to dst[row].")
	dst := m.pointer("dst")
	var x []reg.Register
	for _, name := range []string{"x", "y"}[:f.arity] {
		x = append(x, m.pointer(name))
	}
	rows, cols := m.Load(m.Param("rows"), m.GP64()), m.Load(m.Param("cols"), m.GP64())
	rest := m.GP64()
	m.MOVQ(cols, rest)
	m.ANDQ(operand.I32(m.lanes()-1), rest)
	mask := m.tailMask(rest)
	neutral := m.number(f.neutral)

	partial := make([]vec, laneBytes/m.width)
	for j := range partial {
		partial[j] = m.vector()
	}
	take := func(j, disp int, mask op) {
		var a []vec
		for _, base := range x {
			a = append(a, m.load(operand.Mem{Base: base, Disp: disp}, mask))
		}
		v := f.element(m, a)
		if mask != nil && f.neutral != 0 {
			v = m.choose(m.inside(mask), v, neutral)
		}
		m.move(f.combine(m, partial[j], v), partial[j])
	}
	advance := func(bytes op) {
		for _, base := range x {
			m.ADDQ(bytes, base)
		}
	}
	left := m.GP64()

	m.TESTQ(rows, rows)
	m.JE(operand.LabelRef("done"))
	m.Label("row")
	for _, p := range partial {
		m.move(neutral, p)
	}
	m.MOVQ(cols, left)
	m.Label("round")
	m.CMPQ(left, operand.I32(laneBytes/m.size()))
	m.JLT(operand.LabelRef(label("vector", 0)))
	for j := range partial {
		take(j, j*m.width, nil)
	}
	advance(operand.I32(laneBytes))
	m.SUBQ(operand.I32(laneBytes/m.size()), left)
	m.JMP(operand.LabelRef("round"))
	for j := range partial {
		m.Label(label("vector", j))
		if j < len(partial)-1 {
			m.CMPQ(left, operand.I32(m.lanes()))
			m.JLT(operand.LabelRef(label("tail", j)))
			take(j, 0, nil)
			advance(operand.I32(m.width))
			m.SUBQ(operand.I32(m.lanes()), left)
			m.JMP(operand.LabelRef(label("vector", j+1)))
		}
		m.Label(label("tail", j))
		m.TESTQ(left, left)
		m.JE(operand.LabelRef("fold"))
		take(j, 0, mask)
		m.SHLQ(operand.U8(m.size()/4+1), left)
		advance(left)
		m.JMP(operand.LabelRef("fold"))
	}
	m.Label("fold")
	m.foldInto(operand.Mem{Base: dst}, partial, f.combine)
	m.ADDQ(operand.I32(m.size()), dst)
	m.DECQ(rows)
	m.JNE(operand.LabelRef("row"))
	m.Label("done")
	m.end()
}

func label(name string, i int) string { return name + string(rune('A'+i)) }

func (m *machine) move(from, to vec) {
	if m.double {
		m.VMOVAPD(from, to)
	} else {
		m.VMOVAPS(from, to)
	}
}

// foldInto combines the upper half of the partial results with the lower until one element is left, and stores it.
func (m *machine) foldInto(to operand.Mem, partial []vec, combine func(m *machine, a, b vec) vec) {
	for len(partial) > 1 {
		half := len(partial) / 2
		var next []vec
		for j := range half {
			next = append(next, combine(m, partial[j], partial[j+half]))
		}
		partial = next
	}
	narrow, v := *m, partial[0]
	if narrow.width == 64 {
		narrow.width = 32
		upper := narrow.vector()
		narrow.VEXTRACTF64X4(operand.U8(1), v, upper)
		v = combine(&narrow, v.AsY().(vec), upper)
	}
	if narrow.width == 32 {
		narrow.width = 16
		upper := narrow.vector()
		narrow.VEXTRACTF128(operand.U8(1), v, upper)
		v = combine(&narrow, v.AsX().(vec), upper)
	}
	upper := narrow.vector()
	if m.double {
		narrow.VUNPCKHPD(v, v, upper)
		narrow.VMOVSD(combine(&narrow, v, upper), to)
		return
	}
	narrow.VMOVHLPS(v, v, upper)
	v = combine(&narrow, v, upper)
	upper = narrow.vector()
	narrow.VMOVSHDUP(v, upper)
	narrow.VMOVSS(combine(&narrow, v, upper), to)
}

// stride is the number of partial sums of a column.
const stride = 4

// addRows emits the column sums of one block of rows: row i goes to partial sum i mod stride of its column.
func (m *machine) addRows() {
	m.begin("addRows", "acc, x", "rows, cols", "adds the column sums of x [rows, cols] to acc.")
	acc, x := m.pointer("acc"), m.pointer("x")
	rows, cols := m.Load(m.Param("rows"), m.GP64()), m.Load(m.Param("cols"), m.GP64())
	pitch := m.GP64()
	m.MOVQ(cols, pitch)
	m.SHLQ(operand.U8(m.size()/4+1), pitch)

	wide := 2
	if m.avx512 || m.neon {
		wide = 4
	}
	m.Label("wide")
	m.CMPQ(cols, operand.I32(wide*m.lanes()))
	m.JLT(operand.LabelRef("one"))
	m.columns("wide", acc, x, rows, pitch, wide, nil)
	m.ADDQ(operand.I32(wide*m.width), acc)
	m.ADDQ(operand.I32(wide*m.width), x)
	m.SUBQ(operand.I32(wide*m.lanes()), cols)
	m.JMP(operand.LabelRef("wide"))
	m.Label("one")
	m.CMPQ(cols, operand.I32(m.lanes()))
	m.JLT(operand.LabelRef("tail"))
	m.columns("one", acc, x, rows, pitch, 1, nil)
	m.ADDQ(operand.I32(m.width), acc)
	m.ADDQ(operand.I32(m.width), x)
	m.SUBQ(operand.I32(m.lanes()), cols)
	m.JMP(operand.LabelRef("one"))
	m.Label("tail")
	m.TESTQ(cols, cols)
	m.JE(operand.LabelRef("done"))
	m.columns("tail", acc, x, rows, pitch, 1, m.tailMask(cols))
	m.Label("done")
	m.end()
}

// columns emits the sums of a few vectors of columns over all rows.
func (m *machine) columns(prefix string, acc, x, rows, pitch reg.Register, count int, mask op) {
	var partial [stride][]vec
	for u := range partial {
		for range count {
			partial[u] = append(partial[u], m.zero())
		}
	}
	at, left := m.GP64(), m.GP64()
	m.MOVQ(x, at)
	m.MOVQ(rows, left)
	row := func(u int) {
		for b := range count {
			m.move(m.add(partial[u][b], m.load(operand.Mem{Base: at, Disp: b * m.width}, mask)), partial[u][b])
		}
		m.ADDQ(pitch, at)
	}
	loop, rest, done := prefix+"Rows", prefix+"Rest", prefix+"Sum"
	m.Label(loop)
	m.CMPQ(left, operand.I32(stride))
	m.JLT(operand.LabelRef(rest))
	for u := range stride {
		row(u)
	}
	m.SUBQ(operand.I32(stride), left)
	m.JMP(operand.LabelRef(loop))
	m.Label(rest)
	for u := range stride - 1 {
		m.TESTQ(left, left)
		m.JE(operand.LabelRef(done))
		row(u)
		m.DECQ(left)
	}
	m.Label(done)
	for b := range count {
		sum := m.add(m.add(partial[0][b], partial[2][b]), m.add(partial[1][b], partial[3][b]))
		to := operand.Mem{Base: acc, Disp: b * m.width}
		m.store(m.add(m.load(to, mask), sum), to, mask)
	}
}
