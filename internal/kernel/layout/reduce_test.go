package layout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
)

func reduceAll[T vec.Float](r *Reduction[T], results int, src []T, order []int) []T {
	dst, scratch := make([]T, results), make([]T, r.Scratch())
	for i := range dst {
		dst[i] = -12345
	}
	for _, i := range order {
		r.RunChunk(dst, scratch, src, i)
	}
	r.Finish(dst, scratch)
	return dst
}

func subsets(n int) [][]int {
	var all [][]int
	for bits := range 1 << n {
		var s []int
		for i := range n {
			if bits>>i&1 == 1 {
				s = append(s, i)
			}
		}
		all = append(all, s)
	}
	return all
}

func TestReductionsOverAnyAxesMatchTheirDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	k := vec.For[float64](isa.Go)
	for _, shape := range [][]int{{}, {7}, {3, 4}, {1, 9, 1}, {5, 6, 7}, {2, 3, 4, 5}, {30, 20, 10, 12}, {40_000, 3}, {3, 40_000}, {100_000}, {0, 3}, {3, 0}} {
		for _, axes := range subsets(len(shape)) {
			t.Run(fmt.Sprintf("%v over %v", shape, axes), func(t *testing.T) {
				src := make([]float64, product(shape))
				for i := range src {
					src[i] = rng.NormFloat64()
				}
				var to []int
				for i, n := range shape {
					if !slices.Contains(axes, i) {
						to = append(to, n)
					}
				}
				sums, largest := make([]float64, product(to)), slices.Repeat([]float64{math.Inf(-1)}, product(to))
				at := 0
				each(shape, func(index []int) {
					var kept []int
					for i := range shape {
						if !slices.Contains(axes, i) {
							kept = append(kept, index[i])
						}
					}
					j := flat(to, kept)
					sums[j] += src[at]
					largest[j] = max(largest[j], src[at])
					at++
				})
				sum, most := NewSum(k, shape, axes), NewMax(k, shape, axes)
				gotSum := reduceAll(sum, len(sums), src, rng.Perm(sum.Chunks()))
				gotMax := reduceAll(most, len(sums), src, rng.Perm(most.Chunks()))
				for i := range sums {
					if math.Abs(gotSum[i]-sums[i]) > 1e-10 {
						t.Fatalf("result %d is %v, want %v", i, gotSum[i], sums[i])
					}
					if gotMax[i] != largest[i] {
						t.Fatalf("result %d is %v, want %v", i, gotMax[i], largest[i])
					}
				}
			})
		}
	}
}

func TestSumsHaveTheSameBitsOnEveryInstructionSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ shape, axes []int }{
		{[]int{100_001}, []int{0}}, {[]int{50_000, 5}, []int{0}}, {[]int{500, 37}, []int{1}}, {[]int{20, 30, 40}, []int{0, 2}}, {[]int{3, 30_000}, []int{0}},
	} {
		t.Run(fmt.Sprintf("%v over %v", c.shape, c.axes), func(t *testing.T) {
			src := make([]float32, product(c.shape))
			for i := range src {
				src[i] = rng.Float32()
			}
			var want []float32
			for _, set := range isa.Available() {
				r := NewSum(vec.For[float32](set), c.shape, c.axes)
				got := reduceAll(r, r.results, src, rng.Perm(r.Chunks()))
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("the sum differs on %v", set)
				}
			}
		})
	}
}

func TestSumOfAMillionFloat32IsAccurate(t *testing.T) {
	const n = 1 << 20
	src := slices.Repeat([]float32{0.1}, n)
	r := NewSum(vec.For[float32](isa.Go), []int{n}, []int{0})
	got := float64(reduceAll(r, 1, src, rand.Perm(r.Chunks()))[0])
	want := n * float64(float32(0.1))
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLargeReductionsToFewResultsAreCut(t *testing.T) {
	k := vec.For[float32](isa.Go)
	for _, c := range []struct{ shape, axes []int }{
		{[]int{1 << 20}, []int{0}}, {[]int{1 << 16, 32}, []int{0}}, {[]int{4, 1 << 18}, []int{0}}, {[]int{256, 32, 256}, []int{0, 2}}, {[]int{1 << 16, 16}, []int{1}},
	} {
		t.Run(fmt.Sprintf("%v over %v", c.shape, c.axes), func(t *testing.T) {
			if n := NewSum(k, c.shape, c.axes).Chunks(); n < 8 {
				t.Errorf("%d chunks, want 8 or more", n)
			}
		})
	}
}

func TestRunningAReductionAllocatesNothing(t *testing.T) {
	r := NewSum(vec.For[float32](isa.Go), []int{100, 20, 30}, []int{0, 2})
	src, dst, scratch := make([]float32, 60_000), make([]float32, 20), make([]float32, r.Scratch())
	if n := testing.AllocsPerRun(10, func() {
		for i := range r.Chunks() {
			r.RunChunk(dst, scratch, src, i)
		}
		r.Finish(dst, scratch)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
