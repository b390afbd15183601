package run

import (
	"context"
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
)

// shadows are the modified equations that are integrated beside a run, from the same start on the same data, from one
// multiple of h to the next. Their fields are exact in the step number and evaluated in the run's precision; the integrator's
// sums are float64.
type shadows[T graph.Float] struct {
	equation *modeq.SecondOrder[T]
	method   *flow.Method
	paths    []*path
	f, c, at []T
	g        []T
}

// path is the solution of one order.
type path struct {
	order int
	y     []float64
}

func newShadows[T graph.Float](t *trainer[T]) (*shadows[T], error) {
	s := &shadows[T]{}
	if len(t.config.Flow.Orders) == 0 {
		return s, nil
	}
	var err error
	if s.equation, err = modeq.NewSecondOrder[T](t.rule, t.loss, modeq.SecondOptions{Order: t.order, Threads: t.config.Threads}); err != nil {
		return nil, err
	}
	if s.method, err = flow.MethodByName(t.config.Flow.Method); err != nil {
		return nil, err
	}
	dim := t.loss.Dim()
	s.f, s.c, s.at, s.g = make([]T, dim), make([]T, dim), make([]T, dim), make([]T, dim)
	for _, order := range t.config.Flow.Orders {
		p := &path{order: order, y: make([]float64, dim)}
		for i, v := range t.theta {
			p.y[i] = float64(v)
		}
		s.paths = append(s.paths, p)
	}
	return s, nil
}

// step integrates each equation over step n.
func (s *shadows[T]) step(t *trainer[T], n int) error {
	for _, p := range s.paths {
		kind := fmt.Sprintf("modified equation of order %d", p.order)
		if err := t.watch.time(kind, func() error { return s.integrate(t, p, n) }); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (s *shadows[T]) integrate(t *trainer[T], p *path, n int) error {
	c, h := t.config.Flow, t.config.Optimizer.LR
	opt := flow.Options{RelTol: c.RelTol, AbsTol: c.AbsTol}
	if c.Steps > 0 {
		opt.Step = h / float64(c.Steps)
	}
	field := s.field(t.context(), p.order, n, h, 1+t.config.Bias.Scale)
	solution, err := flow.Integrate(t.context(), s.method, field, 0, h, p.y, opt)
	if err != nil {
		return err
	}
	copy(p.y, solution.Y)
	return nil
}

// field returns -F^(n) - bias h C^(n), without C for order 1.
func (s *shadows[T]) field(ctx context.Context, order, n int, h, bias float64) flow.Field {
	var c []T
	if order == 2 {
		c = s.c
	}
	return func(_ int, _ float64, y, dydt []float64) error {
		for i, v := range y {
			s.at[i] = T(v)
		}
		if err := s.equation.At(ctx, n, s.at, s.f, c); err != nil {
			return err
		}
		for i, v := range s.f {
			dydt[i] = -float64(v)
		}
		for i, v := range c {
			dydt[i] -= bias * h * float64(v)
		}
		return nil
	}
}

// record compares each equation with the iterate.
func (s *shadows[T]) record(t *trainer[T]) error {
	for _, p := range s.paths {
		err := t.watch.time("comparison with modified equations", func() error {
			for i, v := range p.y {
				s.at[i] = T(v)
			}
			e, err := t.loss.Evaluate(t.context(), s.at, objective.Full, objective.Want[T]{Gradient: s.g})
			if err != nil {
				return err
			}
			t.record.float(flowColumn(p.order, "distance"), diagnose.Distance(t.theta, p.y))
			t.record.float(flowColumn(p.order, "loss"), e.Loss)
			t.record.float(flowColumn(p.order, "excess"), diagnose.GradientNorms(s.g, t.eps).Excess)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
