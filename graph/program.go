package graph

import (
	"fmt"
	"slices"
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

// Float64s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float64s() []float64 { return b.f64 }

// Float32s returns the slice that the buffer was made of, nil if it holds another type.
func (b Buffer) Float32s() []float32 { return b.f32 }

// NewBuffer returns a buffer of zeros.
func NewBuffer(t DType, size int) Buffer {
	switch t {
	case Float32:
		return Of(make([]float32, size))
	case Float64:
		return Of(make([]float64, size))
	}
	return Of(make([]int32, size))
}

// Spec is the shape and type of a program's input or output.
type Spec struct {
	Name  string // of an input: as Param named it
	Shape []int
	DType DType
}

// Program is a compiled function from inputs to outputs. It is not for concurrent use.
type Program struct {
	in, out       []Spec
	inNodes, outs []*node
}

// Compile makes a program that computes the outputs from the inputs, which are parameters. It returns the first error recorded
// by the builder, if any.
func Compile(in, out []Value, opt Options) (*Program, error) {
	for i, v := range slices.Concat(in, out) {
		switch {
		case v.n == nil:
			return nil, fmt.Errorf("compile: value %d is the zero Value", i)
		case v.n.b.err != nil:
			return nil, v.n.b.err
		}
	}
	p := &Program{}
	for i, v := range in {
		if v.n.prim != primParam {
			return nil, fmt.Errorf("compile: input %d is the result of %s: want a parameter", i, v.n.prim.name)
		}
		p.in = append(p.in, Spec{v.n.attr.(paramAttr).Name, v.Shape(), v.n.dtype})
		p.inNodes = append(p.inNodes, v.n)
	}
	for _, v := range out {
		p.out = append(p.out, Spec{"", v.Shape(), v.n.dtype})
		p.outs = append(p.outs, v.n)
	}
	return p, nil
}

// Inputs returns the shapes and types that Run wants.
func (p *Program) Inputs() []Spec { return p.in }

// Outputs returns the shapes and types that Run fills.
func (p *Program) Outputs() []Spec { return p.out }

// PeakBytes returns the memory that the program holds beside its inputs and outputs.
func (p *Program) PeakBytes() int64 { return 0 }

// Run computes the outputs from the inputs.
func (p *Program) Run(in, out []Buffer) error {
	o := oracle{values: map[*node][]float64{}}
	for i, n := range p.inNodes {
		v := make([]float64, n.size())
		for k := range v {
			switch {
			case in[i].f32 != nil:
				v[k] = float64(in[i].f32[k])
			case in[i].f64 != nil:
				v[k] = in[i].f64[k]
			default:
				v[k] = float64(in[i].i32[k])
			}
		}
		o.values[n] = v
	}
	for i, n := range p.outs {
		v, err := o.eval(n)
		if err != nil {
			return err
		}
		for k, x := range v {
			switch {
			case out[i].f32 != nil:
				out[i].f32[k] = float32(x)
			case out[i].f64 != nil:
				out[i].f64[k] = x
			default:
				out[i].i32[k] = int32(x)
			}
		}
	}
	return nil
}
