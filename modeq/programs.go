package modeq

import (
	"fmt"

	"shadowflow/graph"
	"shadowflow/rule"
)

// updatePrograms are a rule's update and its derivatives as compiled programs over vectors.
type updatePrograms[T rule.Float] struct {
	rule    *rule.Rule
	dim     int
	dtype   graph.DType
	options graph.Options

	fullF, fullC *graph.Program
	sums, ages   [][]T // one number a moment

	// The general theorem's, compiled when first needed.
	phi, dphi []*graph.Program // by moment; nil where phi is the identity
	update    *graph.Program   // s.., g, theta -> U
	tangent   *graph.Program   // s.., g, theta, ds.., dg, dtheta -> dU
	usesG     bool             // U depends on g directly
}

func newUpdatePrograms[T rule.Float](r *rule.Rule, dim, threads int) (*updatePrograms[T], error) {
	p := &updatePrograms[T]{rule: r, dim: dim, dtype: dtypeOf[T](), options: graph.Options{Threads: threads}}
	b := graph.NewBuilder()
	g, theta := p.vector(b, "g"), p.vector(b, "theta")
	f, hf := p.vector(b, "F"), p.vector(b, "HF")
	var sums, ages []graph.Value
	for i := range r.Moments {
		sums = append(sums, b.Param(fmt.Sprintf("sum %d", i), p.dtype))
		ages = append(ages, b.Param(fmt.Sprintf("age %d", i), p.dtype))
		p.sums, p.ages = append(p.sums, make([]T, 1)), append(p.ages, make([]T, 1))
	}
	var err error
	in := append([]graph.Value{g, theta}, sums...)
	if p.fullF, err = graph.Compile(in, []graph.Value{Memoryless(r, sums, g, theta)}, p.options); err != nil {
		return nil, err
	}
	in = append(append([]graph.Value{g, theta, f, hf}, sums...), ages...)
	c := Correction(r, sums, ages, g, theta, f, hf)
	p.fullC, err = graph.Compile(in, []graph.Value{c}, p.options)
	return p, err
}

func (p *updatePrograms[T]) vector(b *graph.Builder, name string) graph.Value {
	return b.Param(name, p.dtype, p.dim)
}

// scalars sets the sums and ages to those of step n.
func (p *updatePrograms[T]) scalars(n int) {
	for i, m := range p.rule.Moments {
		p.sums[i][0], p.ages[i][0] = T(m.Sum(n)), T(m.Age(n))
	}
}

func buffers[T rule.Float](head [][]T, tails ...[][]T) []graph.Buffer {
	var out []graph.Buffer
	for _, s := range head {
		out = append(out, graph.Of(s))
	}
	for _, tail := range tails {
		for _, s := range tail {
			out = append(out, graph.Of(s))
		}
	}
	return out
}

// memoryless writes F of a full batch in step n.
func (p *updatePrograms[T]) memoryless(n int, g, theta, f []T) error {
	p.scalars(n)
	return p.fullF.Run(buffers([][]T{g, theta}, p.sums), buffers([][]T{f}))
}

// correct writes C of a full batch in step n, the past updates being alike.
func (p *updatePrograms[T]) correct(n int, g, theta, f, hf, c []T) error {
	p.scalars(n)
	return p.fullC.Run(buffers([][]T{g, theta, f, hf}, p.sums, p.ages), buffers([][]T{c}))
}

// general compiles what the general theorem needs.
func (p *updatePrograms[T]) general() error {
	if p.update != nil {
		return nil
	}
	p.phi, p.dphi = make([]*graph.Program, len(p.rule.Moments)), make([]*graph.Program, len(p.rule.Moments))
	for i, m := range p.rule.Moments {
		if m.Phi == nil {
			continue
		}
		b := graph.NewBuilder()
		g, v := p.vector(b, "g"), p.vector(b, "v")
		phi := m.Apply(g)
		dphi := graph.JVP([]graph.Value{phi}, []graph.Value{g}, []graph.Value{v})
		var err error
		if p.phi[i], err = graph.Compile([]graph.Value{g}, []graph.Value{phi}, p.options); err != nil {
			return err
		}
		if p.dphi[i], err = graph.Compile([]graph.Value{g, v}, dphi, p.options); err != nil {
			return err
		}
	}
	b := graph.NewBuilder()
	g, theta := p.vector(b, "g"), p.vector(b, "theta")
	dg, dtheta := p.vector(b, "dg"), p.vector(b, "dtheta")
	var s, ds []graph.Value
	for i := range p.rule.Moments {
		s = append(s, p.vector(b, fmt.Sprintf("s%d", i)))
		ds = append(ds, p.vector(b, fmt.Sprintf("ds%d", i)))
	}
	in := append(append([]graph.Value(nil), s...), g, theta)
	u := p.rule.Update(s, g, theta)
	update, err := graph.Compile(in, []graph.Value{u}, p.options)
	if err != nil {
		return err
	}
	in = append(append(in, ds...), dg, dtheta)
	if p.tangent, err = graph.Compile(in, []graph.Value{updateTangent(p.rule, s, g, theta, ds, dg, dtheta)}, p.options); err != nil {
		return err
	}
	p.usesG = p.needsGradient(s, theta, u)
	p.update = update
	return nil
}

// needsGradient reports whether U reads g other than through the moments: whether it cannot be computed without it.
func (p *updatePrograms[T]) needsGradient(s []graph.Value, theta, u graph.Value) bool {
	program, err := graph.Compile(append(append([]graph.Value(nil), s...), theta), []graph.Value{u}, p.options)
	if err != nil {
		return true
	}
	var in [][]T
	for range len(s) + 1 {
		in = append(in, make([]T, p.dim))
	}
	return program.Run(buffers(in), buffers([][]T{make([]T, p.dim)})) != nil
}
