package run

import (
	"context"

	"shadowflow/diagnose"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// BiasField is what the second-order equation without memory predicts at any point, with the memory full and the full batch. It is not for
// concurrent use.
type BiasField struct {
	problem        *Problem[float64]
	terms          *modeq.SecondOrder[float64]
	f, c, g, along []float64
	q              []float64
}

// NewBiasField prepares it for a problem, whose rule has the memory form, or the error says what it lacks.
func NewBiasField(p *Problem[float64]) (*BiasField, error) {
	terms, err := modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	b := &BiasField{problem: p, terms: terms}
	for _, v := range []*[]float64{&b.f, &b.c, &b.g, &b.along, &b.q} {
		*v = make([]float64, p.Objective.Dim())
	}
	return b, nil
}

// At writes -h C, by which the bias moves theta in a unit of time, into moves, and returns what that does to the perturbed one-norm of the gradient.
func (b *BiasField) At(ctx context.Context, theta, moves []float64) (diagnose.Bias, error) {
	p := b.problem
	if err := b.terms.At(ctx, modeq.FullMemory, theta, b.f, b.c); err != nil {
		return diagnose.Bias{}, err
	}
	if _, err := p.Objective.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{Gradient: b.g}); err != nil {
		return diagnose.Bias{}, err
	}
	normDirection(b.along, b.g, p.Eps)
	if err := objective.TransposedProduct(ctx, p.Objective, theta, objective.Full, b.along, b.q); err != nil {
		return diagnose.Bias{}, err
	}
	for j, v := range b.c {
		moves[j] = -p.LR * v
	}
	return diagnose.BiasOf(p.LR, b.f, b.c, b.q), nil
}
