package spectrum

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/internal/fixture"
)

func TestBriefSearchesMatchTheDenseSolver(t *testing.T) {
	for n := 3; n <= 120; n += 13 {
		a := fixture.Symmetric(n, uint64(n))
		var dense mat.EigenSym
		dense.Factorize(a, false)
		all := dense.Values(nil)
		for count := 1; count <= min(n/3, 6); count++ {
			for _, start := range [][][]float64{nil, randomVectors[float64](count, n, 7)} {
				got, err := Extremal(n, products[float64](a), ExtremalOptions[float64]{Top: count, Tolerance: 1e-9, Start: start, Brief: true})
				if err != nil {
					t.Fatal(err)
				}
				if !got.Converged {
					t.Errorf("n = %d, %d vectors: residuals %v after %d products", n, count, got.Top.Residuals, got.Products)
				}
				wantOrthonormal(t, got.Top.Vectors, 1e-12)
				av := make([]float64, n)
				for i, v := range got.Top.Vectors {
					if want := all[n-1-i]; math.Abs(got.Top.Values[i]-want) > 1e-8 {
						t.Errorf("n = %d, value %d of %d: %v, dense solver %v", n, i, count, got.Top.Values[i], want)
					}
					if err := fixture.Product(a)(v, av); err != nil {
						t.Fatal(err)
					}
					subtract(av, got.Top.Values[i], v)
					if r := diagnose.Norm(av); math.Abs(r-got.Top.Residuals[i]) > 1e-10 {
						t.Errorf("n = %d, pair %d: residual %v is said to be %v", n, i, r, got.Top.Residuals[i])
					}
				}
			}
		}
	}
}

func TestResidualsBoundTheDistanceToAnEigenvalueWhenStoppedEarly(t *testing.T) {
	a := fixture.Symmetric(200, 5)
	var e mat.EigenSym
	e.Factorize(a, false)
	for k := 1; k <= 12; k++ {
		got, err := Extremal(200, products[float64](a), ExtremalOptions[float64]{Top: 1, Tolerance: 1e-12, AtOnce: 1, Brief: true, MaxProducts: k})
		if err != nil {
			t.Fatal(err)
		}
		if got.Products != k || got.Converged {
			t.Errorf("%d products of at most %d, converged: %t", got.Products, k, got.Converged)
		}
		nearest := math.Inf(1)
		for _, v := range e.Values(nil) {
			nearest = min(nearest, math.Abs(v-got.Top.Values[0]))
		}
		if nearest > got.Top.Residuals[0]*(1+1e-9) {
			t.Errorf("%d products: no eigenvalue within %v of %v; the nearest is %v away", k, got.Top.Residuals[0], got.Top.Values[0], nearest)
		}
	}
}

func TestEigenpairsOfEqualValuesSpanTheirSpace(t *testing.T) {
	values := make([]float64, 60)
	for i := range values {
		values[i] = float64(i) / 100
	}
	copy(values, []float64{3, 3, 3})
	a, q := spectrum(values, 4)
	got, err := Extremal(len(values), products[float64](a), ExtremalOptions[float64]{Top: 3, Tolerance: 1e-10, Start: randomVectors[float64](3, len(values), 5), Brief: true})
	if err != nil || !got.Converged {
		t.Fatalf("%+v, %v", got, err)
	}
	wantOrthonormal(t, got.Top.Vectors, 1e-12)
	for _, v := range got.Top.Vectors {
		inside := 0.0
		for k := range 3 {
			inside += math.Pow(diagnose.Dot(v, mat.Col(nil, k, &q)), 2)
		}
		if math.Abs(inside-1) > 1e-12 {
			t.Errorf("the share %v of a vector is in the eigenspace", inside)
		}
	}
}

// As a flow follows the directions at its threshold from step to step.
func TestAWarmStartTakesFewProducts(t *testing.T) {
	values := make([]float64, 400)
	for i := range values {
		values[i] = 1 / float64(1+i)
	}
	values[0], values[1] = 2.1, 2
	a, _ := spectrum(values, 1)
	nearby := mat.NewSymDense(len(values), nil)
	nearby.ScaleSym(0.002/math.Sqrt(float64(len(values))), fixture.Symmetric(len(values), 3))
	nearby.AddSym(nearby, a)
	opt := ExtremalOptions[float64]{
		Top: 4, Wanted: func([]float64) int { return 2 }, Tolerance: 1e-3, AtOnce: 4, Start: randomVectors[float64](4, len(values), 9), Brief: true,
	}
	cold, err := Extremal(len(values), products[float64](a), opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Start = cold.Top.Vectors
	warm, err := Extremal(len(values), products[float64](nearby), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !cold.Converged || !warm.Converged || warm.Products > 8 || warm.Products >= cold.Products {
		t.Errorf("%d products from a random start, %d from the pairs of a nearby operator", cold.Products, warm.Products)
	}
	if want := largest(nearby); math.Abs(warm.Top.Values[0]-want) > warm.Top.Residuals[0] {
		t.Errorf("value %v, dense solver %v", warm.Top.Values[0], want)
	}
}

func TestBriefSearchesInFloat32ReachWhatItHolds(t *testing.T) {
	a := fixture.Symmetric(90, 2)
	got, err := Extremal(90, products[float32](a), ExtremalOptions[float32]{Top: 3, Tolerance: 1e-5, Start: randomVectors[float32](3, 90, 1), Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := largest(a); !got.Converged || math.Abs(got.Top.Values[0]-want) > 1e-4 {
		t.Errorf("%+v, dense solver %v", got, want)
	}
	wantOrthonormal(t, got.Top.Vectors, 1e-6)
	d := filled(1000, func(i int) float64 { return float64(-i) })
	d[17] = 50
	one, err := Extremal(len(d), diagonal[float32](d), ExtremalOptions[float32]{Top: 1, Tolerance: 1e-4, AtOnce: 1, Brief: true, MaxProducts: 80})
	if err != nil || !one.Converged {
		t.Fatalf("not converged: %+v, %v", one, err)
	}
	near(t, "largest eigenvalue", one.Top.Values[0], 50, 1e-3)
}

func TestAStartThatSpansTooLittleIsFilledUp(t *testing.T) {
	a := fixture.Symmetric(40, 8)
	vectors := randomVectors[float64](4, 40, 1)
	copy(vectors[1], vectors[0])
	clear(vectors[2])
	got, err := Extremal(40, products[float64](a), ExtremalOptions[float64]{Top: 4, Tolerance: 1e-8, Start: vectors, Brief: true})
	if err != nil || !got.Converged || math.Abs(got.Top.Values[0]-largest(a)) > 1e-8 {
		t.Errorf("%+v, %v, dense solver %v", got, err, largest(a))
	}
	wantOrthonormal(t, got.Top.Vectors, 1e-12)
}

// The spectrum of a preconditioned Hessian at a step of Adam on the digits, of which the second was once taken for the largest.
func TestABriefSearchPassesTheSecondEigenvalueBy(t *testing.T) {
	values := []float64{1748.73, 1711.04, 1451, 1221}
	for i := len(values); i < 1500; i++ {
		values = append(values, 1200*math.Pow(float64(i-2), -0.7)*[]float64{1, 1, -0.3}[i%3])
	}
	for seed := range uint64(100) {
		opt := ExtremalOptions[float64]{Top: 1, Tolerance: 3e-4, AtOnce: 1, Brief: true, Lasting: 4, MaxProducts: 40, Seed: seed}
		got, err := Extremal(len(values), diagonal[float64](values), opt)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Converged || got.Top.Values[0] < values[0]*(1-1e-3) || got.Products > 18 {
			t.Errorf("seed %d: %v after %d products", seed, got.Top.Values[0], got.Products)
		}
	}
}

// A tolerance relative to the largest of all by size would let the largest be anything.
func TestABriefSearchIsAsExactAsItsOwnEigenvaluesAreLarge(t *testing.T) {
	d := relu(900)
	for i := range d {
		d[i] = -d[i]
	}
	want := slices.Max(d)
	got, err := Extremal(len(d), diagonal[float64](d), ExtremalOptions[float64]{Top: 1, Tolerance: 1e-3, AtOnce: 1, Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Top.Residuals[0]; !got.Converged || !(r <= 1e-3*want) || math.Abs(got.Top.Values[0]-want) > r {
		t.Errorf("%v within %v, want %v", got.Top.Values[0], r, want)
	}
}

func TestABriefSearchStopsInASmallInvariantSpace(t *testing.T) {
	got, err := Extremal(30, diagonal[float64](filled(30, func(int) float64 { return 1 })), ExtremalOptions[float64]{Top: 1, AtOnce: 1, Brief: true, Lasting: 4})
	if err != nil {
		t.Fatal(err)
	}
	if got.Products != 1 || !got.Converged {
		t.Errorf("the identity took %+v", got)
	}
	near(t, "largest eigenvalue", got.Top.Values[0], 1, 1e-14)
}
