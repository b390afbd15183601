package objective

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
)

// Numeric is the Objective of a Function, in float32 or float64. A program is compiled when what it computes is first wanted.
type Numeric[T graph.Float] struct {
	f        *Function
	threads  int
	programs map[int][]*program[T] // by batch, a few kinds each
	room     engine.Room           // of all of them
}

// program is a compiled program and the buffers of a call: theta and the inputs go in, the loss and the results come out.
type program[T graph.Float] struct {
	kind     Kind
	compiled *engine.Program
	in, out  []engine.Buffer
	loss     []T
	inputs   [][]T
	results  [][]T
}

// NewNumeric returns the Objective of a Function. Threads is that of engine.Options.
func NewNumeric[T graph.Float](f *Function, threads int) *Numeric[T] {
	return &Numeric[T]{f: f, threads: threads, programs: map[int][]*program[T]{}}
}

// Dim implements Objective.
func (n *Numeric[T]) Dim() int { return n.f.Dim }

// Blocks implements Objective.
func (n *Numeric[T]) Blocks() []graph.Block { return n.f.Weights() }

// Batches implements Objective.
func (n *Numeric[T]) Batches() int { return n.f.batches() }

// Start implements Starter.
func (n *Numeric[T]) Start() []float64 { return slices.Clone(n.f.Start) }

// Loss implements GraphLoss.
func (n *Numeric[T]) Loss(theta graph.Value, batch int) (graph.Value, error) {
	return n.f.Loss(theta, batch)
}

// Evaluate implements Objective. Each batch counts as one example.
func (n *Numeric[T]) Evaluate(ctx context.Context, theta []T, batch int, want Want[T]) (Evaluation, error) {
	if err := ctx.Err(); err != nil {
		return Evaluation{}, err
	}
	if len(theta) != n.f.Dim {
		return Evaluation{}, fmt.Errorf("objective: %s: want %d", plural.Count(len(theta), "parameter"), n.f.Dim)
	}
	if err := want.Check(n.f.Dim); err != nil {
		return Evaluation{}, err
	}
	p, err := n.program(ctx, batch, want.Kind())
	if err != nil {
		return Evaluation{}, err
	}
	p.in[0] = engine.Of(theta)
	p.inputs = want.Inputs(p.inputs[:0])
	for i, v := range p.inputs {
		p.in[1+i] = engine.Of(v)
	}
	p.results = want.Results(p.results[:0])
	for i, r := range p.results {
		p.out[1+i] = engine.Of(r)
	}
	if err := p.compiled.RunContext(ctx, p.in, p.out); err != nil {
		return Evaluation{}, fmt.Errorf("objective: %w", err)
	}
	e := Evaluation{Loss: float64(p.loss[0]), Correct: math.NaN(), R2: math.NaN(), Examples: 1}
	if batch == Full {
		e.Examples = n.f.batches()
	}
	return e, nil
}

// program returns a batch's program of that kind, compiled when first asked for.
func (n *Numeric[T]) program(ctx context.Context, batch int, kind Kind) (*program[T], error) {
	for _, p := range n.programs[batch] {
		if p.kind == kind {
			return p, nil
		}
	}
	b := graph.NewBuilder()
	theta := b.Param("theta", graph.TypeOf[T](), n.f.Dim)
	loss, err := n.f.Loss(theta, batch)
	if err != nil {
		return nil, err
	}
	inputs, results := kind.Record(loss, theta)
	in, out := append([]graph.Value{theta}, inputs...), append([]graph.Value{loss}, results...)
	p := &program[T]{kind: kind, in: make([]engine.Buffer, len(in)), out: make([]engine.Buffer, len(out)), loss: make([]T, 1)}
	if p.compiled, err = engine.CompileContext(ctx, in, out, engine.Options{Threads: n.threads, Room: &n.room}); err != nil {
		return nil, fmt.Errorf("objective: %w", err)
	}
	p.out[0] = engine.Of(p.loss)
	n.programs[batch] = append(n.programs[batch], p)
	return p, nil
}

var (
	_ Objective[float32] = (*Numeric[float32])(nil)
	_ Starter            = (*Numeric[float32])(nil)
	_ GraphLoss          = (*Numeric[float32])(nil)
	_ GraphLoss          = (*Function)(nil)
)
