package modeq

import (
	"math"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
)

func fieldsAt(t testing.TB, r *rule.Rule, o *objective.Function, order int, opt FieldOptions, theta []float64) [][]float64 {
	t.Helper()
	f, err := CompileFields(r, o, o.Dim, order, opt)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, order)
	for i := range out {
		out[i] = make([]float64, o.Dim)
	}
	if err := f.At(t.Context(), theta, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAdamsFirstFiveFieldsMatchReference(t *testing.T) {
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 1})
	got := fieldsAt(t, r, onePair(t), 5, FieldOptions{}, []float64{1.6, 1.1})
	want := [][]float64{
		{-0.9756050543917824, -0.9882440952305909},
		{1.7172542507941349, 1.7162520163095953},
		{9.253603282616142, 6.513175610824666},
		{-65.97338206532311, -62.88167437792313},
		{-2.4991550046850364, 159.89701377795205},
	}
	for b := range want {
		for i, w := range want[b] {
			if math.Abs(got[b][i]-w) > 1e-10*math.Abs(w) {
				t.Errorf("f%d[%d] = %.16g, want %.16g", b, i, got[b][i], w)
			}
		}
	}
}
