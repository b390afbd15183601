package engine

import (
	"sort"
	"sync/atomic"

	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/par"
)

// relay runs a chain of steps together: whenever elements of a result are there that a chunk of a later step reads, and nothing else is missing, the worker that
// made the last of them does that chunk at once, while they are in its caches. Each chunk does what it does without a relay, and in the same order, so that the
// bits are the same.
type relay struct {
	pool    *par.Pool
	lead    step // a product that reports, or parted
	members []runner
}

// parted is a step of chunks that can be done as soon as what they read is there.
type parted interface {
	step
	begin()
	Chunk(i, worker int)
	end()
	parts() int
	makes(chunk int) (lo, hi int)          // these elements of each array it makes, but of sums and maxima
	reads(operand, chunk int) (lo, hi int) // and reads these of an operand
}

// reporter is a product that says which elements of its result are done.
type reporter interface {
	report(made func(worker int, done gemm.Area))
}

// runner is a member of a relay. The leader's step is not parted where it is a product.
type runner struct {
	step  parted
	links []link         // who reads what it makes
	needs []int64        // by chunk, elements that it reads of what other members make
	left  []atomic.Int64 // of these, those that are not there yet
}

// link says that a member reads what another makes: its chunk i elements lo[i] to hi[i].
type link struct {
	to     int
	lo, hi []int
}

func (r *relay) run(p *Program) error {
	for k := range r.members[1:] {
		m := &r.members[k+1]
		m.step.begin()
		for i, n := range m.needs {
			m.left[i].Store(n)
		}
	}
	if lead := r.members[0].step; lead != nil {
		lead.begin()
		r.pool.Run(lead.parts(), r)
		lead.end()
	} else if err := r.lead.run(p); err != nil {
		return err
	}
	for k := range r.members[1:] {
		r.members[k+1].step.end()
	}
	return nil
}

// Chunk does the leader's chunk i.
func (r *relay) Chunk(i, worker int) { r.do(0, i, worker) }

// do does a member's chunk, and what waits for it alone.
func (r *relay) do(member, chunk, worker int) {
	s := r.members[member].step
	s.Chunk(chunk, worker)
	lo, hi := s.makes(chunk)
	r.made(member, worker, gemm.Area{Row: lo, Rows: hi - lo, Cols: 1, Width: 1})
}

// made does the chunks that nothing is missing for once these elements of a member's results are there.
func (r *relay) made(member, worker int, done gemm.Area) {
	first, end := done.Span()
	for i := range r.members[member].links {
		l := &r.members[member].links[i]
		m := &r.members[l.to]
		for chunk := sort.SearchInts(l.hi, first+1); chunk < len(l.lo) && l.lo[chunk] < end; chunk++ {
			n := int64(done.Before(l.hi[chunk]) - done.Before(l.lo[chunk]))
			if n > 0 && m.left[chunk].Add(-n) == 0 {
				r.do(l.to, chunk, worker)
			}
		}
	}
}

func (r *relay) allocate() {
	if s, ok := r.lead.(interface{ allocate() }); ok {
		s.allocate()
	}
	for _, m := range r.members[1:] {
		if s, ok := m.step.(interface{ allocate() }); ok {
			s.allocate()
		}
	}
}
