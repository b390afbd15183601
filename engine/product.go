package engine

import (
	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/par"
)

// singleOf builds the step of a unit that is not fused.
func singleOf[T graph.Float](c *compiler, u *unit) step {
	n := u.nodes[len(u.nodes)-1]
	switch n.Op() {
	case graph.OpMatMul, graph.OpConv, graph.OpConvInput, graph.OpConvKernel, graph.OpAdd:
		return productOf[T](c, u)
	case graph.OpGather, graph.OpScatter:
		return &labelStep[T]{dst: refOf[T](c, n), src: refOf[T](c, n.In()[0]), labels: refOf[int32](c, n.In()[1]),
			scatter: n.Op() == graph.OpScatter, call: n.Attr().(*graph.Call)}
	case graph.OpTake, graph.OpPut, graph.OpSumPool, graph.OpSpread, graph.OpPoolIndex:
		return poolOf[T](c, n)
	case graph.OpSum, graph.OpAmax:
		return reduceOf[T](c, n)
	}
	return moveOf[T](c, n)
}

// indexStep builds the step of an operation whose result is int32.
func (c *compiler) indexStep(n *graph.Node) step {
	if n.Op() != graph.OpPoolIndex {
		return moveOf[int32](c, n)
	}
	if n.In()[0].DType() == graph.Float32 {
		return poolOf[float32](c, n)
	}
	return poolOf[float64](c, n)
}

// copyOut builds the step that copies a value to output i.
func (c *compiler) copyOut(n *graph.Node, i int) step {
	switch n.DType() {
	case graph.Float32:
		return &outStep[float32]{refOf[float32](c, n), func(p *Program) []float32 { return p.outNow[i].f32 }}
	case graph.Float64:
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

func productOf[T graph.Float](c *compiler, u *unit) step {
	s := &product[T]{dst: refOf[T](c, u.nodes[len(u.nodes)-1]), pool: c.pool}
	s.scratch = func(p *Program) []T { return scratchOf[T](p) }
	for _, n := range u.nodes {
		if n.Op() != graph.OpAdd {
			t := term[T]{planOf[T](c, n), refOf[T](c, n.In()[0]), refOf[T](c, n.In()[1])}
			c.work[n.DType()] = max(c.work[n.DType()], t.plan.Workspace())
			s.terms = append(s.terms, t)
		}
	}
	return s
}

// planOf plans a matrix product or a convolution.
func planOf[T graph.Float](c *compiler, n *graph.Node) *gemm.Plan[T] {
	workers := c.pool.Workers()
	if n.Op() == graph.OpMatMul {
		a, rank := n.Attr().(graph.MatMulAttr), len(n.Shape())
		inner := n.In()[0].Shape()[rank-1]
		if a.TransA {
			inner = n.In()[0].Shape()[rank-2]
		}
		return gemm.NewMatMul[T](gemm.MatMul{Batch: numel(n.Shape()[:rank-2]), M: n.Shape()[rank-2], N: n.Shape()[rank-1], K: inner,
			TransA: a.TransA, TransB: a.TransB}, c.set, workers)
	}
	a := n.Attr().(graph.ConvAttr)
	spec := gemm.Conv{N: a.X[0], H: a.X[1], W: a.X[2], C: a.X[3], O: a.W[3], KH: a.W[0], KW: a.W[1], StrideH: a.Stride[0],
		StrideW: a.Stride[1], PadTop: a.Pad[0], PadLeft: a.Pad[1], PadBottom: a.Pad[2], PadRight: a.Pad[3], Groups: a.Groups}
	switch n.Op() {
	case graph.OpConv:
		return gemm.NewConv[T](spec, c.set, workers)
	case graph.OpConvInput:
		return gemm.NewConvInputGrad[T](spec, c.set, workers)
	}
	return gemm.NewConvKernelGrad[T](spec, c.set, workers)
}

func scratchOf[T graph.Float](p *Program) []T {
	if s, ok := any(p.work32).([]T); ok {
		return s
	}
	return any(p.work64).([]T)
}

// product is a step that multiplies two arrays, a matrix product or one of the three convolutions, or that adds up several such
// products.
type product[T graph.Float] struct {
	terms   []term[T]
	dst     ref[T]
	pool    *par.Pool
	scratch func(*Program) []T
}

type term[T graph.Float] struct {
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
