package modeq

import (
	"errors"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/rule"
)

func TestAGradientWhoseSquareOverflowsIsRefusedWhereItIsSquared(t *testing.T) {
	adam, lion, sgd := fixture.Rule(t, "adam", nil), fixture.Rule(t, "lion", nil), fixture.Rule(t, "sgd", nil)
	for name, c := range map[string]struct {
		rule *rule.Rule
		g    []float64
		want string // of the error, empty: none
	}{
		"adam":                            {adam, []float64{1, 1e160}, "moment corrected(v) of adam overflows float64 at element 1, for a gradient of 1e+160"},
		"adam, the square just there":     {adam, []float64{1, -1e154}, ""},
		"adam, a gradient of 0":           {adam, []float64{0, 0}, ""},
		"lion, which squares its average": {lion, []float64{-1e160, 1}, "update of lion overflows float64 at element 0"},
		"sgd, which squares nothing":      {sgd, []float64{1, 1e300}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckOverflow(c.rule, c.g, []float64{1, 1}, 1)
			overflow := (*Overflow)(nil)
			if (c.want != "") != errors.As(err, &overflow) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if err := CheckOverflow(adam, []float32{1, 1e30}, []float32{1, 1}, 1); err == nil || !strings.Contains(err.Error(), "float32 at element 1") || !strings.Contains(err.Error(), "want dtype float64") {
		t.Errorf("in float32: %v", err)
	}
}

func TestNoRuleOverflowsAtAnEverydayGradient(t *testing.T) {
	for name, r := range rules(t) {
		for _, g := range [][]float64{{0, 0, 0}, {1e-20, -1e-3, 0}, {30, -2e4, 1e8}} {
			if err := CheckOverflow(r, g, []float64{1, 0, -3}, 1); err != nil {
				t.Errorf("%s at %v: %v", name, g, err)
			}
		}
	}
}
