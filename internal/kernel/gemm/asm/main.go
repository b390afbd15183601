// Command asm writes the tile kernels in assembly, and the tables of them.
//
// A tile of m rows and v vectors keeps m*v accumulators in registers; each inner step loads v vectors of B and
// broadcasts m elements of A. With 14 rows by 2 vectors of AVX-512 (6 by 2 of AVX2, 6 by 4 of NEON) that is 16 loads for 28
// multiply-adds (8 for 12, 8 for 24), below what the load ports give. There is a kernel for every number of rows,
// so that any extent can be cut into nearly equal tiles.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"

	"shadowflow/internal/kernel/neon"
)

// machine is an instruction set with an element type.
type machine interface {
	name() string
	rows() int
	vecs() int
	lanes() int
	maskWide() bool
	size() int
	// begin loads the masks and clears the accumulators.
	begin(m, v int)
	// step is one inner step of a tile: every row's element of A times v vectors of B.
	step(m, v int)
	// stepLanes is one inner step of a tile whose A has vectors for elements: every row's times that of B, lane by lane.
	stepLanes(m int)
	// prefetch asks for the lines of a row of c.
	prefetch(c Mem, v int)
	// end adds row i of c if add is set, and stores it.
	end(c Mem, i, m, v int, add bool)
	// What inner products of m rows need: accumulator i is vector i, that of b is vector m.
	clear(i int)
	loadWhole(b Mem, m int)
	fmaWhole(a Mem, m, i int)
	restMask(n reg.GPPhysical)
	loadRest(b Mem, m int)
	fmaRest(a Mem, m, i int)
	// halve adds accumulator i's parts until an xmm register holds it.
	halve(i int)
	// What the peak needs: registers by number.
	register(i int) reg.VecPhysical
	fma(a, b, acc Op)
}

// copier is a machine that copies, too: with a mask of the lanes that bits' low bits stand for, a load of those, and the last rounds of
// a transposition, by way of other registers.
type copier interface {
	machine
	move()
	setMask(bits reg.Register, which int)
	loadMasked(p Mem, which, i int)
	spreadQuarters(in, out []reg.VecPhysical) []reg.VecPhysical
}

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", ".", "the `folder` of package gemm")
	flag.Parse()
	for _, t := range targets() {
		if err := generate(*dir, t); err != nil {
			log.Fatal(err)
		}
	}
}

// target is an instruction set to write kernels for.
type target struct {
	suffix   string // of the files' names
	machines []machine
	floats   lanes
	print    func(*ir.File) ([]byte, error)
}

const command = "go run ./asm -dir ."

func targets() []target {
	return []target{
		{"avx512_amd64", []machine{avx512{bytes: 4}, avx512{bytes: 8}}, &lanes512{avx512: avx512{bytes: 4}}, printAMD64},
		{"avx2_amd64", []machine{avx2{bytes: 4}, avx2{bytes: 8}}, lanes256{avx2{bytes: 4}}, printAMD64},
		{"neon_arm64", []machine{&neonMachine{bytes: 4}, &neonMachine{bytes: 8}}, &lanes128{neonMachine: neonMachine{bytes: 4}}, printARM64},
	}
}

func printAMD64(file *ir.File) ([]byte, error) {
	return printer.NewGoAsm(printer.Config{Argv: strings.Fields(command)}).Print(file)
}

func printARM64(file *ir.File) ([]byte, error) { return neon.Print(file, command) }

// generate writes the assembly and the table of an instruction set.
func generate(dir string, t target) error {
	begin()
	for _, ma := range t.machines {
		kernels(ma)
	}
	for _, s := range transforms {
		transform(t.floats, s)
	}
	file, err := ctx.Result()
	if err != nil {
		return fmt.Errorf("%s: %w", t.suffix, err)
	}
	if err := pass.Compile.Execute(file); err != nil {
		return fmt.Errorf("%s: %w", t.suffix, err)
	}
	assembly, err := t.print(file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.suffix, err)
	}
	table, err := tables(t.machines)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, t.suffix+".s"), assembly, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, t.suffix+".go"), table, 0o644)
}

// kernels writes what an element type has.
func kernels(ma machine) {
	for v := 1; v <= ma.vecs(); v++ {
		for m := 1; m <= ma.rows(); m++ {
			eachColumns(ma, v, func(suffix string) {
				tile(ma, fmt.Sprintf("tile%s_%dx%d%s", ma.name(), m, v, suffix), m, v, func() { ma.step(m, v) })
			})
		}
	}
	for m := 1; m <= ma.rows(); m++ {
		eachColumns(ma, 1, func(suffix string) {
			tile(ma, fmt.Sprintf("lanes%s_%d%s", ma.name(), m, suffix), m, 1, func() { ma.stepLanes(m) })
		})
	}
	for _, m := range dotRows {
		dots(ma, m)
	}
	if c, ok := ma.(copier); ok {
		c.move()
		deal(c)
		flip(c)
		spread(c)
	}
	peak(ma)
}

// eachColumns does something for each version that a machine has of a tile of v vectors, with the ending of its name.
func eachColumns(ma machine, v int, do func(suffix string)) {
	n, ok := ma.(*neonMachine)
	if !ok || v > 1 {
		do("")
		return
	}
	for n.columns = 1; n.columns < n.lanes(); n.columns++ {
		do(fmt.Sprintf("of%d", n.columns))
	}
	do("")
}

// Offsets in gemm's struct tile.
const (
	offA = 8 * iota
	offB
	offC
	offRS
	offKS
	offSS
	offPS
	offLDB
	offRC
	offCount
	offSegs
	offPlanes
	offMask
	offAccumulate
	offNext
	offNextLines
	offNextRow
	offNextSkip
)

// Registers of a tile; args turns into next for the inner loop. Seven multiples of a row's distance address up to fourteen rows from one pointer.
var (
	args  = reg.RAX
	next  = reg.RAX
	lines = reg.RBP // of next's row, still to ask for
	left  = reg.RSI
	right = reg.RBX
	inner = reg.RCX
	ks    = reg.RDX
	ldb   = reg.RDI
	segs  = reg.R15
	odd   = []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14} // 1, 3, 5 ... 13 distances
)

// ahead is how far before its use, in bytes, a step asks for B. Where B comes from main memory this doubles the speed;
// where it is in the second-level cache it does no harm.
const ahead = 4096

// row addresses row i from base, by the multiples in odd.
func row(base reg.GPPhysical, i int) Mem {
	if i == 0 {
		return Mem{Base: base}
	}
	scale := 1
	for ; i%2 == 0; i /= 2 {
		scale *= 2
	}
	return Mem{Base: base, Index: odd[i/2], Scale: uint8(scale)}
}

// multiples fills odd for m rows at the distance in odd[0], by way of a scratch register.
func multiples(m int, scratch reg.GPPhysical) {
	highest := 0
	for i := 1; i < m; i++ {
		j := i
		for j%2 == 0 {
			j /= 2
		}
		highest = max(highest, j/2)
	}
	if highest == 0 {
		return
	}
	LEAQ(Mem{Base: odd[0], Index: odd[0], Scale: 1}, scratch)
	for i := 1; i <= highest; i++ {
		LEAQ(Mem{Base: odd[i-1], Index: scratch, Scale: 1}, odd[i])
	}
}

func arg(off int) Mem { return Mem{Base: args, Disp: off} }

// tile writes a kernel of m rows and v vectors, which makes the given step over and over.
func tile(ma machine, name string, m, v int, step func()) {
	TEXT(name, NOSPLIT, "func(t *byte)")
	Load(Param("t"), args)
	nextSeg, nextPlane := AllocLocal(8), AllocLocal(8)
	counts, segments, planes := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	nextRow, nextSkip := AllocLocal(8), AllocLocal(8)

	MOVQ(arg(offKS), ks)
	// nextSeg = ss - count*ks, nextPlane = ps - segs*ss: what to add where a segment or plane ends.
	MOVQ(arg(offCount), inner)
	MOVQ(inner, counts)
	IMULQ(ks, inner)
	MOVQ(arg(offSS), left)
	MOVQ(left, right)
	SUBQ(inner, right)
	MOVQ(right, nextSeg)
	MOVQ(arg(offSegs), segs)
	MOVQ(segs, segments)
	IMULQ(segs, left)
	MOVQ(arg(offPS), right)
	SUBQ(left, right)
	MOVQ(right, nextPlane)
	MOVQ(arg(offPlanes), right)
	MOVQ(right, planes)

	// The tile of c is needed last: ask for it first.
	MOVQ(arg(offC), left)
	MOVQ(arg(offRC), odd[0])
	multiples(m, ldb)
	for i := range m {
		ma.prefetch(row(left, i), v)
	}

	MOVQ(arg(offRS), odd[0])
	multiples(m, ldb)
	MOVQ(arg(offLDB), ldb)
	MOVQ(arg(offA), left)
	MOVQ(arg(offB), right)
	ma.begin(m, v)
	MOVQ(arg(offNextRow), inner)
	MOVQ(inner, nextRow)
	MOVQ(arg(offNextSkip), inner)
	MOVQ(inner, nextSkip)
	MOVQ(arg(offNextLines), lines)
	MOVQ(arg(offNext), next)

	Label("plane")
	MOVQ(segments, segs)
	Label("segment")
	MOVQ(counts, inner)
	Label("step")
	step()
	PREFETCHT0(Mem{Base: next})
	ADDQ(Imm(64), next)
	DECQ(lines)
	JNZ(LabelRef("same"))
	ADDQ(nextSkip, next)
	MOVQ(nextRow, lines)
	Label("same")
	ADDQ(ks, left)
	ADDQ(ldb, right)
	DECQ(inner)
	JNZ(LabelRef("step"))
	ADDQ(nextSeg, left)
	DECQ(segs)
	JNZ(LabelRef("segment"))
	ADDQ(nextPlane, left)
	DECQ(planes)
	JNZ(LabelRef("plane"))

	Load(Param("t"), args)
	MOVQ(arg(offC), left)
	MOVQ(arg(offRC), odd[0])
	multiples(m, ldb)
	CMPQ(arg(offAccumulate), Imm(0))
	JNE(LabelRef("add"))
	for i := range m {
		ma.end(row(left, i), i, m, v, false)
	}
	VZEROUPPER()
	RET()
	Label("add")
	for i := range m {
		ma.end(row(left, i), i, m, v, true)
	}
	VZEROUPPER()
	RET()
}
