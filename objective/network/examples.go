package network

import (
	"math/rand/v2"
	"slices"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/graph"
)

// cacheBytes bounds the memory that standardized inputs are kept in; larger data is standardized anew for each evaluation.
const cacheBytes = 1 << 30

// examples gives inputs, and labels or targets, of a part of the data in the order in which they are evaluated.
type examples[T graph.Float] struct {
	part    dataset.Part
	augment *dataset.Augmentation // nil: images as they are
	step    int                   // of the augmentation
	inputs  []T                   // all of the part's, standardized; nil if they are too large, or change
	rows    []int                 // the order of the examples where shuffled; nil: as in the part
	scratch []T                   // inputs of one micro-batch, where they are not kept
	tokens  []int32               // a text's instead
	answer[T]
}

func newExamples[T graph.Float](part dataset.Part, augment *dataset.Augmentation) examples[T] {
	return examples[T]{part: part, augment: augment, answer: newAnswer[T](part)}
}

// keep standardizes the inputs once and for all, if they fit.
func (e *examples[T]) keep() {
	if !e.part.Tokens() && e.part.N()*e.part.Size() <= cacheBytes/graph.TypeOf[T]().Size() {
		e.inputs = dataset.Inputs[T](e.part)
	}
}

// row returns the place in the part of the i-th example in the order of evaluation.
func (e *examples[T]) row(i int) int {
	if e.rows != nil {
		return e.rows[i]
	}
	return i
}

// at returns the inputs of the examples from..to, which the next call may overwrite.
func (e *examples[T]) at(from, to int) engine.Buffer {
	size := e.part.Size()
	if e.inputs != nil {
		return engine.Of(e.inputs[from*size : to*size])
	}
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = e.row(from + i)
	}
	if e.part.Tokens() {
		e.tokens = slices.Grow(e.tokens[:0], len(rows)*size)[:len(rows)*size]
		dataset.Indices(e.tokens, e.part, rows)
		return engine.Of(e.tokens)
	}
	e.scratch = slices.Grow(e.scratch[:0], len(rows)*size)[:len(rows)*size]
	x := e.scratch
	if e.augment != nil {
		dataset.GatherAugmented(x, e.part, rows, *e.augment, e.step)
	} else {
		dataset.Gather(x, e.part, rows)
	}
	return engine.Of(x)
}

// The streams of random numbers drawn from one seed.
const (
	streamPartition = iota + 1
	streamShuffle
)

func generator(seed uint64, stream, step int) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(stream)<<56, uint64(step)))
}
