package modeq

import (
	"math"
	"testing"

	"shadowflow/graph"
	"shadowflow/rule"
)

// threeWeights are of four parameters, so that those of a group are no neighbours.
var threeWeights = []graph.Block{{Name: "a", Shape: []int{1}}, {Name: "b", Shape: []int{2}, Offset: 1}, {Name: "c", Shape: []int{1}, Offset: 3}}

// The second-order term of a weight is its own optimizer's, of the step size that it has, with the Hessian times the F of all.
func TestTheSecondOrderTermOfAGroupIsItsOptimizers(t *testing.T) {
	const scale = 0.25
	base, err := rule.New("adamw", map[string]any{"eps": 0.01, "weight_decay": 0.2})
	if err != nil {
		t.Fatal(err)
	}
	own, err := rule.New("nesterov", map[string]any{"beta1": 0.7})
	if err != nil {
		t.Fatal(err)
	}
	base.Groups = []rule.Group{{Match: []string{"b"}, Scale: scale, Config: own}}
	r, err := base.RuleOf(threeWeights)
	if err != nil {
		t.Fatal(err)
	}
	base.Groups = nil
	g, theta, hf := []float64{0.3, -0.2, 0.1, -0.05}, []float64{1, -2, 0.5, 0.7}, []float64{0.4, 1.5, -0.7, 2}
	f, c := make([]float64, 4), make([]float64, 4)
	terms(t, r, 4, g, theta, hf, f, c)
	for _, part := range []struct {
		config rule.Config
		at     []int
		scale  float64
	}{{base, []int{0, 3}, 1}, {own, []int{1, 2}, scale}} {
		alone, err := part.config.Rule()
		if err != nil {
			t.Fatal(err)
		}
		cut := func(v []float64) (out []float64) {
			for _, j := range part.at {
				out = append(out, v[j])
			}
			return out
		}
		fOwn, cOwn := make([]float64, 2), make([]float64, 2)
		tm, err := NewTerms[float64](alone, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := tm.Field(FullMemory, cut(g), cut(theta), fOwn); err != nil {
			t.Fatal(err)
		}
		if err := tm.SecondOrder(FullMemory, cut(g), cut(theta), cut(f), cut(hf), cOwn); err != nil {
			t.Fatal(err)
		}
		for k, j := range part.at {
			if want := part.scale * fOwn[k]; math.Abs(f[j]-want) > 1e-14 {
				t.Errorf("F[%d] = %g, want %g", j, f[j], want)
			}
			if want := part.scale * cOwn[k]; math.Abs(c[j]-want) > 1e-13 {
				t.Errorf("C[%d] = %g, want %g", j, c[j], want)
			}
		}
	}
}

// terms writes F and C of a full memory.
func terms(t *testing.T, r *rule.Rule, dim int, g, theta, hf, f, c []float64) {
	t.Helper()
	tm, err := NewTerms[float64](r, dim, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := tm.Field(FullMemory, g, theta, f); err != nil {
		t.Fatal(err)
	}
	if err := tm.SecondOrder(FullMemory, g, theta, f, hf, c); err != nil {
		t.Fatal(err)
	}
}
