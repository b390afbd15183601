package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// moveStep places arrays, whole or in part, in another.
type moveStep[T any] struct {
	dst   ref[T]
	moves []moving[T]
}

// moving is one copy or pad of a moveStep, a task for the pool.
type moving[T any] struct {
	plan interface {
		Chunks() int
		RunChunk(dst, src []T, i int)
	}
	src      ref[T]
	from, to []T // during a run
	pool     *par.Pool
}

// Chunk does the i-th part of the copy.
func (m *moving[T]) Chunk(i, _ int) { m.plan.RunChunk(m.to, m.from, i) }

func (s *moveStep[T]) run(*Program) error {
	for i := range s.moves {
		m := &s.moves[i]
		m.to, m.from = s.dst.get(), m.src.get()
		m.pool.Run(m.plan.Chunks(), m)
		m.to, m.from = nil, nil
	}
	return nil
}

// moveOf builds the step of an operation that only moves elements.
func moveOf[T any](c *compiler, n *graph.Node) step {
	s := &moveStep[T]{dst: refOf[T](c, n)}
	in := n.In()[0]
	add := func(m moving[T], src *graph.Node) {
		m.src, m.pool = refOf[T](c, src), c.pool
		s.moves = append(s.moves, m)
	}
	switch n.Op() {
	case graph.OpBroadcast:
		add(moving[T]{plan: layout.NewBroadcast[T](in.Shape(), n.Shape())}, in)
	case graph.OpTranspose:
		add(moving[T]{plan: layout.NewPermute[T](in.Shape(), n.Attr().(graph.AxesAttr).Axes)}, in)
	case graph.OpSlice:
		a := n.Attr().(graph.SliceAttr)
		add(moving[T]{plan: layout.NewSlice[T](in.Shape(), a.Start, a.Stop, a.Step)}, in)
	case graph.OpPad:
		a := n.Attr().(graph.PadAttr)
		add(moving[T]{plan: layout.NewPad[T](in.Shape(), a.Low, a.High, a.Gap)}, in)
	case graph.OpConcat:
		c.joinParts(n, func(part *graph.Node, start []int) {
			add(moving[T]{plan: layout.NewPlace[T](n.Shape(), part.Shape(), start)}, part)
		})
	default:
		panic("graph: no step for " + n.Op().String())
	}
	return s
}

// joinParts calls place for each part of the concatenation n that does not lie in its memory already.
func (c *compiler) joinParts(n *graph.Node, place func(part *graph.Node, start []int)) {
	axis, own := n.Attr().(graph.AxesAttr).Axes[0], c.homeOf(n)
	at, inner := 0, numel(n.Shape()[axis+1:])
	for _, part := range n.In() {
		if h := c.homeOf(part); h.st != own.st || h.off != own.off+at*inner {
			start := make([]int, len(n.Shape()))
			start[axis] = at
			place(part, start)
		}
		at += part.Shape()[axis]
	}
}

// labelStep gathers or scatters along the last axis by labels.
type labelStep[T graph.Float] struct {
	dst, src ref[T]
	labels   ref[int32]
	scatter  bool
	call     *graph.Call
}

func (s *labelStep[T]) run(*Program) error {
	dst, src, labels := s.dst.get(), s.src.get(), s.labels.get()
	classes := max(len(dst), len(src)) / len(labels)
	if err := layout.Validate(labels, classes); err != nil {
		return s.call.Fails(err.Error())
	}
	if s.scatter {
		layout.Scatter(dst, src, labels, classes)
	} else {
		layout.Gather(dst, src, labels, classes)
	}
	return nil
}

// poolStep does one of the operations on windows.
type poolStep[T graph.Float] struct {
	prim     graph.Op
	plan     *layout.Pool[T]
	pool     *par.Pool
	dst, src ref[T]
	index    ref[int32]

	to, from []T // during a run
	at       []int32
}

func poolOf[T graph.Float](c *compiler, n *graph.Node) step {
	a := n.Attr().(graph.PoolAttr)
	s := &poolStep[T]{prim: n.Op(), pool: c.pool, src: refOf[T](c, n.In()[0])}
	s.plan = layout.NewPool(vec.For[T](c.set), layout.Windows{N: a.X[0], H: a.X[1], W: a.X[2], C: a.X[3], KH: a.Size[0], KW: a.Size[1],
		StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Pad[0], PadLeft: a.Pad[1], PadBottom: a.Pad[2], PadRight: a.Pad[3]})
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
	s.from = s.src.get()
	if s.dst.bank != nil {
		s.to = s.dst.get()
	}
	if s.index.bank != nil {
		s.at = s.index.get()
	}
	s.pool.Run(s.plan.Chunks(), s)
	s.from, s.to, s.at = nil, nil, nil
	return nil
}

// Chunk does the images of chunk i.
func (s *poolStep[T]) Chunk(i, _ int) {
	switch s.prim {
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

// reduceStep sums or maximizes over axes that are neither all, nor the first, nor the last.
type reduceStep[T graph.Float] struct {
	plan     *layout.Reduction[T]
	pool     *par.Pool
	dst, src ref[T]
	scratch  []T

	to, from []T // during a run
}

func reduceOf[T graph.Float](c *compiler, n *graph.Node) step {
	k, axes := vec.For[T](c.set), n.Attr().(graph.AxesAttr).Axes
	s := &reduceStep[T]{pool: c.pool, dst: refOf[T](c, n), src: refOf[T](c, n.In()[0])}
	if n.Op() == graph.OpSum {
		s.plan = layout.NewSum(k, n.In()[0].Shape(), axes)
	} else {
		s.plan = layout.NewMax(k, n.In()[0].Shape(), axes)
	}
	s.scratch = make([]T, s.plan.Scratch())
	c.p.scratch += int64(len(s.scratch) * n.DType().Size())
	return s
}

func (s *reduceStep[T]) run(*Program) error {
	s.to, s.from = s.dst.get(), s.src.get()
	s.pool.Run(s.plan.Chunks(), s)
	s.plan.Finish(s.to, s.scratch)
	s.to, s.from = nil, nil
	return nil
}

// Chunk does the i-th part of the reduction.
func (s *reduceStep[T]) Chunk(i, _ int) { s.plan.RunChunk(s.to, s.scratch, s.from, i) }
