package central

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
	"shadowflow/diagnose/spectrum"
	"shadowflow/graph"
	"shadowflow/objective"
)

const (
	// critical is the eigenvalue of P^-1/2 H P^-1/2 from which a direction may oscillate within a step; the threshold is 2.
	critical = 1.95
	// tolerance is that of a search for critical directions, which takes at most so many products for each.
	tolerance, most = 1e-3, 40
	// ProductsAtOnce bounds the vectors that a program multiplies by: of two at once the search takes fewer than of four. LinesAtOnce bounds the lines that
	// it bends along.
	ProductsAtOnce, LinesAtOnce = 2, 4
)

// edge is what a central flow depends on at a point.
type edge[T graph.Float] struct {
	loss   float64
	g      []T
	p      preconditioner
	values []float64 // of P^-1/2 H P^-1/2, in descending order: the critical ones first
	// u are the critical directions, with u_i'P u_j = 1 for i = j and 0 otherwise: Sigma = sum X_ij u_i u_j'. What follows is for each element of X,
	// in the order and with the weights that a Complementarity gives them.
	u      [][]T
	bends  [][]T       // D^3E[u_i, u_j], the gradient of u_i'H u_j
	spread [][]float64 // u_i u_j as nu averages it; H u being 2 P u at the threshold, H Sigma H has 4 p^2 times that
	length []float64   // u_i'u_j
	x      []float64   // Sigma
}

// look evaluates the point before step n.
func (f *Flow[T]) look(ctx context.Context, n int) (*edge[T], error) {
	dim := f.objective.Dim()
	e, theta := &edge[T]{g: make([]T, dim)}, make([]T, dim)
	round(theta, f.Theta())
	seen, err := f.objective.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Gradient: e.g})
	if err != nil {
		return nil, err
	}
	if e.loss = seen.Loss; math.IsNaN(e.loss) || math.IsInf(e.loss, 0) {
		return nil, fmt.Errorf("the loss is %v", e.loss)
	}
	f.optimizer.at(float64(n), f.Nu(), &e.p)
	root := make([]T, dim)
	for j := range root {
		root[j] = T(1 / math.Sqrt(e.p.of(j)))
	}
	k, err := f.search(ctx, e, theta, root)
	if err != nil {
		return nil, err
	}
	for _, v := range f.following[:k] {
		u := make([]T, dim)
		for j, x := range v {
			u[j] = root[j] * x
		}
		e.u = append(e.u, u)
	}
	if err := f.bend(ctx, e, theta); err != nil {
		return nil, err
	}
	e.pair(f.optimizer.Average)
	e.x, err = e.problem(f.optimizer, float64(n), f.Nu()).Solve()
	return e, err
}

// search finds the largest eigenvalues of P^-1/2 H P^-1/2 and their vectors, into following, and returns the number of those critical. As
// directions become critical, it follows further ones.
func (f *Flow[T]) search(ctx context.Context, e *edge[T], theta, root []T) (int, error) {
	followed := 0
	for followed < len(f.following) && diagnose.Norm(f.following[followed]) > 0 {
		followed++
	}
	beyond := func(values []float64) int { return min(1+criticals(values), len(values)) }
	apply := diagnose.Preconditioned(root, func(vs, avs [][]T) error {
		_, err := f.objective.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Vectors: vs, Products: avs})
		return err
	})
	for {
		found, err := spectrum.Extremal(len(theta), apply, spectrum.ExtremalOptions[T]{
			Top: followed, Wanted: beyond, Tolerance: tolerance, AtOnce: ProductsAtOnce, Start: f.following[:followed], Brief: true, MaxProducts: most * followed, Seed: f.seed,
		})
		if err != nil {
			return 0, err
		}
		for i, v := range found.Top.Vectors {
			copy(f.following[i], v)
		}
		k := criticals(found.Top.Values)
		if e.values = found.Top.Values; k+guards <= followed || followed == len(f.following) {
			if k == followed {
				return 0, fmt.Errorf("at least %d directions are critical, and there is room for fewer", k)
			}
			return k, nil
		}
		f.draw(f.following[followed], followed)
		followed++
	}
}

// criticals returns the number of critical eigenvalues.
func criticals(values []float64) (k int) {
	for k < len(values) && values[k] > critical {
		k++
	}
	return k
}

// bend finds the third derivatives along the lines u_i and u_i + u_j.
func (f *Flow[T]) bend(ctx context.Context, e *edge[T], theta []T) error {
	var lines [][]T
	for i, u := range e.u {
		lines = append(lines, u)
		for _, v := range e.u[i+1:] {
			both := make([]T, len(u))
			for j := range u {
				both[j] = u[j] + v[j]
			}
			lines = append(lines, both)
		}
	}
	for range lines {
		e.bends = append(e.bends, make([]T, len(theta)))
	}
	for from := 0; from < len(lines); from += LinesAtOnce {
		to := min(from+LinesAtOnce, len(lines))
		want := objective.Want[T]{Lines: lines[from:to], Bends: e.bends[from:to]}
		if _, err := f.objective.Evaluate(ctx, theta, objective.Full, want); err != nil {
			return err
		}
	}
	return nil
}

// pair makes the mixed third derivatives of those along sums, by polarization, and sets what else is for each pair of directions.
func (e *edge[T]) pair(averaged Averaged) {
	for i, u := range e.u {
		for m, v := range e.u[i:] {
			weight := 1.0
			if m > 0 {
				weight = math.Sqrt2
				mixed, one, other := e.bends[e.at(i)+m], e.bends[e.at(i)], e.bends[e.at(i+m)]
				for j := range mixed {
					mixed[j] = T(weight/2) * (mixed[j] - one[j] - other[j])
				}
			}
			spread := squares(averaged, u, v, nil)
			for j := range spread {
				spread[j] *= weight
			}
			e.spread, e.length = append(e.spread, spread), append(e.length, weight*diagnose.Dot(u, v))
		}
	}
}

// at returns the index of the element (i, i) of X.
func (e *edge[T]) at(i int) int { return i*len(e.u) - i*(i-1)/2 }

// problem returns the condition on X that 2 P - H, on the critical directions, is at least 0 after one step from time t: to first order in how
// theta moves, and in what the oscillation adds to nu.
func (e *edge[T]) problem(o Optimizer, t float64, nu []float64) *Complementarity {
	k, n := len(e.u), len(e.bends)
	c := &Complementarity{Size: k, Alpha: make([]float64, n)}
	if k == 0 {
		return c
	}
	next := squares(o.Average, e.g, e.g, nil) // nu after the step, without oscillation
	for j := range next {
		next[j] = nu[j] + o.rate()*(next[j]-nu[j])
	}
	var after preconditioner
	o.at(t+1, next, &after)
	for i := range k {
		c.Alpha[e.at(i)] = 2 - e.values[i]
	}
	for a := range n {
		for j, b := range e.bends[a] {
			c.Alpha[a] += float64(b) * float64(e.g[j]) / e.p.of(j)
		}
		for j, s := range e.spread[a] {
			c.Alpha[a] += 2 * (after.p[j] - e.p.p[j]) * s
		}
	}
	c.Beta = mat.NewSymDense(n, nil)
	addProducts(c.Beta, e.bends, func(j int) float64 { return 1 / (2 * e.p.of(j)) })
	addProducts(c.Beta, e.spread, func(j int) float64 { return 2 * after.byNu[j] * o.rate() * e.p.square(j) })
	return c
}

// addProducts adds the products of all pairs of vectors, with a weight of at least 0 for each element.
func addProducts[T graph.Float](to *mat.SymDense, vectors [][]T, weight func(j int) float64) {
	const block = 1024
	for from := 0; from < len(vectors[0]); from += block {
		width := min(block, len(vectors[0])-from)
		part := mat.NewDense(len(vectors), width, nil)
		for j := range width {
			root := math.Sqrt(weight(from + j))
			for a, v := range vectors {
				part.Set(a, j, root*float64(v[from+j]))
			}
		}
		to.SymRankK(to, 1, part)
	}
}

// forces returns what the oscillation adds to the gradient, (1/2) grad <H, Sigma>, and to the squares that nu averages, diag(H Sigma H).
func (e *edge[T]) forces(dim, moments int) (pull, spread []float64) {
	pull, spread = make([]float64, dim), make([]float64, moments)
	for a, x := range e.x {
		for j := range pull {
			pull[j] += x / 2 * float64(e.bends[a][j])
		}
		for j, s := range e.spread[a] {
			spread[j] += x * s * e.p.square(j)
		}
	}
	return pull, spread
}

// prediction returns what Sigma says of the iterates.
func (e *edge[T]) prediction() Prediction {
	p := Prediction{Loss: e.loss, MeanLoss: e.loss, Curvature: e.values[0], Directions: len(e.u)}
	for i := range e.u {
		p.MeanLoss += e.values[i] * e.x[e.at(i)] / 2
	}
	trace := 0.0
	for a, x := range e.x {
		trace += x * e.length[a]
	}
	p.Amplitude = math.Sqrt(max(0, trace))
	return p
}
