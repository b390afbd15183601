package network

import (
	"context"
	"errors"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/objective"
)

// Evaluate implements objective.Objective, batch normalization in training mode. A batch of one micro-batch takes one program, whatever is
// wanted, which shares the pass through the network: gradient, direction and product together cost three to four gradients.
func (o *Objective[T]) Evaluate(ctx context.Context, theta []T, batch int, want objective.Want[T]) (objective.Evaluation, error) {
	if err := o.check(batch); err != nil {
		return objective.Evaluation{}, err
	}
	if err := want.Check(o.Dim()); err != nil {
		return objective.Evaluation{}, err
	}
	from, to := o.span(batch)
	if want.Direction != nil && to-from > o.opt.MicroBatch {
		return o.inTwoPasses(ctx, theta, from, to, want)
	}
	return o.pass(ctx, theta, &o.train, from, to, want)
}

// inTwoPasses needs the gradient of all micro-batches before it can make a direction from it.
func (o *Objective[T]) inTwoPasses(ctx context.Context, theta []T, from, to int, want objective.Want[T]) (objective.Evaluation, error) {
	g := orRoom(want.Gradient, &o.gradient, o.Dim())
	e, err := o.pass(ctx, theta, &o.train, from, to, objective.Want[T]{Gradient: g})
	if err != nil {
		return e, err
	}
	field := orRoom(want.Field, &o.field, o.Dim())
	if err := o.direct(want.Direction, g, theta, field); err != nil {
		return objective.Evaluation{}, err
	}
	rest := objective.Want[T]{Vectors: want.Vectors, Products: want.Products, Lines: want.Lines, Bends: want.Bends}
	if want.HField != nil {
		rest.Vectors = append(rest.Vectors[:len(rest.Vectors):len(rest.Vectors)], field)
		rest.Products = append(rest.Products[:len(rest.Products):len(rest.Products)], want.HField)
	}
	if len(rest.Vectors)+len(rest.Lines) > 0 {
		_, err = o.pass(ctx, theta, &o.train, from, to, rest)
	}
	return e, err
}

// orRoom returns a slice that the caller gave, or room of our own.
func orRoom[T graph.Float](given []T, own *[]T, dim int) []T {
	if given != nil {
		return given
	}
	if *own == nil {
		*own = make([]T, dim)
	}
	return *own
}

// direct writes the direction made from a gradient into field.
func (o *Objective[T]) direct(d *objective.Direction, g, theta, field []T) error {
	apart, ok := o.directions[d]
	if !ok {
		var err error
		if apart, err = objective.CompileDirection[T](d, o.Dim(), o.opt.Threads); err != nil {
			return fmt.Errorf("network: %w", err)
		}
		o.directions[d] = apart
	}
	return apart(g, theta, field)
}

// Test returns the loss on the test examples, batch normalization by its running averages.
func (o *Objective[T]) Test(ctx context.Context, theta []T) (objective.Evaluation, error) {
	n := o.test.part.N()
	if n == 0 {
		return objective.Evaluation{}, errors.New("network: there are no test examples")
	}
	return o.pass(ctx, theta, &o.test, 0, n, objective.Want[T]{})
}

// pass evaluates a run of examples, micro-batch by micro-batch.
func (o *Objective[T]) pass(ctx context.Context, theta []T, data *examples[T], from, to int, want objective.Want[T]) (objective.Evaluation, error) {
	if len(theta) != o.Dim() {
		return objective.Evaluation{}, fmt.Errorf("network: %s: want %d", plural.Count(len(theta), "parameter"), o.Dim())
	}
	size := o.opt.MicroBatch
	inputs, results := want.Inputs(nil), o.collect(want, to-from <= size)
	o.score = o.score[:0]
	e := objective.Evaluation{Examples: to - from}
	for i, at := 0, from; at < to; i++ {
		if err := ctx.Err(); err != nil {
			return objective.Evaluation{}, err
		}
		next := min(at+size, to)
		p, err := o.program(ctx, programKey{n: next - at, test: data == &o.test, kind: want.Kind()})
		if err != nil {
			return objective.Evaluation{}, err
		}
		o.bind(p, i, theta, inputs, results.into)
		p.in[1], p.in[2] = data.at(at, next), data.answers(at, next)
		if err := p.compiled.RunContext(ctx, p.in, p.out); err != nil {
			return objective.Evaluation{}, fmt.Errorf("network: %w", err)
		}
		share := float64(next-at) / float64(to-from)
		e.Loss += share * float64(p.loss[0])
		o.addScore(p.score)
		results.add(share)
		at = next
	}
	e.Correct, e.R2 = data.judge(from, to, o.score)
	return e, nil
}

// bind sets the buffers of micro-batch i's program, apart from its examples.
func (o *Objective[T]) bind(p *program[T], i int, theta []T, inputs, results [][]T) {
	p.in[0] = engine.Of(theta)
	for j, v := range inputs {
		p.in[3+j] = engine.Of(v)
	}
	if last := 3 + len(inputs); len(p.in) > last { // in a test
		p.in[last] = engine.Of(o.running)
	}
	for j, r := range results {
		p.out[2+j] = engine.Of(r)
	}
	if !p.statistics {
		return
	}
	if i == len(o.stats) {
		o.stats = append(o.stats, make([]T, o.model.NumStats()))
	}
	o.seen = i + 1
	p.out[2+len(results)] = engine.Of(o.stats[i])
}

// collected are the results of a pass. The only micro-batch of a batch writes in place; several write into partial results, which are
// added up.
type collected[T graph.Float] struct {
	into, sums [][]T // where a program writes, and the caller's slices; sums is nil where these are the same
}

func (o *Objective[T]) collect(want objective.Want[T], whole bool) collected[T] {
	out := want.Results(nil)
	if whole {
		return collected[T]{into: out}
	}
	for len(o.partials) < len(out) {
		o.partials = append(o.partials, make([]T, o.Dim()))
	}
	for _, r := range out {
		clear(r)
	}
	return collected[T]{o.partials[:len(out)], out}
}

func (c collected[T]) add(share float64) {
	w := T(share)
	for i, sum := range c.sums {
		for j, v := range c.into[i] {
			sum[j] += w * v
		}
	}
}
