package run

import (
	"context"
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/safetensors"
)

// A Probed is what Probe found at one point: the loss over all training examples, and what the second-order
// equation predicts of the optimizer's bias there once its memory is full.
type Probed struct {
	Loss float64 `json:"loss"`
	// Accuracy is null in JSON where nothing is classified.
	Accuracy   record.Number `json:"accuracy"`
	Parameters int           `json:"parameters"`
	Examples   int           `json:"examples"`
	// Perturbed is the perturbed one-norm of the gradient with the optimizer's eps, Excess what of it exceeds its value at
	// g = 0; the other norms of the gradient are the usual ones.
	Perturbed float64 `json:"perturbed_norm"`
	Excess    float64 `json:"excess"`
	One       float64 `json:"one_norm"`
	Two       float64 `json:"two_norm"`
	Max       float64 `json:"max_norm"`
	// The rest describes the bias that the second-order equation predicts, as the columns of a history of the same names do.
	Share           float64 `json:"bias_share"`
	Penalized       float64 `json:"penalized"`
	Hindered        float64 `json:"hindered"`
	PenalizedWeight float64 `json:"penalized_weight"`
	HinderedWeight  float64 `json:"hindered_weight"`
	MainDrive       float64 `json:"drive.main"`
	PredictedDrive  float64 `json:"drive.predicted"`
}

// Probe evaluates one point of a config's loss: a network on its training data, all examples, as the files have them, or a closed form. The point is
// read from the safetensors file weights; if that is empty it is the config's start. If out is not empty, it names a
// safetensors file that gets, under each weight's name with a prefix, the gradient (grad.), H F (hf., for Adam the gradient of the
// perturbed one-norm) and h C (bias.), both for a full batch and a full memory.
func Probe(ctx context.Context, c *config.Config, weights, out string) (*Probed, error) {
	plain := *c
	plain.Data.Augment, plain.Batch.Shuffle = false, false
	plain.Batch.Mode, plain.Batch.Size = "full", 0
	if weights != "" && c.Objective.Name != config.Network {
		return nil, fmt.Errorf("weights %s: of no use with objective %s, whose point is objective.theta", weights, c.Objective.Name)
	}
	if weights != "" {
		plain.Model.Weights = weights
	}
	if plain.DType == "float64" {
		return probe[float64](ctx, &plain, out)
	}
	return probe[float32](ctx, &plain, out)
}

func probe[T graph.Float](ctx context.Context, c *config.Config, out string) (*Probed, error) {
	s, err := loadSource(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := problemOf[T](c, s)
	if err != nil {
		return nil, err
	}
	v, e, err := probeVectors(ctx, p)
	if err != nil {
		return nil, err
	}
	q, err := normGradient(ctx, p, v)
	if err != nil {
		return nil, err
	}
	n, b := diagnose.GradientNorms(v.g, p.Eps), diagnose.BiasOf(p.LR, v.f, v.c, q)
	result := &Probed{
		Loss: e.Loss, Accuracy: record.Number(e.Accuracy()), Parameters: len(p.Theta), Examples: e.Examples,
		Perturbed: n.Perturbed, Excess: n.Excess, One: n.One, Two: n.Two, Max: n.Max,
		Share: b.Share, Penalized: b.PenalizedCoordinates, Hindered: b.HinderedCoordinates,
		PenalizedWeight: b.PenalizedWeight, HinderedWeight: b.HinderedWeight, MainDrive: b.MainDrive, PredictedDrive: b.Drive,
	}
	if out == "" {
		return result, nil
	}
	return result, writeProbe(out, c, s.model, v)
}

// probed are the vectors at a point: g, F, H F and C, full batch and memory full. isNormDirection says that H F is the gradient of the
// perturbed one-norm.
type probed[T graph.Float] struct {
	g, f, hf, c     []T
	isNormDirection bool
}

func probeVectors[T graph.Float](ctx context.Context, p *Problem[T]) (*probed[T], objective.Evaluation, error) {
	dim := p.Objective.Dim()
	v := &probed[T]{g: make([]T, dim), f: make([]T, dim), hf: make([]T, dim), c: make([]T, dim)}
	memory, err := p.Rule.MemoryForm()
	if err != nil {
		return nil, objective.Evaluation{}, err
	}
	field := modeq.MemorylessDirection(memory)
	e, err := p.Objective.Evaluate(ctx, p.Theta, objective.Full, objective.Want[T]{Gradient: v.g, Along: field, Field: v.f, HField: v.hf})
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
	}{{"grad.", v.g}, {"hf.", v.hf}, {"bias.", bias}} {
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
