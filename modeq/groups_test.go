package modeq

import (
	"math"
	"testing"

	"shadowflow/graph"
	"shadowflow/rule"
)

// threeWeights are a matrix between vectors, so that those of a group are no neighbours.
var threeWeights = []graph.Block{{Name: "a", Shape: []int{1}}, {Name: "b", Shape: []int{2, 2}, Offset: 1}, {Name: "c", Shape: []int{1}, Offset: 5}}

// The second-order term of a weight is its own optimizer's, of the step size that it has, with the Hessian times the F of all.
func TestTheSecondOrderTermOfAGroupIsItsOptimizers(t *testing.T) {
	const scale = 0.25
	for name, values := range map[string]map[string]any{
		"nesterov": {"beta1": 0.7}, "muon": {"exact": true}, "shampoo": {"beta2": 0.9, "eps": 0.1}, // the last remembers what has shapes of its own
	} {
		t.Run(name, func(t *testing.T) {
			base, err := rule.New("adamw", map[string]any{"eps": 0.01, "weight_decay": 0.2})
			if err != nil {
				t.Fatal(err)
			}
			own, err := rule.New(name, values)
			if err != nil {
				t.Fatal(err)
			}
			both := base
			both.Groups = []rule.Group{{Match: []string{"b"}, Scale: scale, Config: own}}
			g, theta, hf := []float64{0.3, -0.2, 0.1, 0.4, 0.7, -0.05}, []float64{1, -2, 0.5, 0.2, -1, 0.7}, []float64{0.4, 1.5, -0.7, 0.3, -0.2, 2}
			f, c := secondOrderOf(t, both, threeWeights, g, theta, hf, nil)
			for _, part := range []struct {
				config  rule.Config
				weights []graph.Block
				at      []int
				scale   float64
			}{
				{base, []graph.Block{{Name: "a", Shape: []int{1}}, {Name: "c", Shape: []int{1}, Offset: 1}}, []int{0, 5}, 1},
				{own, []graph.Block{{Name: "b", Shape: []int{2, 2}}}, []int{1, 2, 3, 4}, scale},
			} {
				cut := func(v []float64) (out []float64) {
					for _, j := range part.at {
						out = append(out, v[j])
					}
					return out
				}
				fOwn, cOwn := secondOrderOf(t, part.config, part.weights, cut(g), cut(theta), cut(hf), cut(f))
				for k, j := range part.at {
					if want := part.scale * fOwn[k]; math.Abs(f[j]-want) > 1e-13 {
						t.Errorf("F[%d] = %g, want %g", j, f[j], want)
					}
					if want := part.scale * cOwn[k]; math.Abs(c[j]-want) > 1e-12 {
						t.Errorf("C[%d] = %g, want %g", j, c[j], want)
					}
				}
			}
		})
	}
}

// secondOrderOf returns F, and C of an F, its own if that is nil, with the memory full.
func secondOrderOf(t *testing.T, c rule.Config, weights []graph.Block, g, theta, hf, of []float64) (f, second []float64) {
	t.Helper()
	r, err := c.RuleOf(weights)
	if err != nil {
		t.Fatal(err)
	}
	tm, err := NewTerms[float64](r, len(g), 1)
	if err != nil {
		t.Fatal(err)
	}
	f, second = make([]float64, len(g)), make([]float64, len(g))
	if err := tm.Field(FullMemory, g, theta, f); err != nil {
		t.Fatal(err)
	}
	if of == nil {
		of = f
	}
	if err := tm.SecondOrder(FullMemory, g, theta, of, hf, second); err != nil {
		t.Fatal(err)
	}
	return f, second
}
