package modeq

import (
	"context"
	"fmt"
	"sync"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq/reach"
	"shadowflow/objective"
	"shadowflow/rule"
)

// MaxOrder bounds the order of the fields: the programs grow with its fourth power or so, and beyond it float64 has no digits
// left for what the terms would add.
const MaxOrder = 12

// Fields are the fields f_0, f_1, .. of the modified equation dtheta/dt = f_0 + lr f_1 + lr^2 f_2 + .. of a rule on a loss, full
// batch and memory full, as numeric functions. It is not for concurrent use.
type Fields struct {
	dim      int
	order    int
	terms    *engine.Program              // theta -> f_0, f_1, ..
	sum      *engine.Program              // theta, lr -> f_0 + lr f_1 + ..
	reach    func() (*reach.Reach, error) // compiled when it is asked for
	lr       []float64
	in, out  []engine.Buffer
	termsIn  []engine.Buffer
	termsOut []engine.Buffer
}

// FieldOptions say which equation is wanted.
type FieldOptions struct {
	// BiasScale is the s of an optimizer that was intervened in, which moves by -lr U - s lr^2 C(theta): 0 for the rule as it is,
	// -1 for one without second-order bias.
	BiasScale float64
	Threads   int
}

// CompileFields compiles the first order fields of a rule on the full batch of a loss of dim parameters.
func CompileFields(r *rule.Rule, loss objective.GraphLoss, dim, order int, opt FieldOptions) (*Fields, error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	if order < 1 || order > MaxOrder {
		return nil, fmt.Errorf("modified equation of order %d: want an order from 1 to %d", order, MaxOrder)
	}
	b := graph.NewBuilder()
	theta, lr := b.Param("theta", graph.Float64, dim), b.Param("lr", graph.Float64)
	g, err := objective.GradientOf(loss, theta, objective.Full)
	if err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	expansion := Expand(m, g, theta, opt.BiasScale)
	fs := make([]graph.Value, order)
	for i := range fs {
		fs[i] = expansion.Field(i)
	}
	sum := fs[order-1]
	for i := order - 2; i >= 0; i-- {
		sum = sum.Mul(lr).Add(fs[i])
	}
	f := &Fields{dim: dim, order: order, lr: make([]float64, 1)}
	options := engine.Options{Threads: opt.Threads}
	in := []graph.Value{theta, lr}
	if order == 1 {
		in = in[:1]
	}
	if f.sum, err = engine.Compile(in, []graph.Value{sum}, options); err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	if f.terms, err = engine.Compile([]graph.Value{theta}, fs, options); err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	f.reach = sync.OnceValues(func() (*reach.Reach, error) { return expansion.reach(order, opt.Threads) })
	f.in = []engine.Buffer{{}, engine.Of(f.lr)}[:len(in)]
	f.out = make([]engine.Buffer, 1)
	f.termsIn = make([]engine.Buffer, 1)
	f.termsOut = make([]engine.Buffer, order)
	return f, nil
}

// Missing says which of the fields do not exist at theta, and why; nil where all do.
func (f *Fields) Missing(ctx context.Context, theta []float64) (*reach.Missing, error) {
	r, err := f.reach()
	if err != nil {
		return nil, fmt.Errorf("modified equation: %w", err)
	}
	return r.At(ctx, []engine.Buffer{engine.Of(theta)}, theta)
}

// At writes f_0, f_1, .. at theta into fields, one slice each.
func (f *Fields) At(ctx context.Context, theta []float64, fields [][]float64) error {
	if len(fields) != f.order {
		return fmt.Errorf("modified equation: %d slices for %d fields", len(fields), f.order)
	}
	f.termsIn[0] = engine.Of(theta)
	for i := range fields {
		f.termsOut[i] = engine.Of(fields[i])
	}
	return f.terms.RunContext(ctx, f.termsIn, f.termsOut)
}

// Sum writes f_0 + lr f_1 + lr^2 f_2 + .. at theta into dst.
func (f *Fields) Sum(ctx context.Context, lr float64, theta, dst []float64) error {
	f.lr[0] = lr
	f.in[0], f.out[0] = engine.Of(theta), engine.Of(dst)
	return f.sum.RunContext(ctx, f.in, f.out)
}
