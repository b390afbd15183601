package network

import (
	"context"
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
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
	r, err := record(o.model, o.loss, graph.TypeOf[T](), o.train.regression(), key)
	if err != nil {
		return nil, err
	}
	p := &program[T]{loss: make([]T, 1), score: make([]T, r.scores), statistics: r.statistics}
	if p.compiled, err = engine.CompileContext(ctx, r.in, r.out, engine.Options{Threads: o.opt.Threads, Room: o.opt.Room}); err != nil {
		return nil, err
	}
	p.in, p.out = make([]engine.Buffer, len(r.in)), make([]engine.Buffer, len(r.out))
	p.out[0], p.out[1] = engine.Of(p.loss), engine.Of(p.score)
	return p, nil
}

// recorded is a program as graph code.
type recorded struct {
	in, out    []graph.Value
	scores     int // elements of the score
	statistics bool
}

func record(m *nn.Model, loss nn.Loss, dtype graph.DType, regression bool, key programKey) (*recorded, error) {
	inputsOf, lossOf := m.Inputs, m.TrainLoss
	if regression {
		inputsOf = m.RegressionInputs
	}
	if key.test {
		lossOf = m.EvalLoss
	}
	x := inputsOf(graph.NewBuilder(), dtype, key.n)
	value, err := lossOf(x, loss)
	if err != nil {
		return nil, err
	}
	inputs, results := key.kind.Record(value.Loss, x.Theta)
	r := &recorded{in: append([]graph.Value{x.Theta, x.X, x.Answer()}, inputs...), scores: value.Score.Size()}
	if key.test && x.Running.Valid() {
		r.in = append(r.in, x.Running)
	}
	r.out = append([]graph.Value{value.Loss, value.Score}, results...)
	if r.statistics = value.Batch.Valid() && (key.kind.Gradient || key.kind.Direction != nil); r.statistics {
		r.out = append(r.out, value.Batch)
	}
	return r, nil
}

// Measure returns the cost of the program by which n examples of a network are evaluated at a time for a kind of want, and makes none of its arrays.
// Threads is that of engine.Options.
func Measure(m *nn.Model, loss nn.Loss, dtype graph.DType, n int, regression bool, kind objective.Kind, threads int) (engine.Cost, error) {
	r, err := record(m, loss, dtype, regression, programKey{n: n, kind: kind})
	if err != nil {
		return engine.Cost{}, err
	}
	return engine.Measure(r.in, r.out, engine.Options{Threads: threads})
}
