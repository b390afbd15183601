package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Package gemm says what the transforms of Winograd's convolution are. Each is X -> L X L' for a fixed matrix L, a
// vector of channels in every element of X, and is done in two passes of L: down the columns of X, then along the rows
// of what that yields. L's rows are cut into sets of one or two that share their sums. A set does its part of the
//

// spread2D is one transform.
type spread2D struct {
	name      string
	columns   int      // of X
	sets      []rowSet // of L's rows
	gather    bool     // the result may be added to what is there
	constants []float64
}

// rowSet is one or two rows of L: how they come from the elements of a column.
type rowSet struct {
	rows []int
	// emit computes the rows into out, with two registers to spare, and returns the registers that hold them.
	emit func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical
}

// input returns a register with element k; it may load it to the register given.
type input func(k int, into reg.VecPhysical) reg.VecPhysical

// a and b are the roots of one half and of two; the interpolation points are zero, plus and minus a and b, and infinity.
const a, b = 0.70710678118654752440, 1.41421356237309504880

// transforms must be in the order of gemm's struct winogradKernels.
var transforms = []spread2D{
	{"scatterImage", 6, []rowSet{
		single(0, sum3(4, 2, 0)), pair(1, 2, imagePair(2, a)), pair(3, 4, imagePair(0.5, b)), single(5, sum3(5, 3, 1)),
	}, false, []float64{2.5, 2, 0.5, a, b}},
	{"scatterKernel", 3, []rowSet{
		single(0, same(0)), pair(1, 2, kernelPair(-2./3, -1./3, -a*2/3)), pair(3, 4, kernelPair(1./6, 1./3, b/6)), single(5, same(2)),
	}, false, []float64{-2. / 3, -1. / 3, -a * 2 / 3, 1. / 6, 1. / 3, b / 6}},
	{"scatterResult", 4, []rowSet{
		single(0, same(0)), pair(1, 2, resultPair(0.5, a)), pair(3, 4, resultPair(2, b)), single(5, same(3)),
	}, false, []float64{0.5, 2, a, b}},
	{"gatherResult", 6, []rowSet{pair(0, 2, resultEven), pair(1, 3, resultOdd)}, true, []float64{0.5, 2, a / 2, 2 * b, a, b}},
	{"gatherKernel", 6, []rowSet{pair(0, 2, kernelEven), single(1, kernelOdd)}, true, []float64{-1. / 3, 1. / 3, -2. / 3, 1. / 6, -a * 2 / 3, b / 6}},
}

type emitter = func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical

func single(row int, e emitter) rowSet { return rowSet{[]int{row}, e} }

func pair(first, second int, e emitter) rowSet { return rowSet{[]int{first, second}, e} }

// same is row k of the unit matrix.
func same(k int) emitter {
	return func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
		return []reg.VecPhysical{in(k, out[0])}
	}
}

// sum3 is x[i] - 5/2 x[j] + x[k].
func sum3(i, j, k int) emitter {
	return func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
		copyTo(in(i, out[0]), out[0])
		v.fnma(2.5, in(j, spare[0]), out[0])
		VADDPS(in(k, spare[0]), out[0], out[0])
		return out[:1]
	}
}

// plusMinus is out[0] + r odd and out[0] - r odd.
func plusMinus(v lanes, r float64, odd reg.VecPhysical, out [2]reg.VecPhysical) []reg.VecPhysical {
	copyTo(out[0], out[1])
	v.fma(r, odd, out[0])
	v.fnma(r, odd, out[1])
	return out[:]
}

// imagePair is (x4 - q x2) +- r (x3 - q x1).
func imagePair(q, r float64) emitter {
	return func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
		copyTo(in(4, out[0]), out[0])
		v.fnma(q, in(2, spare[0]), out[0])
		copyTo(in(3, spare[1]), spare[1])
		v.fnma(q, in(1, spare[0]), spare[1])
		return plusMinus(v, r, spare[1], out)
	}
}

// kernelPair is (c0 x0 + c2 x2) +- c1 x1.
func kernelPair(c0, c2, c1 float64) emitter {
	return func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
		VMULPS(v.constant(c0), in(0, spare[0]), out[0])
		v.fma(c2, in(2, spare[0]), out[0])
		return plusMinus(v, c1, in(1, spare[1]), out)
	}
}

// resultPair is (x0 + q x2) +- r (x1 + q x3).
func resultPair(q, r float64) emitter {
	return func(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
		copyTo(in(0, out[0]), out[0])
		v.fma(q, in(2, spare[0]), out[0])
		copyTo(in(1, spare[1]), spare[1])
		v.fma(q, in(3, spare[0]), spare[1])
		return plusMinus(v, r, spare[1], out)
	}
}

// sums leaves x1 + x2 in out[0] and x3 + x4 in spare[1].
func sums(in input, out, spare [2]reg.VecPhysical) {
	VADDPS(in(2, spare[0]), in(1, out[0]), out[0])
	VADDPS(in(4, spare[0]), in(3, spare[1]), spare[1])
}

// differences leaves x1 - x2 in out[0] and x3 - x4 in spare[1].
func differences(in input, out, spare [2]reg.VecPhysical) {
	VSUBPS(in(2, spare[0]), in(1, out[0]), out[0])
	VSUBPS(in(4, spare[0]), in(3, spare[1]), spare[1])
}

func resultEven(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
	sums(in, out, spare)
	VMULPS(v.constant(0.5), out[0], out[1])
	v.fma(2, spare[1], out[1])
	VADDPS(spare[1], out[0], out[0])
	VADDPS(in(0, spare[0]), out[0], out[0])
	return out[:]
}

func resultOdd(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
	differences(in, out, spare)
	VMULPS(v.constant(a/2), out[0], out[1])
	v.fma(2*b, spare[1], out[1])
	VADDPS(in(5, spare[0]), out[1], out[1])
	VMULPS(v.constant(a), out[0], out[0])
	v.fma(b, spare[1], out[0])
	return out[:]
}

func kernelEven(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
	sums(in, out, spare)
	VMULPS(v.constant(-1./3), out[0], out[1])
	v.fma(1./3, spare[1], out[1])
	VADDPS(in(5, spare[0]), out[1], out[1])
	VMULPS(v.constant(-2./3), out[0], out[0])
	v.fma(1./6, spare[1], out[0])
	VADDPS(in(0, spare[0]), out[0], out[0])
	return out[:]
}

func kernelOdd(v lanes, in input, out, spare [2]reg.VecPhysical) []reg.VecPhysical {
	differences(in, out, spare)
	VMULPS(v.constant(-a*2/3), out[0], out[0])
	v.fma(b/6, spare[1], out[0])
	return out[:1]
}

func copyTo(from, to reg.VecPhysical) {
	if from != to {
		VMOVAPS(from, to)
	}
}

// lanes is what a machine's vectors of float32 do in a transform.
type lanes interface {
	name() string
	vectorBytes() int
	// register returns the i-th of 14.
	register(i int) reg.VecPhysical
	// prepare readies the constants, and the mask of the last vector from the bits at mask.
	prepare(constants []float64, mask Mem)
	constant(c float64) Op
	// fma adds c*x to dst, fnma subtracts it.
	fma(c float64, x, dst reg.VecPhysical)
	fnma(c float64, x, dst reg.VecPhysical)
	// each does body for n vectors, the last one masked by the bits in last.
	each(n, last Mem, label string, body func(masked bool))
	read(p Mem, masked bool, to reg.VecPhysical)
	write(from reg.VecPhysical, masked bool, p Mem)
}

// Offsets in gemm's struct transform.
const (
	offFrom = 8 * iota
	offTo
	offFromRow
	offFromCol
	offToRow
	offToCol
	offFromStep
	offToStep
	offTiles
	offVectors
	offLast
	offAdd
)

// Registers of a transform, besides args, which turns into column.
var (
	from, to         = reg.RSI, reg.RDI
	fromCol, toRow   = reg.RBX, reg.RDX
	column, rowStart = reg.RAX, reg.R15
	fromRow          = []reg.GPPhysical{reg.R8, reg.R9, reg.R10} // 1, 3, 5 distances
	toCol            = []reg.GPPhysical{reg.R11, reg.R12, reg.R13}
	scratch          = reg.R14
	remaining        = reg.RCX
)

// apart addresses the i-th of elements at a distance of which by holds the multiples 1, 3 and 5.
func apart(base reg.GPPhysical, by []reg.GPPhysical, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: by[1], Scale: 1}
	case 5:
		return Mem{Base: base, Index: by[2], Scale: 1}
	}
	return Mem{Base: base, Index: by[0], Scale: uint8(i)}
}

// transform writes one transform.
func transform(v lanes, s spread2D) {
	TEXT(s.name+v.name(), NOSPLIT, "func(t *byte)")
	Load(Param("t"), args)
	tile := map[int]Mem{}
	for _, off := range []int{offFrom, offTo, offFromStep, offToStep, offTiles, offVectors, offLast} {
		tile[off] = AllocLocal(8)
		MOVQ(arg(off), scratch)
		MOVQ(scratch, tile[off])
	}
	MOVQ(arg(offFromCol), fromCol)
	MOVQ(arg(offToRow), toRow)
	MOVQ(arg(offFromRow), fromRow[0])
	MOVQ(arg(offToCol), toCol[0])
	for _, by := range [][]reg.GPPhysical{fromRow, toCol} {
		LEAQ(Mem{Base: by[0], Index: by[0], Scale: 2}, by[1])
		LEAQ(Mem{Base: by[0], Index: by[0], Scale: 4}, by[2])
	}
	modes := []string{"set"}
	if s.gather {
		modes = []string{"set", "add"}
		MOVQ(arg(offAdd), scratch)
	}
	v.prepare(s.constants, tile[offLast])
	if s.gather {
		TESTQ(scratch, scratch)
		JNZ(LabelRef("add"))
	}
	for _, mode := range modes {
		Label(mode)
		MOVQ(tile[offFrom], from)
		MOVQ(tile[offTo], to)
		v.each(tile[offVectors], tile[offLast], mode, func(masked bool) {
			for _, rows := range s.sets {
				oneSet(v, s, rows, masked, mode == "add")
			}
			ADDQ(Imm(uint64(v.vectorBytes())), from)
			ADDQ(Imm(uint64(v.vectorBytes())), to)
		})
		MOVQ(tile[offFromStep], scratch)
		ADDQ(scratch, tile[offFrom])
		MOVQ(tile[offToStep], scratch)
		ADDQ(scratch, tile[offTo])
		DECQ(tile[offTiles])
		JNZ(LabelRef(mode))
		VZEROUPPER()
		RET()
	}
}

// oneSet writes the part of a transform that a set of rows has. Registers 0 to 11 hold its first pass.
func oneSet(v lanes, s spread2D, first rowSet, masked, add bool) {
	spare := [2]reg.VecPhysical{v.register(12), v.register(13)}
	held := make([][]reg.VecPhysical, len(first.rows))
	MOVQ(from, column)
	for j := range s.columns {
		load := func(k int, into reg.VecPhysical) reg.VecPhysical {
			v.read(apart(column, fromRow, k), masked, into)
			return into
		}
		out := [2]reg.VecPhysical{v.register(2 * j), v.register(2*j + 1)}
		for i, r := range first.emit(v, load, out, spare) {
			held[i] = append(held[i], r)
		}
		if j < s.columns-1 {
			ADDQ(fromCol, column)
		}
	}
	// What the rows before hold is free, but there may be none: three more registers serve the second pass.
	out := [2]reg.VecPhysical{v.register(12), v.register(14)}
	spare = [2]reg.VecPhysical{v.register(13), v.register(13)}
	for i, row := range first.rows {
		IMUL3Q(Imm(uint64(row)), toRow, rowStart)
		ADDQ(to, rowStart)
		hold := func(k int, into reg.VecPhysical) reg.VecPhysical { return held[i][k] }
		for _, second := range s.sets {
			for n, r := range second.emit(v, hold, out, spare) {
				p := apart(rowStart, toCol, second.rows[n])
				if add {
					v.read(p, masked, v.register(13))
					VADDPS(v.register(13), r, r)
				}
				v.write(r, masked, p)
			}
		}
	}
}

// broadcasts maps constants to tables with eight copies of each.
var broadcasts = map[float64]Mem{}

// eightOf returns where eight copies of a constant lie.
func eightOf(c float64) Mem {
	if m, ok := broadcasts[c]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("eight%d", len(broadcasts)), RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(math.Float32bits(float32(c)))) // F32 would write a whole number as an integer
	}
	broadcasts[c] = m
	return m
}
