package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/nn/imported"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/objective/worker"
	"shadowflow/schema"
)

// source is what a config's objective is made from, and the point that it starts from.
type source struct {
	closed *objective.Function // a loss in closed form; nil for any other
	worker *worker.Process     // a loss that another program serves; nil for any other
	pool   *worker.Pool        // which the worker is of; nil: it is this run's alone
	data   *dataset.Dataset    // a network's; nil for any other
	// model names and shapes the parameters in files; for what is no network it is nothing else.
	model *nn.Model
	start *nn.State
	room  engine.Room // of the programs of all losses of the network, one of which is evaluated at a time
}

// tests returns the number of test examples.
func (s *source) tests() int {
	switch {
	case s.worker != nil:
		return s.worker.Info().Test
	case s.data != nil:
		return s.data.Test.N()
	}
	return 0
}

// close ends the worker, if that is what the loss is of, or leaves it to the runs that follow.
func (s *source) close() error { return s.pool.Release(s.worker) }

// loadSource makes the loss in closed form, starts the worker or takes one of the pool, or reads the data and builds the network for it. What it returns is
// to be closed.
func loadSource(ctx context.Context, c *config.Config, pool *worker.Pool) (*source, error) {
	switch c.Objective.Name {
	case config.Network:
		return loadNetwork(ctx, c)
	case config.Worker:
		return startWorker(ctx, c, pool)
	}
	f, theta, err := c.Objective.New()
	if err != nil {
		return nil, err
	}
	return &source{closed: f, model: nn.Bare(f.Weights(), nil), start: &nn.State{Theta: theta}}, nil
}

func startWorker(ctx context.Context, c *config.Config, pool *worker.Pool) (*source, error) {
	p, err := pool.Start(ctx, worker.Options{
		Command: c.Objective.Command, DType: c.DType, Threads: c.Threads, Seed: c.Seed, Timeout: time.Duration(c.Objective.Timeout * float64(time.Second)),
	})
	if err != nil {
		return nil, err
	}
	theta, running := p.Start()
	info := p.Info()
	model := nn.Bare(worker.Blocks(info.Blocks), worker.Blocks(info.Running))
	return &source{worker: p, pool: pool, model: model, start: &nn.State{Theta: theta, Running: running}}, nil
}

func loadNetwork(ctx context.Context, c *config.Config) (*source, error) {
	data, err := dataset.Load(ctx, c.Data)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	architecture, err := c.Model.Architecture()
	if err != nil {
		return nil, schema.Setting{}.ValueError("model", "%v", err)
	}
	loss, err := nn.ParseLoss(c.Loss)
	if err != nil {
		return nil, err
	}
	outputs, err := loss.Outputs(data.Classes, data.Train.Targets.Columns)
	if err != nil {
		return nil, schema.Setting{}.ValueError("loss", "%s on %s: %v", c.Loss, c.Data.Name, err)
	}
	model, err := architecture.Build(data.Shape, outputs)
	if file := (*imported.FileError)(nil); errors.As(err, &file) {
		return nil, fmt.Errorf("model.path: %w", err)
	}
	if err != nil {
		return nil, schema.Setting{}.ValueError("model", "%s on %s: %v", c.Model.Name, c.Data.Name, err)
	}
	if model.Tokens() != data.Train.Tokens() {
		return nil, schema.Setting{}.ValueError("model.name", "%s on data %s: a text needs a language model, as gpt, and that a text", c.Model.Name, c.Data.Name)
	}
	if err := fits(c, model); err != nil {
		return nil, err
	}
	s := &source{data: data, model: model}
	if c.Model.Weights == "" {
		s.start = model.Init(c.Seed)
		return s, nil
	}
	if s.start, err = model.Load(c.Model.Weights); err != nil {
		return nil, fmt.Errorf("model.weights: %w", err)
	}
	return s, nil
}

// fits refuses a network whose vectors of parameters alone, the start in float64, the point, its gradient and the optimizer's state, are more
// than this process can hold. What programs need besides is asked where they are compiled.
func fits(c *config.Config, model *nn.Model) error {
	r, err := c.Optimizer.RuleOf(model.Blocks())
	if err != nil {
		return err
	}
	width := 4
	if c.DType == "float64" {
		width = 8
	}
	n := model.NumParams()
	numbers := n // of the gradient
	for _, length := range r.Lengths(n) {
		numbers += length
	}
	if err := memory.Check(int64(8*n + width*numbers)); err != nil {
		return fmt.Errorf("model %s: a run of its %s %w, for its start, weights, gradient and optimizer alone: want a smaller model", c.Model.Name, plural.Count(n, "parameter"), err)
	}
	return nil
}

// NewProblem returns the problem that a config states: its objective, its optimizer, and its start. It is to be closed.
func NewProblem[T graph.Float](ctx context.Context, c *config.Config) (*Problem[T], error) {
	own := *c // whose worker has vectors of this type
	own.DType = graph.TypeOf[T]().String()
	s, err := loadSource(ctx, &own, nil)
	if err != nil {
		return nil, err
	}
	p, err := problemOf[T](c, s)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	p.closer = s.close
	return p, nil
}

func problemOf[T graph.Float](c *config.Config, s *source) (*Problem[T], error) {
	o, err := objectiveOf[T](c, s)
	if err != nil {
		return nil, err
	}
	r, err := c.Optimizer.RuleOf(o.Blocks())
	if err != nil {
		return nil, err
	}
	moments, err := readMoments[T](c, s, r)
	if err != nil {
		return nil, err
	}
	whole := *c // of which this is the part behind the steps that the moments are from
	whole.Steps += moments.steps()
	plan, err := whole.Plan()
	if err != nil {
		return nil, err
	}
	if err := representable[T](c, s, plan); err != nil {
		return nil, err
	}
	p := &Problem[T]{
		Moments:   moments,
		Objective: o, Rule: r, LR: c.Optimizer.LR, Schedule: plan, Theta: narrow[T](s.start.Theta), Order: batchOrder(c.Batch.Mode, o.Batches(), c.Seed),
		BiasScale: c.Bias.Scale, OfRealized: c.Bias.Of == config.Realized, Seed: c.Seed, Eps: perturbation(c.Optimizer), Threads: c.Threads,
	}
	moments.compare(c, r, p.StepSize(moments.steps())/p.LR)
	return p, p.check()
}

// objectiveOf returns the loss, with the gradient that the optimizer takes.
func objectiveOf[T graph.Float](c *config.Config, s *source) (objective.Objective[T], error) {
	o, err := lossOf[T](c, s)
	if err != nil || c.Optimizer.SAM == 0 {
		return o, err
	}
	return objective.NewSAM(o, c.Optimizer.SAM, c.Threads)
}

func lossOf[T graph.Float](c *config.Config, s *source) (objective.Objective[T], error) {
	switch {
	case s.closed != nil:
		return objective.NewNumeric[T](s.closed, c.Threads), nil
	case s.worker != nil:
		return worker.New[T](s.worker)
	}
	o, err := networkOf[T](c, s)
	if err != nil {
		return nil, err
	}
	o.SetRunning(s.start.Running, s.start.Batches)
	return o, nil
}

// networkOf returns the loss of the config's network on the training data.
func networkOf[T graph.Float](c *config.Config, s *source) (*network.Objective[T], error) {
	loss, err := nn.ParseLoss(c.Loss)
	if err != nil {
		return nil, err
	}
	opt := network.Options{MicroBatch: c.Batch.Physical, Seed: c.Seed, Shuffle: c.Batch.Shuffle, Threads: c.Threads, Test: s.data.Test, Room: &s.room}
	if n := s.data.Train.N(); c.Batch.Mini() {
		if opt.BatchSize = c.Batch.Size; opt.BatchSize > n {
			return nil, &schema.Error{Key: "batch.size", Problem: fmt.Sprintf("%d: want at most the %s to train on", c.Batch.Size, plural.Of(n, "example"))}
		}
	}
	if c.Data.Augment {
		a := dataset.CropAndFlip(c.Seed)
		opt.Augment = &a
	}
	o, err := network.New[T](s.model, loss, s.data.Train, opt)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return o, nil
}

// perturbation returns the eps of the perturbed one-norm: the optimizer's, or for one without it that of Adam's defaults.
func perturbation(o config.Optimizer) float64 {
	if eps := o.Value("eps"); eps > 0 {
		return eps
	}
	return 1e-8
}

// notes say what a person should know of the network's file and of the weights'.
func (s *source) notes() []string { return append(s.notesOnNetwork(), s.notesOnWeights()...) }

// notesOnNetwork say what a person should know of the file that the network was read from.
func (s *source) notesOnNetwork() []string {
	if s.model == nil {
		return nil
	}
	return s.model.Notes()
}

// notesOnWeights say what of the weights' file was taken otherwise than it stands there.
func (s *source) notesOnWeights() []string {
	if s.start == nil {
		return nil
	}
	return s.start.Notes
}

func narrow[T graph.Float](x []float64) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

func widen[T graph.Float](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
