// Package neon prints kernels that were written with avo, which knows amd64, as assembly for arm64.
//
// A kernel's general instructions are the few of amd64 that loops need; each is one or two of arm64. Its vector instructions are those
// of AVX on XMM registers that NEON has too, and the instructions below, which amd64 lacks. Of registers avo's allocator gives out 15
// general ones, RAX to R15, which become R0 to R6 and R8 to R15, and 32 of 128 bits, which become V0 to V31. R16 and R17 are the
// printer's, and V31 is where an operand in memory is loaded to, by an instruction that cannot take one.
//
// Go's assembler lacks most of NEON's arithmetic. Such instructions are printed as words, beside what the ARM manual calls them; a test
// compares them with what another assembler says.
package neon

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// op returns an instruction with its operands in the order of Go's assembler: sources, the last of them first, then the result.
func op(opcode string, inputs []operand.Op, output operand.Op, operands ...operand.Op) *ir.Instruction {
	i := &ir.Instruction{Opcode: opcode, Operands: operands, Inputs: inputs}
	if output != nil {
		i.Outputs = []operand.Op{output}
	}
	return i
}

// typed is an opcode for float32 or float64, or for integers as wide.
func typed(opcode string, double bool) string {
	if double {
		return opcode + "PD"
	}
	return opcode + "PS"
}

func binary(opcode string, double bool, a, b, d operand.Op) *ir.Instruction {
	return op(typed(opcode, double), []operand.Op{a, b}, d, b, a, d)
}

// Max sets d to the larger of a and b: NaN if either is, +0 of zeros with different signs. Min sets it to the smaller.
func Max(double bool, a, b, d operand.Op) *ir.Instruction { return binary("FMAX", double, a, b, d) }

// Min sets d to the smaller of a and b: NaN if either is, -0 of zeros with different signs.
func Min(double bool, a, b, d operand.Op) *ir.Instruction { return binary("FMIN", double, a, b, d) }

// Equal sets the lanes of d to all ones where a = b, and to zero elsewhere.
func Equal(double bool, a, b, d operand.Op) *ir.Instruction { return binary("FCMEQ", double, a, b, d) }

// Greater sets the lanes of d to all ones where a > b, and to zero elsewhere.
func Greater(double bool, a, b, d operand.Op) *ir.Instruction {
	return binary("FCMGT", double, a, b, d)
}

// GreaterEqual sets the lanes of d to all ones where a >= b, and to zero elsewhere.
func GreaterEqual(double bool, a, b, d operand.Op) *ir.Instruction {
	return binary("FCMGE", double, a, b, d)
}

// IntGreater sets the lanes of d to all ones where a > b as signed integers, and to zero elsewhere.
func IntGreater(double bool, a, b, d operand.Op) *ir.Instruction {
	return binary("CMGT", double, a, b, d)
}

// IntEqual sets the lanes of d to all ones where a and b are the same bits, and to zero elsewhere.
func IntEqual(double bool, a, b, d operand.Op) *ir.Instruction {
	return binary("CMEQ", double, a, b, d)
}

// Round sets d to the nearest integers of a, ties to even.
func Round(double bool, a, d operand.Op) *ir.Instruction {
	return op(typed("FRINTN", double), []operand.Op{a}, d, a, d)
}

// Not inverts all bits.
func Not(a, d operand.Op) *ir.Instruction { return op("NOT", []operand.Op{a}, d, a, d) }

// Choose sets the mask's register to a where the mask has ones and to b where it has zeros.
func Choose(a, b, mask operand.Op) *ir.Instruction {
	return op("BSL", []operand.Op{a, b, mask}, mask, b, a, mask)
}

// MulAddLane adds x times lane 0 of y to acc, each product and sum rounded once.
func MulAddLane(double bool, x, y, acc operand.Op) *ir.Instruction {
	return op(typed("FMLALANE", double), []operand.Op{x, y, acc}, acc, y, x, acc)
}

// Broadcast puts a general register into every lane.
func Broadcast(double bool, r, d operand.Op) *ir.Instruction {
	return op(typed("DUP", double), []operand.Op{r}, d, r, d)
}

// Narrow puts the low halves of two 64-bit lanes side by side into the lower half of d.
func Narrow(a, d operand.Op) *ir.Instruction { return op("XTN", []operand.Op{a}, d, a, d) }

// Widen sets d to the float64 of the two float32 in the lower half of a.
func Widen(a, d operand.Op) *ir.Instruction { return op("FCVTL", []operand.Op{a}, d, a, d) }

// LoadPair loads two vectors that lie side by side. The address has no index.
func LoadPair(from operand.Mem, d, e operand.Op) *ir.Instruction {
	i := op("FLDPQ", []operand.Op{from}, d, from, d, e)
	i.Outputs = append(i.Outputs, e)
	return i
}

// LoadSome loads the first n elements of a vector, at least one and fewer than all, and zeros: n is a register or a constant. It touches
// no memory but theirs.
func LoadSome(double bool, n operand.Op, from operand.Mem, d operand.Op) *ir.Instruction {
	return op(typed("LOADSOME", double), []operand.Op{n, from}, d, n, from, d)
}

// StoreSome stores the first n elements of a vector, as LoadSome loads them.
func StoreSome(double bool, n, v operand.Op, to operand.Mem) *ir.Instruction {
	return op(typed("STORESOME", double), []operand.Op{n, v, to}, nil, n, v, to)
}

// general are arm64's names of amd64's general registers.
var general = map[string]string{
	"AX": "R0", "CX": "R1", "DX": "R2", "BX": "R3", "BP": "R4", "SI": "R5", "DI": "R6", "R8": "R8", "R9": "R9", "R10": "R10",
	"R11": "R11", "R12": "R12", "R13": "R13", "R14": "R14", "R15": "R15",
}

// number returns the number of a vector register.
func number(o operand.Op) (int, error) {
	r, ok := o.(reg.Register)
	if !ok || r.Kind() != reg.KindVector {
		return 0, fmt.Errorf("%s: want a vector register", o.Asm())
	}
	return int(reg.ToPhysical(r).PhysicalIndex()), nil
}
