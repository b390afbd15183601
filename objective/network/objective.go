package network

import (
	"errors"
	"fmt"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/objective"
)

// Options say how an Objective evaluates. The zero value is one batch of all examples.
type Options struct {
	// MicroBatch is the largest number of examples evaluated at once; 0 stands for all of a batch.
	MicroBatch int
	// BatchSize cuts the examples into mini-batches of that size, drawn once at random with Seed; what does not fill a
	// mini-batch is in none of them. If 0, objective.Full is the only batch.
	BatchSize int
	// Seed draws the mini-batches, the micro-batches where they are shuffled, and the parameters of Start.
	Seed uint64
	// Shuffle makes each call of Draw cut the examples into new micro-batches.
	Shuffle bool
	// Augment, if not nil, crops and flips the images, anew at each call of Draw.
	Augment *dataset.Augmentation
	// Test are the examples of Objective.Test; without any there is no test.
	Test dataset.Part
	// Threads is the number of threads to compute with, 0 for all processors. The results do not depend on it.
	Threads int
	// Room is the memory of its programs, which other objectives that are not evaluated at the same time may share; nil: its own.
	Room *engine.Room
}

// Objective is the loss of a network on examples with labels or targets. It is not for concurrent use.
type Objective[T graph.Float] struct {
	model       *nn.Model
	loss        nn.Loss
	opt         Options
	train, test examples[T]

	programs   map[programKey]*program[T]
	linears    map[int]*linear[T]                                      // by their examples
	directions map[*objective.Direction]objective.CompiledDirection[T] // apart from a gradient's program
	partials   [][]T                                                   // a micro-batch's results
	gradient   []T                                                     // of a batch in parts, and the direction made from it,
	field      []T                                                     // where the caller wants neither
	score      []float64                                               // of the micro-batches of a pass

	running []T   // batch normalization's running averages
	batches int64 // that the running averages have seen
	stats   [][]T // each micro-batch's statistics in the last pass that took a gradient
	seen    int   // the number of micro-batches in that pass
}

// New returns the loss of a model on the examples of a part.
func New[T graph.Float](model *nn.Model, loss nn.Loss, part dataset.Part, opt Options) (*Objective[T], error) {
	n := part.N()
	switch {
	case n == 0:
		return nil, errors.New("the data has no examples")
	case opt.BatchSize > n:
		return nil, fmt.Errorf("mini-batches of %s, of which there are %d", plural.Count(opt.BatchSize, "example"), n)
	case opt.BatchSize < 0 || opt.MicroBatch < 0:
		return nil, fmt.Errorf("mini-batches of %s, %d of them at once: want no negative sizes", plural.Count(opt.BatchSize, "example"), opt.MicroBatch)
	}
	if err := checkAnswers(model, loss, part); err != nil {
		return nil, err
	}
	if opt.Test.N() > 0 {
		if opt.Test.Targets.Columns != part.Targets.Columns {
			return nil, fmt.Errorf("test examples with %s to predict, %d to train on: want as many", plural.Count(opt.Test.Targets.Columns, "number"), part.Targets.Columns)
		}
		if err := checkAnswers(model, loss, opt.Test); err != nil {
			return nil, fmt.Errorf("test data: %w", err)
		}
	}
	if opt.MicroBatch == 0 || opt.MicroBatch > n {
		opt.MicroBatch = n
	}
	if opt.Room == nil {
		opt.Room = &engine.Room{}
	}
	if opt.BatchSize > 0 {
		part = part.Select(generator(opt.Seed, streamPartition, 0).Perm(n))
	}
	o := &Objective[T]{
		model: model, loss: loss, opt: opt,
		train:    newExamples[T](part, opt.Augment),
		test:     newExamples[T](opt.Test, nil),
		programs: map[programKey]*program[T]{}, linears: map[int]*linear[T]{}, directions: map[*objective.Direction]objective.CompiledDirection[T]{},
	}
	if opt.Augment == nil && !opt.Shuffle {
		o.train.keep()
	}
	state := model.Init(0)
	o.SetRunning(state.Running, state.Batches)
	o.Draw(0)
	return o, nil
}

// Dim returns the number of parameters.
func (o *Objective[T]) Dim() int { return o.model.NumParams() }

// Blocks returns the network's parameters by PyTorch's names, in the shapes that they have in theta.
func (o *Objective[T]) Blocks() []graph.Block { return o.model.Blocks() }

// Batches returns the number of mini-batches, 1 without any.
func (o *Objective[T]) Batches() int {
	if o.opt.BatchSize == 0 {
		return 1
	}
	return o.train.part.N() / o.opt.BatchSize
}

// Start returns the parameters that the model is initialized with.
func (o *Objective[T]) Start() []float64 { return o.model.Init(o.opt.Seed).Theta }

// span returns the examples of a batch.
func (o *Objective[T]) span(batch int) (from, to int) {
	if batch == objective.Full || o.opt.BatchSize == 0 {
		return 0, o.train.part.N()
	}
	return batch * o.opt.BatchSize, (batch + 1) * o.opt.BatchSize
}

func (o *Objective[T]) check(batch int) error {
	if n := o.Batches(); batch != objective.Full && (batch < 0 || batch >= n) {
		return fmt.Errorf("network: batch %d: there are %d, counted from 0", batch, n)
	}
	return nil
}

// Draw prepares a step: with Shuffle it draws micro-batches, with Augment the images. Otherwise it changes nothing.
func (o *Objective[T]) Draw(step int) {
	o.train.step = step
	if o.opt.Shuffle {
		o.train.rows = generator(o.opt.Seed, streamShuffle, step).Perm(o.train.part.N())
	}
}

// Running returns batch normalization's running averages, in place, and the number of batches that they have seen.
func (o *Objective[T]) Running() ([]T, int64) { return o.running, o.batches }

// SetRunning sets batch normalization's running averages, which are copied.
func (o *Objective[T]) SetRunning(running []float64, batches int64) {
	o.running, o.batches = make([]T, o.model.NumStats()), batches
	for i := range o.running {
		o.running[i] = T(running[i])
	}
}

// UpdateRunning moves the running averages toward the statistics of each micro-batch of the last evaluation that took a gradient, in
// order.
func (o *Objective[T]) UpdateRunning() {
	for _, s := range o.stats[:o.seen] {
		nn.UpdateRunning(o.running, s)
		o.batches++
	}
}

var (
	_ objective.Objective[float32] = (*Objective[float32])(nil)
	_ objective.GraphLoss          = (*Objective[float32])(nil)
	_ objective.Starter            = (*Objective[float32])(nil)
	_ objective.Tester[float32]    = (*Objective[float32])(nil)
	_ objective.Drawer             = (*Objective[float32])(nil)
	_ objective.Averager[float32]  = (*Objective[float32])(nil)
)
