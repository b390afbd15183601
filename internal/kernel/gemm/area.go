package gemm

// Area is a part of a result that is seen as rows of Width elements: columns of consecutive rows.
type Area struct{ Row, Rows, Col, Cols, Width int }

// Before returns how many of its elements come before element i of the result.
func (a Area) Before(i int) int {
	row, col := i/a.Width-a.Row, i%a.Width-a.Col
	if row < 0 {
		return 0
	}
	if row >= a.Rows {
		return a.Rows * a.Cols
	}
	return row*a.Cols + min(max(col, 0), a.Cols)
}

// Span returns the first of its elements and the one behind the last.
func (a Area) Span() (lo, hi int) {
	lo = a.Row*a.Width + a.Col
	return lo, lo + (a.Rows-1)*a.Width + a.Cols
}

// reportBytes is how much of a result a chunk makes, if it can, before it says so: that stays in the second-level cache, with what made it.
const reportBytes = 128 << 10

// Reports says whether runs can say which parts of dst are done: plans that reach their results in another order than the results' own cannot.
func (p *Plan[T]) Reports() bool { return p.reports }

// Report has the coming runs say which parts of dst are done: each element once, when nothing more is added to it, by the worker that did it. It panics if
// the plan does not report.
func (p *Plan[T]) Report(made func(worker int, done Area)) {
	if !p.reports {
		panic("gemm: the plan does not report what is done of its result")
	}
	p.made = made
}

// Chunks returns how many parts of the result different workers can do.
func (p *Plan[T]) Chunks() int { return p.stages[len(p.stages)-1].chunks }

// report says that an area is done, if anyone wants to know.
func (c *call[T]) report(worker int, done Area) {
	if c.made != nil {
		c.made(worker, done)
	}
}
