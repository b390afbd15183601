package central

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/objective"
)

const (
	// guards is the number of eigenvectors that are followed beside the critical ones: they become critical next, and speed up the search.
	guards = 2
	// directions is the number of critical directions that there is room for by default, and Vectors that of the vectors that are followed then.
	directions = 16
	Vectors    = directions + guards
	// stiffest is the largest eigenvalue of P^-1 H at which a step of RK4 may be as long as one of the optimizer; its limit is 2.78.
	stiffest = 2.5
)

// Options say how to follow a central flow. The zero value is a good default.
type Options struct {
	// Directions is the number of critical directions that there is room for, a vector of the state each; where more come to the threshold, the
	// flow ends. If 0, it is 16.
	Directions int
	// Seed draws the vectors that the search for critical directions starts with.
	Seed uint64
}

// Flow is a central flow at a point, in units of a step of the optimizer, on all examples of a loss. It is not for concurrent use.
//
// A step finds the critical directions by thick-restart block Lanczos from where they were, and how their curvatures change, once: k directions take k(k+1)/2
// third derivatives. It then solves for Sigma such that the curvature is at the threshold one step later, to first order, and
// integrates by RK4 with Sigma and the directions held. For gradient descent on an MLP this was at 4e-4 of the distance travelled from the
// solution with eight such steps for each; four steps of Euler's method with new directions each, as in the paper, were at 3e-3, at three
// times the cost.
//
// Started beyond the threshold a flow returns to it in one step, far from where iterates go: let it start below.
type Flow[T graph.Float] struct {
	objective objective.Objective[T]
	optimizer Optimizer
	seed      uint64

	y         []float64 // theta, then nu
	buffers   flow.Buffers
	vectors   [][]T    // unit eigenvectors found last, in descending order of eigenvalues; 0 where none is followed
	following [][]T    // the vectors of here
	here      *edge[T] // what is known at y; nil before it is asked for
}

// New returns the flow of an optimizer on a loss, at theta and nu = 0; see [Flow.Start].
func New[T graph.Float](o objective.Objective[T], optimizer Optimizer, opt Options) (*Flow[T], error) {
	if err := optimizer.Validate(); err != nil {
		return nil, err
	}
	dim := o.Dim()
	if opt.Directions == 0 {
		opt.Directions = directions
	}
	count := min(opt.Directions+guards, dim/3)
	if count < 1 {
		return nil, fmt.Errorf("central flow: %s: want at least 3", plural.Count(dim, "parameter"))
	}
	f := &Flow[T]{objective: o, optimizer: optimizer, seed: opt.Seed, y: make([]float64, dim+optimizer.moments(dim))}
	for range count {
		f.vectors, f.following = append(f.vectors, make([]T, dim)), append(f.following, make([]T, dim))
	}
	for i := range min(1+guards, count) {
		f.draw(f.vectors[i], i)
	}
	return f, nil
}

// draw makes v a random vector.
func (f *Flow[T]) draw(v []T, i int) {
	r := rand.New(rand.NewPCG(f.seed^0xce27a1, uint64(i)))
	for j := range v {
		v[j] = T(r.NormFloat64())
	}
}

// Theta returns the parameters, in place.
func (f *Flow[T]) Theta() []float64 { return f.y[:f.objective.Dim()] }

// Nu returns the mean square after the coming step, in place: none, one number, or one for each parameter.
func (f *Flow[T]) Nu() []float64 { return f.y[f.objective.Dim():] }

// Vectors returns what the search for critical directions starts from, in place until a step: with Theta and Nu all that the coming steps depend on.
// Whoever changes one of them calls Moved.
func (f *Flow[T]) Vectors() [][]T { return f.vectors }

// SetLR makes lr the size of the coming steps.
func (f *Flow[T]) SetLR(lr float64) {
	if lr != f.optimizer.LR {
		f.optimizer.LR = lr
		f.Moved()
	}
}

// Moved says that the point is another.
func (f *Flow[T]) Moved() { f.here = nil }

// Start moves to where an optimizer stands before a step: at theta, with the gradient g and the mean square nu of the steps before.
func Start[T graph.Float, U graph.Float](f *Flow[T], theta, g, nu []U) {
	for j, v := range theta {
		f.y[j] = float64(v)
	}
	mean := f.Nu()
	for j := range mean {
		mean[j] = float64(nu[j])
	}
	after(f.optimizer, mean, g)
	f.Moved()
}

// Prediction is what a central flow says of the iterates that oscillate around its point.
type Prediction struct {
	// Loss is the loss at the point, and MeanLoss its mean over the oscillation, Loss + (1/2) <H, Sigma>.
	Loss, MeanLoss float64
	// Amplitude is the root of the mean squared distance from the point, sqrt(tr Sigma).
	Amplitude float64
	// Curvature is the largest eigenvalue of P^-1 H; the threshold is 2.
	Curvature float64
	// Directions is the number of critical directions.
	Directions int
}

// Predict returns what the flow says of the iterates at its point, from which step n is about to be taken. The step then does not evaluate it again.
func (f *Flow[T]) Predict(ctx context.Context, n int) (Prediction, error) {
	if f.here == nil {
		for i, v := range f.vectors {
			copy(f.following[i], v)
		}
		e, err := f.look(ctx, n)
		if err != nil {
			return Prediction{}, fmt.Errorf("central flow, step %d: %w", n, err)
		}
		f.here = e
	}
	return f.here.prediction(), nil
}

// Step moves to the point behind step n, counted from 0. If it fails, or ctx ends it, the flow is where it was.
func (f *Flow[T]) Step(ctx context.Context, n int) error {
	if _, err := f.Predict(ctx, n); err != nil {
		return err
	}
	e, dim := f.here, f.objective.Dim()
	pull, spread := e.forces(dim, len(f.Nu()))
	theta, g := make([]T, dim), make([]T, dim)
	var p preconditioner
	first := true
	rate := func(_ int, t float64, y, dydt []float64) error {
		gradient := e.g
		if !first {
			round(theta, y[:dim])
			if _, err := f.objective.Evaluate(ctx, theta, objective.Full, objective.Want[T]{Gradient: g}); err != nil {
				return err
			}
			gradient = g
		}
		first = false
		f.optimizer.at(t, y[dim:], &p)
		for j, v := range gradient {
			dydt[j] = -(float64(v) + pull[j]) / p.of(j)
		}
		for j, square := range squares(f.optimizer.Average, gradient, gradient, dydt[dim:dim]) {
			dydt[dim+j] = f.optimizer.rate() * (square + spread[j] - y[dim+j])
		}
		return nil
	}
	options := flow.Options{Buffers: &f.buffers, Step: 1 / math.Ceil(max(1, e.values[0]/stiffest))}
	solution, err := flow.Integrate(ctx, flow.RK4, rate, float64(n), float64(n+1), f.y, options)
	if err != nil {
		return fmt.Errorf("central flow, step %d: %w", n, err)
	}
	copy(f.y, solution.Y)
	f.vectors, f.following = f.following, f.vectors
	f.Moved()
	return nil
}

// round sets x to y in its own precision.
func round[T graph.Float](x []T, y []float64) {
	for j, v := range y {
		x[j] = T(v)
	}
}
