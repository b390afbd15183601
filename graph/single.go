package graph

import (
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/par"
)

// singleOf builds the step of a unit that is not fused.
func singleOf[T float](c *compiler, u *unit) step {
	n := u.nodes[len(u.nodes)-1]
	switch n.prim {
	case primMatMul, primConv, primConvInput, primConvKernel, primAdd:
		return productOf[T](c, u)
	case primGather, primScatter:
		return &labelStep[T]{dst: refOf[T](c, n), src: refOf[T](c, n.in[0]), labels: refOf[int32](c, n.in[1]),
			scatter: n.prim == primScatter, call: n.attr.(*callAttr)}
	case primTake, primPut, primSumPool, primSpread, primPoolIndex:
		return poolOf[T](c, n)
	case primSum, primAmax:
		return reduceOf[T](c, n)
	}
	return moveOf[T](c, n)
}

// indexStep builds the step of an operation whose result is int32.
func (c *compiler) indexStep(n *node) step {
	if n.prim != primPoolIndex {
		return moveOf[int32](c, n)
	}
	if n.in[0].dtype == Float32 {
		return poolOf[float32](c, n)
	}
	return poolOf[float64](c, n)
}

// copyOut builds the step that copies a value to output i.
func (c *compiler) copyOut(n *node, i int) step {
	switch n.dtype {
	case Float32:
		return &outStep[float32]{refOf[float32](c, n), func(p *Program) []float32 { return p.outNow[i].f32 }}
	case Float64:
		return &outStep[float64]{refOf[float64](c, n), func(p *Program) []float64 { return p.outNow[i].f64 }}
	}
	return &outStep[int32]{refOf[int32](c, n), func(p *Program) []int32 { return p.outNow[i].i32 }}
}

type outStep[T any] struct {
	src ref[T]
	dst func(*Program) []T
}

func (s *outStep[T]) run(p *Program) error {
	copy(s.dst(p), s.src.get())
	return nil
}

func productOf[T float](c *compiler, u *unit) step {
	s := &product[T]{dst: refOf[T](c, u.nodes[len(u.nodes)-1]), pool: c.pool}
	s.scratch = func(p *Program) []T { return scratchOf[T](p) }
	for _, n := range u.nodes {
		if n.prim != primAdd {
			t := term[T]{planOf[T](c, n), refOf[T](c, n.in[0]), refOf[T](c, n.in[1])}
			c.work[n.dtype] = max(c.work[n.dtype], t.plan.Workspace())
			s.terms = append(s.terms, t)
		}
	}
	return s
}

// planOf plans a matrix product or a convolution.
func planOf[T float](c *compiler, n *node) *gemm.Plan[T] {
	workers := c.pool.Workers()
	if n.prim == primMatMul {
		a, rank := n.attr.(matmulAttr), len(n.shape)
		inner := n.in[0].shape[rank-1]
		if a.TransA {
			inner = n.in[0].shape[rank-2]
		}
		return gemm.NewMatMul[T](gemm.MatMul{Batch: numel(n.shape[:rank-2]), M: n.shape[rank-2], N: n.shape[rank-1], K: inner,
			TransA: a.TransA, TransB: a.TransB}, c.set, workers)
	}
	a := n.attr.(convAttr)
	spec := gemm.Conv{N: a.X[0], H: a.X[1], W: a.X[2], C: a.X[3], O: a.W[3], KH: a.W[0], KW: a.W[1], StrideH: a.Stride[0],
		StrideW: a.Stride[1], PadTop: a.Pad[0], PadLeft: a.Pad[1], PadBottom: a.Pad[2], PadRight: a.Pad[3], Groups: a.Groups}
	switch n.prim {
	case primConv:
		return gemm.NewConv[T](spec, c.set, workers)
	case primConvInput:
		return gemm.NewConvInputGrad[T](spec, c.set, workers)
	}
	return gemm.NewConvKernelGrad[T](spec, c.set, workers)
}

func scratchOf[T float](p *Program) []T {
	if s, ok := any(p.work32).([]T); ok {
		return s
	}
	return any(p.work64).([]T)
}

// product is a step that multiplies two arrays, a matrix product or one of the three convolutions, or that adds up several such
// products.
type product[T float] struct {
	terms   []term[T]
	dst     ref[T]
	pool    *par.Pool
	scratch func(*Program) []T
}

type term[T float] struct {
	plan *gemm.Plan[T]
	x, y ref[T]
}

func (s *product[T]) run(p *Program) error {
	for i := range s.terms {
		t := &s.terms[i]
		t.plan.Run(s.pool, s.dst.get(), t.x.get(), t.y.get(), s.scratch(p), i > 0)
	}
	return nil
}

func (s *product[T]) flops() float64 {
	sum := 0.0
	for _, t := range s.terms {
		sum += t.plan.Flops()
	}
	return sum
}
