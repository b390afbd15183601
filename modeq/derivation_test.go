package modeq

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/rule/formula"
)

func TestFormulasAgreeWithTheRulesCode(t *testing.T) {
	gradients := []float64{-3, -0.4, 0.05, 0.7, 20}
	theta := []float64{0.3, -1, 2, 0.1, 5}
	for name, r := range rules(t) {
		t.Run(name, func(t *testing.T) {
			d, err := Derive(r)
			if unknown := (*formula.UnknownToAlgebra)(nil); errors.As(err, &unknown) && (name == "lamb" || name == "muon") {
				return // functions of whole weights
			}
			if err != nil {
				t.Fatal(err)
			}
			terms, err := NewTerms[float64](r, len(gradients), 1)
			if err != nil {
				t.Fatal(err)
			}
			f, kappa := make([]float64, len(gradients)), make([]float64, len(gradients))
			if err := terms.Field(FullMemory, gradients, theta, f); err != nil {
				t.Fatal(err)
			}
			if err := terms.Coefficient(FullMemory, gradients, theta, kappa, nil); err != nil {
				t.Fatal(err)
			}
			for j, g := range gradients {
				at := maps.Clone(d.Values)
				at["g"], at["theta"] = g, theta[j]
				if got := d.Field.Value(at); math.Abs(got-f[j]) > 1e-13*math.Abs(f[j]) {
					t.Errorf("F = %s is %g at g = %g, its code says %g", d.Field, got, g, f[j])
				}
				if got := d.Kappa.Value(at); math.Abs(got-kappa[j]) > 1e-12*(1+math.Abs(got)) {
					t.Errorf("kappa = %s is %g at g = %g, its code says %g", d.Kappa, got, g, kappa[j])
				}
				if got := d.Decay.Value(at); got != r.Memory.Values["weight_decay"] {
					t.Errorf("dU/dtheta = %g", got)
				}
			}
		})
	}
}

func TestDerivationsReadAsInThePaper(t *testing.T) {
	for _, tc := range []struct {
		name               string
		values             map[string]any
		field, kappa, norm string
	}{
		{"adam", nil, "g / sqrt(g^2 + eps)", "(c1 - c2 g^2 / (g^2 + eps)) / (2 sqrt(g^2 + eps))", "sqrt(g_j^2 + eps)"},
		{"rmsprop", nil, "g / sqrt(g^2 + eps)", "(1 - c2 g^2 / (g^2 + eps)) / (2 sqrt(g^2 + eps))", "sqrt(g_j^2 + eps)"},
		{"gd", nil, "g", "1 / 2", "g_j^2 / 2"},
		{"heavy-ball", nil, "W_m g", "W_m c1 / 2", "W_m g_j^2 / 2"},
		{"nesterov", nil, "g (1 + W_m beta1)", "(1 + W_m beta1 c1) / 2", "(1 + W_m beta1) g_j^2 / 2"},
		{"lion", nil, "g / sqrt(g^2 + eps) + weight_decay theta", "c1 eps / (2 (g^2 + eps)^(3/2))", "sqrt(g_j^2 + eps)"},
		{"signum", nil, "g / sqrt(g^2 + eps)", "c1 eps / (2 (g^2 + eps)^(3/2))", "sqrt(g_j^2 + eps)"},
		{"adam", map[string]any{"eps_inside": false}, "g / (|g| + eps)", "", "(|g_j| - eps log(1 + |g_j|/eps))"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := Derive(fixture.Rule(t, tc.name, tc.values))
			if err != nil {
				t.Fatal(err)
			}
			if d.Field.String() != tc.field || d.Norm != tc.norm || (tc.kappa != "" && d.Kappa.String() != tc.kappa) {
				t.Errorf("F = %s, kappa = %s, psi = %s, want %s, %s, %s", d.Field, d.Kappa, d.Norm, tc.field, tc.kappa, tc.norm)
			}
		})
	}
}

func TestLimitingCasesAreTheRowsOfTableOne(t *testing.T) {
	for _, tc := range []struct {
		beta1, beta2 float64
		small        int
	}{{0.9, 0.999, -1}, {0.99, 0.9, 1}} {
		t.Run(fmt.Sprintf("betas %g and %g", tc.beta1, tc.beta2), func(t *testing.T) {
			d, err := Derive(fixture.Rule(t, "adam", map[string]any{"beta1": tc.beta1, "beta2": tc.beta2}))
			if err != nil {
				t.Fatal(err)
			}
			limits := d.Limits()
			small, large := limits[0], limits[1]
			if small.Kappa.String() != "(c1 - c2) / (2 |g|)" || small.Norm != "one-norm" || small.Sign != tc.small {
				t.Errorf("small eps: %s, %s, %d", small.Kappa, small.Norm, small.Sign)
			}
			if large.Kappa.String() != "c1 / (2 sqrt(eps))" || large.Norm != "two-norm" || large.Sign != 1 {
				t.Errorf("large eps: %s, %s, %d", large.Kappa, large.Norm, large.Sign)
			}
		})
	}
}

// mustDefine returns the rule of a definition.
func mustDefine(t testing.TB, text string) *rule.Rule {
	t.Helper()
	d, err := rule.ParseDefinition("mine.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatCannotBeDerivedSaysWhy(t *testing.T) {
	const head = "optimizer:\n  name: mine\n  lr: 0.1\n  let: {b: 0.9, eps: 1e-8}\n"
	hidden := *fixture.Rule(t, "adam", nil)
	bare := *hidden.Memory
	bare.Formula, hidden.Memory = nil, &bare
	for what, tc := range map[string]struct {
		rule *rule.Rule
		want string
	}{
		"code alone":            {&hidden, "no formula to derive from"},
		"a maximum in U":        {mustDefine(t, head+"  state: {m: 'sum(g, b)'}\n  update: max(m, eps)\n"), "rule mine, U = max(m, eps): max can be computed, but not written down"},
		"what there is":         {mustDefine(t, head+"  state: {m: 'sum(g, b)'}\n  update: max(m, eps)\n"), "run, probe and verify compute it"},
		"a function in phi":     {mustDefine(t, head+"  state: {m: 'sum(tanh(g), b)'}\n  update: m / eps\n"), "tanh can be computed"},
		"memory of the maximum": {mustDefine(t, head+"  state:\n    v: ema(g^2, b)\n    top: max(top, v)\n  update: g / sqrt(top + eps)\n"), "top = max(top, v) is no exponential memory"},
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := Derive(tc.rule); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestEveryEquationAsksForTheMemoryForm(t *testing.T) {
	r := mustDefine(t, "optimizer:\n  name: mine\n  lr: 0.1\n  state: {top: 'max(top, g^2)'}\n  update: g / top\n")
	for what, ask := range map[string]func() error{
		"Derive":     func() error { _, err := Derive(r); return err },
		"NewTerms":   func() error { _, err := NewTerms[float64](r, 2, 1); return err },
		"NewNorm":    func() error { _, err := NewNorm(r); return err },
		"NewEffects": func() error { _, err := NewEffects(r); return err },
		"NewSecondOrder": func() error {
			_, err := NewSecondOrder(r, objective.Objective[float64](numeric(threePairs(t))), SecondOptions{})
			return err
		},
		"CompileFields": func() error { _, err := CompileFields(r, threePairs(t), 2, 1, FieldOptions{}); return err },
	} {
		t.Run(what, func(t *testing.T) {
			var lacks *rule.NoMemoryError
			if err := ask(); !errors.As(err, &lacks) {
				t.Errorf("%v, want a *rule.NoMemoryError", err)
			}
		})
	}
}

func TestNumbersOfMomentsHaveNamesOfTheirOwn(t *testing.T) {
	r := mustDefine(t, `optimizer:
  name: mine
  lr: 0.1
  let: {c1: 0.5, b: 0.9, W_m: 2, slow: 0.99}
  state:
    m: sum(g, b)
    c: ema(g, slow)
    x: ema(g^3, b)
  update: c1 * m + W_m * c + corrected(m) + x
`)
	d, err := Derive(r)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range d.Moments {
		names = append(names, m.Name, m.Age, m.Sum)
	}
	if want := []string{"m", "c_m", "W_m_", "corrected(m)", "c_m", "", "c", "c_c", "", "x", "c_x", ""}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if d.Values["c1"] != 0.5 || d.Values["W_m"] != 2 || math.Abs(d.Values["W_m_"]-10) > 1e-14 || math.Abs(d.Values["c_c"]-199) > 1e-11 {
		t.Errorf("values %v", d.Values)
	}
}
