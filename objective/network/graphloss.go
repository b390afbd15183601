package network

import (
	"errors"
	"fmt"

	"shadowflow/dataset"
	"shadowflow/graph"
)

// maxGraphNumbers bounds the input numbers that graph code may hold as constants: a program of it, and more so of its higher derivatives,
// has all activations of a batch at once.
const maxGraphNumbers = 1 << 22

// Loss implements objective.GraphLoss: the loss in training mode, the examples being constants of the program. It is the mean over
// micro-batches where batch normalization sees these, and otherwise takes a batch's examples at once. It refuses a loss that is another
// at each step, and more examples than fit a program.
func (o *Objective[T]) Loss(theta graph.Value, batch int) (graph.Value, error) {
	if err := o.check(batch); err != nil {
		return graph.Value{}, err
	}
	if o.opt.Shuffle || o.opt.Augment != nil {
		return graph.Value{}, errors.New("network: shuffled or augmented examples make another loss of each step: graph code is of one, without them")
	}
	from, to := o.span(batch)
	if n := (to - from) * o.train.part.Size(); n > maxGraphNumbers {
		return graph.Value{}, fmt.Errorf("network: %d examples of %d numbers: graph code holds at most %d numbers: take a subset of the data, or smaller mini-batches",
			to-from, o.train.part.Size(), maxGraphNumbers)
	}
	size := to - from
	if o.model.NumStats() > 0 {
		size = min(size, o.opt.MicroBatch)
	}
	var sum graph.Value
	for at := from; at < to; at += size {
		next := min(at+size, to)
		value, err := o.record(theta, at, next)
		if err != nil {
			return graph.Value{}, fmt.Errorf("network: %w", err)
		}
		if size < to-from {
			value = value.Mul(value.Like(float64(next-at) / float64(to-from)))
		}
		if sum.Valid() {
			value = sum.Add(value)
		}
		sum = value
	}
	return sum, nil
}

// record records the loss of the examples from..to.
func (o *Objective[T]) record(theta graph.Value, from, to int) (graph.Value, error) {
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = from + i
	}
	if o.train.part.Tokens() {
		return o.recordTokens(theta, rows)
	}
	x := make([]float64, (to-from)*o.train.part.Size())
	dataset.Gather(x, o.train.part, rows)
	b := theta.Builder()
	logits, _, err := o.model.Train(o.model.Unflatten(theta), b.ConstArray(theta.DType(), x, append([]int{to - from}, o.model.Input()...)...))
	if err != nil {
		return graph.Value{}, err
	}
	outputs := o.model.Outputs()
	return o.loss.OfTargets(logits, b.ConstArray(theta.DType(), o.train.numbers(from, to, outputs), to-from, outputs)), nil
}

// recordTokens records the loss of windows of a text.
func (o *Objective[T]) recordTokens(theta graph.Value, rows []int) (graph.Value, error) {
	size := len(rows) * o.train.part.Size()
	tokens, x, labels := make([]int32, size), make([]float64, size), make([]float64, size)
	dataset.Indices(tokens, o.train.part, rows)
	for i, token := range tokens {
		x[i], labels[i] = float64(token), float64(o.train.part.Labels[rows[0]*o.train.part.Size()+i])
	}
	b := theta.Builder()
	logits, _, err := o.model.Train(o.model.Unflatten(theta), b.ConstArray(graph.Int32, x, len(rows), o.train.part.Size()))
	if err != nil {
		return graph.Value{}, err
	}
	return o.loss.Of(logits, b.ConstArray(graph.Int32, labels, size)), nil
}
