package objective

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Direction makes a vector from the gradient and the parameters, as graph code: an optimizer's update, for example. An objective compiles
// it into the program of the gradient and keeps the program by the Direction's address, so make one and use it again.
type Direction struct {
	Make func(g, theta graph.Value) graph.Value
}

// CompiledDirection is a direction as a function of a gradient that is known already. It writes field.
type CompiledDirection[T graph.Float] func(g, theta, field []T) error

// CompileDirection returns a direction as a function of a gradient of dim elements that is known already.
func CompileDirection[T graph.Float](d *Direction, dim, threads int) (CompiledDirection[T], error) {
	b := graph.NewBuilder()
	g, theta := b.Param("gradient", graph.TypeOf[T](), dim), b.Param("theta", graph.TypeOf[T](), dim)
	p, err := engine.Compile([]graph.Value{g, theta}, []graph.Value{d.Make(g, theta)}, engine.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("direction made from the gradient: %w", err)
	}
	return func(g, theta, field []T) error {
		return p.Run([]engine.Buffer{engine.Of(g), engine.Of(theta)}, []engine.Buffer{engine.Of(field)})
	}, nil
}
