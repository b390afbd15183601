package objective

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Functions are the numeric loss, gradient and Hessian-vector product of an Objective in float32 or float64. A batch's programs
// are compiled when it is first asked for. It is not for concurrent use.
type Functions[T graph.Float] struct {
	objective Objective
	opt       engine.Options
	programs  map[programKey]*engine.Program
	loss      []T
}

type programKey struct {
	batch   int
	what    string
	vectors int // of a Hessian-vector product
}

// Compile returns the numeric functions of an objective.
func Compile[T graph.Float](o Objective, opt engine.Options) *Functions[T] {
	return &Functions[T]{objective: o, opt: opt, programs: map[programKey]*engine.Program{}, loss: make([]T, 1)}
}

// Dim returns the number of parameters.
func (f *Functions[T]) Dim() int { return f.objective.Dim() }

// Batches returns the number of batches.
func (f *Functions[T]) Batches() int { return f.objective.Batches() }

// Loss returns the loss of a batch, or of all for Full.
func (f *Functions[T]) Loss(batch int, theta []T) (float64, error) {
	p, err := f.program(batch, "loss", 0)
	if err != nil {
		return 0, err
	}
	err = p.Run([]engine.Buffer{engine.Of(theta)}, []engine.Buffer{engine.Of(f.loss)})
	return float64(f.loss[0]), err
}

// Gradient writes the gradient of a batch's loss, or of all for Full, into g.
func (f *Functions[T]) Gradient(batch int, theta, g []T) error {
	p, err := f.program(batch, "gradient", 0)
	if err != nil {
		return err
	}
	return p.Run([]engine.Buffer{engine.Of(theta)}, []engine.Buffer{engine.Of(g)})
}

// HVP writes the product of the Hessian of a batch's loss, or of all for Full, with v into hv.
func (f *Functions[T]) HVP(batch int, theta, v, hv []T) error {
	p, err := f.program(batch, "hvp", 1)
	if err != nil {
		return err
	}
	return p.Run([]engine.Buffer{engine.Of(theta), engine.Of(v)}, []engine.Buffer{engine.Of(hv)})
}

// HVPs writes the products of the Hessian of a batch's loss, or of all for Full, with each of vs into hvs, in one pass: what the
// products share is computed once.
func (f *Functions[T]) HVPs(batch int, theta []T, vs, hvs [][]T) error {
	if len(vs) == 0 || len(vs) != len(hvs) {
		return fmt.Errorf("objective: %d vectors and room for %d products: want as many, at least one", len(vs), len(hvs))
	}
	p, err := f.program(batch, "hvp", len(vs))
	if err != nil {
		return err
	}
	in, out := []engine.Buffer{engine.Of(theta)}, make([]engine.Buffer, len(hvs))
	for i, v := range vs {
		in, out[i] = append(in, engine.Of(v)), engine.Of(hvs[i])
	}
	return p.Run(in, out)
}

func (f *Functions[T]) program(batch int, what string, vectors int) (*engine.Program, error) {
	key := programKey{batch, what, vectors}
	if p, ok := f.programs[key]; ok {
		return p, nil
	}
	if n := f.Batches(); batch != Full && (batch < 0 || batch >= n) {
		return nil, fmt.Errorf("objective: batch %d: there are %d, counted from 0", batch, n)
	}
	dtype := graph.Float64
	var zero T
	if _, ok := any(zero).(float32); ok {
		dtype = graph.Float32
	}
	b := graph.NewBuilder()
	theta := b.Param("theta", dtype, f.Dim())
	in := []graph.Value{theta}
	result := Loss(f.objective, b, theta, batch)
	if what != "loss" {
		result = graph.Grad(result, theta)[0]
	}
	out := []graph.Value{result}
	if what == "hvp" {
		out = nil
		for i := range vectors {
			v := b.Param(fmt.Sprintf("v%d", i), dtype, f.Dim())
			in = append(in, v)
			out = append(out, graph.JVP([]graph.Value{result}, []graph.Value{theta}, []graph.Value{v})...)
		}
	}
	p, err := engine.Compile(in, out, f.opt)
	if err != nil {
		return nil, fmt.Errorf("objective: %s: %w", what, err)
	}
	f.programs[key] = p
	return p, nil
}
