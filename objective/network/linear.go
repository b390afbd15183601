package network

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/objective"
)

// linear is a program of products with the Hessian of n examples, which keeps what does not depend on the vector.
type linear[T graph.Float] struct {
	kept *engine.Kept
	at   *point // that this was computed at
}

// point is what a linear program is fixed at: parameters, inputs and answers.
type point struct{ fixed []engine.Buffer }

// Linearize implements objective.Linearizer, for batches of one micro-batch. A product multiplies as much as two gradients instead of three, and the first as much as one more.
func (o *Objective[T]) Linearize(ctx context.Context, theta []T, batch int) (func(ctx context.Context, v, product []T) error, error) {
	if err := o.check(batch); err != nil {
		return nil, err
	}
	if len(theta) != o.Dim() {
		return nil, fmt.Errorf("network: %s: want %d", plural.Count(len(theta), "parameter"), o.Dim())
	}
	from, to := o.span(batch)
	if to-from > o.opt.MicroBatch {
		return nil, nil
	}
	l, err := o.linear(ctx, to-from)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	here := &point{[]engine.Buffer{engine.Of(theta), o.train.at(from, to), o.train.answers(from, to)}}
	if o.train.inputs == nil {
		here.fixed[1] = here.fixed[1].Clone() // others use the room that it is in
	}
	here.fixed[2] = here.fixed[2].Clone()
	return func(ctx context.Context, v, product []T) error {
		if l.at != here {
			l.at = nil
			if err := l.kept.Fix(ctx, here.fixed); err != nil {
				return fmt.Errorf("network: %w", err)
			}
			l.at = here
		}
		if err := l.kept.RunContext(ctx, []engine.Buffer{engine.Of(v)}, []engine.Buffer{engine.Of(product)}); err != nil {
			return fmt.Errorf("network: %w", err)
		}
		return nil
	}, nil
}

// linear returns the linear program of n examples, compiled when first asked for.
func (o *Objective[T]) linear(ctx context.Context, n int) (*linear[T], error) {
	if l, ok := o.linears[n]; ok {
		return l, nil
	}
	fixed, v, product, err := recordLinear(o.model, o.loss, graph.TypeOf[T](), n, o.train.regression())
	if err != nil {
		return nil, err
	}
	kept, err := engine.CompileKept(ctx, fixed, v, product, engine.Options{Threads: o.opt.Threads, Room: o.opt.Room})
	if err != nil {
		return nil, err
	}
	o.linears[n] = &linear[T]{kept: kept}
	return o.linears[n], nil
}

// recordLinear returns a product as graph code: what it is made of that is fixed, the vector, and the result.
func recordLinear(m *nn.Model, loss nn.Loss, dtype graph.DType, n int, regression bool) (fixed, v, product []graph.Value, err error) {
	r, err := record(m, loss, dtype, regression, programKey{n: n, kind: objective.Kind{Vectors: 1}})
	if err != nil {
		return nil, nil, nil, err
	}
	last := len(r.in) - 1
	return r.in[:last], r.in[last:], r.out[len(r.out)-1:], nil
}

// MeasureLinear is [Measure] of the program by which an Objective multiplies n examples' Hessian at a point by one vector after the other, with what it keeps.
func MeasureLinear(m *nn.Model, loss nn.Loss, dtype graph.DType, n int, regression bool, threads int) (engine.Cost, error) {
	fixed, v, product, err := recordLinear(m, loss, dtype, n, regression)
	if err != nil {
		return engine.Cost{}, err
	}
	return engine.MeasureKept(fixed, v, product, engine.Options{Threads: threads})
}

var _ objective.Linearizer[float32] = (*Objective[float32])(nil)
