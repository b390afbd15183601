package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/par"
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
func moveOf[T any](c *compiler, u *unit) step {
	n := u.result()
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
	default:
		c.joinParts(n, func(part *graph.Node, start []int) {
			add(moving[T]{plan: layout.NewPlace[T](n.Shape(), part.Shape(), start)}, part)
		})
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
