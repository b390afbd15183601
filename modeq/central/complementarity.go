package central

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Complementarity is the problem of finding the symmetric matrix X of Size rows with
//
//	X >= 0,    S = Alpha + Beta X >= 0,    <X, S> = 0,
//
// which minimizes (1/2) <X, Beta X> + <Alpha, X> over X >= 0. Symmetric matrices are vectors of their elements on and above the diagonal, row
// by row, those above times sqrt(2), so that <X, S> is the vectors' product.
type Complementarity struct {
	Size  int
	Alpha []float64
	Beta  *mat.SymDense // at least 0
}

// errUnanswered says that a Complementarity has no solution.
var errUnanswered = errors.New("no oscillation of finite size holds the curvature at the edge: " +
	"it does not fall where the iterates are driven along the critical directions")

const (
	// maxNewtonSteps bounds the Newton steps of a solution; 40 to 80 are usual.
	maxNewtonSteps = 400
	// maxOscillation is a size of X, relative to that of alpha over that of beta, beyond which there is none.
	maxOscillation = 1e10
	// smallestBarrier is the weight of the barrier at which X is found, relative to the function's value.
	smallestBarrier = 1e-12
	// nearby is the Newton decrement, over the root of mu, within which full steps converge.
	nearby = 0.3
)

// Solve returns X: a barrier method, which minimizes with -mu log det X added, mu falling, by Newton steps (S. Boyd, L. Vandenberghe, Convex
// Optimization, section 11.3), made for a few rows: a step solves a system of as many equations as X has elements.
func (c *Complementarity) Solve() ([]float64, error) {
	n := len(c.Alpha)
	if c.Size == 0 {
		return nil, nil
	}
	size, stiffness := mat.Norm(mat.NewVecDense(n, c.Alpha), math.Inf(1)), mat.Norm(c.Beta, 1)
	switch {
	case smallest(unpack(c.Alpha, c.Size)) >= 0:
		return make([]float64, n), nil
	case !(size <= math.MaxFloat64 && stiffness <= math.MaxFloat64):
		return nil, errors.New("the curvature at the edge is not finite")
	case stiffness == 0:
		return nil, errUnanswered
	case c.Size == 1:
		return []float64{-c.Alpha[0] / c.Beta.At(0, 0)}, nil
	}
	p := barrier{k: c.Size, mu: 1, alpha: mat.NewVecDense(n, nil), beta: mat.NewSymDense(n, nil), x: identity(c.Size)}
	p.alpha.ScaleVec(1/size, mat.NewVecDense(n, c.Alpha))
	p.beta.ScaleSym(1/stiffness, c.Beta)
	for range maxNewtonSteps {
		centered, ok := p.step()
		switch {
		case !ok || mat.Norm(p.x, 2) > maxOscillation:
			return nil, errUnanswered
		case centered && p.mu <= smallestBarrier*(1+math.Abs(mat.Dot(p.alpha, p.x))):
			p.x.ScaleVec(size/stiffness, p.x)
			return p.x.RawVector().Data, nil
		case centered:
			p.mu /= 5
		}
	}
	return nil, errUnanswered
}

// barrier is an iterate X > 0 of the barrier method, in units in which alpha and beta are of size 1.
type barrier struct {
	k     int
	mu    float64
	alpha *mat.VecDense
	beta  *mat.SymDense
	x     *mat.VecDense
}

// step takes a Newton step for the present mu. It reports whether X was near the minimum, and whether the step could be taken.
func (p *barrier) step() (centered, ok bool) {
	var factor, newton mat.Cholesky
	var inverse mat.SymDense
	if !factor.Factorize(unpack(p.x.RawVector().Data, p.k)) || factor.InverseTo(&inverse) != nil && math.IsInf(factor.Cond(), 1) {
		return false, false
	}
	var slope, move mat.VecDense
	slope.MulVec(p.beta, p.x)
	slope.AddVec(&slope, p.alpha)
	slope.AddScaledVec(&slope, -p.mu, mat.NewVecDense(slope.Len(), pack(&inverse)))
	curvature := squared(&inverse, p.mu)
	curvature.AddSym(curvature, p.beta)
	if !newton.Factorize(curvature) || newton.SolveVecTo(&move, &slope) != nil && math.IsInf(newton.Cond(), 1) {
		return false, false
	}
	decrement := math.Sqrt(max(0, mat.Dot(&slope, &move)) / p.mu)
	share := 1.
	if decrement > nearby {
		share = 1 / (1 + decrement) // stays inside of the cone: the function over mu is self-concordant
	}
	p.x.AddScaledVec(p.x, -share, &move)
	return decrement <= nearby, true
}

// squared returns the matrix that takes V to mu W V W.
func squared(w *mat.SymDense, mu float64) *mat.SymDense {
	k := w.SymmetricDim()
	var rows, columns []int
	for i := range k {
		for j := i; j < k; j++ {
			rows, columns = append(rows, i), append(columns, j)
		}
	}
	out := mat.NewSymDense(len(rows), nil)
	for a, i := range rows {
		for b := a; b < len(rows); b++ {
			j, l, m := columns[a], rows[b], columns[b]
			v := mu * (w.At(i, l)*w.At(j, m) + w.At(i, m)*w.At(j, l)) / 2
			for _, apart := range []bool{i != j, l != m} {
				if apart {
					v *= math.Sqrt2
				}
			}
			out.SetSym(a, b, v)
		}
	}
	return out
}

// smallest returns the smallest eigenvalue.
func smallest(a *mat.SymDense) float64 {
	var eigen mat.EigenSym
	if !eigen.Factorize(a, false) {
		return math.NaN()
	}
	return eigen.Values(nil)[0]
}

// unpack returns the symmetric matrix of k rows that a vector stands for.
func unpack(v []float64, k int) *mat.SymDense {
	a := mat.NewSymDense(k, nil)
	at := 0
	for i := range k {
		a.SetSym(i, i, v[at])
		at++
		for j := i + 1; j < k; j++ {
			a.SetSym(i, j, v[at]/math.Sqrt2)
			at++
		}
	}
	return a
}

// pack returns the vector that stands for the symmetric part of a matrix.
func pack(a mat.Matrix) []float64 {
	k, _ := a.Dims()
	var v []float64
	for i := range k {
		v = append(v, a.At(i, i))
		for j := i + 1; j < k; j++ {
			v = append(v, (a.At(i, j)+a.At(j, i))/math.Sqrt2)
		}
	}
	return v
}

func identity(k int) *mat.VecDense {
	one := mat.NewDiagDense(k, nil)
	for i := range k {
		one.SetDiag(i, 1)
	}
	v := pack(one)
	return mat.NewVecDense(len(v), v)
}
