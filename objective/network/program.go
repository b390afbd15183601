package network

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
)

// kind is what a program computes of one physical batch.
type kind uint8

const (
	kindLoss     kind = iota // theta, x, labels -> loss, hits
	kindTest                 // theta, x, labels, running -> loss, hits, in evaluation mode
	kindGradient             // theta, x, labels -> loss, hits, gradient, statistics
	kindHVP                  // theta, x, labels, vectors v -> each H v
	kindAlong                // theta, x, labels -> loss, hits, gradient, v, H v, statistics with v made from the gradient
)

type programKey struct {
	kind    kind
	n       int // examples
	vectors int // of Hessian-vector products
}

// program is a compiled program and the buffers of a call. The first inputs are theta, x and labels.
type program[T graph.Float] struct {
	compiled *engine.Program
	in, out  []engine.Buffer
	loss     []T
	hits     []T
}

// recording is a network's loss on a physical batch, as graph values.
type recording struct {
	in    nn.Inputs
	value nn.Result
	args  []graph.Value
}

func (o *Objective[T]) record(n int, test bool) (recording, error) {
	b := graph.NewBuilder()
	r := recording{in: o.model.Inputs(b, graph.TypeOf[T](), n)}
	var err error
	if test {
		r.value, err = o.model.EvalLoss(r.in, o.loss)
	} else {
		r.value, err = o.model.TrainLoss(r.in, o.loss)
	}
	if err != nil {
		return r, err
	}
	r.args = []graph.Value{r.in.Theta, r.in.X, r.in.Labels}
	return r, nil
}

// statistics returns the batch normalizations' statistics, if there are any.
func (r recording) statistics() []graph.Value {
	if r.value.Batch.Valid() {
		return []graph.Value{r.value.Batch}
	}
	return nil
}

// build returns the inputs and outputs of a program of that kind.
func (o *Objective[T]) build(key programKey, direction Direction) (in, out []graph.Value, err error) {
	r, err := o.record(key.n, key.kind == kindTest)
	if err != nil {
		return nil, nil, err
	}
	seen := []graph.Value{r.value.Loss, r.value.Hits}
	switch key.kind {
	case kindLoss:
		return r.args, seen, nil
	case kindTest:
		if r.in.Running.Valid() {
			r.args = append(r.args, r.in.Running)
		}
		return r.args, seen, nil
	}
	theta := r.in.Theta
	g := graph.Grad(r.value.Loss, theta)[0]
	switch key.kind {
	case kindHVP:
		for i := range key.vectors {
			v := theta.Builder().Param(fmt.Sprintf("v%d", i), theta.DType(), o.Dim())
			r.args = append(r.args, v)
			out = append(out, graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{v})...)
		}
		return r.args, out, nil
	case kindAlong:
		// The direction is a constant of the Hessian-vector product, though it is made from the gradient.
		v := direction(g, theta)
		hv := graph.JVP([]graph.Value{g}, []graph.Value{theta}, []graph.Value{v})[0]
		return r.args, append(append(seen, g, v, hv), r.statistics()...), nil
	}
	return r.args, append(append(seen, g), r.statistics()...), nil
}

// program returns the program of that key, compiled when first asked for.
func (o *Objective[T]) program(key programKey) (*program[T], error) {
	if p, ok := o.programs[key]; ok {
		return p, nil
	}
	p, err := o.compile(key, nil)
	if err == nil {
		o.programs[key] = p
	}
	return p, err
}

func (o *Objective[T]) compile(key programKey, direction Direction) (*program[T], error) {
	in, out, err := o.build(key, direction)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	compiled, err := engine.Compile(in, out, engine.Options{Threads: o.opt.Threads})
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	p := &program[T]{compiled: compiled, loss: make([]T, 1), hits: make([]T, 1)}
	p.in, p.out = make([]engine.Buffer, len(in)), make([]engine.Buffer, len(out))
	if key.kind != kindHVP {
		p.out[0], p.out[1] = engine.Of(p.loss), engine.Of(p.hits)
	}
	return p, nil
}

// run evaluates the program on a physical batch. The inputs behind theta, x and labels, and the outputs behind loss and hits
// (all of Hessian-vector products), have been set.
func (p *program[T]) run(theta, x []T, labels []int32) error {
	p.in[0], p.in[1], p.in[2] = engine.Of(theta), engine.Of(x), engine.Of(labels)
	return p.compiled.Run(p.in, p.out)
}
