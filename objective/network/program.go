package network

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/objective"
)

// programKey is what a program computes of one micro-batch.
type programKey struct {
	n    int // examples
	test bool
	kind objective.Kind
}

// program is a compiled program and the buffers of a call. Theta, inputs and labels or targets go in, then what the want reads or, in a
// test, the running averages. The loss and the score (nn.Result) come out, then the results wanted, then, beside a gradient, batch
// normalization's statistics.
type program[T graph.Float] struct {
	compiled    *engine.Program
	in, out     []engine.Buffer
	loss, score []T
	statistics  bool
}

// program returns the program of that key, compiled when first asked for.
func (o *Objective[T]) program(ctx context.Context, key programKey) (*program[T], error) {
	if p, ok := o.programs[key]; ok {
		return p, nil
	}
	p, err := o.compile(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	o.programs[key] = p
	return p, nil
}

func (o *Objective[T]) compile(ctx context.Context, key programKey) (*program[T], error) {
	inputsOf := o.model.Inputs
	if o.train.regression() {
		inputsOf = o.model.RegressionInputs
	}
	x := inputsOf(graph.NewBuilder(), graph.TypeOf[T](), key.n)
	record := o.model.TrainLoss
	if key.test {
		record = o.model.EvalLoss
	}
	value, err := record(x, o.loss)
	if err != nil {
		return nil, err
	}
	inputs, results := key.kind.Record(value.Loss, x.Theta)
	in := append([]graph.Value{x.Theta, x.X, x.Answer()}, inputs...)
	if key.test && x.Running.Valid() {
		in = append(in, x.Running)
	}
	out := append([]graph.Value{value.Loss, value.Score}, results...)
	p := &program[T]{loss: make([]T, 1), score: make([]T, value.Score.Size())}
	if p.statistics = value.Batch.Valid() && (key.kind.Gradient || key.kind.Direction != nil); p.statistics {
		out = append(out, value.Batch)
	}
	if p.compiled, err = engine.CompileContext(ctx, in, out, engine.Options{Threads: o.opt.Threads}); err != nil {
		return nil, err
	}
	p.in, p.out = make([]engine.Buffer, len(in)), make([]engine.Buffer, len(out))
	p.out[0], p.out[1] = engine.Of(p.loss), engine.Of(p.score)
	return p, nil
}
