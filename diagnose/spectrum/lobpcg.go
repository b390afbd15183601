package spectrum

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/graph"
)

// LOBPCGOptions say how exactly to solve. The zero value is a good default.
type LOBPCGOptions struct {
	// Tolerance is the residual at which a pair counts as found, relative to the largest eigenvalue's size. If 0, it is 1e-3.
	Tolerance float64
	// MaxIterations bounds the iterations, each of at most one product a vector. If 0, it is 40.
	MaxIterations int
	// Wanted says of the pairs found so far, the values in descending order, how many from the first are to be within the tolerance. If nil,
	// all are. Vectors beyond these speed up the ones before them.
	Wanted func(values []float64) int
}

// Eigenpairs are approximate largest eigenvalues of a symmetric operator, in descending order.
type Eigenpairs struct {
	Values []float64
	// Residuals are |A v - Value v| of the unit vectors found.
	Residuals []float64
	// Products is the number of products with A that it took.
	Products  int
	Converged bool // the wanted pairs are within the tolerance
}

// LargestEigenpairs improves vectors, of which it takes the span to start from, until they are unit eigenvectors of the algebraically largest
// eigenvalues of a symmetric operator: the locally optimal block preconditioned conjugate gradient method (A. V. Knyazev, SIAM J. Sci. Comput.
// 23 (2001) 517) without a preconditioner, in the form that keeps its basis orthonormal (U. Hetmaniuk, R. Lehoucq, J. Comput. Phys. 218
// (2006) 324). apply writes A v into av for several v at once. Six times the vectors are held in memory, in T.
//
// Started from the eigenvectors of a nearby operator it takes a few products a vector. A span orthogonal to an eigenvector cannot find
// it: let a random vector be among those of a first call.
func LargestEigenpairs[T graph.Float](vectors [][]T, apply func(vs, avs [][]T) error, opt LOBPCGOptions) (Eigenpairs, error) {
	if opt.Tolerance == 0 {
		opt.Tolerance = 1e-3
	}
	if opt.MaxIterations == 0 {
		opt.MaxIterations = 40
	}
	if len(vectors) == 0 || 3*len(vectors) > len(vectors[0]) {
		return Eigenpairs{}, fmt.Errorf("largest eigenpairs: %d vectors: want from one to a third of the number of dimensions", len(vectors))
	}
	s := &lobpcg[T]{apply: apply, count: len(vectors)}
	if err := s.start(vectors); err != nil {
		return Eigenpairs{}, err
	}
	found := Eigenpairs{Residuals: make([]float64, s.count)}
	for iteration := 0; ; iteration++ {
		found.Values, found.Products = s.values, s.products
		wanted := s.count
		if opt.Wanted != nil {
			wanted = min(s.count, opt.Wanted(s.values))
		}
		found.Converged = s.residuals(found.Residuals, opt.Tolerance*math.Abs(s.values[0]), wanted)
		if found.Converged || iteration == opt.MaxIterations || len(s.w) == 0 {
			break
		}
		if err := s.improve(); err != nil {
			return found, err
		}
	}
	for i, v := range s.x {
		copy(vectors[i], v)
	}
	return found, nil
}

// lobpcg is the state of an iteration: the vectors x, their residuals w, and the directions d that the last iteration moved along.
// Together they are orthonormal; ax, aw and ad are the operator's products with them.
type lobpcg[T graph.Float] struct {
	apply        func(vs, avs [][]T) error
	count        int
	x, ax, w, aw [][]T
	d, ad        [][]T
	values       []float64
	products     int
}

// start makes an orthonormal basis of the span, replacing what is missing in it by axes, and finds its Ritz pairs.
func (s *lobpcg[T]) start(vectors [][]T) error {
	dim := len(vectors[0])
	for _, v := range vectors {
		s.w = append(s.w, slices.Clone(v))
	}
	s.w = orthonormal(nil, s.w)
	for axis := 0; len(s.w) < s.count; axis++ {
		e := make([]T, dim)
		e[axis] = 1
		s.w = append(s.w, orthonormal(s.w, [][]T{e})...)
	}
	return s.improve()
}

// improve takes the best pairs of the span of x, w and d.
func (s *lobpcg[T]) improve() error {
	s.aw = room(s.w)
	if err := s.apply(s.w, s.aw); err != nil {
		return err
	}
	s.products += len(s.w)
	basis, image := slices.Concat(s.x, s.w, s.d), slices.Concat(s.ax, s.aw, s.ad)
	c, values, err := ritz(basis, image, s.count)
	if err != nil {
		return err
	}
	move := movement(c, len(s.x))
	s.values = values
	s.x, s.ax, s.d, s.ad = combine(basis, c), combine(image, c), combine(basis, move), combine(image, move)
	return nil
}

// residuals sets the sizes of all residuals, and w to an orthonormal basis of those of the wanted pairs, and of the others that are
// not within the tolerance either, against x and d. It reports whether the wanted pairs are.
func (s *lobpcg[T]) residuals(sizes []float64, tolerance float64, wanted int) bool {
	s.w = nil
	converged := true
	for i := range s.x {
		r := slices.Clone(s.ax[i])
		subtract(r, s.values[i], s.x[i])
		if sizes[i] = diagnose.Norm(r); !(sizes[i] <= tolerance) {
			converged = converged && i >= wanted
			s.w = append(s.w, r)
		}
	}
	if !converged {
		s.w = orthonormal(slices.Concat(s.x, s.d), s.w)
	}
	return converged
}

// ritz returns the coefficients [basis, count] of the largest Ritz pairs in an orthonormal basis, and their values, in descending order.
func ritz[T graph.Float](basis, image [][]T, count int) (c *mat.Dense, values []float64, err error) {
	n := len(basis)
	h := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			v := (diagnose.Dot(basis[i], image[j]) + diagnose.Dot(basis[j], image[i])) / 2
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, nil, errors.New("largest eigenpairs: a product is not finite")
			}
			h.SetSym(i, j, v)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(h, true) {
		return nil, nil, errors.New("largest eigenpairs: the projected eigenproblem did not converge")
	}
	var all mat.Dense
	eigen.VectorsTo(&all)
	c = mat.NewDense(n, count, nil)
	for k := range count {
		values = append(values, eigen.Values(nil)[n-1-k])
		c.SetCol(k, mat.Col(nil, n-1-k, &all))
	}
	return c, values, nil
}

// movement returns orthonormal coefficients of the directions in which the pairs c leave the first vectors of a basis, orthogonal to c.
func movement(c *mat.Dense, first int) *mat.Dense {
	n, count := c.Dims()
	var taken, moved [][]float64
	for k := range count {
		column := mat.Col(nil, k, c)
		taken, moved = append(taken, column), append(moved, slices.Clone(column))
		clear(moved[k][:first])
	}
	if first == 0 {
		return nil
	}
	kept := orthonormal(taken, moved)
	if len(kept) == 0 {
		return nil
	}
	out := mat.NewDense(n, len(kept), nil)
	for k, v := range kept {
		out.SetCol(k, v)
	}
	return out
}

// combine returns the combinations of vectors with coefficients [vectors, combinations]; none for nil.
func combine[T graph.Float](vectors [][]T, c *mat.Dense) [][]T {
	if c == nil {
		return nil
	}
	_, count := c.Dims()
	out := make([][]T, count)
	for k := range out {
		out[k] = make([]T, len(vectors[0]))
		for i, v := range vectors {
			subtract(out[k], -c.At(i, k), v)
		}
	}
	return out
}

// orthonormal returns the vectors made orthonormal to the taken ones and to each other, in place, without those that are in the span of
// these.
func orthonormal[T graph.Float](taken, vectors [][]T) [][]T {
	basis := slices.Clone(taken)
	for _, v := range vectors {
		size := diagnose.Norm(v)
		if !(size > 0) {
			continue
		}
		scale(v, 1/size)
		left := orthogonalize(v, basis)
		if left == 0 {
			continue
		}
		scale(v, 1/left)
		if again := orthogonalize(v, basis); again > 0 {
			scale(v, 1/again)
			basis = append(basis, v)
		}
	}
	return basis[len(taken):]
}

func room[T graph.Float](like [][]T) [][]T {
	out := make([][]T, len(like))
	for i, v := range like {
		out[i] = make([]T, len(v))
	}
	return out
}
