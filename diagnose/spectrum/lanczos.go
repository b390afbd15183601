package spectrum

import (
	"errors"
	"math"
	"math/rand/v2"
	"shadowflow/diagnose"
	"shadowflow/graph"

	"gonum.org/v1/gonum/mat"
)

// LanczosOptions say how long to search. The zero value is a good default.
type LanczosOptions struct {
	// Tolerance is the residual at which the search ends, relative to the eigenvalue's size, once it has stayed within for lasting
	// iterations. If 0, it is 3e-4.
	Tolerance float64
	// MaxIterations bounds the number of products. If 0, it is 40.
	MaxIterations int
	// Seed draws the start vector.
	Seed uint64
}

// Eigenpair is an approximate largest eigenvalue of a symmetric operator A.
type Eigenpair[T graph.Float] struct {
	Value float64
	// Vector is the unit vector found with it.
	Vector []T
	// Residual is |A y - Value y| of that vector y: an eigenvalue of A lies within it of Value. That it is the
	// largest is likely, not certain: a start vector nearly orthogonal to the largest's eigenvector could miss it.
	Residual   float64
	Iterations int
	Converged  bool // the residual is within the tolerance
}

// LargestEigenpair finds the algebraically largest eigenvalue, and its vector, of a symmetric operator on vectors of dim elements by the
// Lanczos method with full reorthogonalization. apply writes A v into av. The basis is kept in T: one vector more than Iterations.
func LargestEigenpair[T graph.Float](dim int, apply func(v, av []T) error, opt LanczosOptions) (Eigenpair[T], error) {
	return new(Lanczos[T]).LargestEigenpair(dim, apply, opt)
}

// LanczosIterations is the number of iterations at most unless options say another, and LanczosVectors that of vectors that a basis then has.
const (
	LanczosIterations = 40
	LanczosVectors    = LanczosIterations + 1
)

// lasting is the number of iterations that an eigenvalue has to stay for. One just below the largest is found first where the start has less of the
// largest's vector, in some two of a hundred searches with a gap of 2%, and left for it a few iterations later.
const lasting = 4

// A Lanczos keeps the memory of a basis from one search to the next, which is most of what a large run takes. The zero value is ready.
type Lanczos[T graph.Float] struct{ vectors [][]T }

// vector returns memory for the k-th vector of a basis.
func (l *Lanczos[T]) vector(k, dim int) []T {
	if k < len(l.vectors) && len(l.vectors[k]) == dim {
		return l.vectors[k]
	}
	l.vectors = append(l.vectors[:k], make([]T, dim))
	return l.vectors[k]
}

// LargestEigenpair is the function of that name, in the memory of l. The vector of the result is its own.
func (l *Lanczos[T]) LargestEigenpair(dim int, apply func(v, av []T) error, opt LanczosOptions) (Eigenpair[T], error) {
	if opt.Tolerance == 0 {
		opt.Tolerance = 3e-4
	}
	if opt.MaxIterations == 0 {
		opt.MaxIterations = LanczosIterations
	}
	if dim < 1 {
		return Eigenpair[T]{}, errors.New("largest eigenvalue: an operator on no dimensions")
	}
	rnd := rand.New(rand.NewPCG(opt.Seed, 0x1a9c205))
	v := l.vector(0, dim)
	for i := range v {
		v[i] = T(rnd.NormFloat64())
	}
	scale(v, 1/diagnose.Norm(v))
	basis := [][]T{v}
	var alpha, beta []float64
	var best Eigenpair[T]
	var ritz []float64
	within := 0 // iterations in a row whose residual was
	for k := range min(dim, opt.MaxIterations) {
		w := l.vector(k+1, dim)
		if err := apply(basis[k], w); err != nil {
			return best, err
		}
		alpha = append(alpha, diagnose.Dot(basis[k], w))
		next := orthogonalize(w, basis)
		value, vector, err := largestRitz(alpha, beta)
		if err != nil {
			return best, err
		}
		ritz = vector
		best = Eigenpair[T]{Value: value, Residual: next * math.Abs(vector[k]), Iterations: k + 1}
		best.Converged = best.Residual <= opt.Tolerance*math.Abs(value) || next == 0
		if within++; !best.Converged {
			within = 0
		}
		if within > lasting || next == 0 || math.IsNaN(value) {
			break
		}
		scale(w, 1/next)
		basis, beta = append(basis, w), append(beta, next)
	}
	best.Vector = make([]T, dim)
	for k, w := range ritz {
		subtract(best.Vector, -w, basis[k])
	}
	return best, nil
}

// orthogonalize takes the components along the basis off w, twice (Kahan's "twice is enough"), and returns the norm of what is
// left, 0 where that is rounding.
func orthogonalize[T graph.Float](w []T, basis [][]T) float64 {
	before := diagnose.Norm(w)
	for range 2 {
		for _, q := range basis {
			subtract(w, diagnose.Dot(q, w), q)
		}
	}
	epsilon := 1e-15
	if graph.TypeOf[T]().Size() == 4 {
		epsilon = 1e-7
	}
	if left := diagnose.Norm(w); left > 10*epsilon*before {
		return left
	}
	return 0
}

// largestRitz returns the largest eigenvalue of the tridiagonal matrix and its unit eigenvector; NaN where an element is not finite.
func largestRitz(alpha, beta []float64) (value float64, vector []float64, err error) {
	k := len(alpha)
	for _, a := range alpha {
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return math.NaN(), make([]float64, k), nil
		}
	}
	values, vectors, err := tridiagonal(alpha, beta)
	if err != nil {
		return 0, nil, err
	}
	return values[k-1], mat.Col(nil, k-1, vectors), nil
}

// tridiagonal returns the eigenvalues of the matrix with the diagonal alpha and beta beside it, in ascending order, and its vectors [element, value].
func tridiagonal(alpha, beta []float64) (values []float64, vectors *mat.Dense, err error) {
	t := mat.NewSymDense(len(alpha), nil)
	for i, a := range alpha {
		t.SetSym(i, i, a)
		if i+1 < len(alpha) {
			t.SetSym(i, i+1, beta[i])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(t, true) {
		return nil, nil, errors.New("eigenvalues: the tridiagonal eigenproblem did not converge")
	}
	vectors = &mat.Dense{}
	eigen.VectorsTo(vectors)
	return eigen.Values(nil), vectors, nil
}

func scale[T graph.Float](v []T, a float64) {
	s := T(a)
	for i := range v {
		v[i] *= s
	}
}

// subtract sets w -= a q.
func subtract[T graph.Float](w []T, a float64, q []T) {
	s := T(a)
	for i, x := range q {
		w[i] -= s * x
	}
}
