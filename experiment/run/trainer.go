package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"shadowflow/dataset"
	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/rule"
)

// divergedLoss is the loss, relative to the first, at which a run is given up.
const divergedLoss = 1e4

// trainer is a run in one precision.
type trainer[T graph.Float] struct {
	config  *config.Config
	options Options
	data    *dataset.Dataset
	model   *nn.Model
	rule    *rule.Rule
	loss    *network.Objective[T]
	stepper *rule.Stepper[T]
	order   func(step int) int // the mini-batch of each step; nil: all examples
	eps     float64            // of the perturbed one-norm

	theta  []T
	point  point[T]
	bias   *biasMeter[T]      // nil if nothing needs it
	sharp  *sharpnessMeter[T] // nil if never measured
	shadow *shadows[T]        // the modified equations that run along
	penal  *penalty[T]        // nil without a regularizer

	watch     stopwatch
	record    *recorder
	firstLoss float64
	lastDrive float64
	ended     Status // of a run resumed behind its last record

	// Until a step begins to move the parameters it may be broken off, and undone by setting the running averages back.
	ctx     context.Context
	moving  bool
	running []T // before the step
	batches int64
	times   *record.Times
}

// point is what is known at the present parameters.
type point[T graph.Float] struct {
	step  int
	batch int // that the step sees, objective.Full for all
	seen  objective.Evaluation
	g     []T            // gradient of the loss that the step sees
	norms diagnose.Norms // where something is recorded
	// paired says that F and H F came with the gradient.
	paired bool
}

func newTrainer[T graph.Float](ctx context.Context, c *config.Config, columns []record.Column, opt Options) (*trainer[T], error) {
	if err := checkCombination(c); err != nil {
		return nil, err
	}
	t := &trainer[T]{config: c, options: opt, eps: perturbation(c.Optimizer), lastDrive: math.NaN(), firstLoss: math.NaN(), ctx: ctx}
	t.watch.started = time.Now()
	t.record = newRecorder(columns)
	var err error
	if t.data, t.model, err = loadProblem(ctx, c); err != nil {
		return nil, err
	}
	if t.rule, err = c.Optimizer.Rule(); err != nil {
		return nil, err
	}
	if t.loss, err = newObjective[T](c, t.model, t.data); err != nil {
		return nil, err
	}
	dim := t.loss.Dim()
	if t.stepper, err = rule.NewStepper[T](t.rule, t.loss.Blocks(), graph.Options{Threads: c.Threads}); err != nil {
		return nil, err
	}
	t.order = batchOrder(c, t.loss.Batches())
	t.point.g = make([]T, dim)
	return t, errors.Join(t.start(), t.prepareMeters())
}

// prepareMeters makes what the config asks for beside the steps.
func (t *trainer[T]) prepareMeters() (err error) {
	c := t.config
	if c.Record.Bias > 0 || c.Bias.Scale != 0 {
		if t.bias, err = newBiasMeter(t); err != nil {
			return err
		}
	}
	if c.Record.Sharpness > 0 {
		if t.sharp, err = newSharpnessMeter(t); err != nil {
			return err
		}
	}
	if c.Regularizer.Kind != "none" {
		if t.penal, err = newPenalty(t); err != nil {
			return err
		}
	}
	t.shadow, err = newShadows(t)
	return err
}

// start sets the parameters that the run begins with.
func (t *trainer[T]) start() error {
	state, err := startState(t.config, t.model)
	if err != nil {
		return err
	}
	t.theta = make([]T, len(state.Theta))
	for i, v := range state.Theta {
		t.theta[i] = T(v)
	}
	t.loss.SetRunning(state.Running, state.Batches)
	return nil
}

// startState returns the point that a config starts from.
func startState(c *config.Config, m *nn.Model) (*nn.State, error) {
	if c.Model.Weights == "" {
		return m.Init(c.Seed), nil
	}
	state, err := m.Load(c.Model.Weights)
	if err != nil {
		return nil, fmt.Errorf("model.weights: %w", err)
	}
	return state, nil
}

// loadProblem reads the data and builds the network for it.
func loadProblem(ctx context.Context, c *config.Config) (*dataset.Dataset, *nn.Model, error) {
	data, err := dataset.Load(ctx, c.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("data: %w", err)
	}
	architecture, err := c.Model.Architecture()
	if err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	model, err := architecture.Build(data.Shape, data.Classes)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s on %s: %w", c.Model.Name, c.Data.Name, err)
	}
	return data, model, nil
}

func newObjective[T graph.Float](c *config.Config, m *nn.Model, data *dataset.Dataset) (*network.Objective[T], error) {
	loss, err := nn.ParseLoss(c.Loss)
	if err != nil {
		return nil, err
	}
	opt := network.Options{MicroBatch: c.Batch.Physical, Seed: c.Seed, Shuffle: c.Batch.Shuffle, Threads: c.Threads, Test: data.Test}
	if c.Batch.Mode != "full" {
		opt.BatchSize = c.Batch.Size
	}
	if c.Data.Augment {
		a := dataset.CropAndFlip(c.Seed)
		opt.Augment = &a
	}
	o, err := network.New[T](m, loss, data.Train, opt)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return o, nil
}

// batchOrder returns the mini-batch of each step, nil for full batch.
func batchOrder(c *config.Config, batches int) func(step int) int {
	switch c.Batch.Mode {
	case "cyclic":
		return modeq.Cyclic(batches)
	case "shuffled":
		return modeq.Shuffled(batches, c.Seed)
	case "sampled":
		return sampled(batches, c.Seed)
	}
	return nil
}

// sampled returns an order in which each step draws a batch with replacement. It depends on the seed and the step alone.
func sampled(batches int, seed uint64) func(step int) int {
	return func(step int) int { return rand.New(rand.NewPCG(seed, uint64(step))).IntN(batches) }
}

// perturbation returns the eps of the perturbed one-norm: the optimizer's, or for one without it that of Adam's defaults.
func perturbation(o config.Optimizer) float64 {
	if eps := o.Value("eps"); eps > 0 {
		return eps
	}
	return 1e-8
}

// checkCombination refuses what has no meaning together.
func checkCombination(c *config.Config) error {
	if c.Objective.Name != config.Network {
		return fmt.Errorf("objective.name: %s; only a %s can be trained", c.Objective.Name, config.Network)
	}
	changing := c.Data.Augment || c.Batch.Shuffle
	switch {
	case c.Regularizer.Kind != "none" && len(c.Flow.Orders) > 0:
		return errors.New("flow.orders with a regularizer: the modified equation of a penalized loss needs third derivatives; remove one of them")
	case c.Regularizer.Kind != "none" && c.Bias.Scale != 0:
		return errors.New("bias.scale with a regularizer: the bias of a penalized loss needs third derivatives; remove one of them")
	case changing && len(c.Flow.Orders) > 0:
		return errors.New("flow.orders with data.augment or batch.shuffle: the loss is another function at each step, and an equation needs one; turn them off")
	}
	return nil
}

// due reports whether something with that interval is measured at a step.
func due(every, step int) bool { return every > 0 && step%every == 0 }

// run takes the steps from where the trainer stands.
func (t *trainer[T]) run(ctx context.Context, d *record.Dir) (result *Result, err error) {
	if t.ended != "" {
		return t.conclude(d, t.ended)
	}
	if t.times, err = record.OpenTimes(d.Path(), t.stepper.Steps()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.times.Close()) }()
	if t.watch.before == 0 {
		if err := t.logStart(d); err != nil {
			return nil, err
		}
	}
	first := t.stepper.Steps()
	for n := first; ; n++ {
		if ctx.Err() != nil {
			return t.interrupt(d)
		}
		if n > first && due(t.config.Checkpoint.Every, n) {
			if err := t.checkpoint(d, ""); err != nil {
				return nil, err
			}
		}
		t.begin()
		status, err := t.advance(d, n)
		if err != nil && !t.moving && ctx.Err() != nil {
			t.undo()
			return t.interrupt(d)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", n, err)
		}
		if status != "" {
			return t.finish(d, status)
		}
	}
}

// context is that of an evaluation, which may be broken off until the step begins to move the parameters.
func (t *trainer[T]) context() context.Context {
	if t.moving {
		return context.WithoutCancel(t.ctx)
	}
	return t.ctx
}

// begin notes what a step changes before it moves the parameters.
func (t *trainer[T]) begin() {
	running, batches := t.loss.Running()
	t.running, t.batches, t.moving = append(t.running[:0], running...), batches, false
}

// undo takes back what a step that was broken off has changed.
func (t *trainer[T]) undo() { t.loss.SetRunning(widen(t.running), t.batches) }

func (t *trainer[T]) logStart(d *record.Dir) error {
	return d.Logf("%s on %s: %d parameters, %d training examples, %d test examples; optimizer %s, lr %v",
		t.config.Model.Name, t.config.Data.Name, t.loss.Dim(), t.data.Train.N(), t.data.Test.N(), t.rule.Name, t.config.Optimizer.LR)
}

// advance measures at the parameters behind n steps and takes the next. A status says that there is no next.
func (t *trainer[T]) advance(d *record.Dir, n int) (Status, error) {
	if err := t.observe(n); err != nil {
		return "", err
	}
	c := t.config.Record
	record := due(c.Every, n) || due(c.Bias, n) || due(c.Sharpness, n) || due(c.Test, n)
	if record {
		t.point.norms = diagnose.GradientNorms(t.point.g, t.eps)
	}
	status := t.ending(n, record)
	if status != "" && !record {
		record = true
		t.point.norms = diagnose.GradientNorms(t.point.g, t.eps)
	}
	if record {
		if err := t.measure(n, status != ""); err != nil {
			return "", err
		}
	}
	if status == "" {
		if err := t.step(n); err != nil {
			return "", err
		}
	}
	if record {
		if err := t.commit(d, n); err != nil {
			return "", err
		}
	}
	if t.options.Progress != nil {
		t.options.Progress(Progress{
			Step: t.stepper.Steps(), Steps: t.config.Steps, Loss: t.point.seen.Loss, Excess: t.point.norms.Excess, BiasDrive: t.lastDrive,
		})
	}
	return status, nil
}

// observe evaluates loss and gradient that step n sees, with the second-order terms if something at this step needs them.
func (t *trainer[T]) observe(n int) error {
	t.loss.Draw(n)
	p := &t.point
	p.step, p.batch, p.paired = n, objective.Full, false
	if t.order != nil {
		p.batch = t.order(n)
	}
	if t.bias != nil && t.bias.direction != nil && (due(t.config.Record.Bias, n) || t.config.Bias.Scale != 0) {
		if err := t.watch.time("gradient and Hessian-vector product", func() error { return t.bias.together(t) }); err != nil {
			return err
		}
	} else if err := t.watch.time("gradient", t.gradient); err != nil {
		return err
	}
	t.loss.UpdateRunning()
	if math.IsNaN(t.firstLoss) {
		t.firstLoss = p.seen.Loss
	}
	return nil
}

func (t *trainer[T]) gradient() (err error) {
	p := &t.point
	p.seen, err = t.loss.Evaluate(t.context(), t.theta, p.batch, objective.Want[T]{Gradient: p.g})
	return err
}

// product writes the Hessian of a batch's loss at the present parameters times v into hv.
func (t *trainer[T]) product(batch int, v, hv []T) error {
	_, err := t.loss.Evaluate(t.context(), t.theta, batch, objective.Want[T]{Vectors: [][]T{v}, Products: [][]T{hv}})
	return err
}

// ending returns the status with which the run ends at the present point, "" if it goes on. The norms count where they are known.
func (t *trainer[T]) ending(n int, normed bool) Status {
	loss, norm := t.point.seen.Loss, t.point.norms.Two
	switch {
	case !finite(loss), normed && !finite(norm), loss > divergedLoss*max(t.firstLoss, 1e-3):
		return Diverged
	case t.config.Stop.Loss > 0 && loss < t.config.Stop.Loss:
		return LossReached
	case n >= t.config.Steps:
		return Finished
	case t.config.Stop.Seconds > 0 && t.watch.seconds() >= t.config.Stop.Seconds:
		return TimeUp
	}
	return ""
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// step takes step n.
func (t *trainer[T]) step(n int) error {
	g := t.point.g
	if t.penal != nil {
		if err := t.watch.time("penalty", func() error { return t.penal.add(t) }); err != nil {
			return err
		}
		g = t.penal.total
	}
	if t.bias != nil {
		if err := t.bias.before(t); err != nil {
			return err
		}
	}
	t.moving = true
	err := t.watch.time("optimizer step", func() error {
		if err := t.stepper.Step(t.config.Optimizer.LR, t.theta, g); err != nil {
			return err
		}
		if t.config.Bias.Scale != 0 {
			t.bias.intervene(t)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t.bias != nil {
		t.bias.after(t)
	}
	return t.shadow.step(t, n)
}
