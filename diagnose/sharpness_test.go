package diagnose

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/rule"
)

func TestThePreconditionedOperatorIsScaledOnBothSides(t *testing.T) {
	const n = 12
	h := fixture.Symmetric(n, 9)
	root := make([]float64, n)
	for i := range root {
		root[i] = math.Sqrt(0.1 + float64(i))
	}
	scaled := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			scaled.SetSym(i, j, root[i]*h.At(i, j)*root[j])
		}
	}
	apply := Preconditioned(root, func(vs, hvs [][]float64) error {
		for k, v := range vs {
			if err := fixture.Product(h)(v, hvs[k]); err != nil {
				return err
			}
		}
		return nil
	})
	for j := range n - 1 {
		vs, got := [][]float64{make([]float64, n), make([]float64, n)}, [][]float64{make([]float64, n), make([]float64, n)}
		vs[0][j], vs[1][j+1] = 1, 1
		if err := apply(vs, got); err != nil {
			t.Fatal(err)
		}
		for k := range vs {
			for i, x := range got[k] {
				close(t, "element of P^-1/2 H P^-1/2", x, scaled.At(i, j+k), 1e-12)
			}
		}
	}
}

// still returns the stability of a rule at gradients next to nothing with an empty memory, and the root of 1/P.
func still(t *testing.T, name string, values map[string]any, h float64) (Stability, float64) {
	t.Helper()
	r := fixture.Rule(t, name, values)
	p, err := NewPreconditioner[float64](r, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	zero, root := make([]float64, 3), make([]float64, 3)
	var state [][]float64
	for range r.State {
		state = append(state, zero)
	}
	s, err := p.At(5, h, zero, []float64{1e-9, -1e-9, 1e-9}, state, root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root[1]
}

// The thresholds of the theory's table of monitors (section 11).
func TestStabilityThresholdsMatchClosedForms(t *testing.T) {
	const h, b1, b2 = 0.01, 0.9, 0.99
	const c1 = (1 + b1) / (1 - b1)
	edge := func(beta float64) float64 { return (1 - math.Sqrt(beta)) / (1 + math.Sqrt(beta)) / h }
	for _, c := range []struct {
		rule      string
		values    map[string]any
		periodTwo float64
		memory    float64 // 0: see below
		root      float64 // of 1/P at g = 0 and an empty memory
	}{
		{"gd", nil, 2 / h, 1 / h, 1},
		{"heavy-ball", map[string]any{"beta1": b1}, 2 * c1 / h, edge(b1), math.Sqrt(10)},
		{"nesterov", map[string]any{"beta1": b1}, 2 * (1 + b1) / ((1 - b1) * (1 + 2*b1) * h), 0, math.Sqrt(10)},
		{"rmsprop", map[string]any{"eps": 16}, 2 / h, 1 / h, 0.5},
		{"adam", map[string]any{"eps": 16}, 2 * c1 / h, edge(b1), 0.5},
		{"adamw", map[string]any{"eps": 16, "weight_decay": 0.1}, 2 * c1 / h, edge(b1), 0.5},
		{"adam", map[string]any{"eps": 4, "eps_inside": false}, 2 * c1 / h, edge(b1), 0.5},
		{"adam", map[string]any{"eps": 16, "beta1": 0.5, "bias_correction": false}, 6 / h, edge(0.5), 0.5},
		{"nadam", map[string]any{"eps": 16}, 2 * (1 + b1) / ((1 - b1) * (1 + 2*b1) * h), 0, 0.5},
		{"signum", map[string]any{"eps": 16}, 2 * c1 / h, edge(b1), 0.5},
		{"lion", map[string]any{"eps": 16}, 2 / (h * ((1 - b1) - b1*(1-b2)/(1+b2))), 0, 0.5},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s, root := still(t, c.rule, c.values, h)
			close(t, "the threshold of oscillations", s.PeriodTwo, c.periodTwo, 1e-7)
			close(t, "the preconditioner", root, c.root, 1e-7)
			if c.memory > 0 {
				close(t, "the edge of the series", s.Memory, c.memory, 1e-7)
			}
		})
	}
	s, _ := still(t, "adam", nil, 1)
	if math.Abs(s.Memory-0.026) > 0.0005 {
		t.Errorf("at beta1 = 0.9 the series has its edge at %.4f, the theory says .026", s.Memory)
	}
}

func TestAStepOfSignsHasNoThresholds(t *testing.T) {
	for _, name := range []string{"lion", "signum"} {
		t.Run(name, func(t *testing.T) {
			if s, root := still(t, name, map[string]any{"eps": 0.0}, 1); !math.IsInf(s.PeriodTwo, 1) || !math.IsInf(s.Memory, 1) || root != 0 {
				t.Errorf("thresholds %+v, root %v", s, root)
			}
		})
	}
}

// At the edge of the series two modes meet: (z - 1)(z - beta) + h lambda N(z) = 0 with D(z)/D(1) = N(z)/(z - beta) has real roots below it
// and complex ones above.
func TestModesMeetAtTheEdgeOfTheSeries(t *testing.T) {
	const b1, b2 = 0.9, 0.99
	for _, c := range []struct {
		rule            string
		beta            float64
		slope, constant float64 // of N, which is 1 - beta at 1
	}{
		{"heavy-ball", b1, 1 - b1, 0},
		{"nesterov", b1, (1 + b1) * (1 - b1), -b1 * (1 - b1)},
		{"nadam", b1, 1 - b1*b1, -b1 * (1 - b1)},
		{"lion", b2, 1 - b1, b1*(1-b2) - b2*(1-b1)},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s, _ := still(t, c.rule, nil, 1)
			for _, factor := range []float64{0.999, 1.001} {
				x := factor * s.Memory
				linear, constant := -1-c.beta+x*c.slope, c.beta+x*c.constant
				if discriminant := linear*linear - 4*constant; discriminant > 0 != (factor < 1) {
					t.Errorf("at %g of its edge %.5g the modes' discriminant is %g", factor, s.Memory, discriminant)
				}
			}
		})
	}
}

// With the threshold of period two, lambda_grad says the same of one direction: for Adam D(-1) is (1-beta1)/((1+beta1)(1-beta1^(n+1))) over P.
func TestTheSharpnessAlongTheGradientIsThatOfAlternations(t *testing.T) {
	const n, b1, eps = 7, 0.9, 1e-4
	r := fixture.Rule(t, "adam", map[string]any{"eps": eps, "eps_inside": false})
	p, err := NewPreconditioner[float64](r, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	g, hg, d := []float64{0.1, -0.3}, []float64{2, -1}, make([]float64, 2)
	m, v := []float64{0, 0.1}, []float64{0.02, 0.01}
	if err := p.Alternating(n, []float64{1, 1}, g, [][]float64{m, v}, d); err != nil {
		t.Fatal(err)
	}
	above := 0.0
	for j := range g {
		mean := (0.99*v[j] + 0.01*g[j]*g[j]) / (1 - math.Pow(0.99, n+1))
		above += g[j] * hg[j] * (1 - b1) / ((1 + b1) * (1 - math.Pow(b1, n+1))) / (math.Sqrt(mean) + eps)
	}
	close(t, "lambda_grad", AlongGradient(d, g, hg), above/(0.1*0.1+0.3*0.3), 1e-12)
}

// On (lambda/2) theta^2 with a perturbation that swamps the adaptive moment, the iterates shrink where the preconditioned
// sharpness is a little below the threshold, and grow a little above it.
func TestIteratesGrowBeyondTheThreshold(t *testing.T) {
	const h = 0.01
	for _, c := range []struct {
		rule   string
		values map[string]any
	}{
		{"gd", nil}, {"heavy-ball", map[string]any{"beta1": 0.5}}, {"nesterov", map[string]any{"beta1": 0.5}},
		{"adam", map[string]any{"beta1": 0.6, "eps": 1e12}}, {"nadam", map[string]any{"beta1": 0.6, "eps": 1e12}},
		{"rmsprop", map[string]any{"eps": 1e12}}, {"signum", map[string]any{"beta1": 0.6, "eps": 1e12}},
		{"lion", map[string]any{"beta1": 0.6, "beta2": 0.7, "eps": 1e12}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := fixture.Rule(t, c.rule, c.values)
			p, err := NewPreconditioner[float64](r, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			stepper, err := rule.NewStepper[float64](r, []graph.Block{{Name: "theta", Shape: []int{1}}}, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			root := make([]float64, 1)
			stability, err := p.At(0, h, []float64{0}, []float64{1e-9}, stepper.State(), root)
			if err != nil {
				t.Fatal(err)
			}
			for _, factor := range []float64{0.97, 1.03} {
				lambda := factor * stability.PeriodTwo / (root[0] * root[0])
				stepper.Reset()
				const start = 1e-9 // so that the gradients stay far below sqrt(eps)
				theta := []float64{start}
				for range 2000 {
					if err := stepper.Step(h, theta, []float64{lambda * theta[0]}); err != nil {
						t.Fatal(err)
					}
				}
				if grown := math.Abs(theta[0]) > start; grown != (factor > 1) {
					t.Errorf("at %v of its threshold theta is %v after 2000 steps from %v", factor, theta[0], start)
				}
			}
		})
	}
}
