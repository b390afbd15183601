package bench

import (
	"context"
	"errors"
	"math/rand/v2"

	"shadowflow/diagnose/spectrum"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
)

// searchTolerance is the residual of each eigenvalue that is found, relative to it.
const searchTolerance = 1e-3

// search is the search for the largest eigenvalues of a Hessian, from a random vector: a brief one, as the peers' is.
type search struct {
	hessian  *engine.Kept
	fixed    []engine.Buffer // parameters, images, labels
	top, dim int

	found spectrum.Extremes[float32] // by the last run
}

var errNotFound = errors.New("the search ended before all eigenvalues were found")

// hessian is the product of the Hessian of a model's training loss on n examples with a vector, which is the last input.
func hessian(a nn.Architecture, input []int, classes, n int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		in, out, err = network(a, input, classes, n)(false)()
		if err != nil {
			return nil, nil, err
		}
		theta, g := in[0], out[1]
		v := theta.Builder().Param("v", graph.Float32, theta.Shape()...)
		return append(in, v), graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{v}), nil
	}
}

// The point of a search lies so many steps of Adam behind PyTorch's laws, on images that each have so much of their class's: there the largest eigenvalues stand apart, and the products
// of a search are not a matter of chance, as they are on noise.
const (
	searchSteps = 10
	classShare  = 0.5
)

// learning returns what sets the parameters, images and labels of a search.
func learning(a nn.Architecture, input []int, classes, n int) func(ctx context.Context, fixed []engine.Buffer, opt engine.Options) error {
	return func(ctx context.Context, fixed []engine.Buffer, opt engine.Options) error {
		m, err := a.Build(input, classes)
		if err != nil {
			return err
		}
		theta := fixed[0].Float32s()
		for i, x := range m.Init(0).Theta {
			theta[i] = float32(x)
		}
		byClass(fixed[1].Float32s(), fixed[2].Int32s(), classes)
		in, out, err := network(a, input, classes, n)(false)()
		if err != nil {
			return err
		}
		p, err := engine.CompileContext(ctx, in, out[1:], opt)
		if err != nil {
			return err
		}
		step, err := adam(len(theta), map[string]any{"beta2": 0.999, "eps_inside": false}, opt) // as PyTorch has it
		if err != nil {
			return err
		}
		g := make([]float32, len(theta))
		for range searchSteps {
			if err := p.RunContext(ctx, fixed, []engine.Buffer{engine.Of(g)}); err != nil {
				return err
			}
			if err := step(ctx, theta, g); err != nil {
				return err
			}
		}
		return nil
	}
}

// byClass gives the images, noise so far, classes in turn, and adds to each a share of an image of its class.
func byClass(images []float32, labels []int32, classes int) {
	size := len(images) / len(labels)
	r := rand.New(rand.NewPCG(3, 4))
	of := make([]float32, classes*size)
	for i := range of {
		of[i] = classShare * float32(r.NormFloat64())
	}
	for i := range labels {
		c := i % classes
		labels[i] = int32(c)
		for j := range size {
			images[i*size+j] += of[c*size+j]
		}
	}
}

// newSearch prepares a search, given a program of hessian, and what sets its point, if it is not to be noise.
func newSearch(ctx context.Context, in, out []graph.Value, top int, start func(context.Context, []engine.Buffer, engine.Options) error, opt engine.Options) (*search, error) {
	last := len(in) - 1
	s := &search{top: top, dim: in[last].Size()}
	var err error
	if s.hessian, err = engine.CompileKept(ctx, in[:last], in[last:], out, opt); err != nil {
		return nil, err
	}
	s.fixed = buffers(s.hessian.Fixed(), true)
	if start == nil {
		return s, nil
	}
	return s, start(ctx, s.fixed, opt)
}

func (s *search) run(ctx context.Context) error {
	if err := s.hessian.Fix(ctx, s.fixed); err != nil {
		return err
	}
	apply := func(from, to [][]float32) error {
		for k, v := range from {
			if err := s.hessian.RunContext(ctx, []engine.Buffer{engine.Of(v)}, []engine.Buffer{engine.Of(to[k])}); err != nil {
				return err
			}
		}
		return nil
	}
	found, err := spectrum.Extremal(s.dim, apply, spectrum.ExtremalOptions[float32]{Top: s.top, Tolerance: searchTolerance, AtOnce: 1, Brief: true, Each: true})
	if err == nil && !found.Converged {
		err = errNotFound
	}
	s.found = found
	return err
}

func (s *search) flops() float64 { return float64(s.hessian.Flops(s.found.Products)) }

func (s *search) bound(peak, bandwidth float64) float64 {
	return s.hessian.Bound(peak, bandwidth, s.found.Products)
}

func (s *search) memory() int64 { return s.hessian.PeakBytes() }
