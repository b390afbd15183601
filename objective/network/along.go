package network

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Direction makes a vector from the gradient and the parameters, as graph code: an optimizer's update, for example.
type Direction func(g, theta graph.Value) graph.Value

// Along evaluates the gradient of a batch and the Hessian-vector product in a direction made from that gradient. Where the
// batch is one physical batch both come from one program, which shares the pass through the network: together they cost three
// to four gradients. It is not for concurrent use.
type Along[T graph.Float] struct {
	o         *Objective[T]
	direction Direction
	programs  map[int]*program[T] // by the number of examples
	apart     *engine.Program     // g, theta -> v
}

// Along returns an evaluator for a direction.
func (o *Objective[T]) Along(d Direction) (*Along[T], error) {
	b := graph.NewBuilder()
	g, theta := b.Param("gradient", graph.TypeOf[T](), o.Dim()), b.Param("theta", graph.TypeOf[T](), o.Dim())
	apart, err := engine.Compile([]graph.Value{g, theta}, []graph.Value{d(g, theta)}, engine.Options{Threads: o.opt.Threads})
	if err != nil {
		return nil, fmt.Errorf("network: direction: %w", err)
	}
	return &Along[T]{o: o, direction: d, programs: map[int]*program[T]{}, apart: apart}, nil
}

// At writes the gradient g of a batch's loss at theta, the direction v made from it, and H v. It returns loss and hits.
func (a *Along[T]) At(batch int, theta, g, v, hv []T) (Evaluation, error) {
	if !a.o.Whole(batch) {
		return a.inParts(batch, theta, g, v, hv)
	}
	for _, x := range [][]T{g, v, hv} {
		if err := a.o.checkVector("result", x); err != nil {
			return Evaluation{}, err
		}
	}
	prepare := func(i int, p *program[T]) {
		p.out[2], p.out[3], p.out[4] = engine.Of(g), engine.Of(v), engine.Of(hv)
		a.o.statistics(i, p, 5)
	}
	return a.o.pass(batch, theta, a.find, prepare, nil)
}

func (a *Along[T]) find(n int) (*program[T], error) {
	if p, ok := a.programs[n]; ok {
		return p, nil
	}
	p, err := a.o.compile(programKey{kind: kindAlong, n: n}, a.direction)
	if err == nil {
		a.programs[n] = p
	}
	return p, err
}

// inParts needs the whole gradient before any Hessian-vector product.
func (a *Along[T]) inParts(batch int, theta, g, v, hv []T) (Evaluation, error) {
	e, err := a.o.Evaluate(batch, theta, g)
	if err != nil {
		return e, err
	}
	if err := a.From(theta, g, v); err != nil {
		return e, err
	}
	return e, a.o.HVP(batch, theta, v, hv)
}

// From writes the direction made from a gradient that is known into v.
func (a *Along[T]) From(theta, g, v []T) error {
	return a.apart.Run([]engine.Buffer{engine.Of(g), engine.Of(theta)}, []engine.Buffer{engine.Of(v)})
}
