package modeq

import (
	"fmt"

	"shadowflow/engine"
	"shadowflow/graph"
)

// Coefficient writes, for a rule whose phi and U act coordinate by coordinate, the coefficients in front of H F in
//
//	C_j = kappa_j (H F)_j + (1/2) dU/dtheta_j F_j
//
// into kappa: where kappa_j > 0 the norm whose gradient is H F is penalized in coordinate j, where kappa_j < 0 its decrease is
// hindered. For Adam it is (1/(2 R_j)) [c1 - c2 + c2 eps/(g_j^2+eps)].
//
// If denominator is not nil it receives the R_j of F_j = g_j/R_j, weight decay left out: sqrt(g_j^2+eps) for Adam. So the paper's
// bias is bias_j = lr R_j kappa_j (H F)_j.
func (t *Terms[T]) Coefficient(n int, g, theta, kappa, denominator []T) error {
	if err := t.coefficientParts(n, g, theta, denominator); err != nil {
		return err
	}
	clear(kappa)
	for _, part := range t.parts {
		addTo(kappa, 1, part)
	}
	return nil
}

// Bias writes the paper's bias vector of a rule whose phi and U act coordinate by coordinate, given hf = H F: the equation is
//
//	dtheta_j/dt = -(1/R_j) (g_j + bias_j),    bias_j = lr R_j kappa_j (H F)_j,
//
// beside the terms of weight decay. Where it has the sign of the norm's gradient H F, the norm is penalized.
func (t *Terms[T]) Bias(n int, lr float64, g, theta, hf, bias []T) error {
	denominator := make([]T, t.dim)
	if err := t.Coefficient(n, g, theta, bias, denominator); err != nil {
		return err
	}
	for j, r := range denominator {
		bias[j] *= T(lr) * r * hf[j]
	}
	return nil
}

// coefficientParts computes what each moment, and at last g itself, add to kappa.
func (t *Terms[T]) coefficientParts(n int, g, theta, denominator []T) error {
	if err := t.compileCoefficient(); err != nil {
		return err
	}
	if denominator == nil {
		denominator = t.parts[len(t.parts)-1]
	}
	t.scalars(n)
	// The denominator comes first: its slice may be that of a part, which is then overwritten.
	in := buffers([][]T{g, theta}, t.sums, t.ages)
	if err := t.denominator.Run(in[:2+len(t.sums)], buffers([][]T{denominator})); err != nil {
		return err
	}
	return t.coefficient.Run(in, buffers(t.parts))
}

func (t *Terms[T]) compileCoefficient() error {
	if t.coefficient != nil {
		return nil
	}
	memory, b := t.memory, graph.NewBuilder()
	g, theta := b.Param("g", t.dtype, t.dim), b.Param("theta", t.dtype, t.dim)
	sums, ages := make([]graph.Value, len(memory.Moments)), make([]graph.Value, len(memory.Moments))
	for i := range memory.Moments {
		sums[i] = b.Param(fmt.Sprintf("sum %d", i), t.dtype)
		ages[i] = b.Param(fmt.Sprintf("age %d", i), t.dtype)
	}
	zero, one := g.Like(0).BroadcastTo(t.dim), g.Like(1).BroadcastTo(t.dim)
	s, zeros := make([]graph.Value, len(memory.Moments)), make([]graph.Value, len(memory.Moments))
	for i, m := range memory.Moments {
		s[i], zeros[i] = m.Apply(g, theta).Mul(sums[i]), zero
	}
	var parts []graph.Value
	for i, m := range memory.Moments {
		slope := phiTangent(m, g, theta, one, zero)
		ds := append([]graph.Value(nil), zeros...)
		ds[i] = slope.Mul(ages[i].Add(sums[i].Mul(g.Like(0.5))))
		parts = append(parts, updateTangent(memory, s, g, theta, ds, zero, zero))
	}
	parts = append(parts, updateTangent(memory, s, g, theta, zeros, one.Mul(g.Like(0.5)), zero))

	// F without weight decay, and its slope where g = 0 and g/F is not a number.
	f := Memoryless(memory, sums, g, zero)
	slope := graph.JVP([]graph.Value{f}, []graph.Value{g}, []graph.Value{one})[0]
	denominator := graph.Select(g.Equal(zero), slope.Recip(), g.Div(f))

	in := append([]graph.Value{g, theta}, sums...)
	var err error
	if t.denominator, err = engine.Compile(in, []graph.Value{denominator}, t.options); err != nil {
		return fmt.Errorf("denominator of %s: %w", t.rule.Name, err)
	}
	t.parts = make([][]T, len(parts))
	for i := range t.parts {
		t.parts[i] = make([]T, t.dim)
	}
	t.coefficient, err = engine.Compile(append(in, ages...), parts, t.options)
	if err != nil {
		return fmt.Errorf("coefficient of %s: %w", t.rule.Name, err)
	}
	return nil
}
