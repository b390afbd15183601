package modeq

import (
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Memoryless returns, as graph code, F = U(W_1 phi_1(g), .., g, theta): the update when all past gradients equal g. sums are the
// W_i, scalars.
func Memoryless(m *rule.Memory, sums []graph.Value, g, theta graph.Value) graph.Value {
	s := make([]graph.Value, len(m.Moments))
	for i, moment := range m.Moments {
		s[i] = moment.Apply(g, theta).Mul(sums[i])
	}
	return m.Update(s, g, theta)
}

// MemorylessDirection returns F with the memory full as a direction made from the gradient: the one in which the second-order equation
// of a full batch needs the Hessian-vector product.
func MemorylessDirection(m *rule.Memory) *objective.Direction {
	return &objective.Direction{Make: func(g, theta graph.Value) graph.Value {
		sums, _ := fullMemory(m, g)
		return Memoryless(m, sums, g, theta)
	}}
}

// SecondOrderTerm returns, as graph code, the second-order term C of a full batch,
//
//	C = sum_i dU/ds_i phi_i'(g) (a_i + W_i/2) H F + dU/dg (1/2) H F + dU/dtheta (1/2) F,
//
// given F, the Hessian-vector product H F, the sums W_i and the ages a_i = sum_k k w_i(k), scalars. It holds wherever the past
// updates all equalled F: with the memory full, or under bias correction.
func SecondOrderTerm(m *rule.Memory, sums, ages []graph.Value, g, theta, f, hf graph.Value) graph.Value {
	return ofOwnStep(0.5, m, sums, ages, g, theta, f, hf)
}

// ofOwnStep is SecondOrderTerm with another share of the present step in the place of 1/2: without any, C is what the memory alone makes of it.
func ofOwnStep(share float64, m *rule.Memory, sums, ages []graph.Value, g, theta, f, hf graph.Value) graph.Value {
	half := g.Like(share)
	s, ds := make([]graph.Value, len(m.Moments)), make([]graph.Value, len(m.Moments))
	for i, moment := range m.Moments {
		phi := moment.Apply(g, theta)
		s[i] = phi.Mul(sums[i])
		reach := ages[i].Add(sums[i].Mul(half))
		ds[i] = phiTangent(moment, g, theta, hf, f).Mul(reach)
	}
	return updateTangent(m, s, g, theta, ds, hf.Mul(half), f.Mul(half))
}

// phiTangent returns the derivative of a moment's phi(g, theta) in the direction (dg, dtheta), whatever g was made from.
func phiTangent(m rule.Moment, g, theta, dg, dtheta graph.Value) graph.Value {
	gName, thetaName := g.Alias(), theta.Alias()
	phi := m.Apply(gName, thetaName)
	return graph.JVP([]graph.Value{phi}, []graph.Value{gName, thetaName}, []graph.Value{dg, dtheta})[0]
}

// updateTangent returns the derivative of U(s, g, theta) in the direction (ds, dg, dtheta), whatever s was made from.
func updateTangent(m *rule.Memory, s []graph.Value, g, theta graph.Value, ds []graph.Value, dg, dtheta graph.Value) graph.Value {
	names := make([]graph.Value, len(s))
	for i := range s {
		names[i] = s[i].Alias()
	}
	gName, thetaName := g.Alias(), theta.Alias()
	u := m.Update(names, gName, thetaName)
	xs := append(append([]graph.Value(nil), names...), gName, thetaName)
	dxs := append(append([]graph.Value(nil), ds...), dg, dtheta)
	return graph.JVP([]graph.Value{u}, xs, dxs)[0]
}

// fullMemory returns the sums and ages of the full memory as constants of v's type.
func fullMemory(m *rule.Memory, v graph.Value) (sums, ages []graph.Value) {
	for _, moment := range m.Moments {
		sums = append(sums, v.Like(moment.Sum(FullMemory)))
		ages = append(ages, v.Like(moment.Age(FullMemory)))
	}
	return sums, ages
}
