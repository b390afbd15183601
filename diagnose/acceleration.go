package diagnose

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/objective"
)

// Acceleration computes F'F, the second derivative in time of the solution of dtheta/dt = -F, for a full batch of which one
// Hessian-vector product H F is known. It is not for concurrent use.
type Acceleration[T graph.Float] struct {
	program *engine.Program
	in, out []engine.Buffer
}

// NewAcceleration compiles the acceleration of a field that is made from the gradient and dim parameters, and from nothing else.
func NewAcceleration[T graph.Float](field *objective.Direction, dim, threads int) (*Acceleration[T], error) {
	b, t := graph.NewBuilder(), graph.TypeOf[T]()
	g, theta := b.Param("g", t, dim), b.Param("theta", t, dim)
	f, hf := b.Param("F", t, dim), b.Param("HF", t, dim)
	ff := graph.JVP([]graph.Value{field.Make(g, theta)}, []graph.Value{g, theta}, []graph.Value{hf, f})
	program, err := engine.Compile([]graph.Value{g, theta, f, hf}, ff, engine.Options{Threads: threads})
	if err != nil {
		return nil, fmt.Errorf("acceleration: %w", err)
	}
	return &Acceleration[T]{program, make([]engine.Buffer, 4), make([]engine.Buffer, 1)}, nil
}

// At writes F'F, given theta, the gradient g, F and H F there.
func (a *Acceleration[T]) At(theta, g, f, hf, ff []T) error {
	a.in[0], a.in[1], a.in[2], a.in[3] = engine.Of(g), engine.Of(theta), engine.Of(f), engine.Of(hf)
	a.out[0] = engine.Of(ff)
	return a.program.Run(a.in, a.out)
}
