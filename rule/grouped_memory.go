package rule

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// memory returns the moments and the update of parts that all have them. Moments of several parts that are the same function of
// the gradient with the same weights are one, if they are like theta; of a weight whose part does not have a moment, nothing
// reads it.
func (g *grouped) memory() *Memory {
	m := &Memory{}
	for i := range g.parts {
		p := &g.parts[i]
		for _, mo := range p.rule.Memory.Moments {
			mo.Formula = mo.Formula.Fold(p.rule.Memory.Values)
			at := slices.IndexFunc(m.Moments, func(other Moment) bool { return other.same(mo) })
			if at < 0 {
				at = len(m.Moments)
				if slices.ContainsFunc(m.Moments, func(other Moment) bool { return other.Name == mo.Name }) {
					mo.Name = fmt.Sprintf("%s of %s", mo.Name, p.Title)
				}
				m.Moments = append(m.Moments, mo)
			}
			p.moments = append(p.moments, at)
		}
	}
	for i := range m.Moments {
		if mo := &m.Moments[i]; mo.Phi != nil {
			mo.Phi = g.phi(m, i)
		}
	}
	m.Update = func(s []graph.Value, x, theta graph.Value) graph.Value {
		return g.spread(theta, func(p *Part) graph.Value {
			var own []graph.Value
			for _, i := range p.moments {
				if m.Moments[i].Parts == nil {
					own = append(own, p.of(s[i]))
				} else {
					own = append(own, s[i])
				}
			}
			return p.moving(p.scaled(p.rule.Memory.Update(own, p.of(x), p.of(theta))))
		})
	}
	m.Of = func(c Call) []graph.Value {
		of := make([][]graph.Value, len(g.parts))
		for i := range g.parts {
			of[i] = g.parts[i].rule.Memory.Of(g.parts[i].call(c))
		}
		var out []graph.Value
		for i := range m.Moments {
			out = append(out, g.moment(m, i, c.Theta, func(p *Part, own int) graph.Value { return of[p.at][own] }))
		}
		return out
	}
	return m
}

// phi returns that of a moment: of each weight as its part has it, and 0 where it has none.
func (g *grouped) phi(m *Memory, moment int) func(x, theta graph.Value) graph.Value {
	return func(x, theta graph.Value) graph.Value {
		return g.moment(m, moment, theta, func(p *Part, own int) graph.Value { return p.rule.Memory.Moments[own].Apply(p.of(x), p.of(theta)) })
	}
}

// moment puts together what the parts that have a moment have for it; own is its place among the part's. One with a shape of its
// own is of a single part.
func (g *grouped) moment(m *Memory, moment int, theta graph.Value, of func(p *Part, own int) graph.Value) graph.Value {
	value := func(p *Part) graph.Value {
		if own := slices.Index(p.moments, moment); own >= 0 {
			return of(p, own)
		}
		return graph.Value{}
	}
	if m.Moments[moment].Parts == nil {
		return g.spread(theta, value)
	}
	i := slices.IndexFunc(g.parts, func(p Part) bool { return slices.Contains(p.moments, moment) })
	return value(&g.parts[i])
}

// same reports whether another moment, of other weights, may be the same array with the same weights in time.
func (m Moment) same(o Moment) bool {
	return m.Parts == nil && o.Parts == nil && m.State == o.State && m.Kernel == o.Kernel && m.Corrected == o.Corrected && m.Formula.Equal(o.Formula)
}
