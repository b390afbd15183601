package modeq

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// generalPrograms are what the general theorem needs of a rule, as compiled programs over vectors.
type generalPrograms[T graph.Float] struct {
	phi, dphi []*engine.Program // by moment: g, theta -> phi, and g, theta, dg, dtheta -> dphi; nil where phi is the identity
	update    *engine.Program   // s.., g, theta -> U
	tangent   *engine.Program   // s.., g, theta, ds.., dg, dtheta -> dU
	usesG     bool              // U depends on g directly
}

func newGeneralPrograms[T graph.Float](memory *rule.Memory, dim int, options engine.Options) (*generalPrograms[T], error) {
	p := &generalPrograms[T]{phi: make([]*engine.Program, len(memory.Moments)), dphi: make([]*engine.Program, len(memory.Moments))}
	var err error
	for i, m := range memory.Moments {
		if m.Phi == nil {
			continue
		}
		b := graph.NewBuilder()
		vector := func(name string) graph.Value { return b.Param(name, graph.TypeOf[T](), dim) }
		in := []graph.Value{vector("g"), vector("theta"), vector("dg"), vector("dtheta")}
		if p.phi[i], err = engine.Compile(in[:2], []graph.Value{m.Apply(in[0], in[1])}, options); err != nil {
			return nil, err
		}
		if p.dphi[i], err = engine.Compile(in, []graph.Value{phiTangent(m, in[0], in[1], in[2], in[3])}, options); err != nil {
			return nil, err
		}
	}
	b := graph.NewBuilder()
	vector := func(name string) graph.Value { return b.Param(name, graph.TypeOf[T](), dim) }
	g, theta, dg, dtheta := vector("g"), vector("theta"), vector("dg"), vector("dtheta")
	var s, ds []graph.Value
	for i, m := range memory.Moments {
		s = append(s, b.Param(fmt.Sprintf("s%d", i), graph.TypeOf[T](), m.Length(dim)))
		ds = append(ds, b.Param(fmt.Sprintf("ds%d", i), graph.TypeOf[T](), m.Length(dim)))
	}
	in := append(append([]graph.Value(nil), s...), g, theta)
	u := memory.Update(s, g, theta)
	if p.update, err = engine.Compile(in, []graph.Value{u}, options); err != nil {
		return nil, err
	}
	in = append(append(in, ds...), dg, dtheta)
	if p.tangent, err = engine.Compile(in, []graph.Value{updateTangent(memory, s, g, theta, ds, dg, dtheta)}, options); err != nil {
		return nil, err
	}
	// U reads g other than through the moments if it cannot be compiled without it.
	_, err = engine.Compile(append(append([]graph.Value(nil), s...), theta), []graph.Value{u}, options)
	p.usesG = err != nil
	return p, nil
}
