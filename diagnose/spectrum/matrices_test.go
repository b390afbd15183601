package spectrum

import (
	"math"
	"math/rand/v2"
	"slices"
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

func largest(a mat.Symmetric) float64 {
	var e mat.EigenSym
	e.Factorize(a, false)
	values := e.Values(nil)
	return values[len(values)-1]
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
