package gemm

import "unsafe"

// sumChunk is how many elements of the result a chunk sums.
const sumChunk = 8 << 10

// sumPlan adds up the parts of a split inner dimension, in their order. Parts of one result lie one behind the other,
// so their sum is a row of ones times the matrix that they are.
type sumPlan[T Float] struct {
	call      *call[T]
	ks        *kernels
	workers   []worker
	one       *T
	from      int // where the parts start in the workspace
	n         int // elements of a result
	parts     int
	perResult int // chunks of a result
}

// planSum plans the sums of batch results.
func planSum[T Float](c *call[T], ks *kernels, workers, from, n, parts, batch int) stage {
	p := &sumPlan[T]{call: c, ks: ks, workers: make([]worker, workers), one: new(T), from: from, n: n, parts: parts}
	*p.one = 1
	p.perResult = ceilDiv(n, sumChunk)
	return stage{p.perResult * batch, p}
}

// Chunk sums one stretch of a result.
func (p *sumPlan[T]) Chunk(i, worker int) {
	lo, hi := share(p.n, p.perResult, i%p.perResult)
	batch := i / p.perResult
	size := p.ks.size
	t := &p.workers[worker].tile
	*t = tile{
		a: unsafe.Pointer(p.one), b: at(p.call.work, p.from+batch*p.parts*p.n+lo), c: at(p.call.dst, batch*p.n+lo),
		ldb: p.n * size, count: p.parts, segs: 1, planes: 1,
	}
	if p.call.accumulate {
		t.accumulate = 1
	}
	p.ks.columns(t, 1, hi-lo, p.ks.width()*size)
	p.workers[worker].release()
}
