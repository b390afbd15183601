package state

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
)

func TestTheEquationIsTheFirstTwoFieldsToThirdOrder(t *testing.T) {
	const lr, beta1, beta2, age = 0.02, 0.7, 0.85, 7.0
	for _, c := range []struct {
		name      string
		flags     map[string]any
		gradients int
	}{
		{"gd", nil, 2},
		{"rmsprop", map[string]any{"eps_inside": true}, 2},
		{"adam", map[string]any{"bias_correction": true}, 1},
		{"adam", map[string]any{"bias_correction": false, "eps_inside": false}, 1},
		{"adamw", map[string]any{"bias_correction": true}, 1},
		{"nadam", map[string]any{"bias_correction": true}, 2},
		{"signum", nil, 1},
		{"lion", nil, 2},
	} {
		t.Run(fmt.Sprint(c.name, c.flags), func(t *testing.T) {
			z := []float64{1.3, 1.6}
			at := func(e float64) *rule.Rule {
				keys, err := rule.Keys(c.name)
				if err != nil {
					t.Fatal(err)
				}
				values := map[string]any{"lr": e * lr}
				for k, v := range c.flags {
					values[k] = v
				}
				for _, k := range keys {
					switch {
					case k.Name == "beta1" && c.name != "lion": // whose beta1 only mixes
						values[k.Name] = math.Pow(beta1, e)
					case k.Name == "beta2":
						values[k.Name] = math.Pow(beta2, e)
					case k.Name == "eps":
						values[k.Name] = 0.3
					}
				}
				return fixture.Rule(t, c.name, values)
			}
			for range at(1).State {
				z = append(z, 3.1, 4.3)
			}
			off := func(e float64, order int) float64 {
				r := at(e)
				equation, err := NewEquation[float64](r, objective.NewNumeric[float64](fixture.Loss(t, "bilinear", nil), 1), order, 1)
				if err != nil {
					t.Fatal(err)
				}
				if order == 2 && equation.Gradients() != c.gradients {
					t.Errorf("an evaluation costs %d gradients, want %d", equation.Gradients(), c.gradients)
				}
				fields, err := CompileFields(r, fixture.Loss(t, "bilinear", nil), 2, order, 1)
				if err != nil {
					t.Fatal(err)
				}
				got, want := make([]float64, len(z)), make([]float64, len(z))
				if err := equation.At(t.Context(), e*lr, age/e, objective.Full, z, got); err != nil {
					t.Fatal(err)
				}
				if err := fields.Sum(t.Context(), e*lr, age/e, 1, z, want); err != nil {
					t.Fatal(err)
				}
				far := 0.0
				for i, v := range want {
					far = math.Max(far, math.Abs(got[i]-v))
				}
				return far
			}
			if far := off(1, 1); far > 1e-13 {
				t.Errorf("order 1 is off by %g", far)
			}
			if a, b := off(1./32, 2), off(1./64, 2); !(math.Abs(math.Log2(a/b)-3) < 0.2) {
				t.Errorf("order 2 is off by %.3g, at half the size by %.3g: want the third order", a, b)
			}
		})
	}
}

// A gradient that was nothing before is where the sum of f_0 and f_1, as they stand, has no bounds.
func TestAParameterThatWakesUpMovesByNoMoreThanAStep(t *testing.T) {
	r := fixture.Rule(t, "adam", map[string]any{"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_inside": false})
	o := objective.NewNumeric[float64](&objective.Function{Dim: 1, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.Square().Sum()
	}}, 1)
	e, err := NewEquation[float64](r, o, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	z, dz := []float64{1, 1e-9, 1e-16}, make([]float64, 3) // the gradient is 2
	if err := e.At(t.Context(), 1e-3, 10, objective.Full, z, dz); err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(dz[0]) < 0.02) || !(dz[2] > 0) || e.Negative() != 0 {
		t.Errorf("theta moves by %g and v by %g in a step, %d negative", dz[0], dz[2], e.Negative())
	}
	z[2] = -1e-3
	if err := e.At(t.Context(), 1e-3, 10, objective.Full, z, dz); err != nil {
		t.Fatal(err)
	}
	if e.Negative() != 1 || math.IsNaN(dz[0]) {
		t.Errorf("a negative v: %d negative, theta moves by %g", e.Negative(), dz[0])
	}
}

// Adadelta's step reads its memory of squares as it was before, which half a step back along its own rise would be below 0.
func TestAMemoryIsNotNegativeHalfAStepBack(t *testing.T) {
	r := fixture.Rule(t, "adadelta", nil)
	o := objective.NewNumeric[float64](&objective.Function{Dim: 1, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.Square().Sum()
	}}, 1)
	e, err := NewEquation[float64](r, o, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	z, dz := []float64{1, 1e-3, 1e-9}, make([]float64, 3) // theta, v and u, which rises
	if err := e.At(t.Context(), 1, 10, objective.Full, z, dz); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(dz, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		t.Errorf("from %v of %v it moves by %v", z, r.State, dz)
	}
}

func TestAParameterWithoutGradientStays(t *testing.T) {
	r := fixture.Rule(t, "adam", map[string]any{"eps": 1e-8, "eps_inside": false})
	o := objective.NewNumeric[float64](&objective.Function{Dim: 2, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.SliceAxis(0, 0, 1).Square().Sum()
	}}, 1)
	for _, order := range []int{1, 2} {
		t.Run(fmt.Sprintf("order %d", order), func(t *testing.T) {
			e, err := NewEquation[float64](r, o, order, 1)
			if err != nil {
				t.Fatal(err)
			}
			z, dz := []float64{1, 1, 0.1, 0, 0.1, 0}, make([]float64, 6)
			if err := e.At(t.Context(), 1e-3, 10, objective.Full, z, dz); err != nil {
				t.Fatal(err)
			}
			if dz[1] != 0 || dz[3] != 0 || dz[5] != 0 || !(dz[0] < 0) {
				t.Errorf("moves at %v", dz)
			}
		})
	}
}
