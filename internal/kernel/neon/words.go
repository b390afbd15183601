package neon

import "fmt"

// form is a vector instruction as the manual has it. Its registers are the result and up to two operands, the first from bit 5 on and
// the second from bit 16 on.
type form struct {
	name     string
	word     uint32    // with every register zero
	suffixes [3]string // arrangements of the result and of the operands, "" for none
}

func three(name string, word uint32, lanes string) form {
	return form{name, word, [3]string{lanes, lanes, lanes}}
}

func two(name string, word uint32, lanes string) form {
	return form{name, word, [3]string{lanes, lanes}}
}

// forms are the instructions that are printed as words, by avo's opcode or this package's.
var forms = map[string]form{
	"VADDPS": three("fadd", 0x4e20d400, "4s"), "VADDPD": three("fadd", 0x4e60d400, "2d"),
	"VSUBPS": three("fsub", 0x4ea0d400, "4s"), "VSUBPD": three("fsub", 0x4ee0d400, "2d"),
	"VMULPS": three("fmul", 0x6e20dc00, "4s"), "VMULPD": three("fmul", 0x6e60dc00, "2d"),
	"VDIVPS": three("fdiv", 0x6e20fc00, "4s"), "VDIVPD": three("fdiv", 0x6e60fc00, "2d"),
	"FMAXPS": three("fmax", 0x4e20f400, "4s"), "FMAXPD": three("fmax", 0x4e60f400, "2d"),
	"FMINPS": three("fmin", 0x4ea0f400, "4s"), "FMINPD": three("fmin", 0x4ee0f400, "2d"),
	"FCMEQPS": three("fcmeq", 0x4e20e400, "4s"), "FCMEQPD": three("fcmeq", 0x4e60e400, "2d"),
	"FCMGEPS": three("fcmge", 0x6e20e400, "4s"), "FCMGEPD": three("fcmge", 0x6e60e400, "2d"),
	"FCMGTPS": three("fcmgt", 0x6ea0e400, "4s"), "FCMGTPD": three("fcmgt", 0x6ee0e400, "2d"),
	"CMGTPS": three("cmgt", 0x4ea03400, "4s"), "CMGTPD": three("cmgt", 0x4ee03400, "2d"),
	"CMEQPS": three("cmeq", 0x6ea08c00, "4s"), "CMEQPD": three("cmeq", 0x6ee08c00, "2d"),
	"FMLALANEPS": {"fmla", 0x4f801000, [3]string{"4s", "4s", "s[0]"}},
	"FMLALANEPD": {"fmla", 0x4fc01000, [3]string{"2d", "2d", "d[0]"}},
	"VSQRTPS":    two("fsqrt", 0x6ea1f800, "4s"), "VSQRTPD": two("fsqrt", 0x6ee1f800, "2d"),
	"FRINTNPS": two("frintn", 0x4e218800, "4s"), "FRINTNPD": two("frintn", 0x4e618800, "2d"),
	"NOT": two("mvn", 0x6e205800, "16b"),
	"XTN": {"xtn", 0x0ea12800, [3]string{"2s", "2d"}}, "FCVTL": {"fcvtl", 0x0e617800, [3]string{"2d", "2s"}},
}

// operands returns how many operands the instruction has besides the result.
func (f form) operands() int {
	if f.suffixes[2] == "" {
		return 1
	}
	return 2
}

// encode returns the word and the manual's text for a result and operands.
func (f form) encode(result int, operands ...int) (word uint32, text string) {
	word = f.word | uint32(result)
	text = fmt.Sprintf("%s v%d.%s", f.name, result, f.suffixes[0])
	for i, r := range operands {
		word |= uint32(r) << (5 + 11*i)
		text += fmt.Sprintf(", v%d.%s", r, f.suffixes[1+i])
	}
	return word, text
}
