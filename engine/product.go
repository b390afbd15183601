package engine

import (
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/kernel/gemm"
	"shadowflow/internal/kernel/par"
)

func productOf[T graph.Float](c *compiler, u *unit) step {
	s := &product[T]{dst: refOf[T](c, u.result()), pool: c.pool}
	s.scratch = func(p *Program) []T { return scratchOf[T](p) }
	for _, same := range likeProducts(u.nodes) {
		t := term[T]{plan: planOf[T](c, same[0], len(same)), pairs: make([]gemm.Pair[T], len(same))}
		for _, n := range same {
			t.x, t.y = append(t.x, refOf[T](c, n.In()[0])), append(t.y, refOf[T](c, n.In()[1]))
		}
		dtype := same[0].DType()
		c.work[dtype] = max(c.work[dtype], t.plan.Workspace())
		s.terms = append(s.terms, t)
	}
	return s
}

// likeProducts returns the products of a sum, convolutions of the same kind and shape together.
func likeProducts(nodes []*graph.Node) [][]*graph.Node {
	var groups [][]*graph.Node
	for _, n := range nodes {
		if n.Op() == graph.OpAdd {
			continue
		}
		like := func(g []*graph.Node) bool {
			return n.Op() != graph.OpMatMul && g[0].Op() == n.Op() && g[0].Attr() == n.Attr()
		}
		if i := slices.IndexFunc(groups, like); i >= 0 {
			groups[i] = append(groups[i], n)
			continue
		}
		groups = append(groups, []*graph.Node{n})
	}
	return groups
}

// planOf plans a matrix product, or so many convolutions that are added up.
func planOf[T graph.Float](c *compiler, n *graph.Node, terms int) *gemm.Plan[T] {
	workers := c.pool.Workers()
	if n.Op() == graph.OpMatMul {
		a, rank := n.Attr().(graph.MatMulAttr), len(n.Shape())
		spec := gemm.MatMul{Batch: numel(n.Shape()[:rank-2]), M: n.Shape()[rank-2], N: n.Shape()[rank-1], K: innerOf(n), TransA: a.TransA, TransB: a.TransB}
		spec.A, spec.C = c.triangles.of(n)
		return gemm.NewMatMul[T](spec, c.set, workers)
	}
	a := n.Attr().(graph.ConvAttr)
	spec := gemm.Conv{N: a.X[0], H: a.X[1], W: a.X[2], C: a.X[3], O: a.W[3], KH: a.W[0], KW: a.W[1], StrideH: a.Stride[0],
		StrideW: a.Stride[1], PadTop: a.Pad[0], PadLeft: a.Pad[1], PadBottom: a.Pad[2], PadRight: a.Pad[3], Groups: a.Groups,
		DilationH: a.Dilation[0], DilationW: a.Dilation[1], Terms: terms}
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

// term is one product, or several of one statement.
type term[T graph.Float] struct {
	plan  *gemm.Plan[T]
	x, y  []ref[T]
	pairs []gemm.Pair[T] // of a run
}

func (s *product[T]) run(p *Program) error {
	for i := range s.terms {
		t := &s.terms[i]
		for k := range t.pairs {
			t.pairs[k] = gemm.Pair[T]{A: t.x[k].get(), B: t.y[k].get()}
		}
		t.plan.Run(s.pool, s.dst.get(), s.scratch(p), i > 0, t.pairs...)
		clear(t.pairs) // a program holds no array of its caller's between runs
	}
	return nil
}

// matmulFlops and convFlops count the multiplications and additions that the definition has, whatever algorithm does with fewer.
func matmulFlops(n *graph.Node) int64 { return 2 * int64(n.Size()) * int64(innerOf(n)) }

func convFlops(n *graph.Node) int64 {
	a := n.Attr().(graph.ConvAttr)
	return 2 * int64(numel(a.Y[:])) * int64(numel(a.W[:3]))
}

// innerOf returns the length of the axis that a matrix product sums over.
func innerOf(n *graph.Node) int {
	rank := len(n.Shape())
	if n.Attr().(graph.MatMulAttr).TransA {
		return n.In()[0].Shape()[rank-2]
	}
	return n.In()[0].Shape()[rank-1]
}

// report has the step say what is done of its result: with the last term, to which nothing is added.
func (s *product[T]) report(made func(worker int, done gemm.Area)) {
	s.terms[len(s.terms)-1].plan.Report(made)
}
