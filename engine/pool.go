package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// poolStep does one of the operations on windows.
type poolStep[T graph.Float] struct {
	op       graph.Op
	plan     *layout.Pool[T]
	pool     *par.Pool
	dst, src ref[T]
	index    ref[int32]

	to, from []T // during a run
	at       []int32
}

func poolOf[T graph.Float](c *compiler, u *unit) step {
	n := u.result()
	a := n.Attr().(graph.PoolAttr)
	s := &poolStep[T]{op: n.Op(), pool: c.pool, src: refOf[T](c, n.In()[0])}
	s.plan = layout.NewPool(vec.For[T](c.set), layout.Windows{N: a.X[0], H: a.X[1], W: a.X[2], C: a.X[3], KH: a.Size[0], KW: a.Size[1],
		StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Pad[0], PadLeft: a.Pad[1], PadBottom: a.Pad[2], PadRight: a.Pad[3],
		DilationH: a.Dilation[0], DilationW: a.Dilation[1]})
	switch n.Op() {
	case graph.OpPoolIndex:
		s.index = refOf[int32](c, n)
		return s
	case graph.OpTake, graph.OpPut:
		s.index = refOf[int32](c, n.In()[1])
	}
	s.dst = refOf[T](c, n)
	return s
}

func (s *poolStep[T]) run(*Program) error {
	s.begin()
	s.pool.Run(s.plan.Chunks(), s)
	s.end()
	return nil
}

func (s *poolStep[T]) begin() {
	s.from = s.src.get()
	if s.dst.bank != nil {
		s.to = s.dst.get()
	}
	if s.index.bank != nil {
		s.at = s.index.get()
	}
}

func (s *poolStep[T]) end() { s.from, s.to, s.at = nil, nil, nil }

func (s *poolStep[T]) parts() int { return s.plan.Chunks() }

// grows reports whether what is made has the images' shape, and the first operand that of the windows.
func (s *poolStep[T]) grows() bool { return s.op == graph.OpPut || s.op == graph.OpSpread }

func (s *poolStep[T]) makes(chunk int) (lo, hi int) { return s.plan.Elements(chunk, s.grows()) }

func (s *poolStep[T]) reads(operand, chunk int) (lo, hi int) {
	return s.plan.Elements(chunk, operand == 0 && !s.grows())
}

// Chunk does the images of chunk i.
func (s *poolStep[T]) Chunk(i, _ int) {
	switch s.op {
	case graph.OpPoolIndex:
		s.plan.MaxIndex(s.at, s.from, i)
	case graph.OpTake:
		s.plan.Take(s.to, s.from, s.at, i)
	case graph.OpPut:
		s.plan.Put(s.to, s.from, s.at, i)
	case graph.OpSumPool:
		s.plan.SumWindows(s.to, s.from, i)
	case graph.OpSpread:
		s.plan.SpreadWindows(s.to, s.from, i)
	}
}
