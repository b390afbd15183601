package engine

import (
	"fmt"
	"slices"
	"unsafe"

	"shadowflow/graph"
	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// Options say how a program is compiled. The zero value is a good default.
type Options struct {
	// Threads is the number of threads a run uses; 0 stands for GOMAXPROCS. It changes no bit of any result.
	Threads int
}

// Buffer is an array in the caller's memory, row-major.
type Buffer struct {
	f32 []float32
	f64 []float64
	i32 []int32
}

// Of returns the buffer of a slice, which is not copied.
func Of[T float32 | float64 | int32](s []T) Buffer {
	switch s := any(s).(type) {
	case []float32:
		return Buffer{f32: s}
	case []float64:
		return Buffer{f64: s}
	case []int32:
		return Buffer{i32: s}
	}
	return Buffer{}
}

// NewBuffer returns a buffer of zeros.
func NewBuffer(t graph.DType, size int) Buffer {
	switch t {
	case graph.Float32:
		return Of(make([]float32, size))
	case graph.Float64:
		return Of(make([]float64, size))
	}
	return Of(make([]int32, size))
}

// Float64s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float64s() []float64 { return b.f64 }

// Float32s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float32s() []float32 { return b.f32 }

// Int32s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Int32s() []int32 { return b.i32 }

// fits reports whether the buffer holds what the specification wants.
func (b Buffer) fits(t graph.DType, size int) bool {
	switch t {
	case graph.Float32:
		return len(b.f32) == size
	case graph.Float64:
		return len(b.f64) == size
	}
	return len(b.i32) == size
}

// span is a range of addresses. Its methods take pointers, since a processor waits when it loads in one piece what it has just
// stored in two.
type span struct{ from, to uintptr }

func (s *span) overlaps(t *span) bool { return s.from < t.to && t.from < s.to }

// span returns the addresses that the buffer takes. Two of its slices are nil: their address and their length are 0.
func (b *Buffer) span() span {
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b.f32))) | uintptr(unsafe.Pointer(unsafe.SliceData(b.f64))) |
		uintptr(unsafe.Pointer(unsafe.SliceData(b.i32)))
	return span{from, from + uintptr(4*len(b.f32)+8*len(b.f64)+4*len(b.i32))}
}

func (b *Buffer) clone() *Buffer {
	return &Buffer{slices.Clone(b.f32), slices.Clone(b.f64), slices.Clone(b.i32)}
}

// Spec is the shape and type of a program's input or output.
type Spec struct {
	Name  string // of an input: as Param named it
	Shape []int
	DType graph.DType
}

// Size returns the number of elements.
func (s Spec) Size() int { return numel(s.Shape) }

// Program is a compiled function from inputs to outputs. It is not for concurrent use.
type Program struct {
	in, out       []Spec
	inNodes, outs []*graph.Node
	steps         []step

	f32      bank[float32]
	f64      bank[float64]
	i32      bank[int32]
	inputAt  []int // input -> array of its type's bank
	outputAt []int // output -> array of its type's bank, -1 where it is copied at the end
	outNow   []Buffer
	inPlace  [][]bool // [output][input]: may share memory
	inSpans  []span   // where the buffers of this run lie
	outSpans []span
	work32   []float32
	work64   []float64
	scratch  int64 // bytes of the steps' own scratch
	flops    int64
}

// Compile makes a program that computes the outputs from the inputs, which are parameters. It returns the first error recorded
// by the builder, if any.
func Compile(in, out []graph.Value, opt Options) (*Program, error) {
	set, err := isa.Best()
	if err != nil {
		return nil, err
	}
	return compile(tableFor(set), set, in, out, opt)
}

func compile(rows *table, set isa.Set, in, out []graph.Value, opt Options) (*Program, error) {
	all := slices.Concat(in, out)
	for i, v := range all {
		switch b := v.Builder(); {
		case b == nil:
			return nil, fmt.Errorf("compile: value %d is the zero Value", i)
		case b.Err() != nil:
			return nil, b.Err()
		case b != all[0].Builder():
			return nil, fmt.Errorf("compile: value %d belongs to another Builder than value 0", i)
		}
	}
	p := &Program{}
	for i, v := range in {
		n := v.Node()
		name, ok := n.Attr().(graph.ParamAttr)
		if !ok {
			return nil, fmt.Errorf("compile: input %d is the result of %v: want a parameter", i, n.Op())
		}
		if slices.Contains(p.inNodes, n) {
			return nil, fmt.Errorf("compile: input %d repeats parameter %q", i, name.Name)
		}
		p.in = append(p.in, Spec{name.Name, v.Shape(), n.DType()})
		p.inNodes = append(p.inNodes, n)
	}
	for _, v := range out {
		p.out = append(p.out, Spec{"", v.Shape(), v.DType()})
		p.outs = append(p.outs, v.Node())
	}
	if err := p.compile(rows, set, par.Shared(opt.Threads)); err != nil {
		return nil, err
	}
	return p, nil
}

// Inputs returns the shapes and types that Run wants.
func (p *Program) Inputs() []Spec { return slices.Clone(p.in) }

// Outputs returns the shapes and types that Run fills.
func (p *Program) Outputs() []Spec { return slices.Clone(p.out) }

// PeakBytes returns the memory that the program holds, its inputs and outputs not counted. It is known before the first run and
// does not change.
func (p *Program) PeakBytes() int64 {
	return int64(4*p.f32.size+8*p.f64.size+4*p.i32.size+4*len(p.work32)+8*len(p.work64)) + p.scratch
}

// Flops returns the multiplications and additions of a run's matrix products and convolutions, as their definitions have them.
func (p *Program) Flops() int64 { return p.flops }

// Run computes the outputs from the inputs, given in the order in which Compile took them. An output may be the very buffer of an
// input; Run refuses any other overlap of an output with an input or with another output. It allocates nothing, except to copy an
// input that an output overwrites too early.
func (p *Program) Run(in, out []Buffer) error {
	if err := p.checkSizes(in, out); err != nil {
		return err
	}
	for i := range in {
		p.inSpans[i] = in[i].span()
		p.bind(p.inputAt[i], p.in[i].DType, &in[i])
	}
	for o := range out {
		if err := p.bindOutput(o, in, &out[o]); err != nil {
			return err
		}
	}
	p.outNow = out
	for _, s := range p.steps {
		if err := s.run(p); err != nil {
			return err
		}
	}
	p.outNow = nil
	return nil
}

// checkSizes returns an error where a buffer does not hold what the program wants.
func (p *Program) checkSizes(in, out []Buffer) error {
	if len(in) != len(p.in) || len(out) != len(p.out) {
		return fmt.Errorf("program: %d inputs and %d outputs: want %d and %d", len(in), len(out), len(p.in), len(p.out))
	}
	for i := range in {
		if s := &p.in[i]; !in[i].fits(s.DType, s.Size()) {
			return fmt.Errorf("program: input %d (%q): want %d elements of %v, shape %v", i, s.Name, s.Size(), s.DType, s.Shape)
		}
	}
	for i := range out {
		if s := &p.out[i]; !out[i].fits(s.DType, s.Size()) {
			return fmt.Errorf("program: output %d: want %d elements of %v, shape %v", i, s.Size(), s.DType, s.Shape)
		}
	}
	return nil
}

// bindOutput has output o written to b, and inputs that it overwrites too early read from a copy. The inputs and the outputs before
// this one are bound already; it returns an error where b overlaps one of them and must not.
func (p *Program) bindOutput(o int, in []Buffer, b *Buffer) error {
	s := &p.outSpans[o]
	*s = b.span()
	for i := range p.inSpans {
		t := &p.inSpans[i]
		if !s.overlaps(t) {
			continue
		}
		if *s != *t {
			return fmt.Errorf("program: output %d overlaps input %d (%q) in part: want the input's very buffer, or memory apart from it",
				o, i, p.in[i].Name)
		}
		if !p.inPlace[o][i] {
			p.bind(p.inputAt[i], p.in[i].DType, in[i].clone())
		}
	}
	for k := range o {
		if s.overlaps(&p.outSpans[k]) {
			return fmt.Errorf("program: output %d overlaps output %d: want memory apart from each other", o, k)
		}
	}
	if at := p.outputAt[o]; at >= 0 {
		p.bind(at, p.out[o].DType, b)
	}
	return nil
}

func (p *Program) bind(at int, t graph.DType, b *Buffer) {
	switch t {
	case graph.Float32:
		p.f32.arrays[at] = b.f32
	case graph.Float64:
		p.f64.arrays[at] = b.f64
	default:
		p.i32.arrays[at] = b.i32
	}
}
