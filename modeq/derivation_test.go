package modeq

import (
	"maps"
	"math"
	"testing"

	"shadowflow/rule"
)

func TestFormulasAgreeWithTheRulesCode(t *testing.T) {
	gradients := []float64{-3, -0.4, 0.05, 0.7, 20}
	theta := []float64{0.3, -1, 2, 0.1, 5}
	for name, r := range rules(t) {
		d, err := Derive(r)
		if err != nil {
			t.Fatal(err)
		}
		terms, err := NewTerms[float64](r, len(gradients), 1)
		if err != nil {
			t.Fatal(err)
		}
		f, kappa := make([]float64, len(gradients)), make([]float64, len(gradients))
		if err := terms.Update(FullMemory, gradients, theta, f); err != nil {
			t.Fatal(err)
		}
		if err := terms.Coefficient(FullMemory, gradients, theta, kappa, nil); err != nil {
			t.Fatal(err)
		}
		for j, g := range gradients {
			at := maps.Clone(d.Values)
			at["g"], at["theta"] = g, theta[j]
			if got := d.Field.Value(at); math.Abs(got-f[j]) > 1e-13*math.Abs(f[j]) {
				t.Errorf("%s: F = %s is %g at g = %g, its code says %g", name, d.Field, got, g, f[j])
			}
			if got := d.Kappa.Value(at); math.Abs(got-kappa[j]) > 1e-12 {
				t.Errorf("%s: kappa = %s is %g at g = %g, its code says %g", name, d.Kappa, got, g, kappa[j])
			}
			if got := d.Decay.Value(at); got != r.Constants["lambda"] {
				t.Errorf("%s: dU/dtheta = %g", name, got)
			}
		}
	}
}

func TestDerivationsReadAsInThePaper(t *testing.T) {
	for _, tc := range []struct {
		name               string
		values             map[string]string
		field, kappa, norm string
	}{
		{"adam", nil, "g / sqrt(g^2 + eps)", "(c1 - c2 g^2 / (g^2 + eps)) / (2 sqrt(g^2 + eps))", "sqrt(g_j^2 + eps)"},
		{"rmsprop", nil, "g / sqrt(g^2 + eps)", "(1 - c2 g^2 / (g^2 + eps)) / (2 sqrt(g^2 + eps))", "sqrt(g_j^2 + eps)"},
		{"gd", nil, "g", "1 / 2", "g_j^2 / 2"},
		{"heavy-ball", nil, "W_m g", "W_m c1 / 2", "W_m g_j^2 / 2"},
		{"signum", nil, "g / sqrt(g^2 + eps)", "c1 eps / (2 (g^2 + eps)^(3/2))", "sqrt(g_j^2 + eps)"},
		{"adam", map[string]string{"eps_inside": "false"}, "g / (|g| + eps)", "", "(|g_j| - eps log(1 + |g_j|/eps))"},
	} {
		d, err := Derive(mustRule(t, tc.name, tc.values))
		if err != nil {
			t.Fatal(err)
		}
		if d.Field.String() != tc.field || d.Norm != tc.norm || (tc.kappa != "" && d.Kappa.String() != tc.kappa) {
			t.Errorf("%s: F = %s, kappa = %s, psi = %s, want %s, %s, %s", tc.name, d.Field, d.Kappa, d.Norm, tc.field, tc.kappa, tc.norm)
		}
	}
}

func TestLimitingCasesAreTheRowsOfTableOne(t *testing.T) {
	for _, tc := range []struct {
		beta1, beta2 string
		small        int
	}{{"0.9", "0.999", -1}, {"0.99", "0.9", 1}} {
		d, err := Derive(mustRule(t, "adam", map[string]string{"beta1": tc.beta1, "beta2": tc.beta2}))
		if err != nil {
			t.Fatal(err)
		}
		limits, err := d.Limits()
		if err != nil {
			t.Fatal(err)
		}
		small, large := limits[0], limits[1]
		if small.Kappa.String() != "(c1 - c2) / (2 |g|)" || small.Norm != "one-norm" || small.Sign != tc.small {
			t.Errorf("small eps: %s, %s, %d", small.Kappa, small.Norm, small.Sign)
		}
		if large.Kappa.String() != "c1 / (2 sqrt(eps))" || large.Norm != "two-norm" || large.Sign != 1 {
			t.Errorf("large eps: %s, %s, %d", large.Kappa, large.Norm, large.Sign)
		}
	}
}

func TestRulesWithoutFormulasSaySo(t *testing.T) {
	r := mustRule(t, "adam", nil)
	bare := *r
	bare.Formula = ""
	if _, err := Derive(&bare); err == nil {
		t.Error("no formula: no error")
	}
	wrong := *r
	wrong.Formula = "m / ("
	if _, err := Derive(&wrong); err == nil {
		t.Error("a broken formula: no error")
	}
	hidden := *r
	hidden.Moments = append([]rule.Moment(nil), r.Moments...)
	hidden.Moments[1].PhiFormula = ""
	if _, err := Derive(&hidden); err == nil {
		t.Error("no PhiFormula: no error")
	}
}
