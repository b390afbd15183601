package rule

import (
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
	if err := r.StepsOfAllSizes(); err != nil {
		return graph.Value{}, nil, err
	}
	theta, state = r.family.centered(r.condition(c), before, age)
	return theta, state, nil
}

func (f *family) centered(c Call, past []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value) {
	half := age.Like(0.5)
	names := f.names(c, age.Sub(half), past, func(beta float64) graph.Value { return age.Like(beta) })
	place := 0
	for _, m := range f.entries {
		v := m.formula.Graph(f.layout, c.Theta, names)
		if m.kind != mixture {
			v = m.fill(v, c.Theta)
			s, rate := fromArray(m.form, c.State[place]), graph.Value{}
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
			state = append(state, toArray(m.form, rate, c.Theta))
		}
		m.set(names, v, age.Add(half))
	}
	return f.theta(c, names), state
}

// CenteredLift returns the rates of change of the rule's period-two lift to second order (theory, section 8), for each of its own steps, in the
// form that Centered has where both ends are one. The calls are the two ends half a step back along the lift, with the gradients there; mean is the mean
// of their states at the point itself, and age its age. Both results are of theta, and then of the state: for the mean, and for half the
// difference.
func (r *Rule) CenteredLift(up, down Call, mean []graph.Value, age graph.Value) (dmean, dflip []graph.Value, err error) {
	if err := r.StepsOfAllSizes(); err != nil {
		return nil, nil, err
	}
	dmean, dflip = r.family.centeredLift([2]Call{r.condition(up), r.condition(down)}, mean, age)
	return dmean, dflip, nil
}

func (f *family) centeredLift(ends [2]Call, mean []graph.Value, age graph.Value) (dmean, dflip []graph.Value) {
	half := age.Like(0.5)
	var names [2]map[string]graph.Value
	for i, c := range ends {
		names[i] = f.names(c, age.Sub(half), c.State, func(beta float64) graph.Value { return age.Like(beta) })
	}
	place := 0
	for _, m := range f.entries {
		var v, past [2]graph.Value
		for i, c := range ends {
			v[i] = m.fill(m.formula.Graph(f.layout, c.Theta, names[i]), c.Theta)
			past[i] = names[i][before(m.name)]
		}
		if m.kind != mixture {
			var rate [2]graph.Value
			v, rate = m.lift(v, past, fromArray(m.form, mean[place]))
			theta := ends[0].Theta
			dmean, dflip = append(dmean, toArray(m.form, rate[0], theta)), append(dflip, toArray(m.form, rate[1], theta))
			place++
		}
		for i := range ends {
			m.set(names[i], v[i], age.Add(half))
		}
	}
	v, past := [2]graph.Value{f.theta(ends[0], names[0]), f.theta(ends[1], names[1])}, [2]graph.Value{ends[0].Theta, ends[1].Theta}
	flip := halfDifference(past).Mul(half.Like(-2)).Sub(halfDifference(v))
	return append([]graph.Value{average(v)}, dmean...), append([]graph.Value{flip}, dflip...)
}

// lift returns what those see who read an array at the two ends, and its rates of change: of the mean s, and of half the difference. v are what
// its formula gives there, and past its values half a step back.
func (m member) lift(v, past [2]graph.Value, s graph.Value) (seen, rate [2]graph.Value) {
	zero := s.Like(0).BroadcastTo(s.Shape()...)
	flip := halfDifference(past)
	switch m.kind {
	case present:
		return [2]graph.Value{v[0].Mul(s.Like(m.gain)), v[1].Mul(s.Like(m.gain))}, [2]graph.Value{zero, zero}
	case relaxed:
		return v, [2]graph.Value{average(v).Sub(average(past)), flip.Add(halfDifference(v)).Neg()}
	}
	beta := m.kernel.Beta
	to := average(v).Mul(s.Like(m.gain))
	apart := s.Sub(to)
	middle := to.Add(apart.Mul(s.Like(math.Sqrt(beta))))
	flipped := flip.Mul(s.Like(beta)).Add(halfDifference(v).Mul(s.Like((1 - beta) * m.gain)))
	return [2]graph.Value{middle.Add(flipped), middle.Sub(flipped)}, [2]graph.Value{apart.Mul(s.Like(math.Log(beta))), flip.Add(flipped).Neg()}
}

func average(v [2]graph.Value) graph.Value { return v[0].Add(v[1]).Mul(v[0].Like(0.5)) }

func halfDifference(v [2]graph.Value) graph.Value { return v[0].Sub(v[1]).Mul(v[0].Like(0.5)) }
