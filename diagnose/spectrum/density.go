package spectrum

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/internal/stats"
)

// QuadratureOptions say how a density is found. The zero value is a good default.
type QuadratureOptions struct {
	// Probes is the number of random vectors, at least 2. If 0, it is 8.
	Probes int
	// Steps is the number of products for each: details finer than the spectrum's width over Steps are not seen. If 0, it is 64.
	Steps int
	// AtOnce is the number of probes that go together, which share a pass, and whose bases are in memory together. If 0, it is 2.
	AtOnce int
	// Seed draws the probes.
	Seed uint64
	// Progress, unless nil, is told how many products are done.
	Progress func(done, of int)
}

// withDefaults returns the options that are taken.
func (o QuadratureOptions) withDefaults() QuadratureOptions {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.Probes, 8}, {&o.Steps, 64}, {&o.AtOnce, 2}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

// Vectors returns the number of vectors of dim elements that a search holds at most.
func (o QuadratureOptions) Vectors() int {
	o = o.withDefaults()
	return o.AtOnce * (o.Steps + 2)
}

// A Spread says where eigenvalues lie: for each probe nodes and weights, which add up to 1, such that the mean over probes of sum_k w_k f(x_k) is near the mean
// of a smooth f over all eigenvalues.
type Spread struct {
	Nodes, Weights [][]float64
	// Steps is the number of products for each probe; 0 says that the nodes are all eigenvalues.
	Steps    int
	Products int
}

// Density is a smoothed density of eigenvalues: the share of them per unit.
type Density struct {
	X, Y []float64
	// Deviation is the standard error of each Y, by the spread over probes: 0 where it is exact.
	Deviation []float64
	// Width is the standard deviation of the Gaussian that stands for each eigenvalue.
	Width float64
}

// Quadrature finds out where the eigenvalues of a symmetric operator on vectors of dim elements lie: stochastic Lanczos quadrature (G. Golub, G. Meurant,
// Matrices, Moments and Quadrature (2010); B. Ghorbani et al., arXiv:1901.10159). The nodes of a probe are the Ritz values of its Krylov space, the
// weights the squared first components of their vectors: Gauss's quadrature of the probe's own measure. Bases are orthogonalized in full.
func Quadrature[T graph.Float](dim int, apply Product[T], opt QuadratureOptions) (*Spread, error) {
	opt = opt.withDefaults()
	if dim < 1 || opt.Probes < 2 || opt.Steps < 1 {
		return nil, fmt.Errorf("density: %d dimensions, %d probes of %d steps: want at least 1, 2 and 1", dim, opt.Probes, opt.Steps)
	}
	opt.Steps = min(opt.Steps, dim)
	out := &Spread{Steps: opt.Steps}
	rnd := rand.New(rand.NewPCG(opt.Seed, 0xde51))
	chains := make([]*chain[T], min(opt.AtOnce, opt.Probes))
	for i := range chains {
		chains[i] = &chain[T]{}
	}
	for done := 0; done < opt.Probes; done += len(chains) {
		chains = chains[:min(len(chains), opt.Probes-done)]
		for _, c := range chains {
			c.begin(dim, rnd)
		}
		for k := range opt.Steps {
			if err := advance(chains, apply, out); err != nil {
				return nil, err
			}
			if opt.Progress != nil {
				opt.Progress(done*opt.Steps+(k+1)*len(chains), opt.Probes*opt.Steps)
			}
		}
		for _, c := range chains {
			nodes, weights, err := c.gauss()
			if err != nil {
				return nil, err
			}
			out.Nodes, out.Weights = append(out.Nodes, nodes), append(out.Weights, weights)
		}
	}
	return out, nil
}

// chain is the Lanczos recurrence of a probe.
type chain[T graph.Float] struct {
	basis, memory [][]T // the memory holds that of the basis, and is kept for the next probe
	alpha, beta   []float64
	ended         bool // the Krylov space is invariant
}

// vector returns memory for the k-th vector of the basis.
func (c *chain[T]) vector(k, dim int) []T {
	if k == len(c.memory) {
		c.memory = append(c.memory, make([]T, dim))
	}
	return c.memory[k]
}

func (c *chain[T]) begin(dim int, r *rand.Rand) {
	v := c.vector(0, dim)
	signs(v, r)
	scale(v, 1/math.Sqrt(float64(dim)))
	c.basis, c.alpha, c.beta, c.ended = [][]T{v}, c.alpha[:0], c.beta[:0], false
}

// advance takes the next step of all chains, in one product.
func advance[T graph.Float](chains []*chain[T], apply Product[T], s *Spread) error {
	var vs, avs [][]T
	var going []*chain[T]
	for _, c := range chains {
		if c.ended {
			continue
		}
		k := len(c.basis)
		going = append(going, c)
		vs, avs = append(vs, c.basis[k-1]), append(avs, c.vector(k, len(c.basis[0])))
	}
	if len(going) == 0 {
		return nil
	}
	if err := apply(vs, avs); err != nil {
		return err
	}
	s.Products += len(vs)
	for i, c := range going {
		if err := c.take(vs[i], avs[i]); err != nil {
			return err
		}
	}
	return nil
}

// take makes the next vector of the basis of the product w with the last, v.
func (c *chain[T]) take(v, w []T) error {
	a, size := diagnose.Dot(v, w), diagnose.Norm(w)
	if math.IsNaN(size) || math.IsInf(size, 0) {
		return fmt.Errorf("density: %w", ErrNotFinite)
	}
	c.alpha = append(c.alpha, a)
	one := [][]T{w}
	for range 2 {
		take(one, c.basis, inner(c.basis, one))
	}
	left := diagnose.Norm(w)
	if !(left > roundoff[T]()*size) || len(c.basis) == len(w) {
		c.ended = true
		return nil
	}
	scale(w, 1/left)
	c.basis, c.beta = append(c.basis, w), append(c.beta, left)
	return nil
}

// gauss returns the nodes and the weights of the chain's quadrature.
func (c *chain[T]) gauss() (nodes, weights []float64, err error) {
	values, vectors, err := tridiagonal(c.alpha, c.beta)
	if err != nil {
		return nil, nil, err
	}
	weights = mat.Row(nil, 0, vectors)
	for i, w := range weights {
		weights[i] = w * w
	}
	return values, weights, nil
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
		return nil, nil, errors.New("density: the tridiagonal eigenproblem did not converge")
	}
	vectors = &mat.Dense{}
	eigen.VectorsTo(vectors)
	return eigen.Values(nil), vectors, nil
}

// Range returns the smallest and the largest node.
func (s *Spread) Range() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, nodes := range s.Nodes {
		low, high = min(low, slices.Min(nodes)), max(high, slices.Max(nodes))
	}
	return low, high
}

// finest is the number of widths in the range of a density whose nodes are all eigenvalues.
const finest = 128

// Width returns a standard deviation that smooths away what the quadrature does not see: the range of the nodes over the number of steps. A Gaussian of
// that width is a polynomial of a degree that the quadrature is exact for, but for some 1e-3 of its height.
func (s *Spread) Width() float64 {
	low, high := s.Range()
	steps := float64(s.Steps)
	if s.Steps == 0 {
		steps = finest
	}
	if high == low { // one eigenvalue
		return max(math.Abs(low), 1) / steps
	}
	return (high - low) / steps
}

// Density returns the density at so many points, from four widths below the nodes to four above, each eigenvalue a Gaussian of the given width.
func (s *Spread) Density(points int, width float64) Density {
	low, high := s.Range()
	low, high = low-4*width, high+4*width
	d := Density{Width: width}
	for i := range points {
		x := low + (high-low)*float64(i)/float64(max(1, points-1))
		y := s.mean(func(node float64) float64 {
			z := (x - node) / width
			return math.Exp(-z*z/2) / (width * math.Sqrt(2*math.Pi))
		})
		d.X, d.Y, d.Deviation = append(d.X, x), append(d.Y, y.Mean), append(d.Deviation, y.Deviation)
	}
	return d
}

// mean returns the mean of a function over the eigenvalues.
func (s *Spread) mean(f func(x float64) float64) Estimate {
	var r stats.Running
	for p, nodes := range s.Nodes {
		sum := 0.0
		for k, x := range nodes {
			sum += s.Weights[p][k] * f(x)
		}
		r.Add(sum)
	}
	mean, deviation := r.StandardError()
	if s.Steps == 0 {
		deviation = 0
	}
	return Estimate{mean, deviation}
}
