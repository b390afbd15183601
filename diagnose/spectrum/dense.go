package spectrum

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"shadowflow/graph"
)

// Small is the number of dimensions up to which the whole matrix is made: the exact answers then take no longer than estimates.
const Small = 2000

// A Matrix is a symmetric operator as the matrix that it is, in float64, with its eigenvalues in ascending order.
type Matrix struct {
	A      *mat.SymDense
	Values []float64

	vectors *mat.Dense // [element, value]; nil where there are too many
}

// solveAll is the number of dimensions up to which all eigenvectors are found: beyond, they take many times as long as the eigenvalues.
const solveAll = 300

// Dense makes the matrix of a symmetric operator on vectors of dim elements, from its products with all axes, and solves it. What rounding leaves of its
// transpose is halved. atOnce is the number of vectors of a product. progress, unless nil, is told how many of the products are done.
func Dense[T graph.Float](dim int, apply Product[T], atOnce int, progress func(done, of int)) (*Matrix, error) {
	if dim < 1 || atOnce < 1 {
		return nil, fmt.Errorf("dense matrix: %d dimensions, %d vectors at once: want at least one", dim, atOnce)
	}
	vs, avs := make([][]T, atOnce), make([][]T, atOnce)
	for i := range vs {
		vs[i], avs[i] = make([]T, dim), make([]T, dim)
	}
	a := mat.NewSymDense(dim, nil)
	for from := 0; from < dim; from += atOnce {
		n := min(atOnce, dim-from)
		for i, v := range vs[:n] {
			clear(v)
			v[from+i] = 1
		}
		if err := apply(vs[:n], avs[:n]); err != nil {
			return nil, err
		}
		for i, av := range avs[:n] {
			for j, x := range av {
				if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, fmt.Errorf("dense matrix: %w", ErrNotFinite)
				}
				a.SetSym(from+i, j, a.At(from+i, j)+float64(x)/2)
			}
			a.SetSym(from+i, from+i, float64(av[from+i]))
		}
		if progress != nil {
			progress(from+n, dim)
		}
	}
	return solved(a)
}

func solved(a *mat.SymDense) (*Matrix, error) {
	var eigen mat.EigenSym
	all := a.SymmetricDim() <= solveAll
	if !eigen.Factorize(a, all) {
		return nil, errors.New("dense matrix: the eigenproblem did not converge")
	}
	m := &Matrix{A: a, Values: eigen.Values(nil)}
	if all {
		m.vectors = &mat.Dense{}
		eigen.VectorsTo(m.vectors)
	}
	return m, nil
}

// Block returns the matrix of some rows and the same columns.
func (m *Matrix) Block(spans [][2]int) (*Matrix, error) {
	var at []int
	for _, span := range spans {
		for i := span[0]; i < span[1]; i++ {
			at = append(at, i)
		}
	}
	a := mat.NewSymDense(len(at), nil)
	for i, row := range at {
		for j := i; j < len(at); j++ {
			a.SetSym(i, j, m.A.At(row, at[j]))
		}
	}
	return solved(a)
}

// Trace returns the trace, and those of parts, exactly, and the diagonal.
func (m *Matrix) Trace(parts ...[][2]int) Traced {
	n := len(m.Values)
	out := Traced{Diagonal: make([]float64, n), Deviations: make([]float64, n), Products: n}
	for i := range n {
		out.Diagonal[i] = m.A.At(i, i)
		out.Trace.Mean += out.Diagonal[i]
	}
	out.RootDiagonal.Mean = rootSum(out.Diagonal, nil, 0)
	for _, spans := range parts {
		out.Parts = append(out.Parts, Estimate{Mean: sumOver(spans, func(i int) float64 { return out.Diagonal[i] })})
	}
	return out
}

// Scaled returns the matrix D (A + diag(shift)) D of a diagonal D.
func Scaled[T graph.Float](m *Matrix, shift, d []T) (*Matrix, error) {
	n := len(d)
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			a.SetSym(i, j, float64(d[i])*m.A.At(i, j)*float64(d[j]))
		}
		a.SetSym(i, i, a.At(i, i)+float64(d[i])*float64(shift[i])*float64(d[i]))
	}
	return solved(a)
}

// Spread has all eigenvalues, with equal weights.
func (m *Matrix) Spread() *Spread {
	weights := make([]float64, len(m.Values))
	for i := range weights {
		weights[i] = 1 / float64(len(weights))
	}
	return &Spread{Nodes: [][]float64{m.Values}, Weights: [][]float64{weights}, Products: len(m.Values)}
}

// ExtremesOf returns the largest and the smallest eigenvalues of a matrix, as many as there are at most, with the residuals of the vectors.
func ExtremesOf[T graph.Float](m *Matrix, top, bottom int) (Extremes[T], error) {
	n := len(m.Values)
	top, bottom = min(top, n), min(bottom, n)
	out := Extremes[T]{Norm: max(math.Abs(m.Values[0]), math.Abs(m.Values[n-1])), Converged: true, Products: n}
	largest, smallest, err := m.columns(top, bottom)
	if err != nil {
		return out, err
	}
	for k, v := range largest {
		out.Top.add(m, n-1-k, v)
	}
	for k, v := range smallest {
		out.Bottom.add(m, k, v)
	}
	return out, nil
}

// columns returns the vectors of the largest and of the smallest eigenvalues.
func (m *Matrix) columns(top, bottom int) (largest, smallest [][]float64, err error) {
	n := len(m.Values)
	if m.vectors == nil && top+bottom > 0 {
		found, err := Extremal(n, m.product(), ExtremalOptions[float64]{Top: top, Bottom: bottom, Tolerance: 1e-11, MaxProducts: 2 * n})
		return found.Top.Vectors, found.Bottom.Vectors, err
	}
	for k := range top {
		largest = append(largest, mat.Col(nil, n-1-k, m.vectors))
	}
	for k := range bottom {
		smallest = append(smallest, mat.Col(nil, k, m.vectors))
	}
	return largest, smallest, nil
}

// product multiplies by the matrix.
func (m *Matrix) product() Product[float64] {
	return func(vs, avs [][]float64) error {
		for i, v := range vs {
			mat.NewVecDense(len(v), avs[i]).MulVec(m.A, mat.NewVecDense(len(v), v))
		}
		return nil
	}
}

// add adds the k-th smallest eigenvalue of a matrix, with its vector.
func (p *Pairs[T]) add(m *Matrix, k int, v []float64) {
	column := mat.NewVecDense(len(v), v)
	var left mat.VecDense
	left.MulVec(m.A, column)
	left.AddScaledVec(&left, -m.Values[k], column)
	vector := make([]T, len(v))
	for i, x := range v {
		vector[i] = T(x)
	}
	p.Values, p.Vectors, p.Residuals = append(p.Values, m.Values[k]), append(p.Vectors, vector), append(p.Residuals, mat.Norm(&left, 2))
}

// Masked returns the operator on the vectors that are 0 outside of some spans of elements, their elements one after the other: the block of the matrix on
// its diagonal, like a layer's of a Hessian. dim is the number of elements of all.
func Masked[T graph.Float](dim int, spans [][2]int, apply Product[T]) Product[T] {
	var vs, avs [][]T
	return func(parts, images [][]T) error {
		for len(vs) < len(parts) {
			vs, avs = append(vs, make([]T, dim)), append(avs, make([]T, dim))
		}
		for i, part := range parts { // what lies outside is 0, and stays so
			at := 0
			for _, span := range spans {
				at += copy(vs[i][span[0]:span[1]], part[at:])
			}
		}
		if err := apply(vs[:len(parts)], avs[:len(parts)]); err != nil {
			return err
		}
		for i, image := range images {
			at := 0
			for _, span := range spans {
				at += copy(image[at:], avs[i][span[0]:span[1]])
			}
		}
		return nil
	}
}
