package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// memorylessEquation returns the modified equation of order 1 or 2 that eliminates the memory and is exact in the step number, on any order
// of batches, from the problem's start. Its fields are evaluated in T.
func memorylessEquation[T graph.Float](p *Problem[T], s *modeq.SecondOrder[T], order int, how integration) (*equation[T], error) {
	bias, err := p.ExpansionScale()
	if err != nil {
		return nil, err
	}
	dim := p.Objective.Dim()
	theta, f, c := make([]T, dim), make([]T, dim), []T(nil)
	if order == 2 {
		c = make([]T, dim)
	}
	field := func(ctx context.Context, n int) flow.Field {
		scale := (1 + bias) * p.StepSize(n)
		return func(_ int, _ float64, y, dydt []float64) error {
			for i, v := range y {
				theta[i] = T(v)
			}
			if err := s.At(ctx, n, theta, f, c); err != nil {
				return err
			}
			for i, v := range f {
				dydt[i] = -float64(v)
			}
			for i, v := range c {
				dydt[i] -= scale * float64(v)
			}
			return nil
		}
	}
	solver, err := how.solver(field, p.StepSize)
	return newMemoryless(p, order, solver), err
}

// seriesEquation returns the memoryless equation of any order for a full batch with the memory full, from the problem's start.
func seriesEquation(p *Problem[float64], order int, opt flow.Options) (*equation[float64], error) {
	field, err := seriesField(p, order)
	if err != nil {
		return nil, err
	}
	return newMemoryless(p, order, &ahead{stepwise: stepwise{method: flow.DormandPrince8, options: opt, field: field, span: p.StepSize}}), nil
}

// seriesField returns the field of that equation, in float64.
func seriesField[T graph.Float](p *Problem[T], order int) (fieldOf, error) {
	if err := p.oneSize(fmt.Sprintf("the modified equation of a full memory, order %d,", order)); err != nil {
		return nil, err
	}
	loss, err := p.graphLoss()
	if err != nil {
		return nil, fmt.Errorf("the modified equation of a full memory, order %d: %w: want start %s, and orders 1 and 2", order, err, Cold)
	}
	scale, err := p.ExpansionScale()
	if err != nil {
		return nil, err
	}
	fields, err := modeq.CompileFields(p.Rule, loss, p.Objective.Dim(), order, modeq.FieldOptions{BiasScale: scale, Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ int) flow.Field {
		return func(_ int, _ float64, y, dydt []float64) error { return fields.Sum(ctx, p.LR, y, dydt) }
	}, nil
}

// graphLoss returns the loss as graph code, which derivatives of any order need.
func (p *Problem[T]) graphLoss() (objective.GraphLoss, error) {
	loss, ok := p.Objective.(objective.GraphLoss)
	if !ok {
		return nil, errors.New("it takes derivatives of the loss of any order, by its graph code, which one that another program serves does not have")
	}
	return loss, nil
}

func newMemoryless[T graph.Float](p *Problem[T], order int, s solver) *equation[T] {
	e := &equation[T]{
		name: fmt.Sprintf("memoryless-%d", order), title: fmt.Sprintf("modified equation of order %d", order), order: order,
		parts: []stretch{{name: "theta", length: len(p.Theta)}}, solver: s, y: make([]float64, len(p.Theta)),
	}
	for i, v := range p.Theta {
		e.y[i] = float64(v)
	}
	e.next = slices.Clone(e.y)
	return e
}
