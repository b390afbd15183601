package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// problem is one operation with the triple loop that defines it.
type problem struct {
	name      string
	plan32    func(isa.Set, int) *Plan[float32]
	plan64    func(isa.Set, int) *Plan[float64]
	reference func(dst, a, b []float64) // adds a term
	sizes     [3]int
	terms     int     // pairs of operands; 0 stands for 1
	depth     int     // products in an element, at most
	noise     float64 // of rounding in float32, in units of that of adding the products up; 0 stands for 1
}

func matMulProblem(s MatMul) problem {
	return problem{
		name:   fmt.Sprintf("matmul %+v", s),
		plan32: func(set isa.Set, w int) *Plan[float32] { return NewMatMul[float32](s, set, w) },
		plan64: func(set isa.Set, w int) *Plan[float64] { return NewMatMul[float64](s, set, w) },
		sizes:  [3]int{s.Batch * s.M * s.N, s.Batch * s.M * s.K, s.Batch * s.K * s.N},
		depth:  s.K,
		reference: func(dst, a, b []float64) {
			for n := range s.Batch {
				for i := range s.M {
					for j := range s.N {
						for k := range s.K {
							ai, bi := (n*s.M+i)*s.K+k, (n*s.K+k)*s.N+j
							if s.TransA {
								ai = (n*s.K+k)*s.M + i
							}
							if s.TransB {
								bi = (n*s.N+j)*s.K + k
							}
							dst[(n*s.M+i)*s.N+j] += a[ai] * b[bi]
						}
					}
				}
			}
		},
	}
}

// eachProduct calls do with the offsets of every y, x and w whose product the convolution has.
func (s Conv) eachProduct(do func(y, x, w int)) {
	cg, og := s.C/s.Groups, s.O/s.Groups
	for n := range s.N {
		for i := range s.OutH() {
			for j := range s.OutW() {
				for kh := range s.KH {
					for kw := range s.KW {
						h, v := i*s.StrideH+kh*max(s.DilationH, 1)-s.PadTop, j*s.StrideW+kw*max(s.DilationW, 1)-s.PadLeft
						if h < 0 || h >= s.H || v < 0 || v >= s.W {
							continue
						}
						for o := range s.O {
							y := ((n*s.OutH()+i)*s.OutW()+j)*s.O + o
							for c := range cg {
								do(y, ((n*s.H+h)*s.W+v)*s.C+o/og*cg+c, ((kh*s.KW+kw)*cg+c)*s.O+o)
							}
						}
					}
				}
			}
		}
	}
}

// winogradNoise is how much larger the errors of Winograd's convolution in float32 may be.
const winogradNoise = 4

func convProblems(s Conv) []problem {
	y, x, w := s.sizes()
	name := fmt.Sprintf("%+v", s)
	noise := 1.
	if s.winograd(goKernels[float32]()) {
		noise = winogradNoise
	}
	ps := []problem{{
		name:   "forward " + name,
		plan32: func(set isa.Set, w int) *Plan[float32] { return NewConv[float32](s, set, w) },
		plan64: func(set isa.Set, w int) *Plan[float64] { return NewConv[float64](s, set, w) },
		sizes:  [3]int{y, x, w}, depth: s.KH * s.KW * s.C / s.Groups, noise: noise,
		reference: func(dst, a, b []float64) { s.eachProduct(func(y, x, w int) { dst[y] += a[x] * b[w] }) },
	}, {
		name:   "input gradient " + name,
		plan32: func(set isa.Set, w int) *Plan[float32] { return NewConvInputGrad[float32](s, set, w) },
		plan64: func(set isa.Set, w int) *Plan[float64] { return NewConvInputGrad[float64](s, set, w) },
		sizes:  [3]int{x, y, w}, depth: s.KH * s.KW * s.O / s.Groups, noise: noise,
		reference: func(dst, a, b []float64) { s.eachProduct(func(y, x, w int) { dst[x] += a[y] * b[w] }) },
	}, {
		name:   "kernel gradient " + name,
		plan32: func(set isa.Set, w int) *Plan[float32] { return NewConvKernelGrad[float32](s, set, w) },
		plan64: func(set isa.Set, w int) *Plan[float64] { return NewConvKernelGrad[float64](s, set, w) },
		sizes:  [3]int{w, x, y}, depth: s.N * s.OutH() * s.OutW(), noise: noise,
		reference: func(dst, a, b []float64) { s.eachProduct(func(y, x, w int) { dst[w] += a[x] * b[y] }) },
	}}
	for i := range ps {
		ps[i].terms = s.Terms
		ps[i].depth *= s.terms()
	}
	return ps
}

// pairs are a problem's operands, as make has them.
func pairs[T Float](p problem, operand func(n int) []T) []Pair[T] {
	var ps []Pair[T]
	for range max(p.terms, 1) {
		ps = append(ps, Pair[T]{operand(p.sizes[1]), operand(p.sizes[2])})
	}
	return ps
}

// random returns n random numbers.
func random[T Float](r *rand.Rand) func(n int) []T {
	return func(n int) []T {
		s := make([]T, n)
		randomize(r, s)
		return s
	}
}

// canary fills what lies around operands: a kernel that reads it yields NaN, one that writes it is caught.
func canary[T Float]() T { return T(math.NaN()) }

const fence = 67 // elements of canary on either side

// fenced returns n elements between canaries, off elements behind a cache line's start or so, and what holds them.
func fenced[T Float](n, off int) (inner, all []T) {
	all = make([]T, n+2*fence+off)
	for i := range all {
		all[i] = canary[T]()
	}
	return all[fence+off : fence+off+n : fence+off+n], all
}

func fenceIntact[T Float](all []T, n, off int) bool {
	for i, v := range all {
		if (i < fence+off || i >= fence+off+n) && v == v {
			return false
		}
	}
	return true
}

// randomize fills s with numbers that float32 holds exactly.
func randomize[T Float](r *rand.Rand, s []T) {
	for i := range s {
		s[i] = T(math.Round(r.NormFloat64()*1024) / 1024)
	}
}

// instance is a problem with operands and the answer.
type instance struct {
	problem
	init, product []float64
	operands      []Pair[float64]
}

func instantiate(p problem, r *rand.Rand) instance {
	in := instance{problem: p, init: random[float64](r)(p.sizes[0]), product: make([]float64, p.sizes[0]), operands: pairs(p, random[float64](r))}
	for _, o := range in.operands {
		p.reference(in.product, o.A, o.B)
	}
	return in
}

// tested are the instruction sets to test: all, or with -short, which is for emulated processors, the one that programs would use.
func tested() []isa.Set {
	if !testing.Short() {
		return isa.Available()
	}
	set, err := isa.Best()
	if err != nil {
		panic(err)
	}
	return []isa.Set{set}
}

// rounds is how many random problems to try of n: a fifth with -short.
func rounds(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

// verifyAll compares every instruction set and both types with the reference.
func verifyAll(t *testing.T, pool *par.Pool, p problem, r *rand.Rand) {
	t.Helper()
	in := instantiate(p, r)
	for _, set := range tested() {
		verify(t, &in, set, p.plan32(set, pool.Workers()), pool, r, 1e-7*max(1, p.noise))
		verify(t, &in, set, p.plan64(set, pool.Workers()), pool, r, 1e-16)
	}
}

// verify runs a plan on an instance's operands, at odd addresses between canaries, accumulating or not.
func verify[T Float](t *testing.T, in *instance, set isa.Set, plan *Plan[T], pool *par.Pool, r *rand.Rand, eps float64) {
	t.Helper()
	off := [2]int{r.IntN(4), r.IntN(4)}
	dst, dstAll := fenced[T](in.sizes[0], off[0])
	work, workAll := fenced[T](plan.Workspace(), off[1])
	operands := fencedOperands[T](in, r)
	accumulate := r.IntN(2) == 1
	if accumulate {
		narrow(dst, in.init)
	}
	plan.Run(pool, dst, work, accumulate, operands...)

	bound := eps * 40 * (4 + math.Sqrt(float64(in.depth)))
	for i, got := range dst {
		want := in.product[i]
		if accumulate {
			want += in.init[i]
		}
		if diff := math.Abs(float64(got) - want); !(diff <= bound*(1+math.Abs(want))) {
			t.Fatalf("%s on %s in %T, accumulate %v: dst[%d] = %v, want %v", in.name, set, got, accumulate, i, got, want)
		}
	}
	if !fenceIntact(dstAll, len(dst), off[0]) || !fenceIntact(workAll, len(work), off[1]) {
		t.Fatalf("%s on %s: wrote outside of dst or work", in.name, set)
	}
}

// fencedOperands returns an instance's operands at odd addresses between canaries.
func fencedOperands[T Float](in *instance, r *rand.Rand) []Pair[T] {
	operands := pairs(in.problem, func(n int) []T { s, _ := fenced[T](n, r.IntN(4)); return s })
	for i, o := range in.operands {
		narrow(operands[i].A, o.A)
		narrow(operands[i].B, o.B)
	}
	return operands
}

func narrow[T Float](dst []T, src []float64) {
	for i, v := range src {
		dst[i] = T(v)
	}
}

func pick(r *rand.Rand, from ...int) int { return from[r.IntN(len(from))] }

func randomMatMul(r *rand.Rand) MatMul {
	dim := func() int {
		return pick(r, 1, 2, 3, 1+r.IntN(20), 1+r.IntN(70), 1+r.IntN(150), pick(r, 16, 32, 64, 128))
	}
	s := MatMul{Batch: pick(r, 1, 1, 1, 1+r.IntN(5)), M: dim(), N: dim(), K: dim(), TransA: r.IntN(2) == 1, TransB: r.IntN(2) == 1}
	if r.IntN(6) == 0 {
		s.K = 300 + r.IntN(3000)
		s.M, s.N = min(s.M, 70), min(s.N, 40)
	}
	return s
}

func randomConv(r *rand.Rand) Conv {
	groups := pick(r, 1, 1, 1, 2, 3)
	s := Conv{
		N: pick(r, 1, 2, 3, 17), H: 1 + r.IntN(9), W: 1 + r.IntN(12),
		C: groups * pick(r, 1, 2, 3, 5, 8, 17, 33), O: groups * pick(r, 1, 2, 7, 16, 17, 32, 35, 50),
		KH: 1 + r.IntN(4), KW: 1 + r.IntN(4), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), Groups: groups,
	}
	if r.IntN(3) > 0 {
		s.PadTop, s.PadBottom, s.PadLeft, s.PadRight = r.IntN(4), r.IntN(4), r.IntN(4), r.IntN(4)
	}
	switch r.IntN(8) {
	case 0:
		s.Groups, s.C, s.O = 7, 7, 14
	case 1, 2: // small groups, and depthwise
		groups, each := pick(r, 2, 7, 16, 19, 40), pick(r, 1, 1, 2, 3, 4, 8)
		s.Groups, s.C, s.O = groups, groups*each, groups*each
	}
	s.KH, s.KW = min(s.KH, s.H+s.PadTop+s.PadBottom), min(s.KW, s.W+s.PadLeft+s.PadRight)
	return s
}

// randomDilated is a convolution whose taps lie apart.
func randomDilated(r *rand.Rand) Conv {
	for {
		s := randomConv(r)
		s.DilationH, s.DilationW = 1+r.IntN(4), 1+r.IntN(4)
		if s.spanH() <= s.H+s.PadTop+s.PadBottom && s.spanW() <= s.W+s.PadLeft+s.PadRight && (s.KH > 1 && s.DilationH > 1 || s.KW > 1 && s.DilationW > 1) {
			return s
		}
	}
}

// randomWinograd is a convolution that Winograd's algorithm does.
func randomWinograd(r *rand.Rand) Conv {
	for {
		s := Conv{
			N: pick(r, 1, 2, 3, 17), H: 3 + r.IntN(15), W: 3 + r.IntN(15), C: pick(r, 16, 17, 33, 64, 70), O: pick(r, 16, 19, 32, 50, 64),
			KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: r.IntN(3), PadLeft: r.IntN(3), PadBottom: r.IntN(3), PadRight: r.IntN(3), Groups: 1,
			Terms: r.IntN(4),
		}
		if s.winograd(goKernels[float32]()) {
			return s
		}
	}
}

// fixedProblems are those that random shapes seldom hit: every kind of block in the plans.
func fixedProblems() []problem {
	ps := []problem{
		matMulProblem(MatMul{Batch: 1, M: 64, N: 700, K: 500, TransB: true}),
		matMulProblem(MatMul{Batch: 1, M: 70, N: 65, K: 9000, TransA: true}),
		matMulProblem(MatMul{Batch: 3, M: 33, N: 130, K: 400}),
		matMulProblem(MatMul{Batch: 2, M: 300, N: 70, K: 90, TransB: true}),
		matMulProblem(MatMul{Batch: 1, M: 1, N: 1500, K: 300, TransB: true}),
		matMulProblem(MatMul{Batch: 1, M: 1500, N: 1, K: 300}),
		matMulProblem(MatMul{Batch: 1, M: 200, N: 600, K: 300}),
		matMulProblem(MatMul{Batch: 1, M: 29, N: 64, K: 1024, TransA: true}),
		matMulProblem(MatMul{Batch: 1, M: 256, N: 128, K: 512}),
		matMulProblem(MatMul{Batch: 1, M: 120, N: 200, K: 1100}),
		matMulProblem(MatMul{Batch: 1, M: 600, N: 200, K: 350, TransA: true}),
		matMulProblem(MatMul{Batch: 1, M: 130, N: 700, K: 350, TransA: true}),
		matMulProblem(MatMul{Batch: 2, M: 100, N: 90, K: 200, TransA: true, TransB: true}),
	}
	for _, s := range []Conv{
		{N: 1, H: 17, W: 32, C: 32, O: 64, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 3, H: 17, W: 9, C: 32, O: 64, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1, Terms: 3},
		{N: 2, H: 7, W: 6, C: 250, O: 260, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1, Terms: 2},
		{N: 2, H: 8, W: 8, C: 48, O: 24, KH: 1, KW: 1, StrideH: 1, StrideW: 1, Groups: 1, Terms: 2},
		{N: 2, H: 7, W: 9, C: 20, O: 13, KH: 3, KW: 2, StrideH: 2, StrideW: 1, PadTop: 1, Groups: 1, Terms: 3},
		{N: 3, H: 17, W: 18, C: 40, O: 40, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 40, Terms: 2},
		{N: 9, H: 8, W: 8, C: 64, O: 64, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 2, H: 6, W: 7, C: 400, O: 40, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 0, PadLeft: 2, PadBottom: 1, PadRight: 0, Groups: 1},
		{N: 17, H: 4, W: 4, C: 180, O: 100, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 2, H: 7, W: 6, C: 250, O: 260, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 2, H: 6, W: 6, C: 200, O: 130, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 0, PadLeft: 0, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 4, H: 8, W: 8, C: 136, O: 40, KH: 1, KW: 1, StrideH: 2, StrideW: 2, Groups: 1},
		{N: 5, H: 16, W: 16, C: 3, O: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
		{N: 2, H: 8, W: 8, C: 48, O: 24, KH: 1, KW: 1, StrideH: 1, StrideW: 1, Groups: 1},
		{N: 2, H: 1, W: 9, C: 300, O: 20, KH: 1, KW: 3, StrideH: 1, StrideW: 1, Groups: 2},
		{N: 3, H: 33, W: 21, C: 200, O: 200, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 200},
		{N: 2, H: 15, W: 16, C: 37, O: 37, KH: 7, KW: 7, StrideH: 2, StrideW: 2, PadTop: 3, PadLeft: 3, PadBottom: 3, PadRight: 3, Groups: 37},
		{N: 3, H: 17, W: 18, C: 280, O: 280, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 70},
		{N: 2, H: 9, W: 8, C: 22, O: 22, KH: 3, KW: 2, StrideH: 2, StrideW: 1, PadTop: 1, PadLeft: 0, PadBottom: 0, PadRight: 1, Groups: 11},
		{N: 2, H: 12, W: 11, C: 250, O: 260, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 2, PadLeft: 2, PadBottom: 2, PadRight: 2, Groups: 1, DilationH: 2, DilationW: 2},
		{N: 3, H: 9, W: 13, C: 600, O: 140, KH: 2, KW: 3, StrideH: 2, StrideW: 3, PadTop: 1, PadLeft: 3, PadBottom: 0, PadRight: 2, Groups: 1, DilationH: 3, DilationW: 2},
		{N: 2, H: 15, W: 16, C: 37, O: 37, KH: 3, KW: 3, StrideH: 2, StrideW: 1, PadTop: 3, PadLeft: 2, PadBottom: 3, PadRight: 2, Groups: 37, DilationH: 3, DilationW: 2},
		{N: 2, H: 10, W: 8, C: 22, O: 22, KH: 3, KW: 2, StrideH: 2, StrideW: 4, PadTop: 4, PadLeft: 1, PadBottom: 2, PadRight: 3, Groups: 11, DilationH: 4, DilationW: 6},
		{N: 1, H: 1, W: 1, C: 2, O: 3, KH: 1, KW: 1, StrideH: 3, StrideW: 3, PadTop: 1, PadLeft: 0, PadBottom: 0, PadRight: 2, Groups: 1},
	} {
		ps = append(ps, convProblems(s)...)
	}
	if !testing.Short() { // a kernel gradient in slices, which has many tiles
		s := Conv{N: 4, H: 30, W: 29, C: 16, O: 1090, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
		ps = append(ps, convProblems(s)[2])
	}
	return ps
}

func TestProductsMatchTripleLoop(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds(150) {
		verifyAll(t, pool, matMulProblem(randomMatMul(r)), r)
	}
}

func TestConvolutionsMatchTripleLoop(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	for _, c := range []struct {
		name   string
		random func(*rand.Rand) Conv
		seed   uint64
		rounds int
	}{
		{"any", randomConv, 3, 120},
		{"dilated", randomDilated, 13, 80},
		{"Winograd", randomWinograd, 11, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(c.seed, c.seed+1))
			for range rounds(c.rounds) {
				for _, p := range convProblems(c.random(r)) {
					verifyAll(t, pool, p, r)
				}
			}
		})
	}
}

func TestEveryKindOfBlockMatchesTripleLoop(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	r := rand.New(rand.NewPCG(7, 8))
	for _, p := range fixedProblems() {
		t.Run(p.name, func(t *testing.T) {
			verifyAll(t, pool, p, r)
		})
	}
}

func TestBitsDoNotDependOnWorkers(t *testing.T) {
	for _, set := range tested() {
		r := rand.New(rand.NewPCG(5, 6))
		for _, p := range fixedProblems() {
			t.Run(p.name+" on "+set.String(), func(t *testing.T) {
				operands := pairs(p, random[float32](r))
				var first []float32
				for _, workers := range []int{1, 2, 8} {
					pool := par.New(workers)
					plan := p.plan32(set, workers)
					dst := make([]float32, p.sizes[0])
					plan.Run(pool, dst, make([]float32, plan.Workspace()), false, operands...)
					pool.Close()
					if first == nil {
						first = dst
					}
					for i := range dst {
						if dst[i] != first[i] {
							t.Fatalf("dst[%d] is %v on %d workers, %v on 1", i, dst[i], workers, first[i])
						}
					}
				}
			})
		}
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	set, err := isa.Best()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range fixedProblems() {
		t.Run(p.name, func(t *testing.T) {
			plan := p.plan32(set, 2)
			dst, operands := make([]float32, p.sizes[0]), pairs(p, func(n int) []float32 { return make([]float32, n) })
			work := make([]float32, plan.Workspace())
			if n := testing.AllocsPerRun(3, func() { plan.Run(pool, dst, work, true, operands...) }); n > 0 {
				t.Errorf("Run allocates %v times", n)
			}
		})
	}
}

func TestRunRejectsWrongOperands(t *testing.T) {
	plan := NewMatMul[float32](MatMul{Batch: 1, M: 2, N: 3, K: 4}, isa.Go, 1)
	work := make([]float32, plan.Workspace())
	for name, run := range map[string]func(){
		"short dst": func() {
			plan.Run(nil, make([]float32, 5), work, false, Pair[float32]{make([]float32, 8), make([]float32, 12)})
		},
		"long a": func() {
			plan.Run(nil, make([]float32, 6), work, false, Pair[float32]{make([]float32, 9), make([]float32, 12)})
		},
		"two terms": func() {
			pair := Pair[float32]{make([]float32, 8), make([]float32, 12)}
			plan.Run(nil, make([]float32, 6), work, false, pair, pair)
		},
		"too many workers": func() {
			pool := par.New(2)
			defer pool.Close()
			plan.Run(pool, make([]float32, 6), work, false, Pair[float32]{make([]float32, 8), make([]float32, 12)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("Run does not panic")
					}
				}()
				run()
			}()
		})
	}
}
