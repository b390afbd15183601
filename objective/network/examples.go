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

// examples gives inputs and labels of a part of the data in the order in which they are evaluated.
type examples[T graph.Float] struct {
	part    dataset.Part
	augment *dataset.Augmentation // nil: images as they are
	step    int                   // of the augmentation
	inputs  []T                   // all of the part's, standardized; nil if they are too large, or change
	rows    []int                 // the order of the examples where shuffled; nil: as in the part
	scratch []T                   // inputs of one micro-batch, where they are not kept
	tokens  []int32               // a text's instead
	labels  []int32
}

// keep standardizes the inputs once and for all, if they fit.
func (e *examples[T]) keep() {
	if !e.part.Tokens() && e.part.N()*e.part.Size() <= cacheBytes/graph.TypeOf[T]().Size() {
		e.inputs = dataset.Inputs[T](e.part)
	}
}

// at returns inputs and labels of the examples from..to, which the next call may overwrite.
func (e *examples[T]) at(from, to int) (engine.Buffer, []int32) {
	size := e.part.Size()
	if e.inputs != nil {
		return engine.Of(e.inputs[from*size : to*size]), e.part.Labels[from:to]
	}
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = from + i
		if e.rows != nil {
			rows[i] = e.rows[from+i]
		}
	}
	e.labels = e.labels[:0]
	for _, r := range rows {
		each := e.part.LabelsEach()
		e.labels = append(e.labels, e.part.Labels[r*each:(r+1)*each]...)
	}
	if e.part.Tokens() {
		e.tokens = slices.Grow(e.tokens[:0], len(rows)*size)[:len(rows)*size]
		dataset.Indices(e.tokens, e.part, rows)
		return engine.Of(e.tokens), e.labels
	}
	e.scratch = slices.Grow(e.scratch[:0], len(rows)*size)[:len(rows)*size]
	x := e.scratch
	if e.augment != nil {
		dataset.GatherAugmented(x, e.part, rows, *e.augment, e.step)
	} else {
		dataset.Gather(x, e.part, rows)
	}
	return engine.Of(x), e.labels
}

// The streams of random numbers drawn from one seed.
const (
	streamPartition = iota + 1
	streamShuffle
)

func generator(seed uint64, stream, step int) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(stream)<<56, uint64(step)))
}
