package rule

import (
	"fmt"
	"math"

	"shadowflow/graph"
)

// Centered returns the rates of change of theta and the state, for each of the rule's own steps, of the modified equation of second order: f_0
// + f_1 of the rule's family (theory, section 6), up to terms of third order. Of the call, Theta and G are the parameters and the gradient half
// a step back along f_0, and State the state at the point itself; before is the state half a step back, and age the point's.
//
// The step's own form makes this sum safe. With a step's half taken off, a memory moves at log(beta) (s - phi), phi being made from
// the gradient half a step back, and the update sees the memories half a step on. So a mean of squares stays positive, and the update is as
// bounded as the step's, where the sum of f_0 and f_1 as they stand is not: a gradient that was small before makes it large without bounds.
func (r *Rule) Centered(c Call, before []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value, err error) {
	if r.family == nil {
		return graph.Value{}, nil, fmt.Errorf("optimizer %s: its step is given as code alone: a family of steps of all sizes needs its formulas", r.Name)
	}
	theta, state = r.family.centered(c, before, age)
	return theta, state, nil
}

func (f *family) centered(c Call, past []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value) {
	half := age.Like(0.5)
	names := f.names(c, c.LR, age.Sub(half), past, func(beta float64) graph.Value { return age.Like(beta) })
	place := 0
	for _, m := range f.entries {
		v := m.formula.Graph(c.Theta, names)
		if m.kind != mixture {
			v = v.BroadcastTo(c.Theta.Shape()...)
			s, rate := c.State[place], graph.Value{}
			place++
			switch m.kind {
			case memory:
				v = v.Mul(v.Like(m.gain))
				apart := s.Sub(v)
				rate = apart.Mul(apart.Like(math.Log(m.kernel.Beta)))
				v = v.Add(apart.Mul(apart.Like(math.Sqrt(m.kernel.Beta))))
			case present:
				v, rate = v.Mul(v.Like(m.gain)), s.Like(0).BroadcastTo(s.Shape()...)
			default:
				rate = v.Sub(names[before(m.name)])
			}
			state = append(state, rate)
		}
		m.set(names, v, age.Add(half))
	}
	return f.theta(c, names), state
}
