package neon

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
)

// branches are arm64's names of amd64's jumps. Both compare signed integers.
var branches = map[string]string{
	"JMP": "B", "JE": "BEQ", "JZ": "BEQ", "JNE": "BNE", "JNZ": "BNE", "JL": "BLT", "JLT": "BLT", "JGE": "BGE",
}

// arithmetic are instructions that compute with their last operand, a register or in memory, and leave the result there. They set the
// flags as on amd64, but for those of flagless: a branch that would go by their result is refused.
var arithmetic = map[string]string{
	"ADDQ": "ADDS", "SUBQ": "SUBS", "ANDQ": "ANDS", "IMULQ": "MUL", "SHLQ": "LSL", "SHRQ": "LSR", "DECQ": "SUBS",
}

var flagless = map[string]bool{"MUL": true, "LSL": true, "LSR": true}

func (p *printer) arithmetic(name string, o []operand.Op) {
	from, to := "$1", o[len(o)-1]
	if len(o) == 2 {
		from = p.scalar(o[0])
	}
	if m, ok := to.(operand.Mem); ok {
		if from == valueScratch {
			p.fail("both operands are in memory")
		}
		at := p.memory(m)
		p.line("MOVD %s, %s", at, valueScratch)
		p.line("%s %s, %s, %s", name, from, valueScratch, valueScratch)
		p.line("MOVD %s, %s", valueScratch, at)
		return
	}
	r := p.value(to)
	p.line("%s %s, %s, %s", name, from, r, r)
}

// scalar returns a register or a constant, loading what is in memory.
func (p *printer) scalar(o operand.Op) string {
	if m, ok := o.(operand.Mem); ok {
		p.line("MOVD %s, %s", p.memory(m), valueScratch)
		return valueScratch
	}
	return p.value(o)
}

// inGo are vector instructions that Go's assembler has, with the arrangement of their registers.
var inGo = map[string][2]string{
	"VFMADD231PS": {"VFMLA", "S4"}, "VFMADD231PD": {"VFMLA", "D2"}, "VFNMADD231PS": {"VFMLS", "S4"}, "VFNMADD231PD": {"VFMLS", "D2"},
	"VANDPS": {"VAND", "B16"}, "VANDPD": {"VAND", "B16"}, "VORPS": {"VORR", "B16"}, "VORPD": {"VORR", "B16"},
	"VXORPS": {"VEOR", "B16"}, "VXORPD": {"VEOR", "B16"}, "VPADDD": {"VADD", "S4"}, "VPADDQ": {"VADD", "D2"},
	"VPSLLD": {"VSHL", "S4"}, "VPSLLQ": {"VSHL", "D2"}, "VPSRLD": {"VUSHR", "S4"}, "VPSRLQ": {"VUSHR", "D2"}, "BSL": {"VBSL", "B16"},
}

func (p *printer) inGo(s [2]string, o []operand.Op) {
	var operands []string
	for _, v := range o {
		if c, ok := v.(operand.Constant); ok {
			operands = append(operands, c.Asm())
			continue
		}
		operands = append(operands, fmt.Sprintf("V%d.%s", p.v(v), s[1]))
	}
	p.line("%s %s", s[0], strings.Join(operands, ", "))
}

// others are the instructions that need more than a name.
var others = map[string]func(p *printer, o []operand.Op){
	"RET":        func(p *printer, _ []operand.Op) { p.line("RET") },
	"VZEROUPPER": func(*printer, []operand.Op) {},
	"MOVQ":       (*printer).move,
	"LEAQ":       (*printer).addressOf,
	"IMUL3Q": func(p *printer, o []operand.Op) {
		p.line("MOVD %s, %s", p.value(o[0]), valueScratch)
		p.line("MUL %s, %s, %s", valueScratch, p.value(o[1]), p.value(o[2]))
		p.unset = "IMUL3Q"
	},
	"CMPQ": (*printer).compare,
	"TESTQ": func(p *printer, o []operand.Op) {
		p.line("TST %s, %s", p.value(o[0]), p.value(o[1]))
		p.unset = ""
	},
	"PREFETCHT0": func(p *printer, o []operand.Op) { p.line("PRFM %s, PLDL1KEEP", p.memory(o[0].(operand.Mem))) },
	"VMOVAPS":    (*printer).vector,
	"VMOVAPD":    (*printer).vector,
	"VMOVUPS":    (*printer).vector,
	"VMOVUPD":    (*printer).vector,
	"VMOVSS":     func(p *printer, o []operand.Op) { p.single("FMOVS", 4, o) },
	"VMOVSD":     func(p *printer, o []operand.Op) { p.single("FMOVD", 8, o) },
	"VADDSS":     func(p *printer, o []operand.Op) { p.addSingle("FADDS", "FMOVS", 4, o) },
	"VADDSD":     func(p *printer, o []operand.Op) { p.addSingle("FADDD", "FMOVD", 8, o) },
	"VMOVHLPS":   (*printer).upperHalf,
	"VUNPCKHPD":  (*printer).upperHalf,
	"VMOVSHDUP":  (*printer).oddLanes,
	"VBROADCASTSS": func(p *printer, o []operand.Op) {
		p.line("VLD1R (%s), [V%d.S4]", p.address(o[0].(operand.Mem)), p.v(o[1]))
	},
	"VMOVDDUP": func(p *printer, o []operand.Op) {
		p.line("VLD1R (%s), [V%d.D2]", p.address(o[0].(operand.Mem)), p.v(o[1]))
	},
	"DUPPS": func(p *printer, o []operand.Op) { p.line("VDUP %s, V%d.S4", p.value(o[0]), p.v(o[1])) },
	"DUPPD": func(p *printer, o []operand.Op) { p.line("VDUP %s, V%d.D2", p.value(o[0]), p.v(o[1])) },
	"FLDPQ": func(p *printer, o []operand.Op) {
		p.line("FLDPQ %s, (F%d, F%d)", p.memory(o[0].(operand.Mem)), p.v(o[1]), p.v(o[2]))
	},
	"LOADSOMEPS":  (*printer).loadSome,
	"LOADSOMEPD":  func(p *printer, o []operand.Op) { p.line("FMOVD %s, F%d", p.memory(o[1].(operand.Mem)), p.v(o[2])) },
	"STORESOMEPS": (*printer).storeSome,
	"STORESOMEPD": func(p *printer, o []operand.Op) { p.line("FMOVD F%d, %s", p.v(o[1]), p.memory(o[2].(operand.Mem))) },
}

func (p *printer) move(o []operand.Op) {
	if m, ok := o[1].(operand.Mem); ok {
		p.line("MOVD %s, %s", p.value(o[0]), p.memory(m))
		return
	}
	from := ""
	if m, ok := o[0].(operand.Mem); ok {
		from = p.memory(m)
	} else {
		from = p.value(o[0])
	}
	p.line("MOVD %s, %s", from, p.value(o[1]))
}

func (p *printer) addressOf(o []operand.Op) {
	m, to := o[0].(operand.Mem), p.value(o[1])
	if from := p.address(m); from != to {
		p.line("MOVD %s, %s", from, to)
	}
}

func (p *printer) compare(o []operand.Op) {
	first, second := p.scalar(o[0]), p.value(o[1])
	p.line("CMP %s, %s", second, first)
	p.unset = ""
}

// vector prints a move of a whole vector.
func (p *printer) vector(o []operand.Op) {
	if m, ok := o[0].(operand.Mem); ok {
		p.line("FMOVQ %s, F%d", p.memory(m), p.v(o[1]))
		return
	}
	if m, ok := o[1].(operand.Mem); ok {
		p.line("FMOVQ F%d, %s", p.v(o[0]), p.memory(m))
		return
	}
	if from, to := p.v(o[0]), p.v(o[1]); from != to {
		p.line("VMOV V%d.B16, V%d.B16", from, to)
	}
}

// single prints a load of one element, which makes the other lanes zero, or a store.
func (p *printer) single(name string, size uint8, o []operand.Op) {
	if m, ok := o[0].(operand.Mem); ok {
		p.line("%s %s, F%d", name, p.element(m, size), p.v(o[1]))
		return
	}
	p.line("%s F%d, %s", name, p.v(o[0]), p.element(o[1].(operand.Mem), size))
}

func (p *printer) addSingle(name, move string, size uint8, o []operand.Op) {
	first := scratchVector
	if m, ok := o[0].(operand.Mem); ok {
		if p.taken {
			p.fail("V%d is in use", scratchVector)
		}
		p.line("%s %s, F%d", move, p.element(m, size), first)
	} else {
		first = p.v(o[0])
	}
	p.line("%s F%d, F%d, F%d", name, first, p.v(o[1]), p.v(o[2]))
}

// upperHalf prints the move of a vector's upper half to a lower one.
func (p *printer) upperHalf(o []operand.Op) {
	p.same(o)
	p.line("VDUP V%d.D[1], V%d.D2", p.v(o[0]), p.v(o[2]))
}

func (p *printer) oddLanes(o []operand.Op) {
	p.line("VTRN2 V%d.S4, V%d.S4, V%d.S4", p.v(o[0]), p.v(o[0]), p.v(o[1]))
}

// same fails unless both sources are one.
func (p *printer) same(o []operand.Op) {
	if p.v(o[0]) != p.v(o[1]) {
		p.fail("want one source")
	}
}

// loadSome prints the load of one to three of four elements: the second bit of their number says whether there is a pair, the first
// whether there is one more.
func (p *printer) loadSome(o []operand.Op) {
	v := p.v(o[2])
	p.some(o[0], p.address(o[1].(operand.Mem)), "FMOVS (%s), F%d", "FMOVD (%s), F%d", "VLD1 (%s), V%d.S[2]", v)
}

func (p *printer) storeSome(o []operand.Op) {
	v := p.v(o[1])
	p.some(o[0], p.address(o[2].(operand.Mem)), "FMOVS F%[2]d, (%[1]s)", "FMOVD F%[2]d, (%[1]s)", "VST1 V%[2]d.S[2], (%[1]s)", v)
}

// some prints what is to be done for one element, for two, and after those for the third.
func (p *printer) some(n operand.Op, at, one, pair, third string, v int) {
	last := func() {
		p.line("ADD $8, %s, %s", at, valueScratch)
		p.line(third, valueScratch, v)
	}
	if c, ok := n.(operand.U8); ok {
		switch c {
		case 1:
			p.line(one, at, v)
		case 2:
			p.line(pair, at, v)
		case 3:
			p.line(pair, at, v)
			last()
		default:
			p.fail("%d elements", c)
		}
		return
	}
	single, done, count := p.label(), p.label(), p.value(n)
	p.line("TBZ $1, %s, %s", count, single)
	p.line(pair, at, v)
	p.line("TBZ $0, %s, %s", count, done)
	last()
	p.line("B %s", done)
	fmt.Fprintf(&p.out, "\n%s:\n", single)
	p.line(one, at, v)
	fmt.Fprintf(&p.out, "\n%s:\n", done)
}
