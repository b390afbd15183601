package modeq

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
)

func mustEffects(t *testing.T, r *rule.Rule) *Effects {
	t.Helper()
	e, err := NewEffects(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func intervals(t *testing.T, r *rule.Rule) []Interval {
	t.Helper()
	out, err := mustEffects(t, r).Intervals(FullMemory)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCriticalGradientOfAdamMatchesClosedForm(t *testing.T) {
	for _, tc := range []struct {
		rule         string
		beta1, beta2 float64
		eps          float64
	}{{"adam", 0.9, 0.999, 1e-8}, {"adam", 0.5, 0.9, 1e-2}, {"rmsprop", 0, 0.9, 1e-6}, {"adamw", 0.9, 0.95, 1e-8}} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			values := map[string]any{"beta2": tc.beta2, "eps": tc.eps}
			if tc.beta1 > 0 {
				values["beta1"] = tc.beta1
			}
			got := intervals(t, fixture.Rule(t, tc.rule, values))
			c1, c2 := (1+tc.beta1)/(1-tc.beta1), (1+tc.beta2)/(1-tc.beta2)
			want := math.Sqrt(tc.eps * c1 / (c2 - c1))
			if len(got) != 2 || got[0].Sign != 1 || got[1].Sign != -1 || math.Abs(got[0].To-want) > 1e-9*want {
				t.Errorf("%+v, want a change from + to - at %g", got, want)
			}
		})
	}
}

func TestCriticalGradientFollowsTheMeanAges(t *testing.T) {
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.9, "beta2": 0.99, "eps": 1e-8})
	e := mustEffects(t, r)
	for _, n := range []int{100, 1000, FullMemory} {
		t.Run(fmt.Sprintf("step %d", n), func(t *testing.T) {
			got, err := e.Critical(n)
			if err != nil {
				t.Fatal(err)
			}
			// With the mean ages a of step n in the place of beta/(1-beta), c = 2a + 1.
			c1, c2 := 2*r.Memory.Moments[0].Age(n)+1, 2*r.Memory.Moments[1].Age(n)+1
			want := math.Sqrt(1e-8 * c1 / (c2 - c1))
			if len(got) != 1 || math.Abs(got[0]-want) > 1e-9*want {
				t.Errorf("critical sizes %v, want %v alone", got, want)
			}
		})
	}
}

func TestRulesOfOneSignHaveNoCriticalGradient(t *testing.T) {
	for name, values := range map[string]map[string]any{"gd": nil, "heavy-ball": nil, "adam": {"beta1": 0.99, "beta2": 0.9}} {
		t.Run(name, func(t *testing.T) {
			got, err := mustEffects(t, fixture.Rule(t, name, values)).Critical(FullMemory)
			if err != nil || len(got) > 0 {
				t.Errorf("critical sizes %v, error %v, want none", got, err)
			}
		})
	}
}

func TestEveryRuleHasEffectsInEveryStep(t *testing.T) {
	for name, r := range rules(t) {
		t.Run(name, func(t *testing.T) {
			e := mustEffects(t, r)
			for _, n := range []int{0, 1, 2, 30, FullMemory} {
				got, err := e.Intervals(n)
				if err != nil {
					t.Fatalf("step %d: %v", n, err)
				}
				for i := 1; i < len(got); i++ {
					if got[i].From != got[i-1].To || !(got[i].From > got[i-1].From) || got[i].Sign == got[i-1].Sign {
						t.Errorf("step %d: intervals %+v, then %+v", n, got[i-1], got[i])
					}
				}
				if last := got[len(got)-1]; !math.IsInf(last.To, 1) {
					t.Errorf("step %d: the last interval is %+v", n, last)
				}
			}
		})
	}
}

func TestSignsOfRulesThatNeverHinder(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"gd": nil, "heavy-ball": nil, "nesterov": nil, "signum": nil, "lion": nil, "adam": {"beta1": 0.99, "beta2": 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			got := intervals(t, fixture.Rule(t, name, values))
			if got[0].Sign != 1 || got[0].To < 1 {
				t.Errorf("%+v, want penalized", got[:min(len(got), 4)])
			}
			for i, interval := range got[1:] { // a smooth sign's effect vanishes for large gradients
				if interval.Sign != 0 || i > 0 {
					t.Errorf("%+v, want nothing beyond", interval)
				}
			}
		})
	}
}

func TestEqualBetasCancelForLargeGradients(t *testing.T) {
	got := intervals(t, fixture.Rule(t, "adam", map[string]any{"beta1": 0.9, "beta2": 0.9, "eps": 1}))
	if got[0].Sign != 1 || got[0].To < 1e5 || got[len(got)-1].Sign != 0 {
		t.Errorf("%+v, want penalized until rounding hides it, then 0", got)
	}
}

func TestCoefficientTimesProductIsTheCorrection(t *testing.T) {
	theta := []float64{0.9, 0.6}
	o := threePairs(t)
	for name, r := range rules(t) {
		if !r.Elementwise {
			continue // it has no coefficient for each element
		}
		t.Run(name, func(t *testing.T) {
			s := mustSecond(t, r, o, SecondOptions{})
			f, c := evaluate(t, s, FullMemory, theta)
			kappa, denominator := make([]float64, 2), make([]float64, 2)
			g, hf := gradient(t, numeric(o), objective.Full, theta), product(t, numeric(o), objective.Full, theta, f)
			if err := s.terms.Coefficient(FullMemory, g, theta, kappa, denominator); err != nil {
				t.Fatal(err)
			}
			lambda := r.Memory.Values["weight_decay"]
			for j := range c {
				agree(t, "C", []float64{kappa[j]*hf[j] + lambda/2*f[j]}, c[j:j+1], 1e-13)
				agree(t, "R", []float64{g[j]/denominator[j] + lambda*theta[j]}, f[j:j+1], 1e-13)
			}
		})
	}
}

func TestDenominatorAtZeroGradientIsTheSlopesInverse(t *testing.T) {
	terms, err := NewTerms[float64](fixture.Rule(t, "adam", map[string]any{"eps": 0.25}), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	kappa, denominator := make([]float64, 1), make([]float64, 1)
	if err := terms.Coefficient(FullMemory, []float64{0}, []float64{3}, kappa, denominator); err != nil {
		t.Fatal(err)
	}
	if denominator[0] != 0.5 || math.Abs(kappa[0]-19) > 1e-12 { // c1 / (2 sqrt(eps))
		t.Errorf("R = %g, kappa = %g, want 0.5 and 19", denominator[0], kappa[0])
	}
}

// With eps outside of the root the second moment of a parameter without gradients is 0, and so is its part: C_j = (c1/2) (H F)_j / eps.
func TestAZeroGradientHasABiasWithEpsOutside(t *testing.T) {
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_inside": false})
	t.Run("float64", func(t *testing.T) { zeroGradient[float64](t, r, 1e-12) })
	t.Run("float32", func(t *testing.T) { zeroGradient[float32](t, r, 1e-5) })
}

func zeroGradient[T graph.Float](t *testing.T, r *rule.Rule, tol float64) {
	terms, err := NewTerms[T](r, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	g, theta, f, hf, c := []T{0, 0.3}, []T{1, 2}, make([]T, 2), []T{0.7, -0.2}, make([]T, 2)
	if err := terms.Field(FullMemory, g, theta, f); err != nil {
		t.Fatal(err)
	}
	if err := terms.SecondOrder(FullMemory, g, theta, f, hf, c); err != nil {
		t.Fatal(err)
	}
	const c1 = 19
	if want := c1 / 2. * 0.7 / 1e-8; f[0] != 0 || !(math.Abs(float64(c[0])-want) <= tol*want) {
		t.Errorf("F = %g, C = %g, want 0 and %g", f[0], c[0], want)
	}
	if math.IsNaN(float64(c[1])) {
		t.Errorf("C of the other parameter is %g", c[1])
	}
}

func TestNormsMatchClosedForms(t *testing.T) {
	const eps = 1e-6
	inside := func(g float64) float64 { return g * g / (math.Sqrt(g*g+eps) + math.Sqrt(eps)) }
	for _, tc := range []struct {
		rule   string
		values map[string]any
		want   func(g float64) float64
	}{
		{"gd", nil, func(g float64) float64 { return g * g / 2 }},
		{"heavy-ball", map[string]any{"beta1": 0.75}, func(g float64) float64 { return 2 * g * g }},
		{"adam", map[string]any{"eps": 1e-6}, inside},
		{"lion", map[string]any{"eps": 1e-6, "weight_decay": 1}, inside},
		{"adam", map[string]any{"eps": 1e-6, "eps_inside": false}, func(g float64) float64 {
			g = math.Abs(g)
			if g < 1e-4*eps { // the difference cancels: its leading term
				return g * g / (2 * eps)
			}
			return g - eps*math.Log1p(g/eps)
		}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			n, err := NewNorm(fixture.Rule(t, tc.rule, tc.values))
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range []float64{0, 1e-9, 1e-4, -1e-3, 0.3, -7, 1e6} {
				got, err := n.Density(g)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got-tc.want(g)) > 1e-9*math.Abs(tc.want(g)) {
					t.Errorf("psi(%g) = %.15g, want %.15g", g, got, tc.want(g))
				}
			}
		})
	}
}
