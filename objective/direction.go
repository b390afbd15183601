package objective

import (
	"fmt"

	"shadowflow/graph"
)

// Direction makes a vector from the gradient and the parameters, as graph code: an optimizer's update, for example. An objective compiles
// it into the program of the gradient and keeps the program by the Direction's address, so make one and use it again.
type Direction struct {
	Make func(g, theta graph.Value) graph.Value
}

// CompileDirection returns a direction as a function of a gradient of dim elements that is known already.
func CompileDirection[T graph.Float](d *Direction, dim, threads int) (func(g, theta, field []T) error, error) {
	b := graph.NewBuilder()
	g, theta := b.Param("gradient", graph.TypeOf[T](), dim), b.Param("theta", graph.TypeOf[T](), dim)
	p, err := graph.Compile([]graph.Value{g, theta}, []graph.Value{d.Make(g, theta)}, graph.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("direction made from the gradient: %w", err)
	}
	return func(g, theta, field []T) error {
		return p.Run([]graph.Buffer{graph.Of(g), graph.Of(theta)}, []graph.Buffer{graph.Of(field)})
	}, nil
}
