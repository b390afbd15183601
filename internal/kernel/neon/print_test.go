package neon

import (
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// printed compiles and prints a function.
func printed(t *testing.T, body func(c *build.Context)) (string, error) {
	t.Helper()
	c := build.NewContext()
	c.Function("f")
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(x *float32, n int)")
	body(c)
	c.RET()
	file, err := c.Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Compile.Execute(file); err != nil {
		t.Fatal(err)
	}
	out, err := Print(file, "a test")
	return string(out), err
}

func TestOperandsInMemoryAreAddressedAsArm64Can(t *testing.T) {
	at := operand.Mem{Base: reg.RDI, Disp: 32}
	byIndex := operand.Mem{Base: reg.RDI, Index: reg.RCX, Scale: 4}
	for _, c := range []struct {
		name string
		body func(c *build.Context)
		want string
	}{
		{"a parameter", func(c *build.Context) { c.Load(c.Param("n"), reg.RCX) }, "\tMOVD n+8(FP), R1\n"},
		{"a distance", func(c *build.Context) { c.VMOVUPS(at, reg.X3) }, "\tFMOVQ 32(R6), F3\n"},
		{"a vector by index", func(c *build.Context) { c.VMOVUPS(reg.X3, byIndex) }, "\tADD R1<<2, R6, R16\n\tFMOVQ F3, 0(R16)\n"},
		{"an element by index", func(c *build.Context) { c.VMOVSS(byIndex, reg.X3) }, "\tFMOVS (R6)(R1<<2), F3\n"},
		{"a local", func(c *build.Context) { c.MOVQ(reg.RCX, c.AllocLocal(8)) }, "\tMOVD R1, 8(RSP)\n"},
		{"a sum in memory", func(c *build.Context) { c.ADDQ(reg.RCX, at) },
			"\tMOVD 32(R6), R17\n\tADDS R1, R17, R17\n\tMOVD R17, 32(R6)\n"},
		{"three elements", func(c *build.Context) {
			c.Instruction(LoadSome(false, operand.U8(3), operand.Mem{Base: reg.RDI}, reg.X1))
		},
			"\tFMOVD (R6), F1\n\tADD $8, R6, R17\n\tVLD1 (R17), V1.S[2]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := printed(t, c.body)
			if err != nil || !strings.Contains(got, c.want) {
				t.Errorf("printed %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestPrintRefusesWhatArm64Lacks(t *testing.T) {
	for name, body := range map[string]func(c *build.Context){
		"an instruction":              func(c *build.Context) { c.VPERM2F128(operand.U8(1), reg.Y1, reg.Y2, reg.Y3) },
		"a vector sum from memory":    func(c *build.Context) { c.VADDPS(operand.Mem{Base: reg.RDI}, reg.X1, reg.X2) },
		"an unpacking of two sources": func(c *build.Context) { c.VUNPCKHPD(reg.X0, reg.X1, reg.X2) },
		"a sum by way of a register in use": func(c *build.Context) {
			c.VADDSS(operand.Mem{Base: reg.RDI}, reg.X1, reg.X31)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := printed(t, body); err == nil {
				t.Errorf("printed %s", got)
			}
		})
	}
}

// On amd64 a branch goes by the result of a product or a shift too; arm64 sets no flags there, and what was compared before would count.
func TestNoBranchGoesByWhatSetsNoFlags(t *testing.T) {
	for _, tc := range []struct {
		name    string
		body    func(c *build.Context)
		refused bool
	}{
		{"a count", func(c *build.Context) { c.DECQ(reg.RCX) }, false},
		{"a comparison", func(c *build.Context) { c.CMPQ(reg.RCX, operand.U8(3)) }, false},
		{"a test behind a shift", func(c *build.Context) { c.SHLQ(operand.U8(2), reg.RCX); c.TESTQ(reg.RCX, reg.RCX) }, false},
		{"a shift to the left", func(c *build.Context) { c.SHLQ(operand.U8(2), reg.RCX) }, true},
		{"a shift to the right", func(c *build.Context) { c.SHRQ(operand.U8(2), reg.RCX) }, true},
		{"a product", func(c *build.Context) { c.IMULQ(reg.RDX, reg.RCX) }, true},
		{"a product of three", func(c *build.Context) { c.IMUL3Q(operand.U8(12), reg.RDX, reg.RCX) }, true},
		{"a shift behind a count, and a load", func(c *build.Context) {
			c.DECQ(reg.RDX)
			c.SHRQ(operand.U8(2), reg.RCX)
			c.VMOVUPS(operand.Mem{Base: reg.RDI}, reg.X3)
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := printed(t, func(c *build.Context) {
				c.Label("again")
				tc.body(c)
				c.JNE(operand.LabelRef("again"))
			})
			if (err != nil) != tc.refused {
				t.Errorf("printed %s (%v)", got, err)
			}
		})
	}
}
