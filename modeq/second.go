package modeq

import (
	"context"
	"errors"
	"fmt"

	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/rule"
)

// FullMemory is the step number that stands for the limit in which every memory is full.
const FullMemory = -1

// DefaultTolerance is the share of a moment's memory that the window of the general theorem may leave out.
const DefaultTolerance = 1e-12

// SecondOptions say which second-order equation is wanted. The zero value is full batch.
type SecondOptions struct {
	// Order gives the batch of each step, 0, 1, ..; see Cyclic and Shuffled. If nil, every step takes the full batch.
	Order func(step int) int
	// Tolerance is the share of a moment's memory that may be left out far back. If 0, DefaultTolerance.
	Tolerance float64
	// LR gives the size of each step, of which the ratios count; if nil, all steps are of one size. At a step of size 0 there is no equation.
	LR func(step int) float64
	// MemoryAlone leaves out of C what the step's own length adds, all that is made of (1/2) F^(n): C is then C_mem, of [BatchBias] and of the
	// iteration without memory, theta - lr F^(n) - lr^2 C_mem.
	MemoryAlone bool
	Threads     int
}

// SecondOrder is the modified equation of second order of a rule, exact in the step number n:
//
//	dtheta/dt = -F^(n)(theta) - lr C^(n)(theta)    on    n lr <= t < (n+1) lr,
//	C^(n) = sum_i dU/ds_i sum_k w_i(n-k) phi_i'(g_k) u_k  +  dU/dg u_n  +  dU/dtheta (1/2) F^(n),
//	u_k = H_k [ sum_{l=k..n-1} (lr_l/lr_n) F^(l) + (1/2) F^(n) ],
//
// g_k and H_k being gradient and Hessian of step k's batch, all at the one theta, lr the size of step n, and t in general the sum of the sizes of
// the steps before. A phi that reads theta, as under coupled decay, has its derivative along theta's part u_k without the Hessian, too. The sums over
// past steps are regrouped by batch, so that an evaluation costs one gradient of each batch that the memory holds and, for each of them, one pass
// of Hessian-vector products, with one vector a moment: with mini-batches each moment remembers the steps with other weights. (The present batch
// has one more where U depends on g directly.) Full batch with every update alike (under bias correction, or memory full) it is one
// Hessian-vector product in all.
//
// It is not for concurrent use.
type SecondOrder[T graph.Float] struct {
	rule   *rule.Rule
	memory *rule.Memory
	loss   objective.Objective[T]
	order  func(step int) int
	lr     func(step int) float64 // nil: all steps are of one size
	dim    int
	window int
	// memoryAlone: see SecondOptions
	memoryAlone bool
	terms       *Terms[T]
	p           *generalPrograms[T] // made when first needed

	f, c, hf []T         // F^(n), C^(n), and H F
	pair     [2][][]T    // a vector and its product
	batches  []*batch[T] // by batch; full batch: one
	past     *past[T]    // with p
}

// batch is what is known of one batch at the present theta.
type batch[T graph.Float] struct {
	g   []T
	phi [][]T // by moment; g itself where phi is the identity
}

// NewSecondOrder prepares the second-order equation of a rule on a loss.
func NewSecondOrder[T graph.Float](r *rule.Rule, loss objective.Objective[T], opt SecondOptions) (*SecondOrder[T], error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	if loss == nil {
		return nil, errors.New("modified equation: no loss")
	}
	tol := opt.Tolerance
	if tol == 0 {
		tol = DefaultTolerance
	}
	if !(tol > 0 && tol < 1) {
		return nil, fmt.Errorf("modified equation: tolerance %v: want a number between 0 and 1", tol)
	}
	dim, share := loss.Dim(), 0.5
	if opt.MemoryAlone {
		share = 0
	}
	terms, err := newTerms[T](r, dim, opt.Threads, share)
	if err != nil {
		return nil, err
	}
	terms.Vary(opt.LR)
	s := &SecondOrder[T]{
		rule: r, memory: m, loss: loss, order: opt.Order, lr: opt.LR, memoryAlone: opt.MemoryAlone, dim: dim, window: m.Window(tol), terms: terms,
		f: make([]T, dim), c: make([]T, dim), hf: make([]T, dim), pair: [2][][]T{make([][]T, 1), make([][]T, 1)},
	}
	count := 1
	if opt.Order != nil {
		count = loss.Batches()
	}
	s.batches = make([]*batch[T], count)
	return s, nil
}

// Window returns the number of past steps that an evaluation looks at.
func (s *SecondOrder[T]) Window() int { return s.window }

// At writes F^(n) and C^(n) at theta into f and c; n is a step, from 0, or FullMemory. A nil c is not computed, which saves
// every Hessian-vector product. An error of ctx ends the evaluation.
func (s *SecondOrder[T]) At(ctx context.Context, n int, theta, f, c []T) error {
	if len(theta) != s.dim || len(f) != s.dim || (c != nil && len(c) != s.dim) {
		return fmt.Errorf("modified equation: slices of %d, %d and %d numbers: want %d", len(theta), len(f), len(c), s.dim)
	}
	if s.lr != nil && n >= 0 && s.lr(n) == 0 {
		return fmt.Errorf("modified equation: step %d has size 0, and nothing moves in it", n)
	}
	if s.order == nil {
		return s.fullBatch(ctx, n, theta, f, c)
	}
	if n < 0 {
		return errors.New("modified equation: mini-batches have no limit of full memory: give the step")
	}
	return s.general(ctx, n, theta, f, c)
}

// fullBatch evaluates a full batch: by one Hessian-vector product where all updates in the window are alike.
func (s *SecondOrder[T]) fullBatch(ctx context.Context, n int, theta, f, c []T) error {
	alike := n <= 0 || s.memory.Steady() || n >= 2*s.window
	if !alike && c != nil {
		return s.general(ctx, n, theta, f, c)
	}
	b, err := s.visit(ctx, 0, objective.Full, theta)
	if err != nil {
		return err
	}
	if err := s.terms.Field(n, b.g, theta, f); err != nil || c == nil {
		return err
	}
	s.pair[0][0], s.pair[1][0] = f, s.hf
	if err := s.products(ctx, objective.Full, theta, s.pair[0], s.pair[1]); err != nil {
		return err
	}
	return s.terms.SecondOrder(n, b.g, theta, f, s.hf, c)
}

// visit computes the gradient of a batch, kept at index i.
func (s *SecondOrder[T]) visit(ctx context.Context, i, which int, theta []T) (*batch[T], error) {
	b := s.batches[i]
	if b == nil {
		b = &batch[T]{g: make([]T, s.dim)}
		s.batches[i] = b
	}
	_, err := s.loss.Evaluate(ctx, theta, which, objective.Want[T]{Gradient: b.g})
	return b, err
}

// products multiplies a batch's Hessian by several vectors, in one pass.
func (s *SecondOrder[T]) products(ctx context.Context, batch int, theta []T, vs, hvs [][]T) error {
	_, err := s.loss.Evaluate(ctx, theta, batch, objective.Want[T]{Vectors: vs, Products: hvs})
	return err
}

// Flow returns the right-hand side of the equation of order 1 or 2 at one step size lr, as an integrator wants it, with breaks at
// multiples of lr. In it n < 0, as an integration beyond the start would have it, counts as the limit of full memory. An error of ctx
// ends its evaluations.
func (s *SecondOrder[T]) Flow(ctx context.Context, lr float64, order int) (func(n int, t float64, y, dydt []float64) error, error) {
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("modified equation of order %d exact in n: want 1 or 2", order)
	}
	theta := make([]T, s.dim)
	var c []T
	if order == 2 {
		c = s.c
	}
	return func(n int, _ float64, y, dydt []float64) error {
		for i, v := range y {
			theta[i] = T(v)
		}
		if err := s.At(ctx, max(n, FullMemory), theta, s.f, c); err != nil {
			return err
		}
		for i, v := range s.f {
			dydt[i] = -float64(v)
		}
		for i, v := range c {
			dydt[i] -= lr * float64(v)
		}
		return nil
	}, nil
}
