package gemm

import (
	"fmt"
	"runtime"
	"unsafe"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

//go:generate go run ./asm -dir .

// Float is an element type that kernels exist for.
type Float interface{ float32 | float64 }

// MatMul states the products C[b] = op(A[b]) op(B[b]) of dense row-major matrices, one for each b below Batch.
type MatMul struct {
	Batch   int // number of products; all operands have a leading axis of this length
	M, N, K int // op(A) is M by K, op(B) is K by N
	// TransA says that A is stored as [K, M], TransB that B is stored as [N, K].
	TransA, TransB bool
	// A says that op(A), a square matrix, is zero elsewhere, C that only these elements of the square result matter: the others become
	// zero, or what the product is there, but finite where the operands are. What needs not be multiplied is not.
	A, C Shape
}

// Conv states a two-dimensional convolution of images [N, H, W, C] by kernels [KH, KW, C/Groups, O] to [N, OutH, OutW, O]:
//
//	y[n, i, j, o] = sum over kh, kw, c of x[n, i*StrideH+kh*DilationH-PadTop, j*StrideW+kw*DilationW-PadLeft, g*C/Groups+c] * w[kh, kw, c, o]
//
// where g is the group of o, and x is zero outside of the image. It is the cross-correlation that networks use: the
// kernel is not flipped. The same statement describes the gradients with respect to x and w.
type Conv struct {
	N, H, W, C                           int
	O, KH, KW                            int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	Groups                               int
	DilationH, DilationW                 int // rows and columns from one tap to the next; 0 stands for 1
	// Terms is how many such convolutions, of operands of their own, are added up; 0 stands for 1. Where they are transformed,
	// it is the transforms that are added, and the sum is transformed back once.
	Terms int
}

// OutH returns the height of the output.
func (s Conv) OutH() int { return (s.H+s.PadTop+s.PadBottom-s.spanH())/s.StrideH + 1 }

// OutW returns the width of the output.
func (s Conv) OutW() int { return (s.W+s.PadLeft+s.PadRight-s.spanW())/s.StrideW + 1 }

// dilation returns the rows and columns from one tap to the next.
func (s Conv) dilation() (h, w int) { return max(s.DilationH, 1), max(s.DilationW, 1) }

// spanH returns the rows from a kernel's first one to its last.
func (s Conv) spanH() int { h, _ := s.dilation(); return (s.KH-1)*h + 1 }

// spanW returns the columns from a kernel's first one to its last.
func (s Conv) spanW() int { _, w := s.dilation(); return (s.KW-1)*w + 1 }

// terms returns how many convolutions are added up.
func (s Conv) terms() int { return max(s.Terms, 1) }

// flops counts every multiplication and addition that the statement names, those with the border's zeros too.
func (s Conv) flops() float64 {
	return 2 * float64(s.terms()) * float64(s.N*s.OutH()*s.OutW()) * float64(s.KH*s.KW*s.C/s.Groups) * float64(s.O)
}

func (s Conv) check() {
	switch {
	case min(s.N, s.H, s.W, s.C, s.O, s.KH, s.KW, s.StrideH, s.StrideW, s.Groups) < 1:
		panic(fmt.Sprintf("gemm: %+v: want every size and stride above zero", s))
	case s.Terms < 0:
		panic(fmt.Sprintf("gemm: %+v: want no negative number of terms", s))
	case min(s.PadTop, s.PadLeft, s.PadBottom, s.PadRight) < 0:
		panic(fmt.Sprintf("gemm: %+v: want no negative padding", s))
	case min(s.DilationH, s.DilationW) < 0:
		panic(fmt.Sprintf("gemm: %+v: want no negative dilation", s))
	case s.C%s.Groups != 0 || s.O%s.Groups != 0:
		panic(fmt.Sprintf("gemm: %+v: want channels divisible by groups", s))
	case s.H+s.PadTop+s.PadBottom < s.spanH() || s.W+s.PadLeft+s.PadRight < s.spanW():
		panic(fmt.Sprintf("gemm: %+v: want a kernel no larger than the padded image", s))
	}
}

// Plan is one problem cut into chunks and blocks, ready to run many times.
type Plan[T Float] struct {
	sizes     [3]int // elements of dst, a, b
	terms     int    // pairs of operands
	joint     bool   // the stages do all terms at once
	flops     float64
	done      float64 // of these, those that are done
	workspace int
	workers   int
	stages    []stage
	call      *call[T]
	swapped   bool // the stages' left operand is b, their right one a
	reports   bool // the last stage knows what it has done
	made      func(worker int, done Area)
}

// stage is a task whose chunks need the stages before it done.
type stage struct {
	chunks int
	task   par.Task
}

// Pair is the operands of a product.
type Pair[T Float] struct{ A, B []T }

// call holds the operands of the run in progress. Stages share it with their plan.
type call[T Float] struct {
	dst, a, b, work []T
	terms           []Pair[T] // where all are done at once, in place of a and b
	accumulate      bool
	made            func(worker int, done Area) // of the last term
}

// cacheLine is the alignment of scratch, in bytes.
const cacheLine = 64

// lineOf returns how many elements of T a cache line holds.
func lineOf[T Float]() int { return cacheLine / size[T]() }

// size returns the bytes of a T.
func size[T Float]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

// Workspace returns the elements of T that Run needs as scratch, for all workers together.
func (p *Plan[T]) Workspace() int {
	if p.workspace == 0 {
		return 0
	}
	return p.workspace + lineOf[T]()
}

// Flops returns twice the multiply-adds of the problem.
func (p *Plan[T]) Flops() float64 { return p.flops }

// Done returns the least of them that Run does, or that it does in their place: those of triangles that matter, and with Winograd's algorithm a quarter or so, with
// the operations of the transforms.
func (p *Plan[T]) Done() float64 { return p.done }

// Run computes the plan's problem from its terms' operands, one pair if it states no sum, into dst, or adds to dst if accumulate is set. Dst overlaps neither
// operands nor work; work has at least Workspace elements and its contents do not matter. A nil pool runs on the
// calling goroutine. Run does not allocate; one plan is not for concurrent runs. It panics if an operand's length is
// not what the plan's statement says, or if the pool has more workers than the plan was made for.
func (p *Plan[T]) Run(pool *par.Pool, dst, work []T, accumulate bool, terms ...Pair[T]) {
	p.checkRun(pool, dst, work, terms)
	work = align(work)
	if p.joint {
		*p.call = call[T]{dst: dst, terms: terms, work: work, accumulate: accumulate, made: p.made}
		p.runStages(pool)
	} else {
		for i, t := range terms {
			if p.swapped {
				t.A, t.B = t.B, t.A
			}
			*p.call = call[T]{dst: dst, a: t.A, b: t.B, work: work, accumulate: accumulate || i > 0}
			if i+1 == len(terms) {
				p.call.made = p.made
			}
			p.runStages(pool)
		}
	}
	*p.call = call[T]{}
}

func (p *Plan[T]) runStages(pool *par.Pool) {
	for _, s := range p.stages {
		if pool == nil || s.chunks == 1 {
			for i := range s.chunks {
				s.task.Chunk(i, 0)
			}
			continue
		}
		pool.Run(s.chunks, s.task)
	}
}

func (p *Plan[T]) checkRun(pool *par.Pool, dst, work []T, terms []Pair[T]) {
	if len(terms) != p.terms {
		panic(fmt.Sprintf("gemm: %d pairs of operands, want %d", len(terms), p.terms))
	}
	for _, t := range terms {
		if got := [3]int{len(dst), len(t.A), len(t.B)}; got != p.sizes {
			panic(fmt.Sprintf("gemm: dst, a, b have %v elements, want %v", got, p.sizes))
		}
	}
	if len(work) < p.Workspace() {
		panic(fmt.Sprintf("gemm: work has %d elements, want %d", len(work), p.Workspace()))
	}
	if pool != nil && pool.Workers() > p.workers {
		panic(fmt.Sprintf("gemm: the pool has %d workers, the plan was made for %d", pool.Workers(), p.workers))
	}
}

// align drops what lies before the first cache line boundary of work.
func align[T Float](work []T) []T {
	if len(work) == 0 {
		return work
	}
	over := int(uintptr(unsafe.Pointer(unsafe.SliceData(work))) % cacheLine)
	if over == 0 || over%size[T]() != 0 {
		return work
	}
	return work[min(len(work), (cacheLine-over)/size[T]()):]
}

// arena hands out aligned pieces of the workspace while a plan is made.
type arena struct{ used, line int }

// take reserves n elements and returns where they start.
func (w *arena) take(n int) int {
	at := w.used
	w.used += roundUp(n, w.line)
	return at
}

// private is scratch that each worker has for itself.
type private struct{ at, size int }

// private reserves n elements for each of the workers.
func (w *arena) private(n, workers int) private {
	n = roundUp(n, w.line)
	return private{w.take(n * workers), n}
}

// of returns where a worker's scratch starts.
func (p private) of(worker int) int { return p.at + worker*p.size }

// NewMatMul plans the products that s states, for pools of at most the given number of workers; less than one means
// GOMAXPROCS, here and for the convolutions. The instruction set must be one that this machine has.
func NewMatMul[T Float](s MatMul, set isa.Set, workers int) *Plan[T] {
	if min(s.Batch, s.M, s.N, s.K) < 1 {
		panic(fmt.Sprintf("gemm: %+v: want every size above zero", s))
	}
	if s.A != Full && s.M != s.K || s.C != Full && s.M != s.N {
		panic(fmt.Sprintf("gemm: %+v: want triangles to be square", s))
	}
	p := &Plan[T]{
		sizes:   [3]int{s.Batch * s.M * s.N, s.Batch * s.M * s.K, s.Batch * s.K * s.N},
		flops:   2 * float64(s.Batch) * float64(s.M) * float64(s.N) * float64(s.K),
		done:    2 * float64(s.Batch) * s.products(),
		terms:   1,
		workers: poolSize(workers),
		call:    new(call[T]),
	}
	if s.N == 1 && s.M > 1 {
		// A matrix times a column is a row times the transposed matrix; the results lie in memory alike.
		s = MatMul{Batch: s.Batch, M: 1, N: s.M, K: s.K, TransB: !s.TransA}
		p.swapped = true
	}
	if s.M == 1 && s.TransB {
		p.stages = planDots(s, kernelsFor[T](set), p.call, p.workers)
		return p
	}
	w := arena{line: lineOf[T]()}
	p.stages, p.reports = planMatMul(s, kernelsFor[T](set), p.call, p.workers, &w)
	p.workspace = w.used
	return p
}

// NewConv plans y = conv(x, w): dst is y, a is x, b is w.
func NewConv[T Float](s Conv, set isa.Set, workers int) *Plan[T] {
	s.check()
	y, x, w := s.sizes()
	if s.pointwise() {
		return pointwisePlan[T](s, MatMul{Batch: 1, M: x / s.C, N: s.O, K: s.C}, set, workers)
	}
	return newConvPlan[T](s, [3]int{y, x, w}, forwardTaps(s), kernelsFor[T](set), workers)
}

// NewConvInputGrad plans the gradient of sum(y*dy) with respect to x: dst is dx, a is dy, b is w.
func NewConvInputGrad[T Float](s Conv, set isa.Set, workers int) *Plan[T] {
	s.check()
	y, x, w := s.sizes()
	if s.pointwise() {
		return pointwisePlan[T](s, MatMul{Batch: 1, M: x / s.C, N: s.C, K: s.O, TransB: true}, set, workers)
	}
	return newConvPlan[T](s, [3]int{x, y, w}, inputGradTaps(s), kernelsFor[T](set), workers)
}

// NewConvKernelGrad plans the gradient of sum(y*dy) with respect to w: dst is dw, a is x, b is dy.
func NewConvKernelGrad[T Float](s Conv, set isa.Set, workers int) *Plan[T] {
	s.check()
	y, x, w := s.sizes()
	if s.pointwise() {
		return pointwisePlan[T](s, MatMul{Batch: 1, M: s.C, N: s.O, K: x / s.C, TransA: true}, set, workers)
	}
	p := emptyPlan[T](s, [3]int{w, x, y}, workers)
	a := arena{line: lineOf[T]()}
	if ks := kernelsFor[T](set); s.winograd(ks) {
		p.done, p.joint = s.winogradGradFlops(), true
		p.stages = planWinogradKernelGrad(s, ks, p.call, p.workers, &a)
	} else {
		p.stages = planKernelGrad(s, ks, p.call, p.workers, &a)
	}
	p.workspace = a.used
	return p
}

func newConvPlan[T Float](s Conv, sizes [3]int, taps tapConv, ks *kernels, workers int) *Plan[T] {
	p := emptyPlan[T](s, sizes, workers)
	w := arena{line: lineOf[T]()}
	switch {
	case s.lanewise(ks):
		p.stages = planLanewise(taps, ks, p.call, p.workers, &w)
	case s.winograd(ks):
		p.done, p.joint = taps.winogradFlops(s), true
		p.stages, p.reports = planWinogradConv(taps, s.terms(), ks, p.call, p.workers, &w)
	default:
		p.stages, p.reports = planTapConv(taps, ks, p.call, p.workers, &w)
	}
	p.workspace = w.used
	return p
}

// emptyPlan returns a plan of convolutions without stages.
func emptyPlan[T Float](s Conv, sizes [3]int, workers int) *Plan[T] {
	return &Plan[T]{sizes: sizes, flops: s.flops(), done: s.flops(), terms: s.terms(), workers: poolSize(workers), call: new(call[T])}
}

// pointwisePlan plans a convolution that is a product of matrices.
func pointwisePlan[T Float](s Conv, m MatMul, set isa.Set, workers int) *Plan[T] {
	p := NewMatMul[T](m, set, workers)
	p.terms = s.terms()
	p.flops *= float64(s.terms())
	p.done *= float64(s.terms())
	return p
}

// poolSize reads a number of workers as par.New does.
func poolSize(workers int) int {
	if workers < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return workers
}

// sizes returns the elements of y, x and w.
func (s Conv) sizes() (y, x, w int) {
	return s.N * s.OutH() * s.OutW() * s.O, s.N * s.H * s.W * s.C, s.KH * s.KW * (s.C / s.Groups) * s.O
}

// pointwise says that the convolution is a product of matrices: every pixel by itself, none left out.
func (s Conv) pointwise() bool {
	return s.KH*s.KW*s.StrideH*s.StrideW*s.Groups == 1 && s.PadTop+s.PadLeft+s.PadBottom+s.PadRight == 0
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// share returns the i-th of parts nearly equal pieces of n, as a half-open range.
func share(n, parts, i int) (lo, hi int) { return n * i / parts, n * (i + 1) / parts }
