package bench

import (
	"context"

	"shadowflow/diagnose/spectrum"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
)

// A search multiplies so many vectors at once, until residuals are within searchTolerance of the largest eigenvalue, from random vectors.
const (
	searchAtOnce    = 2
	searchTolerance = 1e-3
)

// hessian is the product of the Hessian of a model's training loss on n examples with searchAtOnce vectors, which are the last inputs.
func hessian(a nn.Architecture, input []int, classes, n int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		in, out, err = network(a, input, classes, n)(false)()
		if err != nil {
			return nil, nil, err
		}
		theta, g := in[0], out[1]
		out = nil
		for _, name := range []string{"v1", "v2"} {
			v := theta.Builder().Param(name, graph.Float32, theta.Shape()...)
			in, out = append(in, v), append(out, graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{v})[0])
		}
		return in, out, nil
	}
}

// initialized returns the parameters that a model begins with, by PyTorch's laws.
func initialized(a nn.Architecture, input []int, classes int) func() ([]float64, error) {
	return func() ([]float64, error) {
		m, err := a.Build(input, classes)
		if err != nil {
			return nil, err
		}
		return m.Init(0).Theta, nil
	}
}

// search finds the largest eigenvalues of what a program of hessian multiplies by.
func search(ctx context.Context, p *engine.Program, in, out []engine.Buffer, top int) (spectrum.Extremes[float32], error) {
	vs := in[len(in)-searchAtOnce:]
	apply := func(from, to [][]float32) error {
		for k, v := range from {
			copy(vs[k].Float32s(), v)
		}
		if err := p.RunContext(ctx, in, out); err != nil {
			return err
		}
		for k := range from {
			copy(to[k], out[k].Float32s())
		}
		return nil
	}
	return spectrum.Extremal(len(vs[0].Float32s()), apply, spectrum.ExtremalOptions[float32]{Top: top, Tolerance: searchTolerance, AtOnce: searchAtOnce})
}
