package graph

import (
	"fmt"

	"shadowflow/internal/kernel/gemm"
)

// singleOf builds the step of a unit that is not fused.
func singleOf[T float](c *compiler, u *unit) step {
	n := u.nodes[len(u.nodes)-1]
	switch n.prim {
	case primMatMul, primConv, primConvInput, primConvKernel, primAdd:
		return productOf[T](c, u)
	case primGather, primScatter:
		return &labelStep[T]{dst: refOf[T](c, n), src: refOf[T](c, n.in[0]), labels: refOf[int32](c, n.in[1]), scatter: n.prim == primScatter}
	case primTake, primPut, primSumPool, primSpread:
		s := &poolStep[T]{prim: n.prim, a: n.attr.(poolAttr), dst: refOf[T](c, n), src: refOf[T](c, n.in[0])}
		if len(n.in) > 1 {
			s.index = refOf[int32](c, n.in[1])
		}
		return s
	}
	return moveOf[T](c, n)
}

// indexStep builds the step of an operation whose result is int32.
func (c *compiler) indexStep(n *node) step {
	if n.prim != primPoolIndex {
		return moveOf[int32](c, n)
	}
	if n.in[0].dtype == Float32 {
		return &poolIndexStep[float32]{n.attr.(poolAttr), refOf[int32](c, n), refOf[float32](c, n.in[0])}
	}
	return &poolIndexStep[float64]{n.attr.(poolAttr), refOf[int32](c, n), refOf[float64](c, n.in[0])}
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

// moveStep copies elements between arrays of different strides, after clearing the destination if it is not covered.
type moveStep[T any] struct {
	src         []ref[T]
	shape       [][]int
	dStride     [][]int
	sStride     [][]int
	dOff, sOff  []int
	clear       bool
	destination ref[T]
}

func strides(shape []int) []int {
	s := make([]int, len(shape))
	k := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = k
		k *= shape[i]
	}
	return s
}

func moveOf[T any](c *compiler, n *node) step {
	s := &moveStep[T]{destination: refOf[T](c, n)}
	add := func(in *node, shape, ds, ss []int, do, so int) {
		s.src = append(s.src, refOf[T](c, in))
		s.shape, s.dStride, s.sStride = append(s.shape, shape), append(s.dStride, ds), append(s.sStride, ss)
		s.dOff, s.sOff = append(s.dOff, do), append(s.sOff, so)
	}
	in := n.in[0]
	from, to := strides(in.shape), strides(n.shape)
	switch n.prim {
	case primBroadcast:
		for i, d := range in.shape {
			if d == 1 {
				from[i] = 0
			}
		}
		add(in, n.shape, to, from, 0, 0)
	case primTranspose:
		ss := make([]int, len(n.shape))
		for i, a := range n.attr.(axesAttr).Axes {
			ss[i] = from[a]
		}
		add(in, n.shape, to, ss, 0, 0)
	case primSlice:
		a, off := n.attr.(sliceAttr), 0
		for i := range from {
			off += a.Start[i] * from[i]
			from[i] *= a.Step[i]
		}
		add(in, n.shape, to, from, 0, off)
	case primPad:
		a, off := n.attr.(padAttr), 0
		for i := range to {
			off += a.Low[i] * to[i]
			to[i] *= a.Gap[i] + 1
		}
		s.clear = true
		add(in, in.shape, to, from, off, 0)
	case primConcat:
		axis, at := n.attr.(axesAttr).Axes[0], 0
		for _, in := range n.in {
			if h, own := c.homeOf(in), c.homeOf(n); h.st != own.st || h.off != own.off+at*to[axis] {
				add(in, in.shape, to, strides(in.shape), at*to[axis], 0)
			}
			at += in.shape[axis]
		}
	default:
		panic("graph: no step for " + n.prim.name)
	}
	return s
}

func (s *moveStep[T]) run(*Program) error {
	dst := s.destination.get()
	if s.clear {
		clear(dst)
	}
	for i := range s.src {
		move(dst[s.dOff[i]:], s.src[i].get()[s.sOff[i]:], s.shape[i], s.dStride[i], s.sStride[i])
	}
	return nil
}

func move[T any](dst, src []T, shape, ds, ss []int) {
	if len(shape) == 0 {
		dst[0] = src[0]
		return
	}
	if len(shape) == 1 {
		if ds[0] == 1 && ss[0] == 1 {
			copy(dst[:shape[0]], src)
			return
		}
		for i := range shape[0] {
			dst[i*ds[0]] = src[i*ss[0]]
		}
		return
	}
	for i := range shape[0] {
		move(dst[i*ds[0]:], src[i*ss[0]:], shape[1:], ds[1:], ss[1:])
	}
}

// labelStep gathers or scatters along the last axis by labels.
type labelStep[T float] struct {
	dst, src ref[T]
	labels   ref[int32]
	scatter  bool
}

func (s *labelStep[T]) run(*Program) error {
	dst, src, labels := s.dst.get(), s.src.get(), s.labels.get()
	classes := max(len(dst), len(src)) / len(labels)
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("label %d is %d: want 0 to %d", i, l, classes-1)
		}
	}
	if s.scatter {
		clear(dst)
		for i, l := range labels {
			dst[i*classes+int(l)] = src[i]
		}
		return nil
	}
	for i, l := range labels {
		dst[i] = src[i*classes+int(l)]
	}
	return nil
}

type poolStep[T float] struct {
	prim     *primitive
	a        poolAttr
	dst, src ref[T]
	index    ref[int32]
}

func (s *poolStep[T]) run(*Program) error {
	dst, src := s.dst.get(), s.src.get()
	switch s.prim {
	case primTake:
		for i, k := range s.index.get() {
			dst[i] = src[k]
		}
	case primPut:
		clear(dst)
		for i, k := range s.index.get() {
			dst[k] += src[i]
		}
	case primSumPool:
		clear(dst)
		eachWindow(s.a, func(y, x int) { dst[y] += src[x] })
	case primSpread:
		clear(dst)
		eachWindow(s.a, func(y, x int) { dst[x] += src[y] })
	}
	return nil
}

func eachWindow(a poolAttr, f func(y, x int)) {
	y := 0
	for n := range a.Y[0] {
		for i := range a.Y[1] {
			for j := range a.Y[2] {
				for ch := range a.Y[3] {
					for kh := range a.Size[0] {
						for kw := range a.Size[1] {
							r, c := i*a.Stride[0]+kh-a.Pad[0], j*a.Stride[1]+kw-a.Pad[1]
							if r >= 0 && r < a.X[1] && c >= 0 && c < a.X[2] {
								f(y, ((n*a.X[1]+r)*a.X[2]+c)*a.X[3]+ch)
							}
						}
					}
					y++
				}
			}
		}
	}
}

type poolIndexStep[T float] struct {
	a   poolAttr
	dst ref[int32]
	src ref[T]
}

func (s *poolIndexStep[T]) run(*Program) error {
	dst, src := s.dst.get(), s.src.get()
	for i := range dst {
		dst[i] = -1
	}
	eachWindow(s.a, func(y, x int) {
		if b := dst[y]; b < 0 || src[x] > src[b] || (src[x] != src[x] && src[b] == src[b]) {
			dst[y] = int32(x)
		}
	})
	return nil
}
