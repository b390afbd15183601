package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/layout"
	"shadowflow/internal/kernel/par"
	"shadowflow/internal/kernel/vec"
)

// labelStep gathers or scatters along the last axis by labels.
type labelStep[T graph.Float] struct {
	dst, src ref[T]
	labels   ref[int32]
	scatter  bool
	call     *graph.Call
}

func labelOf[T graph.Float](c *compiler, u *unit) step {
	n := u.result()
	return &labelStep[T]{dst: refOf[T](c, n), src: refOf[T](c, n.In()[0]), labels: refOf[int32](c, n.In()[1]),
		scatter: n.Op() == graph.OpScatter, call: n.Attr().(*graph.Call)}
}

func (s *labelStep[T]) run(*Program) error {
	dst, src, labels := s.dst.get(), s.src.get(), s.labels.get()
	classes := max(len(dst), len(src)) / len(labels)
	if err := layout.Validate("label", labels, classes); err != nil {
		return s.call.Fails(err.Error())
	}
	if s.scatter {
		layout.Scatter(dst, src, labels, classes)
	} else {
		layout.Gather(dst, src, labels, classes)
	}
	return nil
}

// rowsStep looks rows of a table up.
type rowsStep[T graph.Float] struct {
	plan       *layout.TakeRows[T]
	pool       *par.Pool
	dst, table ref[T]
	indices    ref[int32]
	rows       int // of the table
	call       *graph.Call

	to, from []T // during a run
	at       []int32
}

func rowsOf[T graph.Float](c *compiler, u *unit) step {
	n := u.result()
	table, indices := n.In()[0], n.In()[1]
	rows := table.Shape()[0]
	return &rowsStep[T]{plan: layout.NewTakeRows[T](indices.Size(), table.Size()/rows), pool: c.pool, dst: refOf[T](c, n),
		table: refOf[T](c, table), indices: refOf[int32](c, indices), rows: rows, call: n.Attr().(*graph.Call)}
}

func (s *rowsStep[T]) run(*Program) error {
	s.to, s.from, s.at = s.dst.get(), s.table.get(), s.indices.get()
	if err := layout.Validate("index", s.at, s.rows); err != nil {
		return s.call.Fails(err.Error())
	}
	s.pool.Run(s.plan.Chunks(), s)
	s.to, s.from, s.at = nil, nil, nil
	return nil
}

// Chunk takes the rows of chunk i.
func (s *rowsStep[T]) Chunk(i, _ int) { s.plan.RunChunk(s.to, s.from, s.at, i) }

// addRowsStep adds rows to a table of zeros.
type addRowsStep[T graph.Float] struct {
	plan     *layout.AddRows[T]
	pool     *par.Pool
	dst, src ref[T]
	indices  ref[int32]
	rows     int     // of the table
	sorted   []int32 // the plan's scratch
	call     *graph.Call

	to, from []T // during a run
}

func addRowsOf[T graph.Float](c *compiler, u *unit) step {
	n := u.result()
	src, indices := n.In()[0], n.In()[1]
	rows := n.Shape()[0]
	plan := layout.NewAddRows(vec.For[T](c.set), rows, indices.Size(), n.Size()/rows)
	s := &addRowsStep[T]{plan: plan, pool: c.pool, dst: refOf[T](c, n), src: refOf[T](c, src),
		indices: refOf[int32](c, indices), rows: rows, call: n.Attr().(*graph.Call)}
	c.scratch += int64(plan.Scratch() * graph.Int32.Size())
	return s
}

func (s *addRowsStep[T]) allocate() { s.sorted = make([]int32, s.plan.Scratch()) }

func (s *addRowsStep[T]) run(*Program) error {
	indices := s.indices.get()
	if err := layout.Validate("index", indices, s.rows); err != nil {
		return s.call.Fails(err.Error())
	}
	s.plan.Sort(s.sorted, indices)
	s.to, s.from = s.dst.get(), s.src.get()
	s.pool.Run(s.plan.Chunks(), s)
	s.to, s.from = nil, nil
	return nil
}

// Chunk makes the rows of chunk i.
func (s *addRowsStep[T]) Chunk(i, _ int) { s.plan.RunChunk(s.to, s.from, s.sorted, i) }
