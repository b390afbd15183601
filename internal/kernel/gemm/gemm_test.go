package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

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
	reporting := plan.Reports() && r.IntN(2) == 1
	var reported *reports[T]
	if reporting {
		reported = report(plan, dst)
	}
	plan.Run(pool, dst, work, accumulate, operands...)
	if reporting {
		if err := reported.check(dst); err != nil {
			t.Fatalf("%s on %s in %T, accumulate %v: %v", in.name, set, dst[0], accumulate, err)
		}
	}

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
					if plan.Reports() && workers > 1 { // which changes no bit either
						report(plan, dst)
					}
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
