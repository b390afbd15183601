package network

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
)

// Full is the batch that stands for all examples.
const Full = -1

// cacheBytes bounds the memory that standardized inputs are kept in; larger data is standardized anew for each evaluation.
const cacheBytes = 1 << 30

// Options say how an Objective evaluates. The zero value is one batch of all examples.
type Options struct {
	// Physical is the largest number of examples evaluated at once; 0 stands for all of a batch.
	Physical int
	// BatchSize cuts the examples into mini-batches of that size, drawn once at random with Seed; what does not fill a
	// mini-batch is in none of them. If 0, Full is the only batch.
	BatchSize int
	Seed      uint64
	// Shuffle makes each call of Draw cut the examples into new physical batches.
	Shuffle bool
	// Augment, if not nil, crops and flips the images, anew at each call of Draw.
	Augment *dataset.Augmentation
	// Threads is the number of threads to compute with, 0 for all processors. The results do not depend on it.
	Threads int
	// Interrupted, if not nil, is asked before each physical batch. An error from it ends the evaluation, and is returned.
	Interrupted func() error
}

// Evaluation is what one pass over a batch tells beside the gradient.
type Evaluation struct {
	Loss     float64 // mean over the examples
	Hits     float64 // number of examples classified rightly
	Examples int
}

// Accuracy returns the share of examples classified rightly.
func (e Evaluation) Accuracy() float64 { return e.Hits / float64(e.Examples) }

// Objective is the loss of a network on labelled examples. It is not for concurrent use.
type Objective[T graph.Float] struct {
	model *nn.Model
	loss  nn.Loss
	part  dataset.Part
	opt   Options

	inputs  []T   // all of the part's, standardized; nil if they are too large, augmented or shuffled
	rows    []int // the order of the examples where shuffled; nil: as in the part
	step    int   // of the last Draw
	scratch []T   // inputs of one physical batch, where they are not kept
	labels  []int32

	programs map[programKey]*program[T]
	partials [][]T // a physical batch's gradient or Hessian-vector products

	running []T   // batch normalization's running averages
	batches int64 // that the running averages have seen
	stats   [][]T // each physical batch's statistics in the last pass that computed a gradient
	seen    int   // the number of physical batches in that pass
}

// New returns the loss of a model on the examples of a part.
func New[T graph.Float](model *nn.Model, loss nn.Loss, part dataset.Part, opt Options) (*Objective[T], error) {
	n := part.N()
	switch {
	case n == 0:
		return nil, errors.New("the data has no examples")
	case opt.BatchSize > n:
		return nil, fmt.Errorf("mini-batches of %d examples, of which there are %d", opt.BatchSize, n)
	case opt.BatchSize < 0 || opt.Physical < 0:
		return nil, fmt.Errorf("mini-batches of %d examples in physical batches of %d: want no negative sizes", opt.BatchSize, opt.Physical)
	}
	if opt.Physical == 0 || opt.Physical > n {
		opt.Physical = n
	}
	if opt.BatchSize > 0 {
		part = part.Select(generator(opt.Seed, streamPartition, 0).Perm(n))
	}
	o := &Objective[T]{model: model, loss: loss, part: part, opt: opt, programs: map[programKey]*program[T]{}}
	if opt.Augment == nil && !opt.Shuffle && n*part.Size() <= cacheBytes/graph.TypeOf[T]().Size() {
		o.inputs = dataset.Inputs[T](part)
	}
	state := model.Init(0)
	o.SetRunning(state.Running, state.Batches)
	o.Draw(0)
	return o, nil
}

// The streams of random numbers drawn from one seed.
const (
	streamPartition = iota + 1
	streamShuffle
)

func generator(seed uint64, stream, step int) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(stream)<<56, uint64(step)))
}

// Dim returns the number of parameters.
func (o *Objective[T]) Dim() int { return o.model.NumParams() }

// Batches returns the number of mini-batches, 1 without any.
func (o *Objective[T]) Batches() int {
	if o.opt.BatchSize == 0 {
		return 1
	}
	return o.part.N() / o.opt.BatchSize
}

// Examples returns the number of examples of a batch.
func (o *Objective[T]) Examples(batch int) int {
	from, to := o.span(batch)
	return to - from
}

// Whole reports whether a batch is evaluated at once, as one physical batch.
func (o *Objective[T]) Whole(batch int) bool { return o.Examples(batch) <= o.opt.Physical }

// span returns the examples of a batch.
func (o *Objective[T]) span(batch int) (from, to int) {
	if batch == Full || o.opt.BatchSize == 0 {
		return 0, o.part.N()
	}
	return batch * o.opt.BatchSize, (batch + 1) * o.opt.BatchSize
}

func (o *Objective[T]) check(batch int) error {
	if n := o.Batches(); batch != Full && (batch < 0 || batch >= n) {
		return fmt.Errorf("network: batch %d: there are %d, counted from 0", batch, n)
	}
	return nil
}

// Draw prepares a step: with Shuffle it draws physical batches, with Augment the images. Otherwise it changes nothing.
func (o *Objective[T]) Draw(step int) {
	o.step = step
	if o.opt.Shuffle {
		o.rows = generator(o.opt.Seed, streamShuffle, step).Perm(o.part.N())
	}
}

// examples returns inputs and labels of the examples from..to, which the next call may overwrite.
func (o *Objective[T]) examples(from, to int) ([]T, []int32) {
	size := o.part.Size()
	if o.inputs != nil {
		return o.inputs[from*size : to*size], o.part.Labels[from:to]
	}
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = from + i
		if o.rows != nil {
			rows[i] = o.rows[from+i]
		}
	}
	o.labels = o.labels[:0]
	for _, r := range rows {
		o.labels = append(o.labels, o.part.Labels[r])
	}
	if need := len(rows) * size; cap(o.scratch) < need {
		o.scratch = make([]T, need)
	}
	x := o.scratch[:len(rows)*size]
	if o.opt.Augment != nil {
		dataset.GatherAugmented(x, o.part, rows, *o.opt.Augment, o.step)
	} else {
		dataset.Gather(x, o.part, rows)
	}
	return x, o.labels
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

// UpdateRunning moves the running averages toward the statistics of each physical batch of the last pass that computed a
// gradient, in order.
func (o *Objective[T]) UpdateRunning() {
	for _, s := range o.stats[:o.seen] {
		nn.UpdateRunning(o.running, s)
		o.batches++
	}
}
