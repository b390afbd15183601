package modeq

import (
	"testing"

	"shadowflow/objective"
	"shadowflow/objective/closed"
)

// bilinear is (1/2)(y - x theta_1 theta_2)^2, one pair (x, y) a batch.
func bilinear(t testing.TB, pairs ...[2]float64) *objective.Function {
	t.Helper()
	f, err := closed.New("bilinear", map[string]any{"pairs": pairs})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func onePair(t testing.TB) *objective.Function { return bilinear(t, [2]float64{2, 1.5}) }

func threePairs(t testing.TB) *objective.Function {
	return bilinear(t, [2]float64{2, 1.5}, [2]float64{1, 2}, [2]float64{1.5, 0.3})
}

func numeric(f *objective.Function) *objective.Numeric[float64] {
	return objective.NewNumeric[float64](f, 1)
}

// gradient and product evaluate a batch in one line.
func gradient(t testing.TB, o objective.Objective[float64], batch int, theta []float64) []float64 {
	t.Helper()
	g := make([]float64, len(theta))
	if _, err := o.Evaluate(t.Context(), theta, batch, objective.Want[float64]{Gradient: g}); err != nil {
		t.Fatal(err)
	}
	return g
}

func product(t testing.TB, o objective.Objective[float64], batch int, theta, v []float64) []float64 {
	t.Helper()
	hv := make([]float64, len(theta))
	want := objective.Want[float64]{Vectors: [][]float64{v}, Products: [][]float64{hv}}
	if _, err := o.Evaluate(t.Context(), theta, batch, want); err != nil {
		t.Fatal(err)
	}
	return hv
}
