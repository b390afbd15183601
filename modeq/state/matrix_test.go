package state

import (
	"math"
	"testing"

	"shadowflow/engine"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
)

// ofMatrices are optimizers whose steps are made of whole matrices, with state of their own shapes.
var ofMatrices = map[string]struct {
	name   string
	values map[string]any
}{
	"shampoo":                      {"shampoo", map[string]any{"eps": 0.3}},
	"shampoo of means, root 2":     {"shampoo", map[string]any{"beta2": 0.85, "eps": 0.3, "root": 2.0, "momentum": 0.7, "weight_decay": 0.1}},
	"soap":                         {"soap", map[string]any{"frequency": 1.0, "beta1": 0.7, "beta2": 0.85, "eps": 0.3}},
	"muon":                         {"muon", map[string]any{"momentum": 0.7}},
	"prodigy, numbers for weights": {"prodigy", map[string]any{"beta1": 0.7, "beta2": 0.85, "d0": 0.1}},
}

const matrixLR = 0.02

// behind returns a rule for two matrices, their loss, and the state that seven steps leave.
func behind(t *testing.T, name string, values map[string]any) (*rule.Rule, *objective.Function, []float64) {
	t.Helper()
	loss := fixture.Loss(t, "factorization", map[string]any{"rows": 3, "columns": 2, "rank": 2, "batches": 1})
	c, err := rule.New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.RuleOf(loss.Weights())
	if err != nil {
		t.Fatal(err)
	}
	s, err := rule.NewStepper[float64](r, loss.Weights(), engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := objective.NewNumeric[float64](loss, 1)
	theta, g := append([]float64(nil), loss.Start...), make([]float64, loss.Dim)
	for range 7 {
		if _, err := o.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
			t.Fatal(err)
		}
		if err := s.Step(matrixLR, theta, g); err != nil {
			t.Fatal(err)
		}
	}
	z := theta
	for _, array := range s.State() {
		z = append(z, array...)
	}
	return r, loss, z
}

func TestTheSlopeOfTheErrorIsTheOrderForOptimizersOfMatrices(t *testing.T) {
	for what, c := range ofMatrices {
		t.Run(what, func(t *testing.T) {
			r, loss, z := behind(t, c.name, c.values)
			for order := 1; order <= 3; order++ {
				f, err := CompileFields(r, loss, loss.Dim, order, 1)
				if err != nil {
					t.Fatal(err)
				}
				slope, a := 0.0, distance(t, f, matrixLR, 7, 1./16, z)
				for k := 32.0; slope < float64(order)-0.2 && k <= 256; k *= 2 {
					b := distance(t, f, matrixLR, 7, 1/k, z)
					slope, a = math.Log2(a/b), b
				}
				if !(slope > float64(order)-0.2) {
					t.Errorf("order %d: slope %.2f, distance %.3g", order, slope, a)
				}
			}
		})
	}
}

// The equation of order 1 is the first field, and a lift of order 1 without oscillations moves as the rule steps.
func TestRoundingIsSmallWhereNothingMagnifiesIt(t *testing.T) {
	o := fixture.Objective(t, "bilinear", nil)
	r := fixture.Rule(t, "adam", map[string]any{"eps": 0.1})
	f, err := CompileFields(r, o, o.Dim(), 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	z := append(o.Start(), 0.3, -0.2, 0.5, 0.7)
	if got, err := f.Rounding(t.Context(), 0.01, 10, z); err != nil || !(got > 0 && got < 1e-13) {
		t.Errorf("%g, %v", got, err)
	}
}

func TestTheEquationAndTheLiftAreThoseOfTheStepForOptimizersOfMatrices(t *testing.T) {
	for what, c := range ofMatrices {
		t.Run(what, func(t *testing.T) {
			r, loss, z := behind(t, c.name, c.values)
			o := objective.NewNumeric[float64](loss, 1)
			equation, err := NewEquation[float64](r, o, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			f, err := CompileFields(r, loss, loss.Dim, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			lift, err := NewLift[float64](r, o, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			rate, field, still, dw := make([]float64, len(z)), make([]float64, len(z)), make([]float64, len(z)), make([]float64, 2*len(z))
			if err := equation.At(t.Context(), matrixLR, 7, objective.Full, z, rate); err != nil {
				t.Fatal(err)
			}
			if err := f.Sum(t.Context(), matrixLR, 7, 1, z, field); err != nil {
				t.Fatal(err)
			}
			if err := lift.At(t.Context(), matrixLR, 7, objective.Full, append(append([]float64(nil), z...), still...), dw); err != nil {
				t.Fatal(err)
			}
			after := append([]float64(nil), z...)
			if err := f.Step(t.Context(), matrixLR, 7, 1, after); err != nil { // at size 1 it is the rule's
				t.Fatal(err)
			}
			for i := range z {
				if math.Abs(rate[i]-field[i]) > 1e-12 || math.Abs(dw[i]-(after[i]-z[i])) > 1e-12 || dw[len(z)+i] != 0 || field[0] == 0 {
					t.Errorf("element %d: the equation moves at %g, the field at %g; the lift at %g and %g, the step by %g",
						i, rate[i], field[i], dw[i], dw[len(z)+i], after[i]-z[i])
				}
			}
		})
	}
}
