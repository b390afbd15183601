package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/safetensors"
)

// A Probed is what Probe found at one point: the loss over all training examples, and what the second-order
// equation predicts of the optimizer's bias there once its memory is full.
type Probed struct {
	Loss record.Number `json:"loss"`
	// Accuracy is null in JSON where nothing is classified.
	Accuracy record.Number `json:"accuracy"`
	// R2 is the coefficient of determination where numbers are predicted, nil elsewhere.
	R2         *record.Number `json:"r2,omitempty"`
	Parameters int            `json:"parameters"`
	Examples   int            `json:"examples"`
	// Perturbed is the perturbed one-norm of the gradient with the optimizer's eps, Excess what of it exceeds its value at
	// g = 0; the other norms of the gradient are the usual ones.
	Perturbed record.Number `json:"perturbed_norm"`
	Excess    record.Number `json:"excess"`
	One       record.Number `json:"one_norm"`
	Two       record.Number `json:"two_norm"`
	Max       record.Number `json:"max_norm"`
	// PredictedBias is nil where there is no such equation, for the reason NoPrediction.
	*PredictedBias
	NoPrediction string `json:"no_prediction,omitempty"`
	// WithoutMemory says that the optimizer remembers nothing: no step of it has a realized bias, and all of them are the equation's by construction.
	WithoutMemory bool `json:"without_memory,omitempty"`
	// Next is what is known of the step from here where the optimizer's moments are, nil elsewhere.
	Next *NextStep `json:"next_step,omitempty"`
	// Notes say what of the weights' file was taken otherwise than it stands there.
	Notes []string `json:"notes,omitempty"`
}

// NextStep is the step from a point with the moments that the optimizer has there.
type NextStep struct {
	// Steps is the number of steps behind the moments.
	Steps int `json:"steps"`
	// Columns are those of a history, by name, with the bias realized and predicted in this step.
	Columns map[string]record.Number `json:"columns"`
	// NoBias says why there is no bias to speak of, where there is none.
	NoBias string `json:"no_bias,omitempty"`
	// NoRealized says why there is no realized bias beside the predicted one, where there is none.
	NoRealized string `json:"no_realized_bias,omitempty"`
	// Second is what the step says of the second-order equation, as a [Verdict].
	Second string `json:"second_order,omitempty"`
	// Notes say where the optimizer that the moments are of had other hyperparameters.
	Notes []string `json:"notes,omitempty"`
}

// PredictedBias describes the bias that the second-order equation predicts, as the columns of a history of the same names do.
type PredictedBias struct {
	Share           record.Number `json:"bias_share"`
	Penalized       record.Number `json:"penalized"`
	Hindered        record.Number `json:"hindered"`
	PenalizedWeight record.Number `json:"penalized_weight"`
	HinderedWeight  record.Number `json:"hindered_weight"`
	MainDrive       record.Number `json:"drive.main"`
	PredictedDrive  record.Number `json:"drive.predicted"`
}

// Probe evaluates one point of a config's loss: a network on its training data, all examples, as the files have them, or a closed form. The point is
// the config's start. If out is not empty, it names a safetensors file that gets, under each weight's name with a prefix, the gradient (grad.),
// H F (hf., for Adam the gradient of the perturbed one-norm) and h C (bias.), both for a full batch and a full memory; where the config
// has the optimizer's moments, the bias of the step that it takes with them, too (realized.).
func Probe(ctx context.Context, c *config.Config, out string) (*Probed, error) {
	plain := asTheFilesHaveThem(c)
	if plain.DType == "float64" {
		return probe[float64](ctx, plain, out)
	}
	return probe[float32](ctx, plain, out)
}

// asTheFilesHaveThem returns a config of the loss over all examples at once, in their order and unaltered.
func asTheFilesHaveThem(c *config.Config) *config.Config {
	plain := *c
	plain.Data.Augment, plain.Batch.Shuffle = false, false
	plain.Batch.Mode, plain.Batch.Size = "full", 0
	return &plain
}

func probe[T graph.Float](ctx context.Context, c *config.Config, out string) (result *Probed, err error) {
	s, err := loadSource(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p, err := problemOf[T](c, s)
	if err != nil {
		return nil, err
	}
	v, e, err := probeVectors(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := v.check(p, e); err != nil {
		return nil, err
	}
	n := diagnose.GradientNorms(v.g, p.Eps)
	result = &Probed{
		Loss: record.Number(e.Loss), Accuracy: record.Number(e.Accuracy()), Parameters: len(p.Theta), Examples: e.Examples,
		Perturbed: record.Number(n.Perturbed), Excess: record.Number(n.Excess), One: record.Number(n.One), Two: record.Number(n.Two), Max: record.Number(n.Max),
	}
	result.Notes = s.notes()
	if r := c.Regularizer; penalized(c) {
		result.Notes = append(result.Notes, fmt.Sprintf("the regularizer, %s of weight %g, is no part of the loss, the gradient, the norms and the predicted bias here", r.Kind, r.Weight))
	}
	if m := p.Rule.Memory; m != nil {
		result.WithoutMemory = !m.Remembers()
	}
	if v.lacks != nil {
		result.NoPrediction = v.lacks.Error()
	} else if result.PredictedBias, err = predictedBias(ctx, p, v); err != nil {
		return nil, err
	}
	if r2 := record.Number(e.R2); finite(e.R2) {
		result.R2 = &r2
	}
	if p.Moments != nil {
		if result.Next, v.realized, err = nextStep(ctx, c, p); err != nil {
			return nil, err
		}
	}
	if out == "" {
		return result, nil
	}
	return result, writeProbe(out, c, s.model, v)
}

func predictedBias[T graph.Float](ctx context.Context, p *Problem[T], v *probed[T]) (*PredictedBias, error) {
	q, err := normGradient(ctx, p, v)
	if err != nil {
		return nil, err
	}
	b := diagnose.BiasOf(p.LR, v.f, v.c, q)
	return &PredictedBias{
		Share: record.Number(b.Share), Penalized: record.Number(b.PenalizedCoordinates), Hindered: record.Number(b.HinderedCoordinates),
		PenalizedWeight: record.Number(b.PenalizedWeight), HinderedWeight: record.Number(b.HinderedWeight),
		MainDrive: record.Number(b.MainDrive), PredictedDrive: record.Number(b.Drive),
	}, nil
}

// nextStep takes a run's step from the problem's moments, and returns what its meters read, and the realized bias if there is one.
func nextStep[T graph.Float](ctx context.Context, c *config.Config, p *Problem[T]) (*NextStep, []T, error) {
	next := &NextStep{Steps: p.Moments.Steps, Columns: map[string]record.Number{}, Notes: p.Moments.Notes}
	term, err := newSecondOrder(p)
	if lacks := (*rule.NoMemoryError)(nil); errors.As(err, &lacks) {
		if term, err = newSettled(p); err != nil {
			next.NoBias = err.Error()
			return next, nil, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	o, err := p.optimizer(term)
	if err != nil {
		return nil, nil, err
	}
	o.penalize(c, p, term)
	if err := realizable(p, o); err != nil {
		next.NoRealized = err.Error()
	}
	bias, err := newBiasMeter(p, o, term, 1, false, "", nil)
	if err != nil {
		return nil, nil, err
	}
	l := newLoop(p.Objective, o)
	l.Eps, l.Field, l.Steps, l.Meters = p.Eps, term.field, p.Moments.Steps+1, []Meter[T]{bias}
	if p.BiasScale == 0 && o.penalty == nil && p.Rule.StepsOfAllSizes() == nil {
		state, err := newStateMeter(&company[T]{problem: p, optimizer: o, how: integration{method: flow.RK4.Name(), steps: 1}}, 1)
		if err != nil {
			return nil, nil, err
		}
		l.Meters = append(l.Meters, state)
	}
	status, err := l.run(ctx, &firstRow{names: l.columns(), columns: next.Columns})
	switch {
	case err != nil:
		return nil, nil, err
	case status == Interrupted:
		return nil, nil, context.Cause(ctx)
	}
	if bias.predicted != nil {
		next.Second = next.verdict().String()
	}
	if bias.realized == nil {
		return next, nil, nil
	}
	return next, bias.b, nil
}

// verdict is what the step says of the second-order equation.
func (n *NextStep) verdict() Verdict {
	measured := func(column string) float64 {
		if v, ok := n.Columns[column]; ok {
			return float64(v)
		}
		return math.NaN()
	}
	return VerdictOf(measured("monitor.second_over_first"), measured("bias.cosine"))
}

// firstRow is a sink that keeps the first row, by the columns' names.
type firstRow struct {
	names   []record.Column
	columns map[string]record.Number
	filled  bool
}

func (f *firstRow) row(_ int, values []record.Value) error {
	for i, v := range values {
		if !f.filled && v.Measured() {
			f.columns[f.names[i].Name] = record.Number(v.Float())
		}
	}
	f.filled = true
	return nil
}

func (f *firstRow) between(int) error { return nil }

// probed are the vectors at a point: g, F, H F and C, full batch and memory full; of an optimizer without the memory form g alone, and
// lacks says why. isNormDirection says that H F is the gradient of the perturbed one-norm.
type probed[T graph.Float] struct {
	g, f, hf, c     []T
	isNormDirection bool
	lacks           error
	realized        []T // bias of the step with the moments that are there
}

// check returns an error if something that a probe tells of the point, of the loss e, is not finite.
func (v *probed[T]) check(p *Problem[T], e objective.Evaluation) error {
	return cmp.Or(checkSeen(p, e, v.g), checkVector("F", v.f), checkVector("H F", v.hf), checkVector("C", v.c))
}

func probeVectors[T graph.Float](ctx context.Context, p *Problem[T]) (*probed[T], objective.Evaluation, error) {
	dim := p.Objective.Dim()
	v := &probed[T]{g: make([]T, dim)}
	memory, err := p.Rule.MemoryForm()
	if lacks := (*rule.NoMemoryError)(nil); errors.As(err, &lacks) {
		v.lacks = err
		e, err := p.Objective.Evaluate(ctx, p.Theta, objective.Full, objective.Want[T]{Gradient: v.g})
		return v, e, err
	}
	if err != nil {
		return nil, objective.Evaluation{}, err
	}
	v.f, v.hf, v.c = make([]T, dim), make([]T, dim), make([]T, dim)
	field := modeq.MemorylessDirection(memory)
	e, err := p.Objective.Evaluate(ctx, p.Theta, objective.Full, objective.Want[T]{Gradient: v.g, Direction: field, Field: v.f, HField: v.hf})
	if err != nil {
		return nil, e, err
	}
	if v.isNormDirection, err = p.followsNorm(field); err != nil {
		return nil, e, err
	}
	terms, err := modeq.NewTerms[T](p.Rule, dim, p.Threads)
	if err != nil {
		return nil, e, err
	}
	return v, e, terms.SecondOrder(modeq.FullMemory, v.g, p.Theta, v.f, v.hf, v.c)
}

// normGradient returns q, the gradient of the perturbed one-norm of the gradient.
func normGradient[T graph.Float](ctx context.Context, p *Problem[T], v *probed[T]) ([]T, error) {
	if v.isNormDirection {
		return v.hf, nil
	}
	q, direction := make([]T, len(v.g)), make([]T, len(v.g))
	normDirection(direction, v.g, p.Eps)
	return q, objective.TransposedProduct(ctx, p.Objective, p.Theta, objective.Full, direction, q)
}

func writeProbe[T graph.Float](out string, c *config.Config, model *nn.Model, v *probed[T]) error {
	h := T(c.Optimizer.LR)
	bias := make([]T, len(v.c))
	for j, x := range v.c {
		bias[j] = h * x
	}
	var tensors []safetensors.Tensor
	for _, part := range []struct {
		prefix string
		vector []T
	}{{"grad.", v.g}, {"hf.", v.hf}, {"bias.", bias}, {"realized.", v.realized}} {
		if len(part.vector) == 0 {
			continue
		}
		more, err := nn.Tensors(model, part.prefix, part.vector)
		if err != nil {
			return err
		}
		tensors = append(tensors, more...)
	}
	if err := safetensors.WriteFile(out, tensors, map[string]string{"optimizer": c.Optimizer.String(), "loss": c.Loss}); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}
