package run

import (
	"context"
	"fmt"

	"shadowflow/graph"
	"shadowflow/modeq"
)

// iteration is the optimizer without its memory: theta - lr F^(n) of order 1, and theta - lr F^(n) - lr^2 C_mem^(n) of order 2, where C_mem is what
// the second-order term owes to the memory, exact in the step number (arXiv:2309.00079, where the distance to it is Figure 3). Unlike the
// equations it takes steps, and like the optimizer takes them in T.
func (c *company[T]) iteration(order int) (*equation[T], error) {
	if err := c.unscaled(); err != nil {
		return nil, err
	}
	p := c.problem
	second, err := modeq.NewSecondOrder(p.Rule, p.Objective, modeq.SecondOptions{Order: p.Order, LR: p.varying(), MemoryAlone: true, Threads: p.Threads})
	if err != nil {
		return nil, err
	}
	dim := len(p.Theta)
	s := &leap[T]{second: second, size: p.StepSize, theta: make([]T, dim), f: make([]T, dim)}
	if order == 2 {
		s.c = make([]T, dim)
	}
	e := c.equation(fmt.Sprintf("iteration of order %d without memory", order), order, c.parts("theta"), c.beginAtTheta, s)
	e.leaps = true
	return e, nil
}

// leap is the solver of an iteration.
type leap[T graph.Float] struct {
	second      *modeq.SecondOrder[T]
	size        func(n int) float64
	theta, f, c []T // a nil c: order 1
}

func (s *leap[T]) solve(ctx context.Context, n int, y, next []float64) error {
	h := T(s.size(n))
	if h == 0 {
		copy(next, y)
		return nil
	}
	for i, v := range y {
		s.theta[i] = T(v)
	}
	if err := s.second.At(ctx, n, s.theta, s.f, s.c); err != nil {
		return err
	}
	for i, v := range s.c {
		s.f[i] += h * v
	}
	for i, v := range s.f {
		next[i] = float64(s.theta[i] - h*v)
	}
	return nil
}

func (s *leap[T]) commit() {}
