package diagnose

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/rule"
)

func symmetric(n int, seed uint64) *mat.SymDense {
	r := rand.New(rand.NewPCG(seed, 1))
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			a.SetSym(i, j, r.NormFloat64())
		}
	}
	return a
}

func product(a mat.Symmetric) func(v, av []float64) error {
	return func(v, av []float64) error {
		mat.NewVecDense(len(av), av).MulVec(a, mat.NewVecDense(len(v), v))
		return nil
	}
}

func largest(a mat.Symmetric) float64 {
	var e mat.EigenSym
	e.Factorize(a, false)
	values := e.Values(nil)
	return values[len(values)-1]
}

func TestLargestEigenvalueMatchesDenseSolver(t *testing.T) {
	for n := 1; n <= 120; n += 17 {
		a := symmetric(n, uint64(n))
		got, err := LargestEigenvalue(n, product(a), LanczosOptions{Tolerance: 1e-8, MaxIterations: 120, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		want := largest(a)
		if !got.Converged {
			t.Errorf("n = %d: not converged after %d products, residual %v", n, got.Iterations, got.Residual)
		}
		if math.Abs(got.Value-want) > got.Residual+1e-10 {
			t.Errorf("n = %d: %v with residual %v, dense solver %v", n, got.Value, got.Residual, want)
		}
	}
}

func TestResidualBoundsTheDistanceToAnEigenvalueWhenStoppedEarly(t *testing.T) {
	a := symmetric(200, 5)
	var e mat.EigenSym
	e.Factorize(a, false)
	for k := 1; k <= 12; k++ {
		got, err := LargestEigenvalue(200, product(a), LanczosOptions{Tolerance: 1e-12, MaxIterations: k})
		if err != nil {
			t.Fatal(err)
		}
		nearest := math.Inf(1)
		for _, v := range e.Values(nil) {
			nearest = min(nearest, math.Abs(v-got.Value))
		}
		if nearest > got.Residual*(1+1e-9) {
			t.Errorf("%d products: no eigenvalue within %v of %v; the nearest is %v away", k, got.Residual, got.Value, nearest)
		}
	}
}

func TestLargestEigenvalueInSinglePrecision(t *testing.T) {
	d := make([]float32, 1000)
	for i := range d {
		d[i] = float32(-i)
	}
	d[17] = 50
	got, err := LargestEigenvalue(len(d), func(v, av []float32) error {
		for i := range v {
			av[i] = d[i] * v[i]
		}
		return nil
	}, LanczosOptions{Tolerance: 1e-4, MaxIterations: 80})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Converged {
		t.Errorf("not converged: %+v", got)
	}
	close(t, "largest eigenvalue", got.Value, 50, 1e-3)
}

func TestLanczosStopsInASmallInvariantSpace(t *testing.T) {
	identity := func(v, av []float64) error { copy(av, v); return nil }
	got, err := LargestEigenvalue(30, identity, LanczosOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Iterations != 1 || !got.Converged {
		t.Errorf("the identity took %+v", got)
	}
	close(t, "largest eigenvalue", got.Value, 1, 1e-14)
}

func TestLanczosPassesErrorsOnAndSurvivesNaN(t *testing.T) {
	fail := errors.New("no product")
	if _, err := LargestEigenvalue(3, func(_, _ []float64) error { return fail }, LanczosOptions{}); !errors.Is(err, fail) {
		t.Errorf("error %v, want %v", err, fail)
	}
	got, err := LargestEigenvalue(3, func(_, av []float64) error { av[0] = math.NaN(); return nil }, LanczosOptions{})
	if err != nil || !math.IsNaN(got.Value) {
		t.Errorf("an operator that is not a number gives %+v, %v", got, err)
	}
	if _, err := LargestEigenvalue(0, func(_, _ []float64) error { return nil }, LanczosOptions{}); err == nil {
		t.Error("an operator on no dimensions was accepted")
	}
}

func TestPreconditionedOperatorHasTheEigenvaluesOfTheProduct(t *testing.T) {
	const n = 12
	h := symmetric(n, 9)
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
	got, err := LargestEigenvalue(n, Preconditioned(root, product(h)), LanczosOptions{Tolerance: 1e-10})
	if err != nil {
		t.Fatal(err)
	}
	close(t, "largest eigenvalue", got.Value, largest(scaled), 1e-8)
}

func TestStabilityThresholdsMatchClosedForms(t *testing.T) {
	const h = 0.01
	for _, c := range []struct {
		rule   string
		values map[string]any
		want   float64
		root   float64 // of 1/P at g = 0 and an empty memory
	}{
		{"gd", nil, 2 / h, 1},
		{"heavy-ball", map[string]any{"beta1": 0.5}, 2 * 1.5 / (0.5 * h), math.Sqrt(2)},
		{"nesterov", map[string]any{"beta1": 0.5}, 2 * 1.5 / (2 * 0.5 * h), math.Sqrt(2)},
		{"rmsprop", map[string]any{"eps": 16}, 2 / h, 0.5},
		{"adam", map[string]any{"beta1": 0.9, "eps": 16}, (2 + 1.8) / (0.1 * h), 0.5},
		{"adamw", map[string]any{"beta1": 0.9, "eps": 16, "weight_decay": 0.1}, (2 + 1.8) / (0.1 * h), 0.5},
		{"adam", map[string]any{"beta1": 0.9, "eps": 4, "eps_inside": false}, (2 + 1.8) / (0.1 * h), 0.5},
		{"nadam", map[string]any{"beta1": 0.9, "eps": 16}, (2 + 1.8) / (0.1 * 2.8 * h), 0.5},
	} {
		r := fixture.Rule(t, c.rule, c.values)
		p, err := NewPreconditioner[float64](r, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		zero, root := make([]float64, 3), make([]float64, 3)
		var state [][]float64
		for range r.State {
			state = append(state, zero)
		}
		threshold, err := p.At(5, h, zero, []float64{1e-9, -1e-9, 1e-9}, state, root)
		if err != nil {
			t.Fatal(err)
		}
		close(t, c.rule+"'s threshold", threshold, c.want, 1e-7)
		close(t, c.rule+"'s preconditioner", root[1], c.root, 1e-7)
	}
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
		threshold, err := p.At(0, h, []float64{0}, []float64{1e-9}, stepper.State(), root)
		if err != nil {
			t.Fatal(err)
		}
		for _, factor := range []float64{0.97, 1.03} {
			lambda := factor * threshold / (root[0] * root[0])
			stepper.Reset()
			const start = 1e-9 // so that the gradients stay far below sqrt(eps)
			theta := []float64{start}
			for range 2000 {
				if err := stepper.Step(h, theta, []float64{lambda * theta[0]}); err != nil {
					t.Fatal(err)
				}
			}
			if grown := math.Abs(theta[0]) > start; grown != (factor > 1) {
				t.Errorf("%s at %v of its threshold: theta is %v after 2000 steps from %v", c.rule, factor, theta[0], start)
			}
		}
	}
}
