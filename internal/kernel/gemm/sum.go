package gemm

// sumPlan adds up the parts of a split inner dimension, in their order. Parts of one result lie one behind the other.
type sumPlan[T Float] struct {
	call      *call[T]
	from      int // where the parts start in the workspace
	n         int // elements of a result
	parts     int
	batch     int
	perResult int // chunks of a result
	chunks    int
}

const sumChunk = 16 << 10 // elements

func newSum[T Float](c *call[T], from, n, parts, batch int) *sumPlan[T] {
	per := ceilDiv(n, sumChunk)
	return &sumPlan[T]{call: c, from: from, n: n, parts: parts, batch: batch, perResult: per, chunks: per * batch}
}

// Chunk sums one stretch of a result.
func (p *sumPlan[T]) Chunk(i, _ int) {
	lo, hi := share(p.n, p.perResult, i%p.perResult)
	batch := i / p.perResult
	dst := p.call.dst[batch*p.n+lo : batch*p.n+hi]
	from := p.from + batch*p.parts*p.n + lo
	if !p.call.accumulate {
		copy(dst, p.call.work[from:])
	}
	for part := range p.parts {
		if part == 0 && !p.call.accumulate {
			continue
		}
		src := p.call.work[from+part*p.n:][:len(dst)]
		for j, v := range src {
			dst[j] += v
		}
	}
}
