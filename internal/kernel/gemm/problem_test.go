package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
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
