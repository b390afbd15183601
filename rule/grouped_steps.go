package rule

import (
	"slices"

	"shadowflow/graph"
)

// of returns the elements of the part's weights in a vector of all parameters.
func (p *Part) of(v graph.Value) graph.Value {
	var cuts []graph.Value
	for _, r := range p.runs {
		cuts = append(cuts, v.SliceAxis(0, r.from, r.to))
	}
	return graph.Concat(0, cuts...)
}

// state returns the part's arrays in those of all.
func (p *Part) state(all []graph.Value) []graph.Value {
	var out []graph.Value
	for _, a := range p.arrays {
		if a.like {
			out = append(out, p.of(all[a.place]))
		} else {
			out = append(out, all[a.place].SliceAxis(0, a.from, a.to))
		}
	}
	return out
}

// call is the part of a call.
func (p *Part) call(c Call) Call {
	part := Call{G: p.of(c.G), Theta: p.of(c.Theta), LR: p.scaled(c.LR)}
	if p.rule.Hessian != nil {
		part.Hessian = p.of(c.Hessian)
	}
	if len(c.State) > 0 {
		part.State = p.state(c.State)
	}
	if len(c.Scalars) > 0 {
		for _, i := range p.scalars {
			part.Scalars = append(part.Scalars, c.Scalars[i])
		}
	}
	return part
}

// scaled returns a value times the part's share of the step size.
func (p *Part) scaled(v graph.Value) graph.Value {
	if p.scale == 1 {
		return v
	}
	return v.Mul(v.Like(p.scale))
}

// moving returns what moves the part's weights, or the zero Value if they stay, whatever an optimizer does at a step size of 0: the steps of
// some are not proportional to it.
func (p *Part) moving(v graph.Value) graph.Value {
	if p.Stays() {
		return graph.Value{}
	}
	return v
}

// spread puts vectors of the parts' weights together, to one of all parameters, of the form of like. The zero Value stands for
// zeros.
func (g *grouped) spread(like graph.Value, of func(p *Part) graph.Value) graph.Value {
	values := make([]graph.Value, len(g.parts))
	for i := range g.parts {
		p := &g.parts[i]
		values[i] = of(p)
		if !values[i].Valid() {
			values[i] = like.Like(0).BroadcastTo(p.Parameters)
		}
	}
	var cuts []graph.Value
	for _, c := range g.pieces {
		cuts = append(cuts, values[c.part].SliceAxis(0, c.from, c.to))
	}
	return graph.Concat(0, cuts...)
}

// together puts together what is made of each part: of theta, and then of its arrays of state.
func (g *grouped) together(theta graph.Value, of func(p *Part) []graph.Value) []graph.Value {
	made := make([][]graph.Value, len(g.parts))
	for i := range g.parts {
		made[i] = of(&g.parts[i])
	}
	out := []graph.Value{g.spread(theta, func(p *Part) graph.Value { return made[p.at][0] })}
	for place, entry := range g.entries {
		if entry.like {
			out = append(out, g.spread(theta, func(p *Part) graph.Value {
				if i := p.index(place); i >= 0 {
					return made[p.at][1+i]
				}
				return graph.Value{}
			}))
			continue
		}
		var runs []graph.Value
		for _, p := range g.parts {
			if i := p.index(place); i >= 0 && !p.rest {
				runs = append(runs, made[p.at][1+i])
			}
		}
		out = append(out, graph.Concat(0, runs...))
	}
	return out
}

// rates puts together rates of theta and the state.
func (g *grouped) rates(c Call, of func(p *Part) (theta graph.Value, state []graph.Value)) (theta graph.Value, state []graph.Value) {
	all := g.together(c.Theta, func(p *Part) []graph.Value {
		theta, state := of(p)
		return append([]graph.Value{p.moving(theta)}, state...)
	})
	return all[0], all[1:]
}

// index returns which of the part's arrays stands at a place among those of all, -1 if none does.
func (p *Part) index(place int) int {
	return slices.IndexFunc(p.arrays, func(a array) bool { return a.place == place })
}

// worth is the number of elements from which on a run is worth a pass of its own.
const worth = 1 << 12

// stretches returns the parts as steps take them: one whose elements are each for themselves is cut up into its long runs, whose elements a
// pass reads and writes where they are, and its short ones together.
func (g *grouped) stretches() *grouped {
	out := &grouped{entries: g.entries}
	for _, p := range g.parts {
		cuts := [][]run{p.runs}
		if p.rule.Elementwise {
			cuts = p.stretches()
		}
		for i, runs := range cuts {
			p.at, p.runs, p.Parameters, p.rest = len(out.parts), runs, 0, i > 0
			for _, r := range runs {
				p.Parameters += r.to - r.from
			}
			out.parts = append(out.parts, p)
		}
	}
	out.order()
	return out
}

// stretches cuts a part up. Short runs take some elements of a long one along, for an engine computes what is a few elements as a whole by
// other means than many, and to other bits.
func (p *Part) stretches() [][]run {
	var out [][]run
	var short []run
	for _, r := range p.runs {
		if r.to-r.from < worth {
			short = append(short, r)
		} else {
			out = append(out, []run{r})
		}
	}
	if len(short) == 0 {
		return out
	}
	if len(out) > 0 {
		long := &out[0][0]
		cut := long.from + worth/2
		short = append(short, run{long.from, cut})
		long.from = cut
	}
	return append(out, short)
}

func (g *grouped) step(c Call) (theta graph.Value, state []graph.Value) {
	all := g.together(c.Theta, func(p *Part) []graph.Value {
		own := p.call(c)
		theta, state := p.rule.Step(own)
		if p.Stays() {
			theta = own.Theta
		}
		return append([]graph.Value{theta}, state...)
	})
	return all[0], all[1:]
}

func (g *grouped) velocity(c Call, at Scale) (theta graph.Value, state []graph.Value) {
	return g.rates(c, func(p *Part) (graph.Value, []graph.Value) { return p.rule.family.velocity(p.call(c), at) })
}

func (g *grouped) centered(c Call, before []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value) {
	return g.rates(c, func(p *Part) (graph.Value, []graph.Value) {
		return p.rule.family.centered(p.call(c), p.state(before), age)
	})
}

func (g *grouped) centeredLift(ends [2]Call, mean []graph.Value, age graph.Value) (dmean, dflip []graph.Value) {
	flips := make([][]graph.Value, len(g.parts))
	dmean = g.together(ends[0].Theta, func(p *Part) (means []graph.Value) {
		own := [2]Call{p.call(ends[0]), p.call(ends[1])}
		means, flips[p.at] = p.rule.family.centeredLift(own, p.state(mean), age)
		if p.Stays() { // both ends would be one behind a step
			means[0], flips[p.at][0] = graph.Value{}, own[1].Theta.Sub(own[0].Theta)
		}
		return means
	})
	return dmean, g.together(ends[0].Theta, func(p *Part) []graph.Value { return flips[p.at] })
}

// decay is the fastest of the parts': what is left of the others' rates then never lowers what cannot be negative.
func (g *grouped) decay(i int) float64 {
	fastest := 0.0
	for _, p := range g.parts {
		if own := p.index(i); own >= 0 {
			fastest = min(fastest, p.rule.family.decay(own))
		}
	}
	return fastest
}

// nonNegative holds where it does for all parts that have the array.
func (g *grouped) nonNegative(i int) bool {
	return !slices.ContainsFunc(g.parts, func(p Part) bool {
		own := p.index(i)
		return own >= 0 && !p.rule.family.nonNegative(own)
	})
}
