package spectrum

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/graph"
)

// ExtremalOptions say which eigenvalues are wanted, and how exactly.
type ExtremalOptions[T graph.Float] struct {
	// Top and Bottom are the numbers of largest and of smallest eigenvalues that are wanted.
	Top, Bottom int
	// Tolerance is the residual at which a pair counts as found, relative to the size of the largest eigenvalue. If 0, it is 1e-7 in float64 and 1e-5
	// in float32; a smaller one than rounding allows is taken for that.
	Tolerance float64
	// AtOnce is the number of vectors of a product. If 0, it is 2.
	AtOnce int
	// MaxProducts bounds the number of products. If 0, it is 100 for each wanted eigenvalue, and 1000 at least.
	MaxProducts int
	// Start holds approximate eigenvectors to begin with, as those of a nearby operator. They are changed.
	Start [][]T
	// Brief ends the search once the wanted pairs are found and stay so for Lasting further expansions of the basis. No random vector confirms that there are
	// no others, residuals are those of the recurrence, and Tolerance is relative to the largest wanted value. It is for a few digits at each step of a run,
	// where a confirmation takes more products than the search. From Start alone nothing is found that is orthogonal to it: let a random vector be among
	// those of a first search.
	Brief   bool
	Lasting int
	// Each has the tolerance of a pair relative to its own value, as ARPACK has it, in a brief search.
	Each bool
	// Wanted, unless nil, says of the largest values found so far, at most Top in descending order, how many from the first are to be within the tolerance.
	// Vectors beyond these speed up the search. Bottom is 0 then.
	Wanted func(values []float64) int
	// Seed draws the random vectors.
	Seed uint64
	// Progress, unless nil, is told how many pairs are found.
	Progress func(found, wanted, products int)
}

// Pairs are eigenpairs of a symmetric operator.
type Pairs[T graph.Float] struct {
	Values []float64
	// Vectors are orthonormal.
	Vectors [][]T
	// Residuals are |A v - Value v|, of the vectors as they are: an eigenvalue lies within it of Value.
	Residuals []float64
}

// Extremes are the largest and the smallest eigenvalues of a symmetric operator.
type Extremes[T graph.Float] struct {
	// Top are in descending order, Bottom in ascending order.
	Top, Bottom Pairs[T]
	// Norm is the size of the largest eigenvalue.
	Norm float64
	// Tolerance is the one that pairs were held to.
	Tolerance float64
	// Products is the number of products with single vectors.
	Products  int
	Converged bool // all residuals are within the tolerance
}

// extra is the number of vectors that a basis has beside twice the wanted ones, and confirmation the number of products that a random vector is
// followed for before what was found counts as all there is.
const (
	extra        = 20
	confirmation = 12
)

// Vectors returns the number of vectors of dim elements that a search holds at most, those that it starts with included, so that its memory can be told.
func (o ExtremalOptions[T]) Vectors() int {
	return 3*(o.Top+o.Bottom) + extra + 4*o.atOnce()
}

func (o ExtremalOptions[T]) atOnce() int {
	if o.AtOnce == 0 {
		return 2
	}
	return o.AtOnce
}

// tolerance returns the one that T allows.
func (o ExtremalOptions[T]) tolerance() float64 {
	least, usual := 4*roundoff[T](), 1e-7
	if graph.TypeOf[T]().Size() == 4 {
		usual = 1e-5
	}
	if o.Tolerance == 0 {
		return usual
	}
	return max(o.Tolerance, least)
}

// ErrNotFinite says that a product has elements that are not finite.
var ErrNotFinite = errors.New("a product is not finite")

// Extremal finds the largest and the smallest eigenvalues of a symmetric operator on vectors of dim elements, from one Krylov space: the block Lanczos
// method with full reorthogonalization and thick restarts (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22 (2000) 602). Found pairs stay in the basis, and
// only residuals of the others are followed.
//
// A Krylov space from a few vectors has no more than as many vectors of one eigenspace. So once all wanted pairs are found, a random vector orthogonal to
// the basis is followed for some products, and the search goes on until that changes nothing, unless it is to be brief. Where the number of wanted pairs
// leaves no room for iterations, take [Dense].
func Extremal[T graph.Float](dim int, apply Product[T], opt ExtremalOptions[T]) (Extremes[T], error) {
	if opt.Top < 0 || opt.Bottom < 0 || opt.Top+opt.Bottom == 0 || opt.Top+opt.Bottom > dim {
		return Extremes[T]{}, fmt.Errorf("eigenvalues: %d largest and %d smallest of an operator on %d dimensions: want at least one, and no more than dimensions",
			opt.Top, opt.Bottom, dim)
	}
	s := newSearch(dim, apply, opt)
	if err := s.run(); err != nil {
		return Extremes[T]{}, err
	}
	if opt.Brief {
		return s.found(), nil
	}
	return s.verify()
}

// search is the state of a search. With the basis v and the pending vectors q, orthonormal together, A v = v t + q c holds, t being symmetric: so the
// residual of a pair v y is that of t y, and q c y.
type search[T graph.Float] struct {
	dim       int
	apply     Product[T]
	opt       ExtremalOptions[T]
	tolerance float64
	most      int // vectors of the basis
	rnd       *rand.Rand

	v, q [][]T
	t, c *mat.Dense // [v, v] and [q, v]
	// fresh is the number of pending vectors, from the first, that come from outside and are multiplied before others.
	fresh    int
	products int
	// follow is the number of products for which the newest vectors are followed, whatever the residuals.
	follow int

	values []float64  // Ritz values, ascending
	s      *mat.Dense // their coefficients [v, value]
	spare  [][]T      // memory of vectors
}

func newSearch[T graph.Float](dim int, apply Product[T], opt ExtremalOptions[T]) *search[T] {
	wanted, b := opt.Top+opt.Bottom, opt.atOnce()
	if opt.MaxProducts == 0 {
		opt.MaxProducts = max(1000, 100*wanted)
	}
	s := &search[T]{dim: dim, apply: apply, opt: opt, tolerance: opt.tolerance(), rnd: rand.New(rand.NewPCG(opt.Seed, 0x5bec7)), t: &mat.Dense{}, c: &mat.Dense{}}
	s.most = min(dim, max(2*wanted+extra, wanted+4*b))
	start := opt.Start[:min(len(opt.Start), s.most-b)]
	s.fresh = s.enter(start)
	switch {
	case !opt.Brief:
		s.inject(max(1, b-s.fresh))
	case s.fresh == 0:
		s.inject(b)
	}
	return s
}

// run goes on until all wanted pairs are found and confirmed, or products run out.
func (s *search[T]) run() error {
	var before []float64 // wanted values at the last confirmation
	within := 0          // expansions in sequence behind which all wanted pairs were found
	for {
		if err := s.expand(); err != nil {
			return err
		}
		if s.follow > 0 && len(s.q) > 0 {
			continue
		}
		open := s.open()
		s.report(len(open))
		if within++; len(open) > 0 || len(s.v) < s.wanted() {
			within = 0
		}
		switch {
		case len(s.v) == s.dim || s.products >= s.opt.MaxProducts:
			return nil
		case s.opt.Brief && within > 0:
			if within > s.opt.Lasting || len(s.q) == 0 {
				return nil
			}
		case len(open) == 0 && len(s.v) >= s.wanted():
			now := s.wantedValues()
			if before != nil && s.same(before, now) {
				return nil
			}
			before = now
			s.inject(1)
			s.follow = confirmation
		case len(s.q) == 0:
			s.inject(s.opt.atOnce())
		}
	}
}

func (s *search[T]) wanted() int { return s.opt.Top + s.opt.Bottom }

func (s *search[T]) report(open int) {
	if s.opt.Progress != nil {
		s.opt.Progress(max(0, min(s.wanted(), len(s.v))-open), s.wanted(), s.products)
	}
}

// norm is the size of the largest Ritz value.
func (s *search[T]) norm() float64 {
	if len(s.values) == 0 {
		return 0
	}
	return max(math.Abs(s.values[0]), math.Abs(s.values[len(s.values)-1]))
}

// indices returns those of the wanted Ritz pairs, of as many as there are: the largest first, then the smallest.
func (s *search[T]) indices() []int {
	n := len(s.values)
	var out []int
	for k := range min(s.opt.Top, n) {
		out = append(out, n-1-k)
	}
	for k := range min(s.opt.Bottom, n-len(out)) {
		out = append(out, k)
	}
	return out
}

func (s *search[T]) wantedValues() []float64 {
	var out []float64
	for _, i := range s.indices() {
		out = append(out, s.values[i])
	}
	return out
}

// same reports whether two lists of values agree within the tolerance.
func (s *search[T]) same(a, b []float64) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= 2*s.tolerance*s.norm()) {
			return false
		}
	}
	return true
}

// open returns the wanted pairs whose residuals are not within the tolerance.
func (s *search[T]) open() []int {
	var out []int
	at := s.indices()
	if s.opt.Wanted != nil {
		at = at[:min(len(at), s.opt.Wanted(s.wantedValues()))]
	}
	within := s.within()
	for _, i := range at {
		bound := within
		if s.opt.Brief && s.opt.Each {
			bound = max(s.tolerance*math.Abs(s.values[i]), 4*roundoff[T]()*s.norm())
		}
		if !(s.residual(i) <= bound) {
			out = append(out, i)
		}
	}
	return out
}

// within is the residual at which a pair is found.
func (s *search[T]) within() float64 {
	if !s.opt.Brief {
		return s.tolerance * s.norm()
	}
	largest := 0.0
	for _, v := range s.wantedValues() {
		largest = max(largest, math.Abs(v))
	}
	return max(s.tolerance*largest, 4*roundoff[T]()*s.norm())
}

// residual returns that of a Ritz pair.
func (s *search[T]) residual(i int) float64 {
	sum := 0.0
	rows, columns := s.c.Dims()
	for r := range rows {
		x := 0.0
		for k := range columns {
			x += s.c.At(r, k) * s.s.At(k, i)
		}
		sum += x * x
	}
	return math.Sqrt(sum)
}

// verify multiplies the wanted vectors once more, so that their residuals are those of what is returned, whatever rounding did to the basis.
func (s *search[T]) verify() (Extremes[T], error) {
	vectors := s.vectors()
	values, residuals, err := s.rayleigh(vectors)
	if err != nil {
		return Extremes[T]{}, err
	}
	converged := true
	for _, r := range residuals {
		converged = converged && r <= 1.1*s.tolerance*s.norm()
	}
	return s.extremes(values, vectors, residuals, converged), nil
}

// found returns what the recurrence says of the wanted pairs.
func (s *search[T]) found() Extremes[T] {
	var residuals []float64
	for _, i := range s.indices() {
		residuals = append(residuals, s.residual(i))
	}
	return s.extremes(s.wantedValues(), s.vectors(), residuals, len(s.open()) == 0 && len(s.v) >= s.wanted())
}

// vectors returns those of the wanted pairs.
func (s *search[T]) vectors() [][]T {
	at := s.indices()
	y := mat.NewDense(len(s.v), len(at), nil)
	for k, i := range at {
		y.SetCol(k, mat.Col(nil, i, s.s))
	}
	return combined(s.v, y)
}

// extremes tells the wanted pairs apart.
func (s *search[T]) extremes(values []float64, vectors [][]T, residuals []float64, converged bool) Extremes[T] {
	top := min(s.opt.Top, len(values))
	return Extremes[T]{
		Top: Pairs[T]{values[:top], vectors[:top], residuals[:top]}, Bottom: Pairs[T]{values[top:], vectors[top:], residuals[top:]},
		Norm: s.norm(), Tolerance: s.tolerance, Products: s.products, Converged: converged,
	}
}

// rayleigh returns the Rayleigh quotients of unit vectors, and their residuals.
func (s *search[T]) rayleigh(vectors [][]T) (values, residuals []float64, err error) {
	b := s.opt.atOnce()
	room := make([][]T, b)
	for i := range room {
		room[i] = s.vector()
	}
	for from := 0; from < len(vectors); from += b {
		some := vectors[from:min(from+b, len(vectors))]
		for _, v := range some {
			scale(v, 1/diagnose.Norm(v))
		}
		if err := s.apply(some, room[:len(some)]); err != nil {
			return nil, nil, err
		}
		s.products += len(some)
		for i, v := range some {
			value := diagnose.Dot(v, room[i])
			subtract(room[i], value, v)
			values, residuals = append(values, value), append(residuals, diagnose.Norm(room[i]))
		}
	}
	return values, residuals, nil
}
