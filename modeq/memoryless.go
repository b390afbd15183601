package modeq

import (
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// Memoryless returns, as graph code, F = U(W_1 phi_1(g), .., g, theta): the update when all past gradients equal g. sums are the
// W_i, scalars.
func Memoryless(r *rule.Rule, sums []graph.Value, g, theta graph.Value) graph.Value {
	s := make([]graph.Value, len(r.Moments))
	for i, m := range r.Moments {
		s[i] = m.Apply(g).Mul(sums[i])
	}
	return r.Update(s, g, theta)
}

// MemorylessDirection returns F with the memory full as a direction made from the gradient: the one in which the second-order equation
// of a full batch needs the Hessian-vector product.
func MemorylessDirection(r *rule.Rule) *objective.Direction {
	return &objective.Direction{Make: func(g, theta graph.Value) graph.Value {
		sums, _ := fullMemory(r, g)
		return Memoryless(r, sums, g, theta)
	}}
}

// Correction returns, as graph code, the second-order term C of a full batch,
//
//	C = sum_i dU/ds_i phi_i'(g) (a_i + W_i/2) H F + dU/dg (1/2) H F + dU/dtheta (1/2) F,
//
// given F, the Hessian-vector product H F, the sums W_i and the ages a_i = sum_k k w_i(k), scalars. It holds wherever the past
// updates all equalled F: with the memory full, or under bias correction.
func Correction(r *rule.Rule, sums, ages []graph.Value, g, theta, f, hf graph.Value) graph.Value {
	half := g.Like(0.5)
	s, ds := make([]graph.Value, len(r.Moments)), make([]graph.Value, len(r.Moments))
	for i, m := range r.Moments {
		phi := m.Apply(g)
		s[i] = phi.Mul(sums[i])
		reach := ages[i].Add(sums[i].Mul(half))
		ds[i] = graph.JVP([]graph.Value{phi}, []graph.Value{g}, []graph.Value{hf})[0].Mul(reach)
	}
	return updateTangent(r, s, g, theta, ds, hf.Mul(half), f.Mul(half))
}

// updateTangent returns the derivative of U(s, g, theta) in the direction (ds, dg, dtheta), whatever s was made from.
func updateTangent(r *rule.Rule, s []graph.Value, g, theta graph.Value, ds []graph.Value, dg, dtheta graph.Value) graph.Value {
	names := make([]graph.Value, len(s))
	for i := range s {
		names[i] = s[i].Alias()
	}
	gName, thetaName := g.Alias(), theta.Alias()
	u := r.Update(names, gName, thetaName)
	xs := append(append([]graph.Value(nil), names...), gName, thetaName)
	dxs := append(append([]graph.Value(nil), ds...), dg, dtheta)
	return graph.JVP([]graph.Value{u}, xs, dxs)[0]
}

// fullMemory returns the sums and ages of the full memory as constants of v's type.
func fullMemory(r *rule.Rule, v graph.Value) (sums, ages []graph.Value) {
	for _, m := range r.Moments {
		sums = append(sums, v.Like(m.Sum(-1)))
		ages = append(ages, v.Like(m.Age(-1)))
	}
	return sums, ages
}
