package engine

import (
	"context"
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/plural"
)

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
	in, out []Spec
	steps   []step
	efforts []effort // of the units' steps, those of a chain together

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
	cost     Cost
	pool     *par.Pool
}

// Inputs returns the shapes and types that Run wants.
func (p *Program) Inputs() []Spec { return slices.Clone(p.in) }

// Outputs returns the shapes and types that Run fills.
func (p *Program) Outputs() []Spec { return slices.Clone(p.out) }

// PeakBytes returns the memory that the program takes, its inputs and outputs not counted; in a [Room] it has part of it in common with others. It is
// known before the first run and does not change.
func (p *Program) PeakBytes() int64 {
	return p.cost.PeakBytes
}

// Flops returns the multiplications and additions of a run's matrix products and convolutions, as their definitions have them: with those that
// Winograd's algorithm spares, and the halves of products that are left out.
func (p *Program) Flops() int64 { return p.cost.Flops }

// Run is [Program.RunContext] without an end: for programs that take no time worth breaking off.
func (p *Program) Run(in, out []Buffer) error { return p.RunContext(context.Background(), in, out) }

// RunContext computes the outputs from the inputs, given in the order in which Compile took them. A context that ends breaks it off within
// a part of a step, some milliseconds, and its cause is returned; the outputs hold nothing of use then. An output may be the very buffer of an
// input; Run refuses any other overlap of an output with an input or with another output. It allocates nothing, except to copy an
// input that an output overwrites too early.
func (p *Program) RunContext(ctx context.Context, in, out []Buffer) error {
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
	p.pool.Until(ctx.Done())
	for _, s := range p.steps {
		if err := s.run(p); err != nil {
			return err
		}
		if p.pool.Broken() {
			return context.Cause(ctx)
		}
	}
	p.outNow = nil
	return nil
}

// checkSizes returns an error where a buffer does not hold what the program wants.
func (p *Program) checkSizes(in, out []Buffer) error {
	if len(in) != len(p.in) || len(out) != len(p.out) {
		return fmt.Errorf("program: %s and %s: want %d and %d", plural.Count(len(in), "input"), plural.Count(len(out), "output"), len(p.in), len(p.out))
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
			copied := in[i].Clone()
			p.bind(p.inputAt[i], p.in[i].DType, &copied)
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

// copyOut builds the step that copies a value to output i.
func (c *compiler) copyOut(n *graph.Node, i int) step {
	switch n.DType() {
	case graph.Float32:
		return &outStep[float32]{refOf[float32](c, n), func(p *Program) []float32 { return p.outNow[i].f32 }}
	case graph.Float64:
		return &outStep[float64]{refOf[float64](c, n), func(p *Program) []float64 { return p.outNow[i].f64 }}
	}
	return &outStep[int32]{refOf[int32](c, n), func(p *Program) []int32 { return p.outNow[i].i32 }}
}

type outStep[T any] struct {
	src ref[T]
	dst func(*Program) []T
}

func (s *outStep[T]) run(p *Program) error {
	copy(s.dst(p), s.src.get())
	return nil
}
