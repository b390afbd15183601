package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// has says whether a shape has the element in row i and column j.
func (s Shape) has(i, j int) bool {
	switch s {
	case Lower:
		return j <= i
	case Upper:
		return j >= i
	}
	return true
}

// triangularInstance is a triangular product with operands, and the full product of them.
func triangularInstance(s MatMul, r *rand.Rand) instance {
	p := matMulProblem(MatMul{Batch: s.Batch, M: s.M, N: s.N, K: s.K, TransA: s.TransA, TransB: s.TransB})
	p.name = fmt.Sprintf("%+v", s)
	zeroed := p.reference
	p.reference = func(dst, a, b []float64) {
		for at := range a {
			i, k := at/s.K%s.M, at%s.K
			if s.TransA {
				i, k = at%s.M, at/s.M%s.K
			}
			if !s.A.has(i, k) {
				a[at] = 0
			}
		}
		zeroed(dst, a, b)
	}
	return instantiate(p, r)
}

// verifyTriangle runs the plan on the operands: where C matters the product comes to rounding, elsewhere that, or zero, or what was
// added to.
func verifyTriangle[T Float](t *testing.T, s MatMul, in *instance, set isa.Set, pool *par.Pool, r *rand.Rand, eps float64) {
	t.Helper()
	plan := NewMatMul[T](s, set, pool.Workers())
	off := r.IntN(4)
	dst, all := fenced[T](in.sizes[0], off)
	work := make([]T, plan.Workspace())
	accumulate := r.IntN(2) == 1
	if accumulate {
		narrow(dst, in.init)
	}
	plan.Run(pool, dst, work, accumulate, fencedOperands[T](in, r)...)
	bound := eps * 40 * (4 + math.Sqrt(float64(s.K)))
	near := func(got, want float64) bool { return math.Abs(got-want) <= bound*(1+math.Abs(want)) }
	for at, got := range dst {
		was := 0.0
		if accumulate {
			was = in.init[at]
		}
		if !near(float64(got), was+in.product[at]) && (s.C.has(at/s.N%s.M, at%s.N) || !near(float64(got), was)) {
			t.Fatalf("%s on %s in %T, accumulate %v: dst[%d, %d] = %v, want %v", in.name, set, got, accumulate, at/s.N, at%s.N, got, was+in.product[at])
		}
	}
	if !fenceIntact(all, len(dst), off) {
		t.Fatalf("%s on %s: wrote outside of dst", in.name, set)
	}
}

func TestTriangularProductsMatchTripleLoop(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	for _, shapes := range [][2]Shape{{Lower, Full}, {Upper, Full}, {Full, Lower}, {Full, Upper}, {Lower, Lower}, {Upper, Lower}, {Lower, Upper}} {
		for _, trans := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			t.Run(fmt.Sprint(shapes, trans), func(t *testing.T) {
				r := rand.New(rand.NewPCG(21, 22))
				// The last ones have several blocks of inner steps.
				for _, m := range []int{1, 2, 17, 64, 1 + r.IntN(150), 1 + r.IntN(150), 200, 530} {
					s := MatMul{Batch: 1, M: m, N: pick(r, 3, 64, 65), K: pick(r, 1, 16, 65), TransA: trans[0], TransB: trans[1], A: shapes[0], C: shapes[1]}
					if m < 64 {
						s.Batch = 3
					}
					if s.A != Full {
						s.K = m
					} else if m == 200 {
						s.K = 600
					}
					if s.C != Full {
						s.N = m
					}
					if m == 530 && s.K == s.N {
						continue
					}
					in := triangularInstance(s, r)
					for _, set := range tested() {
						verifyTriangle[float32](t, s, &in, set, pool, r, 1e-7)
						verifyTriangle[float64](t, s, &in, set, pool, r, 1e-16)
					}
				}
			})
		}
	}
}

// The tests above would also pass if nothing were left out.
func TestTrianglesLeaveProductsOut(t *testing.T) {
	nan := float32(math.NaN())
	const n, m = 256, 64
	filled := func(size int) []float32 {
		s := make([]float32, size)
		for i := range s {
			s[i] = 1
		}
		return s
	}
	a, b, c := filled(n*n), filled(n*m), make([]float32, n*m)
	for i := range n {
		for k := i + 64; k < n; k++ {
			a[i*n+k] = nan
		}
	}
	p := NewMatMul[float32](MatMul{Batch: 1, M: n, N: m, K: n, A: Lower}, isa.Available()[0], 1)
	p.Run(nil, c, make([]float32, p.Workspace()), false, Pair[float32]{a, b})
	for i, v := range c {
		if v != v {
			t.Fatalf("element %d was made of what is far above the diagonal", i)
		}
	}
	x, y, z := filled(n*m), filled(m*n), make([]float32, n*n)
	q := NewMatMul[float32](MatMul{Batch: 1, M: n, N: n, K: m, C: Lower}, isa.Available()[0], 1)
	q.Run(nil, z, make([]float32, q.Workspace()), false, Pair[float32]{x, y})
	if z[n-1] != 0 || z[n*n-1] != m {
		t.Errorf("the corners are %g above and %g on the diagonal, want 0 and %d", z[n-1], z[n*n-1], m)
	}
}

func TestTrianglesAreSquare(t *testing.T) {
	for name, s := range map[string]MatMul{"A": {Batch: 1, M: 3, N: 3, K: 4, A: Lower}, "C": {Batch: 1, M: 3, N: 4, K: 3, C: Upper}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("an oblong triangle was planned")
				}
			}()
			NewMatMul[float32](s, isa.Available()[0], 1)
		})
	}
}

func TestWhatIsDoneOfAProductIsWhatMatters(t *testing.T) {
	for _, c := range []struct {
		name string
		s    MatMul
		want float64 // multiply-adds
	}{
		{"all", MatMul{Batch: 3, M: 4, N: 5, K: 6}, 3 * 4 * 5 * 6},
		{"a left triangle", MatMul{Batch: 2, M: 4, N: 5, K: 4, A: Lower}, 2 * 5 * (1 + 2 + 3 + 4)},
		{"a triangle of results", MatMul{Batch: 2, M: 4, N: 4, K: 7, C: Upper}, 2 * 7 * (4 + 3 + 2 + 1)},
		{"both", MatMul{Batch: 1, M: 3, N: 3, K: 3, A: Lower, C: Lower}, 1 + 4 + 9},
	} {
		if p := NewMatMul[float32](c.s, isa.Go, 1); p.Done() != 2*c.want {
			t.Errorf("%s: %g flops done, want %g", c.name, p.Done(), 2*c.want)
		}
	}
}
