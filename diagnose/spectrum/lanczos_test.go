package spectrum

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/internal/fixture"
)

func largest(a mat.Symmetric) float64 {
	var e mat.EigenSym
	e.Factorize(a, false)
	values := e.Values(nil)
	return values[len(values)-1]
}

func TestLargestEigenpairMatchesDenseSolver(t *testing.T) {
	for n := 1; n <= 120; n += 17 {
		a := fixture.Symmetric(n, uint64(n))
		got, err := LargestEigenpair(n, fixture.Product(a), LanczosOptions{Tolerance: 1e-8, MaxIterations: 120, Seed: 3})
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
		left := make([]float64, n) // of A y - value y
		if err := fixture.Product(a)(got.Vector, left); err != nil {
			t.Fatal(err)
		}
		subtract(left, got.Value, got.Vector)
		if !(math.Abs(diagnose.Norm(got.Vector)-1) < 1e-9) || !(math.Abs(diagnose.Norm(left)-got.Residual) < 1e-8) {
			t.Errorf("n = %d: a vector of length %v leaves %v, where the residual is %v", n, diagnose.Norm(got.Vector), diagnose.Norm(left), got.Residual)
		}
	}
}

func TestResidualBoundsTheDistanceToAnEigenvalueWhenStoppedEarly(t *testing.T) {
	a := fixture.Symmetric(200, 5)
	var e mat.EigenSym
	e.Factorize(a, false)
	for k := 1; k <= 12; k++ {
		got, err := LargestEigenpair(200, fixture.Product(a), LanczosOptions{Tolerance: 1e-12, MaxIterations: k})
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

func TestLargestEigenpairInSinglePrecision(t *testing.T) {
	d := make([]float32, 1000)
	for i := range d {
		d[i] = float32(-i)
	}
	d[17] = 50
	got, err := LargestEigenpair(len(d), func(v, av []float32) error {
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
	near(t, "largest eigenvalue", got.Value, 50, 1e-3)
}

// The spectrum of a preconditioned Hessian at a step of Adam on the digits, of which the second was once taken for the largest.
func TestLanczosPassesTheSecondEigenvalueBy(t *testing.T) {
	const dim = 1500
	spectrum := []float64{1748.73, 1711.04, 1451, 1221}
	for i := len(spectrum); i < dim; i++ {
		spectrum = append(spectrum, 1200*math.Pow(float64(i-2), -0.7)*[]float64{1, 1, -0.3}[i%3])
	}
	apply := func(v, av []float64) error {
		for i, x := range v {
			av[i] = spectrum[i] * x
		}
		return nil
	}
	for seed := range uint64(100) {
		got, err := LargestEigenpair(dim, apply, LanczosOptions{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Converged || got.Value < spectrum[0]*(1-1e-3) {
			t.Errorf("seed %d: %v after %d products", seed, got.Value, got.Iterations)
		}
	}
}

func TestLanczosStopsInASmallInvariantSpace(t *testing.T) {
	identity := func(v, av []float64) error { copy(av, v); return nil }
	got, err := LargestEigenpair(30, identity, LanczosOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Iterations != 1 || !got.Converged {
		t.Errorf("the identity took %+v", got)
	}
	near(t, "largest eigenvalue", got.Value, 1, 1e-14)
}

func TestLanczosPassesErrorsOnAndSurvivesNaN(t *testing.T) {
	fail := errors.New("no product")
	if _, err := LargestEigenpair(3, func(_, _ []float64) error { return fail }, LanczosOptions{}); !errors.Is(err, fail) {
		t.Errorf("error %v, want %v", err, fail)
	}
	got, err := LargestEigenpair(3, func(_, av []float64) error { av[0] = math.NaN(); return nil }, LanczosOptions{})
	if err != nil || !math.IsNaN(got.Value) {
		t.Errorf("an operator that is not a number gives %+v, %v", got, err)
	}
	if _, err := LargestEigenpair(0, func(_, _ []float64) error { return nil }, LanczosOptions{}); err == nil {
		t.Error("an operator on no dimensions was accepted")
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
