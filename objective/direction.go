package objective

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Direction makes a vector from the gradient and the parameters, as graph code: an optimizer's update, for example. An objective compiles
// it into the program of the gradient and keeps the program by the Direction's address, so make one and use it again.
type Direction struct {
	// Vectors and Scalars are how many further vectors, as long as the gradient, and how many numbers it is made from.
	Vectors, Scalars int
	// Make records the direction. given are the vectors, and then the scalars.
	Make func(g, theta graph.Value, given []graph.Value) graph.Value
}

// check refuses any other number of inputs than the direction's, which may be nil.
func (d *Direction) check(inputs int) error {
	want := 0
	if d != nil {
		want = d.Vectors + d.Scalars
	}
	if inputs != want {
		return fmt.Errorf("objective: %d inputs of a direction: want %d", inputs, want)
	}
	return nil
}

// size returns the number of elements of the i-th input, for dim parameters.
func (d *Direction) size(i, dim int) int {
	if i < d.Vectors {
		return dim
	}
	return 1
}

// params records the further inputs of a program.
func (d *Direction) params(theta graph.Value) []graph.Value {
	var out []graph.Value
	for i := range d.Vectors + d.Scalars {
		if i < d.Vectors {
			out = append(out, theta.Builder().Param(fmt.Sprintf("given%d", i), theta.DType(), theta.Size()))
		} else {
			out = append(out, theta.Builder().Param(fmt.Sprintf("given%d", i), theta.DType()))
		}
	}
	return out
}

// CompiledDirection is a direction as a function of a gradient of dim elements that is known already.
type CompiledDirection[T graph.Float] func(g, theta []T, given [][]T, field []T) error

// CompileDirection returns a direction as a function of a gradient of dim elements that is known already.
func CompileDirection[T graph.Float](d *Direction, dim, threads int) (CompiledDirection[T], error) {
	b := graph.NewBuilder()
	g, theta := b.Param("gradient", graph.TypeOf[T](), dim), b.Param("theta", graph.TypeOf[T](), dim)
	given := d.params(theta)
	inputs := append([]graph.Value{g, theta}, given...)
	p, err := engine.Compile(inputs, []graph.Value{d.Make(g, theta, given)}, engine.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("direction made from the gradient: %w", err)
	}
	return func(g, theta []T, given [][]T, field []T) error {
		if err := d.check(len(given)); err != nil {
			return err
		}
		in := []engine.Buffer{engine.Of(g), engine.Of(theta)}
		for _, v := range given {
			in = append(in, engine.Of(v))
		}
		return p.Run(in, []engine.Buffer{engine.Of(field)})
	}, nil
}
