package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// reduceStep sums or maximizes over axes that are neither all, nor the first, nor the last.
type reduceStep[T graph.Float] struct {
	plan     *layout.Reduction[T]
	pool     *par.Pool
	dst, src ref[T]
	scratch  []T

	to, from []T // during a run
}

func reduceOf[T graph.Float](c *compiler, u *unit) step {
	n := u.result()
	k, axes := vec.For[T](c.set), n.Attr().(graph.AxesAttr).Axes
	s := &reduceStep[T]{pool: c.pool, dst: refOf[T](c, n), src: refOf[T](c, n.In()[0])}
	if n.Op() == graph.OpSum {
		s.plan = layout.NewSum(k, n.In()[0].Shape(), axes)
	} else {
		s.plan = layout.NewMax(k, n.In()[0].Shape(), axes)
	}
	c.scratch += int64(s.plan.Scratch() * n.DType().Size())
	return s
}

func (s *reduceStep[T]) allocate() { s.scratch = make([]T, s.plan.Scratch()) }

func (s *reduceStep[T]) run(*Program) error {
	s.to, s.from = s.dst.get(), s.src.get()
	s.pool.Run(s.plan.Chunks(), s)
	s.plan.Finish(s.to, s.scratch)
	s.to, s.from = nil, nil
	return nil
}

// Chunk does the i-th part of the reduction.
func (s *reduceStep[T]) Chunk(i, _ int) { s.plan.RunChunk(s.to, s.scratch, s.from, i) }
