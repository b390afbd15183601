package modeq

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// noisePrograms are what the expected second-order term needs of a rule, coordinate by coordinate, in float64: third derivatives of
// an update that divides by a small gradient's root have a range that float32 lacks.
type noisePrograms struct {
	paths  int             // of noise into the update: one a moment, and one of g itself where the update reads it
	before *engine.Program // g, theta, variance -> F, kept, f2, v_b..
	after  *engine.Program // g, theta, variance, kept, H F, H f2, own slope, others' slopes.., products.. -> the terms
}

// noiseMoments returns a rule's moments with the memory full, bias correction included, and the present gradient among them, if the
// update reads it.
func noiseMoments(m *rule.Memory) []rule.Moment {
	var moments []rule.Moment
	for _, mo := range m.Moments {
		mo.Kernel = rule.Kernel{First: mo.Weight(0, FullMemory), Next: mo.Weight(1, FullMemory), Beta: mo.Kernel.Beta}
		moments = append(moments, mo)
	}
	if m.Formula == nil || m.Formula.Uses("g") {
		moments = append(moments, rule.Moment{Name: "g", Kernel: rule.Kernel{First: 1}})
	}
	return moments
}

// expansion is U(s_1.., theta) with its derivatives by the moments, and phi of each moment with its derivatives by g, as graph code,
// all gradients being g. The present gradient counts as a moment.
type expansion struct {
	one     graph.Value
	moments []rule.Moment
	names   []graph.Value // the moments
	phi     [][4]graph.Value
	u       graph.Value
	u1      []graph.Value
	u2      [][]graph.Value
}

func expand(m *rule.Memory, moments []rule.Moment, g, theta graph.Value) *expansion {
	e := &expansion{one: g.Like(1).BroadcastTo(g.Shape()...), moments: moments, phi: make([][4]graph.Value, len(moments))}
	for i, mo := range moments {
		e.phi[i][0] = mo.Apply(g, theta)
		for d := 1; d < 4; d++ {
			e.phi[i][d] = e.slope(e.phi[i][d-1], g)
		}
	}
	for i, mo := range moments {
		e.names = append(e.names, e.phi[i][0].Mul(g.Like(mo.Kernel.Power(0))).Alias())
	}
	present := g.Alias()
	if len(moments) > len(m.Moments) {
		present = e.names[len(m.Moments)]
	}
	e.u = m.Update(e.names[:len(m.Moments)], present, theta)
	for a := range e.names {
		e.u1 = append(e.u1, e.slope(e.u, e.names[a]))
		e.u2 = append(e.u2, nil)
		for c := range e.names {
			e.u2[a] = append(e.u2[a], e.slope(e.u1[a], e.names[c]))
		}
	}
	return e
}

// slope returns the elementwise derivative of y by x.
func (e *expansion) slope(y, x graph.Value) graph.Value {
	return graph.JVP([]graph.Value{y}, []graph.Value{x}, []graph.Value{e.one})[0]
}

// path returns U_b phi_b': how the update answers to noise in moment b.
func (e *expansion) path(b int) graph.Value { return e.u1[b].Mul(e.phi[b][1]) }

// curvature returns the parts of E delta^2 U over the variance, given the derivatives of a function U of the moments:
// (1/2) sum_a U_a phi_a” W_a + (1/2) sum_ab U_ab phi_a' phi_b' pair_ab.
func (e *expansion) curvature(u1 []graph.Value, u2 [][]graph.Value, sums *noiseSums) []graph.Value {
	var parts []graph.Value
	for a, mo := range e.moments {
		parts = append(parts, u1[a].Mul(e.phi[a][2]).Mul(e.one.Like(mo.Kernel.Power(0)/2)))
		for b := range e.moments {
			parts = append(parts, u2[a][b].Mul(e.phi[a][1]).Mul(e.phi[b][1]).Mul(e.one.Like(sums.pair[a][b]/2)))
		}
	}
	return parts
}

func total(parts []graph.Value) graph.Value {
	sum := parts[0]
	for _, p := range parts[1:] {
		sum = sum.Add(p)
	}
	return sum
}

func newNoisePrograms(m *rule.Memory, sums *noiseSums, dim, threads int) (*noisePrograms, error) {
	moments := noiseMoments(m)
	p := &noisePrograms{paths: len(moments)}
	options := engine.Options{Threads: threads}
	b := graph.NewBuilder()
	vector := func(name string) graph.Value { return b.Param(name, graph.Float64, dim) }
	g, theta, variance, kept := vector("g"), vector("theta"), vector("variance"), vector("kept")
	e := expand(m, moments, g, theta)
	outs := append([]graph.Value{e.u}, e.response(variance, sums)...)
	var err error
	if p.before, err = engine.Compile([]graph.Value{g, theta, variance}, outs, options); err != nil {
		return nil, fmt.Errorf("response to noise: %w", err)
	}
	in := []graph.Value{g, theta, variance, kept, vector("HF"), vector("Hf2"), vector("own slope")}
	products := products{hf: in[4], hf2: in[5], own: in[6]}
	for i := range moments {
		products.slopes = append(products.slopes, vector(fmt.Sprintf("slope %d", i)))
	}
	for i := range moments {
		products.crossed = append(products.crossed, vector(fmt.Sprintf("product %d", i)))
	}
	in = append(append(in, products.slopes...), products.crossed...)
	if p.after, err = engine.Compile(in, e.terms(variance, kept, products, sums), options); err != nil {
		return nil, fmt.Errorf("noise terms: %w", err)
	}
	return p, nil
}

// response returns whether noise is small, E delta^2 U, and the paths; the latter are 0 where noise is not small.
func (e *expansion) response(variance graph.Value, sums *noiseSums) []graph.Value {
	parts := e.curvature(e.u1, e.u2, sums)
	sizes := make([]graph.Value, len(parts))
	for i, part := range parts {
		sizes[i] = part.Abs()
	}
	// Where that is not a number, the comparison says no.
	kept := e.u.Abs().GreaterEqual(total(sizes).Mul(variance).Mul(variance.Like(2)))
	small := func(v graph.Value) graph.Value { return graph.Select(kept, v, v.Like(0)) }
	out := []graph.Value{graph.Select(kept, e.one, e.one.Like(0)), small(total(parts).Mul(variance))}
	for b := range e.moments {
		out = append(out, small(e.path(b)))
	}
	return out
}

// products are what the batches' Hessians make of the vectors of [expansion.response], means over the batches j with noise xi_j =
// g_j - g.
type products struct {
	hf, hf2 graph.Value
	own     graph.Value   // xi_j (H_j F)
	slopes  []graph.Value // by path: H_j (v_b xi_j)
	crossed []graph.Value // by path: xi_j (H v_b xi_j)
}

// terms returns what the second-order term's memory is without noise, and the five terms of noise, in the order of theory and of
// [AdamNoise].
func (e *expansion) terms(variance, kept graph.Value, p products, sums *noiseSums) []graph.Value {
	number := variance.Like
	zero := e.one.Mul(number(0))
	memory, own, slope := zero, zero, zero // in front of H F, its noise, and its slope
	crossed, others := make([]graph.Value, len(e.moments)), make([]graph.Value, len(e.moments))
	for b := range e.moments {
		crossed[b], others[b] = zero, zero
	}
	for a, mo := range e.moments {
		age := number(mo.Kernel.Power(1))
		bend := e.u1[a].Mul(e.phi[a][2])
		memory = memory.Add(e.path(a).Mul(age))
		slope = slope.Add(bend.Mul(age))
		own = own.Add(e.u1[a].Mul(e.phi[a][3]).Mul(number(0.5)).Mul(age))
		u2 := make([][]graph.Value, len(e.moments))
		for c := range e.moments {
			for d := range e.moments {
				u2[c] = append(u2[c], e.slope(e.u2[a][c], e.names[d]))
			}
		}
		own = own.Add(total(e.curvature(e.u2[a], u2, sums)).Mul(e.phi[a][1]).Mul(age))
		for c := range e.moments {
			turn := e.u2[a][c].Mul(e.phi[c][1])
			own = own.Add(turn.Mul(e.phi[a][2]).Mul(number(sums.aged[a][c])))
			slope = slope.Add(turn.Mul(e.phi[a][1]).Mul(number(sums.aged[a][c])))
			for b := range e.moments {
				crossed[b] = crossed[b].Add(turn.Mul(e.phi[a][1]).Mul(number(sums.both[a][c][b])))
			}
		}
		for b := range e.moments {
			others[b] = others[b].Add(e.path(a).Mul(number(sums.path[a][b])))
			crossed[b] = crossed[b].Add(bend.Mul(number(sums.path[a][b])))
		}
	}
	fourth, fifth := zero, zero
	for b := range e.moments {
		fourth = fourth.Add(others[b].Mul(p.slopes[b]))
		fifth = fifth.Add(crossed[b].Mul(p.crossed[b]))
	}
	out := []graph.Value{memory.Mul(p.hf)}
	for _, term := range []graph.Value{own.Mul(variance).Mul(p.hf), memory.Mul(p.hf2), slope.Mul(p.own), fourth, fifth} {
		out = append(out, graph.Select(kept, term, zero))
	}
	return out
}
