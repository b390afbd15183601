package spectrum

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/internal/fixture"
)

func randomVectors[T graph.Float](count, dim int, seed uint64) [][]T {
	r := rand.New(rand.NewPCG(seed, 2))
	out := make([][]T, count)
	for i := range out {
		out[i] = make([]T, dim)
		for j := range out[i] {
			out[i][j] = T(r.NormFloat64())
		}
	}
	return out
}

// products multiplies by a matrix, in float64, whatever the vectors are.
func products[T graph.Float](a mat.Symmetric) func(vs, avs [][]T) error {
	n := a.SymmetricDim()
	return func(vs, avs [][]T) error {
		v, av := make([]float64, n), make([]float64, n)
		for i := range vs {
			for j, x := range vs[i] {
				v[j] = float64(x)
			}
			if err := fixture.Product(a)(v, av); err != nil {
				return err
			}
			for j, x := range av {
				avs[i][j] = T(x)
			}
		}
		return nil
	}
}

// spectrum returns a symmetric matrix with the given eigenvalues and random eigenvectors, the columns of q.
func spectrum(values []float64, seed uint64) (a *mat.SymDense, q mat.Dense) {
	n := len(values)
	var qr mat.QR
	qr.Factorize(mat.NewDense(n, n, slices.Concat(randomVectors[float64](n, n, seed)...)))
	qr.QTo(&q)
	var full mat.Dense
	full.Product(&q, mat.NewDiagDense(n, values), q.T())
	a = mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			a.SetSym(i, j, (full.At(i, j)+full.At(j, i))/2)
		}
	}
	return a, q
}

func wantOrthonormal[T graph.Float](t *testing.T, vectors [][]T, tolerance float64) {
	t.Helper()
	for i, v := range vectors {
		for j, w := range vectors[:i+1] {
			want := 0.0
			if i == j {
				want = 1
			}
			if got := diagnose.Dot(v, w); math.Abs(got-want) > tolerance {
				t.Errorf("vectors %d and %d: product %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestLargestEigenpairsMatchDenseSolver(t *testing.T) {
	for n := 3; n <= 120; n += 13 {
		a := fixture.Symmetric(n, uint64(n))
		var dense mat.EigenSym
		dense.Factorize(a, false)
		all := dense.Values(nil)
		for count := 1; count <= min(n/3, 6); count++ {
			vectors := randomVectors[float64](count, n, 7)
			got, err := LargestEigenpairs(vectors, products[float64](a), LOBPCGOptions{Tolerance: 1e-9, MaxIterations: 300})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Converged {
				t.Errorf("n = %d, %d vectors: residuals %v after %d products", n, count, got.Residuals, got.Products)
			}
			wantOrthonormal(t, vectors, 1e-12)
			av := make([]float64, n)
			for i, v := range vectors {
				if want := all[n-1-i]; math.Abs(got.Values[i]-want) > 1e-8 {
					t.Errorf("n = %d, value %d of %d: %v, dense solver %v", n, i, count, got.Values[i], want)
				}
				if err := fixture.Product(a)(v, av); err != nil {
					t.Fatal(err)
				}
				subtract(av, got.Values[i], v)
				if r := diagnose.Norm(av); math.Abs(r-got.Residuals[i]) > 1e-10 {
					t.Errorf("n = %d, pair %d: residual %v is said to be %v", n, i, r, got.Residuals[i])
				}
			}
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
	vectors := randomVectors[float64](3, len(values), 5)
	if got, err := LargestEigenpairs(vectors, products[float64](a), LOBPCGOptions{Tolerance: 1e-10}); err != nil || !got.Converged {
		t.Fatalf("%+v, %v", got, err)
	}
	wantOrthonormal(t, vectors, 1e-12)
	for _, v := range vectors {
		inside := 0.0
		for k := range 3 {
			inside += math.Pow(diagnose.Dot(v, mat.Col(nil, k, &q)), 2)
		}
		if math.Abs(inside-1) > 1e-12 {
			t.Errorf("the share %v of a vector is in the eigenspace", inside)
		}
	}
}

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
	vectors := randomVectors[float64](4, len(values), 9)
	opt := LOBPCGOptions{Wanted: func(values []float64) int { return 2 }}
	cold, err := LargestEigenpairs(vectors, products[float64](a), opt)
	if err != nil {
		t.Fatal(err)
	}
	warm, err := LargestEigenpairs(vectors, products[float64](nearby), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !cold.Converged || !warm.Converged || warm.Products > 8 || warm.Products >= cold.Products {
		t.Errorf("%d products from a random start, %d from the pairs of a nearby operator", cold.Products, warm.Products)
	}
	if want := largest(nearby); math.Abs(warm.Values[0]-want) > warm.Residuals[0] {
		t.Errorf("value %v, dense solver %v", warm.Values[0], want)
	}
}

func TestEigenpairsInFloat32AreThoseOfFloat64ToItsPrecision(t *testing.T) {
	a := fixture.Symmetric(90, 2)
	vectors := randomVectors[float32](3, 90, 1)
	got, err := LargestEigenpairs(vectors, products[float32](a), LOBPCGOptions{Tolerance: 1e-5, MaxIterations: 200})
	if err != nil {
		t.Fatal(err)
	}
	if want := largest(a); !got.Converged || math.Abs(got.Values[0]-want) > 1e-4 {
		t.Errorf("%+v, dense solver %v", got, want)
	}
	wantOrthonormal(t, vectors, 1e-6)
}

func TestAStartThatSpansTooLittleIsFilledUp(t *testing.T) {
	a := fixture.Symmetric(40, 8)
	vectors := randomVectors[float64](4, 40, 1)
	copy(vectors[1], vectors[0])
	clear(vectors[2])
	got, err := LargestEigenpairs(vectors, products[float64](a), LOBPCGOptions{Tolerance: 1e-8, MaxIterations: 200})
	if err != nil || !got.Converged || math.Abs(got.Values[0]-largest(a)) > 1e-8 {
		t.Errorf("%+v, %v, dense solver %v", got, err, largest(a))
	}
	wantOrthonormal(t, vectors, 1e-12)
}

func TestMistakesWithEigenpairsAreErrors(t *testing.T) {
	broken := errors.New("broken")
	for says, c := range map[string]struct {
		vectors [][]float64
		apply   func(vs, avs [][]float64) error
	}{
		"0 vectors":     {nil, products[float64](fixture.Symmetric(6, 1))},
		"3 vectors":     {randomVectors[float64](3, 6, 1), products[float64](fixture.Symmetric(6, 1))},
		"broken":        {randomVectors[float64](1, 6, 1), func(_, _ [][]float64) error { return broken }},
		"is not finite": {randomVectors[float64](1, 6, 1), func(_, avs [][]float64) error { avs[0][2] = math.NaN(); return nil }},
	} {
		t.Run(says, func(t *testing.T) {
			if _, err := LargestEigenpairs(c.vectors, c.apply, LOBPCGOptions{}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want an error that says %q, got %v", says, err)
			}
		})
	}
}
