package state

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/modeq/reach"
	"shadowflow/objective"
	"shadowflow/rule"
)

// MaxOrder bounds the order of the fields, as the programs grow with its fourth power or so.
const MaxOrder = 8

// Fields are the fields of the modified equation of a rule on the full batch of a loss that is graph code, as numeric functions in float64,
// and the family's steps. It is not for concurrent use.
type Fields struct {
	rule       *rule.Rule
	dim, order int
	lengths    []int // of theta and the arrays
	terms, sum *engine.Program
	step       *engine.Program
	reach      func() (*reach.Reach, error) // compiled when it is asked for
	betas      []float64                    // whose rates the steps take as scalars

	lr, age, size []float64
	rates         [][]float64
	in, out       []engine.Buffer
}

// CompileFields compiles the first order fields of a rule on a loss of dim parameters, and its steps.
func CompileFields(r *rule.Rule, loss objective.GraphLoss, dim, order, threads int) (*Fields, error) {
	if order < 1 || order > MaxOrder {
		return nil, fmt.Errorf("modified equation of order %d with memory as state: want an order from 1 to %d", order, MaxOrder)
	}
	f := &Fields{rule: r, dim: dim, order: order, lengths: r.Lengths(dim), lr: []float64{0}, age: []float64{0}, size: []float64{0}}
	b := graph.NewBuilder()
	p := Point{Theta: b.Param("theta", graph.Float64, dim), LR: b.Param("lr", graph.Float64), Age: b.Param("age", graph.Float64)}
	p.State = arrays(r, p.Theta)
	size := b.Param("size", graph.Float64)
	g, err := objective.GradientOf(loss, p.Theta, objective.Full)
	if err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	expansion, err := Expand(r, g, p)
	if err != nil {
		return nil, err
	}
	fields := make([][]graph.Value, order)
	for b := range fields {
		fields[b] = expansion.Field(b)
	}
	var terms, sums []graph.Value
	for i := range fields[0] {
		sum := fields[order-1][i]
		for b := order - 2; b >= 0; b-- {
			sum = sum.Mul(size).Add(fields[b][i])
		}
		sums = append(sums, sum)
	}
	for _, field := range fields {
		terms = append(terms, field...)
	}
	in := append(p.values(), p.LR, p.Age)
	options := engine.Options{Threads: threads}
	if f.terms, err = engine.Compile(in, terms, options); err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	at := slices.Clone(in)
	f.reach = sync.OnceValues(func() (*reach.Reach, error) { return expansion.reach(order, at, threads) })
	in = append(in, size)
	if f.sum, err = engine.Compile(in, sums, options); err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", r.Name, err)
	}
	return f, f.compileStep(g, p, size, in, options)
}

func (f *Fields) compileStep(g graph.Value, p Point, size graph.Value, in []graph.Value, options engine.Options) error {
	made := map[float64]graph.Value{}
	rate := func(beta float64) graph.Value {
		if v, ok := made[beta]; ok {
			return v
		}
		v := size.Builder().Param(fmt.Sprintf("rate%d", len(f.betas)), graph.Float64)
		made[beta], f.betas, f.rates = v, append(f.betas, beta), append(f.rates, []float64{0})
		in = append(in, v)
		return v
	}
	call := rule.Call{Theta: p.Theta, G: g, LR: p.LR, State: p.State}
	dtheta, dstate, err := f.rule.Velocity(call, rule.Scale{Size: size, Age: p.Age, Rate: rate})
	if err != nil {
		return err
	}
	if f.step, err = engine.Compile(in, append([]graph.Value{dtheta}, dstate...), options); err != nil {
		return fmt.Errorf("steps of %s: %w", f.rule.Name, err)
	}
	return nil
}

// Size returns the number of elements of a state: theta and each array of the rule's.
func (f *Fields) Size() int { return sizeOf(f.rule, f.dim) }

// Missing says which of the fields do not exist at a state, and why; nil where all do.
func (f *Fields) Missing(ctx context.Context, lr, age float64, z []float64) (*reach.Missing, error) {
	r, err := f.reach()
	if err != nil {
		return nil, fmt.Errorf("modified equation of %s: %w", f.rule.Name, err)
	}
	f.bind(lr, age, 0, z)
	var parts [][]float64
	for at, i := 0, 0; at < len(z); i++ {
		n := f.lengths[i]
		parts, at = append(parts, z[at:at+n]), at+n
	}
	return r.At(ctx, f.in[:len(f.in)-1-len(f.rates)], parts...)
}

// At writes f_0, f_1, .. at a state into fields, one slice each. They are those of [Expand], in units of the rule's own steps: the field f_j of
// dz/dt with t = u lr is lr^-(j+1) times it.
func (f *Fields) At(ctx context.Context, lr, age float64, z []float64, fields [][]float64) error {
	if len(fields) != f.order {
		return fmt.Errorf("modified equation: %d slices for %d fields", len(fields), f.order)
	}
	f.bind(lr, age, 0, z)
	f.out = f.out[:0]
	for _, field := range fields {
		f.out = cut(f.out, field, f.lengths)
	}
	return f.terms.RunContext(ctx, f.in[:len(f.in)-1-len(f.rates)], f.out)
}

// Sum writes f_0 + size f_1 + size^2 f_2 + .. at a state into dzdu.
func (f *Fields) Sum(ctx context.Context, lr, age, size float64, z, dzdu []float64) error {
	f.bind(lr, age, size, z)
	return f.sum.RunContext(ctx, f.in[:len(f.in)-len(f.rates)], cut(nil, dzdu, f.lengths))
}

// Rounding returns how much the last digit of a state's numbers changes in the sum of the fields, of size 1: the largest change of an element, over the
// element or over a tenth where it is smaller. It is a few times 1e-16 where the equation is well-conditioned.
func (f *Fields) Rounding(ctx context.Context, lr, age float64, z []float64) (float64, error) {
	at, moved := make([]float64, len(z)), make([]float64, len(z))
	if err := f.Sum(ctx, lr, age, 1, z, at); err != nil {
		return 0, err
	}
	near := slices.Clone(z)
	for i := range near { // to both sides, so that what depends on differences sees them
		near[i] *= 1 + 0x1p-50*float64(i%3-1)
	}
	if err := f.Sum(ctx, lr, age, 1, near, moved); err != nil {
		return 0, err
	}
	largest := 0.0
	for i, v := range z {
		if d := math.Abs(at[i]-moved[i]) / max(0.1, math.Abs(v)); d > largest { // not of what is no number
			largest = d
		}
	}
	return largest, nil
}

// Step moves a state of that age by the family's step of a size, which is above 0.
func (f *Fields) Step(ctx context.Context, lr, age, size float64, z []float64) error {
	f.bind(lr, age, size, z)
	d := make([]float64, len(z))
	if err := f.step.RunContext(ctx, f.in, cut(nil, d, f.lengths)); err != nil {
		return err
	}
	for i, v := range d {
		z[i] += size * v
	}
	return nil
}

// bind sets the inputs: the state's parts, lr, age, size and the rates.
func (f *Fields) bind(lr, age, size float64, z []float64) {
	f.lr[0], f.age[0], f.size[0] = lr, age, size
	f.in = append(cut(f.in[:0], z, f.lengths), engine.Of(f.lr), engine.Of(f.age), engine.Of(f.size))
	for i, beta := range f.betas {
		if f.rates[i][0] = math.Log(beta); size != 0 {
			f.rates[i][0] = math.Expm1(size*math.Log(beta)) / size
		}
		f.in = append(f.in, engine.Of(f.rates[i]))
	}
}
