package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

type (
	op  = operand.Op
	vec = reg.VecVirtual
	ins = func(*build.Context, ...operand.Op)
)

// machine emits vector instructions for one instruction set and one element type, so that every function is written
// once. Arguments are in mathematical order, results in fresh registers.
type machine struct {
	*build.Context
	avx512 bool
	neon   bool // where neither is set, it is AVX2
	double bool
	width  int // bytes of a vector register in use
	// constants are broadcast before the loops while registers last, and where they are used after that.
	hoisted map[uint64]vec
	spare   int
	found   []uint64
	// data holds the constants that the file has.
	data map[string]operand.Mem
	pool *pool
	// poolAt points to the pool in the function at hand, once that needs it.
	poolAt reg.Register
}

// set is the instruction set's part of a function's name.
func (m *machine) set() string {
	switch {
	case m.avx512:
		return "AVX512"
	case m.neon:
		return "NEON"
	}
	return "AVX2"
}

func (m *machine) size() int {
	if m.double {
		return 8
	}
	return 4
}

func (m *machine) lanes() int { return m.width / m.size() }

func (m *machine) float() string { return fmt.Sprintf("float%d", 8*m.size()) }

// symbol is the name of the assembly function of a kernel.
func (m *machine) symbol(kernel string) string {
	return fmt.Sprintf("%s%d%s", kernel, 8*m.size(), m.set())
}

// begin opens a function over pointers, named in one string such as "dst, x", and integers.
func (m *machine) begin(kernel, pointers, integers, doc string) {
	m.open(m.symbol(kernel), fmt.Sprintf("func(%s *%s, %s int)", pointers, m.float(), integers), doc)
}

// open opens a function of a signature.
func (m *machine) open(symbol, signature, doc string) {
	m.poolAt = nil
	m.Function(symbol)
	m.Attributes(attr.NOSPLIT)
	m.Pragma("noescape")
	m.SignatureExpr(signature)
	m.Doc(symbol + " " + doc)
}

func (m *machine) end() {
	m.VZEROUPPER()
	m.RET()
}

func (m *machine) pointer(name string) reg.Register { return m.Load(m.Param(name), m.GP64()) }

func (m *machine) vector() vec {
	switch m.width {
	case 64:
		return m.ZMM()
	case 32:
		return m.YMM()
	}
	return m.XMM()
}

// do emits the single or the double precision form.
func (m *machine) do(ps, pd ins, ops ...op) {
	if m.double {
		pd(m.Context, ops...)
		return
	}
	ps(m.Context, ops...)
}

func (m *machine) two(ps, pd ins, a, b op) vec {
	d := m.vector()
	m.do(ps, pd, b, a, d)
	return d
}

func (m *machine) add(a, b op) vec {
	return m.two((*build.Context).VADDPS, (*build.Context).VADDPD, a, b)
}
func (m *machine) sub(a, b op) vec {
	return m.two((*build.Context).VSUBPS, (*build.Context).VSUBPD, a, b)
}
func (m *machine) mul(a, b op) vec {
	return m.two((*build.Context).VMULPS, (*build.Context).VMULPD, a, b)
}
func (m *machine) div(a, b op) vec {
	return m.two((*build.Context).VDIVPS, (*build.Context).VDIVPD, a, b)
}
func (m *machine) and(a, b op) vec {
	return m.two((*build.Context).VANDPS, (*build.Context).VANDPD, a, b)
}
func (m *machine) or(a, b op) vec { return m.two((*build.Context).VORPS, (*build.Context).VORPD, a, b) }
func (m *machine) xor(a, b op) vec {
	return m.two((*build.Context).VXORPS, (*build.Context).VXORPD, a, b)
}

// addBits adds as integers.
func (m *machine) addBits(a, b op) vec {
	return m.two((*build.Context).VPADDD, (*build.Context).VPADDQ, a, b)
}

func (m *machine) shiftLeft(a op, bits int) vec {
	return m.two((*build.Context).VPSLLD, (*build.Context).VPSLLQ, a, operand.U8(bits))
}

func (m *machine) shiftRight(a op, bits int) vec {
	return m.two((*build.Context).VPSRLD, (*build.Context).VPSRLQ, a, operand.U8(bits))
}

// secondMax is max(a, b); of zeros either, and NaN if b is.
func (m *machine) secondMax(a, b op) vec {
	if m.neon {
		return m.own2(neon.Max, a, b)
	}
	return m.two((*build.Context).VMAXPS, (*build.Context).VMAXPD, a, b)
}

// secondMin is min(a, b); of zeros either, and NaN if b is.
func (m *machine) secondMin(a, b op) vec {
	if m.neon {
		return m.own2(neon.Min, a, b)
	}
	return m.two((*build.Context).VMINPS, (*build.Context).VMINPD, a, b)
}

func (m *machine) sqrt(a op) vec {
	d := m.vector()
	m.do((*build.Context).VSQRTPS, (*build.Context).VSQRTPD, a, d)
	return d
}

func (m *machine) copy(a op) vec {
	d := m.vector()
	m.do((*build.Context).VMOVAPS, (*build.Context).VMOVAPD, a, d)
	return d
}

func (m *machine) zero() vec {
	d := m.vector()
	m.do((*build.Context).VXORPS, (*build.Context).VXORPD, d, d, d)
	return d
}

// fma is a*b + c, rounded once.
func (m *machine) fma(a, b, c op) vec {
	d := m.copy(c)
	m.do((*build.Context).VFMADD231PS, (*build.Context).VFMADD231PD, b, a, d)
	return d
}

// fnma is c - a*b, rounded once.
func (m *machine) fnma(a, b, c op) vec {
	d := m.copy(c)
	m.do((*build.Context).VFNMADD231PS, (*build.Context).VFNMADD231PD, b, a, d)
	return d
}

// horner evaluates the polynomial whose coefficients stand lowest degree first.
func (m *machine) horner(x op, coefficients []float64) vec {
	last := len(coefficients) - 1
	p := m.copy(m.number(coefficients[last]))
	for i := last - 1; i >= 0; i-- {
		if m.neon {
			p = m.fma(p, x, m.number(coefficients[i]))
			continue
		}
		if c, ok := m.inMemory(coefficients[i]); ok {
			m.do((*build.Context).VFMADD213PS_BCST, (*build.Context).VFMADD213PD_BCST, c, x, p)
			continue
		}
		m.do((*build.Context).VFMADD213PS, (*build.Context).VFMADD213PD, m.number(coefficients[i]), x, p)
	}
	return p
}

// round rounds to the nearest integer, ties to even.
func (m *machine) round(a op) vec {
	d := m.vector()
	if m.neon {
		m.Instruction(neon.Round(m.double, a, d))
		return d
	}
	if m.avx512 {
		m.do((*build.Context).VRNDSCALEPS, (*build.Context).VRNDSCALEPD, operand.U8(8), a, d)
		return d
	}
	if m.double {
		m.VROUNDPD(operand.U8(8), a, d)
	} else {
		m.VROUNDPS(operand.U8(8), a, d)
	}
	return d
}

// The comparison predicates of VCMPPS.
const (
	equal        = 0
	less         = 1
	lessEqual    = 2
	unordered    = 3
	notEqual     = 4 // or unordered
	notLess      = 5 // or unordered
	greaterEqual = 13
	greater      = 14
)

// compare returns a mask for choose and indicate.
func (m *machine) compare(predicate int, a, b op) op {
	if m.neon {
		return m.compareNEON(predicate, a, b)
	}
	if m.avx512 {
		k := m.K()
		m.do((*build.Context).VCMPPS, (*build.Context).VCMPPD, operand.U8(predicate), b, a, k)
		return k
	}
	d := m.vector()
	m.do((*build.Context).VCMPPS, (*build.Context).VCMPPD, operand.U8(predicate), b, a, d)
	return d
}

// choose is a where the mask is set and b elsewhere.
func (m *machine) choose(mask, a, b op) vec {
	if m.neon {
		d := m.copy(mask)
		m.Instruction(neon.Choose(a, b, d))
		return d
	}
	d := m.vector()
	switch {
	case m.avx512:
		m.do((*build.Context).VBLENDMPS, (*build.Context).VBLENDMPD, a, b, mask, d)
	case m.double:
		m.VBLENDVPD(mask, a, b, d)
	default:
		m.VBLENDVPS(mask, a, b, d)
	}
	return d
}

// indicate is 1 where the mask is set and 0 elsewhere.
func (m *machine) indicate(mask op) vec {
	if !m.avx512 {
		return m.and(mask, m.number(1))
	}
	d := m.vector()
	if m.double {
		m.VMOVAPD_Z(m.number(1), mask, d)
	} else {
		m.VMOVAPS_Z(m.number(1), mask, d)
	}
	return d
}

// max is the larger of both, NaN if either is, and +0 of zeros with different signs.
func (m *machine) max(a, b vec) vec {
	switch {
	case m.avx512:
		return m.rangeOrNaN(5, a, b)
	case m.neon:
		return m.own2(neon.Max, a, b)
	}
	return m.orNaN(m.and(m.secondMax(a, b), m.secondMax(b, a)), a, b)
}

// min is the smaller of both, NaN if either is, and -0 of zeros with different signs.
func (m *machine) min(a, b vec) vec {
	switch {
	case m.avx512:
		return m.rangeOrNaN(4, a, b)
	case m.neon:
		return m.own2(neon.Min, a, b)
	}
	return m.orNaN(m.or(m.secondMin(a, b), m.secondMin(b, a)), a, b)
}

func (m *machine) rangeOrNaN(kind int, a, b vec) vec {
	d := m.vector()
	m.do((*build.Context).VRANGEPS, (*build.Context).VRANGEPD, operand.U8(kind), b, a, d)
	m.do((*build.Context).VADDPS, (*build.Context).VADDPD, b, a, m.compare(unordered, a, b), d)
	return d
}

func (m *machine) orNaN(d, a, b vec) vec { return m.choose(m.compare(unordered, a, b), m.add(a, b), d) }

// scale is y times 2 to the integer n, rounded once however small or large it gets (|n| < 2 bias).
func (m *machine) scale(y, n vec) vec {
	if m.avx512 {
		return m.two((*build.Context).VSCALEFPS, (*build.Context).VSCALEFPD, y, n)
	}
	part := m.round(m.mul(n, m.number(0.5)))
	return m.mul(m.mul(y, m.pow2(part)), m.pow2(m.sub(n, part)))
}

// pow2 is 2 to the integer n, as long as that is a normal number: adding a large number leaves n + bias in the low bits.
func (m *machine) pow2(n vec) vec {
	return m.shiftLeft(m.add(n, m.number(1.5*math.Exp2(float64(m.mantissa()))+float64(m.bias()))), m.mantissa())
}

// checkRegisters fails if a function below AVX-512 uses a register that only AVX-512 has: the assembler would silently
// encode an AVX-512 instruction.
func checkRegisters(f *ir.File) error {
	for _, fn := range f.Functions() {
		for _, i := range fn.Instructions() {
			for _, r := range append(i.InputRegisters(), i.OutputRegisters()...) {
				if r.Kind() == reg.KindVector && reg.ToPhysical(r) != nil && reg.ToPhysical(r).PhysicalIndex() > 15 {
					return fmt.Errorf("%s: register %s needs AVX-512: lower the number of hoisted constants", fn.Name, r.Asm())
				}
			}
		}
	}
	return nil
}
