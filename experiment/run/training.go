package run

import (
	"context"
	"errors"
	"slices"
	"strings"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/schema"
)

// training is a run of a config in one precision: the loop with the processes and meters that the config asks for, and the directory that
// it is recorded in.
type training[T graph.Float] struct {
	config  *config.Config
	source  *source
	problem *Problem[T]
	loop    *Loop[T]
	bias    *biasMeter[T]     // nil if it is not measured
	state   *stateMeter[T]    // nil if it is not measured
	beside  []*equation[T]    // what moves beside the optimizer
	trail   *trail[T]         // nil with nothing beside
	noise   *noiseMeter[T]    // nil if it is not measured
	average *average[T]       // nil if none is kept
	shared  workspace         // of what moves beside the optimizer, and of what is followed for a step
	ended   Status            // of a run resumed behind its last record
	pause   int               // see Options.Pause
	rest    func()            // interrupts the run
	notice  func(text string) // nil, or told what a person should know
	// introduce is nil, or told what the run is.
	introduce func(text string)
	// unmeasured says why the bias of an optimizer without the memory form is not measured.
	unmeasured error

	dir   *record.Dir
	times *record.Times

	read    map[string]string // see contents; nil before it is asked for
	factors factors
	changed []string // see Result.Changed
}

func newTraining[T graph.Float](ctx context.Context, c *config.Config, opt Options) (*training[T], error) {
	if err := checkCombination(c); err != nil {
		return nil, err
	}
	s, err := loadSource(ctx, c, opt.Workers)
	if err != nil {
		return nil, err
	}
	t := &training[T]{config: c, source: s, notice: opt.Notice, introduce: opt.Introduce, pause: opt.Pause}
	if err := t.make(opt); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return t, nil
}

// make makes what is run of the config and the source.
func (t *training[T]) make(opt Options) error {
	c := t.config
	var err error
	if t.problem, err = problemOf[T](c, t.source); err != nil {
		return err
	}
	if err := t.room(); err != nil {
		return err
	}
	return t.assemble(opt)
}

// close implements runner.
func (t *training[T]) close() error { return t.source.close() }

// room refuses a run that the memory does not hold.
func (t *training[T]) room() error { return roomFor(t.config, t.subject()) }

// subject returns what is trained.
func (t *training[T]) subject() Subject {
	s := Subject{Rule: t.problem.Rule, Dim: t.problem.Objective.Dim()}
	if d := t.source.data; d != nil {
		s.Model, s.Train, s.All = t.source.model, d.Train.N(), d.Train.N()+d.Test.N()
		s.Numbers, s.Regression = d.Train.Size(), d.Classes == 0
	}
	return s
}

// checkCombination refuses what has no meaning together.
func checkCombination(c *config.Config) error {
	changing := c.Data.Augment || c.Batch.Shuffle
	switch {
	case penalized(c) && len(c.Beside) > 0:
		return &schema.Error{Key: "beside", Problem: "with a regularizer: the modified equation of a penalized loss needs third derivatives; remove one of them"}
	case c.Bias.Scale != 0 && c.Bias.Of == config.Realized && c.Record.Bias > 0:
		return &schema.Error{Key: "record.bias", Problem: "with the realized bias scaled: what is predicted and realized is of the optimizer's own steps; want record.bias 0, or bias.of predicted"}
	case penalized(c) && c.Bias.Scale != 0:
		return &schema.Error{Key: "bias.scale", Problem: "with a regularizer: the bias of a penalized loss needs third derivatives; remove one of them"}
	case changing && len(c.Beside) > 0:
		return &schema.Error{Key: "beside", Problem: "with data.augment or batch.shuffle: the loss is another function at each step, and an equation needs one; turn them off"}
	}
	return nil
}

// penalized reports whether an explicit penalty is added to the loss.
func penalized(c *config.Config) bool {
	return c.Objective.Name == config.Network && c.Regularizer.Kind != "none"
}

// assemble makes the loop with the processes and meters that the config asks for.
func (t *training[T]) assemble(opt Options) error {
	c, p := t.config, t.problem
	var term *secondOrder[T]
	var err error
	switch {
	case p.BiasScale != 0 || c.Record.Bias > 0 && p.Rule.Memory != nil:
		if term, err = newSecondOrder(p); err != nil {
			return err
		}
	case c.Record.Bias > 0:
		term, t.unmeasured = newSettled(p)
	}
	o, err := p.optimizer(term)
	if err != nil {
		return err
	}
	o.penalize(c, p, term)
	l := newLoop(p.Objective, o)
	l.Order, l.Steps, l.Every, l.Eps = p.Order, o.Steps()+c.Steps, c.Record.Every, p.Eps
	l.StopLoss, l.StopSeconds = c.Stop.Loss, c.Stop.Seconds
	if term != nil {
		l.Field = term.field
	}
	t.loop = l
	if opt.Progress != nil {
		l.Progress = func(at *Point[T]) { opt.Progress(t.progress(at)) }
	}
	if d := c.Record.Average; d > 0 {
		t.average = newAverage(d, o.theta)
		l.Beside = append(l.Beside, t.average)
	}
	if err := t.addBeside(); err != nil {
		return err
	}
	return t.addMeters(term)
}

// addBeside puts what the config names beside the optimizer.
func (t *training[T]) addBeside() error {
	c, p := t.config, t.problem
	if len(c.Beside) == 0 {
		return nil
	}
	with := t.company()
	t.trail = newTrail[T](len(p.Theta), with.start)
	t.loop.Beside = append(t.loop.Beside, t.trail)
	for _, name := range c.Beside {
		e, err := with.named(name)
		if err != nil {
			return err
		}
		t.beside, t.loop.Beside = append(t.beside, e), append(t.loop.Beside, e)
	}
	return nil
}

// company returns who makes what moves beside the optimizer.
func (t *training[T]) company() *company[T] {
	c := t.config
	return &company[T]{
		problem: t.problem, optimizer: t.loop.Optimizer, start: t.problem.Moments.steps() + c.Flow.Start, noise: c.Flow.Noise, seed: c.Seed,
		how: integration{method: c.Flow.Method, steps: c.Flow.Steps, relTol: c.Flow.RelTol, absTol: c.Flow.AbsTol, shared: &t.shared},
	}
}

// followable reports whether the optimizer's step is the rule's on one loss and the rule has a state equation, so that this is its.
func followable(c *config.Config, r *rule.Rule) bool {
	return c.Bias.Scale == 0 && r.StepsOfAllSizes() == nil && !penalized(c) && !c.Data.Augment && !c.Batch.Shuffle
}

// fullBatchParts is the number of batches that a full batch is cut into for the noise, unless micro-batches are smaller still.
const fullBatchParts = 16

// addMeters puts the meters into the loop, in the order of their columns.
func (t *training[T]) addMeters(term *secondOrder[T]) error {
	c, p, l := t.config, t.problem, t.loop
	unit, scores := lossUnit(c), t.source.score()
	if scores != nil {
		scores.bits = inBits(c)
	}
	l.Meters = []Meter[T]{newPointMeter[T](unit, scores)}
	if m := newStepMeter(p, l.Optimizer); len(m.Gauges()) > 0 {
		l.Meters = append(l.Meters, m)
	}
	if c.Record.Bias > 0 && term != nil {
		var err error
		if t.bias, err = newBiasMeter(p, l.Optimizer, term, c.Record.Bias, c.Record.Blocks, unit, scores); err != nil {
			return err
		}
		l.Meters = append(l.Meters, t.bias)
	}
	if c.Record.Sharpness > 0 {
		m, err := newSharpnessMeter(p, l.Optimizer, c.Record.Sharpness, c.Seed)
		if err != nil {
			return err
		}
		l.Meters = append(l.Meters, m)
		if err := t.addNoise(); err != nil {
			return err
		}
	}
	if c.Record.Spectrum > 0 {
		m, err := newSpectrumMeter(p, l.Optimizer, c.Record.Spectrum, c.Record.Modes, c.Seed, t.bias, t.beside)
		if err != nil {
			return err
		}
		l.Meters, l.Beside = append(l.Meters, m), append(l.Beside, m.modes)
	}
	if c.Record.Density > 0 {
		l.Meters = append(l.Meters, newDensityMeter(p, c.Record.Density, c.Seed, t.keepDensity))
	}
	if c.Record.State > 0 && followable(c, p.Rule) {
		m, err := newStateMeter(t.company(), c.Record.State)
		if err != nil {
			return err
		}
		t.state = m
		l.Meters = append(l.Meters, m)
	}
	var data objective.Tester[T]
	if tester, ok := p.Objective.(objective.Tester[T]); ok && c.Record.Test > 0 && t.source.tests() > 0 {
		data = tester
		l.Meters = append(l.Meters, newHeldOutMeter(data, c.Record.Test, unit, scores))
	}
	if t.average != nil {
		l.Meters = append(l.Meters, newAverageMeter(p, t.average, data, c.Record.Test, unit, scores))
	}
	if slices.ContainsFunc(t.beside, func(e *equation[T]) bool { return e.previous != nil }) {
		l.Meters = append(l.Meters, newFlipMeter(p.Objective, t.trail, unit))
	}
	if len(t.beside) > 0 {
		l.Meters = append(l.Meters, newRoundingMeter(t.trail))
	}
	for _, e := range t.beside {
		l.Meters = append(l.Meters, newBesideMeter(p, e, t.trail, unit))
	}
	return nil
}

// keepDensity writes a density, where the run has a directory.
func (t *training[T]) keepDensity(step int, d *SpectralDensity) error {
	if t.dir == nil {
		return nil
	}
	return t.dir.WriteDensity(step, d)
}

// addNoise compares the run's mini-batches, or parts of a full batch if there are enough examples.
func (t *training[T]) addNoise() error {
	batches, size, err := t.noiseBatches()
	if err != nil || batches == nil {
		return err
	}
	if t.noise, err = newNoiseMeter(t.problem, batches, size, t.config.Record.Sharpness, t.config.Batch.Mode); err != nil {
		return err
	}
	t.loop.Meters = append(t.loop.Meters, t.noise)
	return nil
}

// noiseBatches returns the loss whose batches are compared, and their size in examples; nil if there is only one.
func (t *training[T]) noiseBatches() (batches objective.Objective[T], size int, err error) {
	c, o := t.config, objective.Plain(t.problem.Objective)
	size = c.Batch.Size
	switch w := t.source.worker; {
	case w != nil:
		size = w.Info().Train / w.Info().Batches
	case t.source.data == nil:
		size = 1
	}
	if t.source.data == nil || t.problem.Order != nil {
		if o.Batches() < 2 {
			return nil, 0, nil
		}
		return o, size, nil
	}
	parts := *c
	parts.Batch.Mode, parts.Batch.Shuffle = "cyclic", false
	parts.Batch.Size = min(c.Batch.Physical, t.source.data.Train.N()/fullBatchParts)
	if parts.Batch.Size < 2 {
		return nil, 0, nil
	}
	cut, err := networkOf[T](&parts, t.source)
	return cut, parts.Batch.Size, err
}

// inBits reports whether the losses are also recorded in bits per byte.
func inBits(c *config.Config) bool { return lossUnit(c) != "" && c.Data.Name == dataset.NameText }

// lossUnit is the unit of the losses.
func lossUnit(c *config.Config) string {
	if c.Objective.Name == config.Network && strings.HasSuffix(c.Loss, "cross-entropy") {
		return "nats"
	}
	return ""
}
