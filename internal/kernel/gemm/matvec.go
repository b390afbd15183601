package gemm

import "unsafe"

// rowsChunk is how many elements of the matrix a chunk of a matrix-vector product reads.
const rowsChunk = 64 << 10

// dotPlan is the product of a vector, the left operand, with the transpose of a matrix [N, K], the right one: inner
// products with its rows. No panel would pay for its packing.
type dotPlan[T Float] struct {
	batch, n, k int
	blocks      int // chunks of a product
	ks          *kernels
	call        *call[T]
	workers     []worker
}

func planDots[T Float](s MatMul, ks *kernels, c *call[T], workers int) []stage {
	p := &dotPlan[T]{batch: s.Batch, n: s.N, k: s.K, ks: ks, call: c, workers: make([]worker, workers)}
	p.blocks = min(s.N, ceilDiv(s.N*s.K, rowsChunk))
	return []stage{{p.batch * p.blocks, p}}
}

// Chunk computes the inner products with some rows.
func (p *dotPlan[T]) Chunk(i, worker int) {
	lo, hi := share(p.n, p.blocks, i%p.blocks)
	batch := i / p.blocks
	size := p.ks.size
	t := &p.workers[worker].tile
	*t = tile{
		a: at(p.call.b, (batch*p.n+lo)*p.k), b: at(p.call.a, batch*p.k), c: at(p.call.dst, batch*p.n+lo),
		rs: p.k * size, rc: size, count: p.k,
	}
	if p.call.accumulate {
		t.accumulate = 1
	}
	a, c := t.a, t.c
	for row := 0; row < hi-lo; {
		t.a, t.c = unsafe.Add(a, row*t.rs), unsafe.Add(c, row*t.rc)
		if row+8 <= hi-lo {
			p.ks.dot8(t)
			row += 8
			continue
		}
		p.ks.dot(t)
		row++
	}
	p.workers[worker].release()
}
