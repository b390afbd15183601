package layout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shadowflow/internal/kernel/par"
)

// plan is what all plans of one source have in common.
type plan interface {
	Chunks() int
	RunChunk(dst, src []int32, i int)
}

// runAll runs a plan's chunks in a random order on a destination full of a value that the source does not hold.
func runAll(p plan, size int, src []int32) []int32 {
	dst := slices.Repeat([]int32{-7}, size)
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(p.Chunks()) {
		p.RunChunk(dst, src, i)
	}
	return dst
}

func counting(n int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(i)
	}
	return x
}

// each calls f with every index of an array, in row-major order.
func each(shape []int, f func(index []int)) {
	index := make([]int, len(shape))
	for range product(shape) {
		f(index)
		for i := len(shape) - 1; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
}

// flat is the position of an index.
func flat(shape, index []int) int {
	at := 0
	for i, n := range shape {
		at = at*n + index[i]
	}
	return at
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(p), at, n-1))
		}
	}
	return all
}

func TestPermuteMovesEveryElementOfEveryPermutation(t *testing.T) {
	for _, shape := range [][]int{{}, {5}, {3, 4}, {1, 7}, {70, 33}, {2, 3, 4}, {5, 1, 6}, {2, 3, 4, 5}, {3, 33, 34, 2}, {2, 1, 3, 2, 3}, {4, 0, 3}} {
		for _, perm := range permutations(len(shape)) {
			t.Run(fmt.Sprintf("%v by %v", shape, perm), func(t *testing.T) {
				to := make([]int, len(shape))
				for i, p := range perm {
					to[i] = shape[p]
				}
				got := runAll(NewPermute[int32](shape, perm), product(to), counting(product(shape)))
				each(to, func(index []int) {
					from := make([]int, len(shape))
					for i, p := range perm {
						from[p] = index[i]
					}
					if got, want := got[flat(to, index)], int32(flat(shape, from)); got != want {
						t.Fatalf("element %v is %d, want %d", index, got, want)
					}
				})
			})
		}
	}
}

func TestLargeCopiesAreCutIntoDisjointChunks(t *testing.T) {
	for _, c := range []struct {
		name  string
		plan  *Copy[int32]
		size  int
		want  func(i int) int32
		least int
	}{
		{"run", NewSlice[int32]([]int{100_000}, []int{3}, []int{99_999}, []int{1}), 99_996, func(i int) int32 { return int32(i + 3) }, 4},
		{"transpose", NewPermute[int32]([]int{300, 400}, []int{1, 0}), 120_000, func(i int) int32 { return int32(i%300*400 + i/300) }, 4},
		{"repeat", NewBroadcast[int32]([]int{300, 1}, []int{300, 400}), 120_000, func(i int) int32 { return int32(i / 400) }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.plan.Chunks() < c.least {
				t.Errorf("%d chunks, want at least %d", c.plan.Chunks(), c.least)
			}
			for i, v := range runAll(c.plan, c.size, counting(120_000)) {
				if v != c.want(i) {
					t.Fatalf("element %d is %d, want %d", i, v, c.want(i))
				}
			}
		})
	}
}

func TestBroadcastRepeatsAxesOfSizeOne(t *testing.T) {
	for _, c := range [][2][]int{
		{{1}, {6}}, {{1, 5}, {4, 5}}, {{4, 1}, {4, 5}}, {{1, 1, 1}, {2, 3, 4}}, {{2, 1, 3, 1}, {2, 4, 3, 5}}, {{3, 2}, {3, 2}}, {{}, {}},
	} {
		from, to := c[0], c[1]
		t.Run(fmt.Sprintf("%v to %v", from, to), func(t *testing.T) {
			got := runAll(NewBroadcast[int32](from, to), product(to), counting(product(from)))
			each(to, func(index []int) {
				at := slices.Clone(index)
				for i, n := range from {
					at[i] %= n
				}
				if got, want := got[flat(to, index)], int32(flat(from, at)); got != want {
					t.Fatalf("element %v is %d, want %d", index, got, want)
				}
			})
		})
	}
}

func TestSliceTakesEveryStepthElement(t *testing.T) {
	for _, c := range []struct{ shape, start, limit, step []int }{
		{[]int{10}, []int{2}, []int{9}, []int{3}},
		{[]int{6, 7}, []int{1, 2}, []int{6, 7}, []int{1, 1}},
		{[]int{6, 7}, []int{0, 1}, []int{6, 7}, []int{2, 3}},
		{[]int{6, 7}, []int{2, 0}, []int{4, 7}, []int{1, 1}},
		{[]int{4, 5, 6}, []int{1, 0, 3}, []int{4, 5, 6}, []int{2, 1, 1}},
		{[]int{4, 5, 6}, []int{1, 2, 3}, []int{1, 5, 6}, []int{1, 1, 1}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			to := make([]int, len(c.shape))
			for i := range to {
				to[i] = ceilDiv(c.limit[i]-c.start[i], c.step[i])
			}
			got := runAll(NewSlice[int32](c.shape, c.start, c.limit, c.step), product(to), counting(product(c.shape)))
			each(to, func(index []int) {
				at := make([]int, len(index))
				for i := range at {
					at[i] = c.start[i] + index[i]*c.step[i]
				}
				if got, want := got[flat(to, index)], int32(flat(c.shape, at)); got != want {
					t.Fatalf("element %v is %d, want %d", index, got, want)
				}
			})
		})
	}
}

func TestPadIsZeroButForTheDilatedSource(t *testing.T) {
	for _, c := range []struct{ shape, low, high, interior []int }{
		{[]int{}, []int{}, []int{}, []int{}},
		{[]int{5}, []int{2}, []int{3}, []int{0}},
		{[]int{5}, []int{2}, []int{0}, []int{2}},
		{[]int{1, 1}, []int{0, 0}, []int{0, 0}, []int{3, 0}},
		{[]int{3, 4}, []int{1, 0}, []int{0, 2}, []int{0, 1}},
		{[]int{1, 3, 4}, []int{0, 2, 1}, []int{0, 1, 1}, []int{0, 1, 0}},
		{[]int{2, 3, 1}, []int{0, 0, 1}, []int{0, 0, 1}, []int{1, 1, 1}},
		{[]int{0, 3}, []int{2, 0}, []int{1, 0}, []int{5, 0}},
		{[]int{70_000}, []int{40_000}, []int{20_000}, []int{1}},
		{[]int{40, 30, 20}, []int{3, 0, 2}, []int{30, 0, 1}, []int{2, 0, 0}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			p := NewPad[int32](c.shape, c.low, c.high, c.interior)
			to := p.Shape()
			want := make([]int32, product(to))
			src := counting(product(c.shape))
			each(c.shape, func(index []int) {
				at := make([]int, len(index))
				for i := range at {
					at[i] = c.low[i] + index[i]*(c.interior[i]+1)
				}
				want[flat(to, at)] = src[flat(c.shape, index)]
			})
			got := runAll(p, len(want), src)
			if i := slices.IndexFunc(counting(len(want)), func(i int32) bool { return got[i] != want[i] }); i >= 0 {
				t.Errorf("element %d is %d, want %d", i, got[i], want[i])
			}
		})
	}
}

func TestSliceOfPadGivesTheSourceBack(t *testing.T) {
	shape, low, high, interior := []int{6, 1, 50}, []int{1, 0, 3}, []int{0, 2, 1}, []int{2, 0, 3}
	p := NewPad[int32](shape, low, high, interior)
	start, limit, step := low, make([]int, 3), make([]int, 3)
	for i := range shape {
		limit[i], step[i] = p.Shape()[i]-high[i], interior[i]+1
	}
	src := counting(product(shape))
	padded := runAll(p, product(p.Shape()), src)
	if got := runAll(NewSlice[int32](p.Shape(), start, limit, step), len(src), padded); !slices.Equal(got, src) {
		t.Errorf("slice of pad is %v", got)
	}
}

func TestPlacedPartsMakeAConcatenation(t *testing.T) {
	whole := []int{2, 7, 3}
	dst := make([]int32, product(whole))
	at := 0
	for _, n := range []int{2, 4, 1} {
		part := []int{2, n, 3}
		src := counting(product(part))
		for i := range src {
			src[i] += int32(1000 * at)
		}
		p := NewPlace[int32](whole, part, []int{0, at, 0})
		for i := range p.Chunks() {
			p.RunChunk(dst, src, i)
		}
		each(part, func(index []int) {
			to := []int{index[0], index[1] + at, index[2]}
			if dst[flat(whole, to)] != src[flat(part, index)] {
				t.Fatalf("element %v is %d, want %d", to, dst[flat(whole, to)], src[flat(part, index)])
			}
		})
		at += n
	}
}

func TestPlansRefuseShapesThatDoNotBelongTogether(t *testing.T) {
	for name, f := range map[string]func(){
		"no permutation":      func() { NewPermute[int32]([]int{2, 3}, []int{0, 0}) },
		"short permutation":   func() { NewPermute[int32]([]int{2, 3}, []int{0}) },
		"broadcast of a pair": func() { NewBroadcast[int32]([]int{2}, []int{4}) },
		"slice beyond":        func() { NewSlice[int32]([]int{4}, []int{2}, []int{5}, []int{1}) },
		"slice without step":  func() { NewSlice[int32]([]int{4}, []int{2}, []int{3}, []int{0}) },
		"negative pad":        func() { NewPad[int32]([]int{4}, []int{-1}, []int{0}, []int{0}) },
		"place beyond":        func() { NewPlace[int32]([]int{4}, []int{3}, []int{2}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestGatherAndScatterFollowLabels(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6}
	labels := []int32{2, 0}
	got := make([]float32, 2)
	Gather(got, x, labels, 3)
	if !slices.Equal(got, []float32{3, 4}) {
		t.Errorf("gather gave %v", got)
	}
	back := slices.Repeat([]float32{9}, 6)
	Scatter(back, got, labels, 3)
	if !slices.Equal(back, []float32{0, 0, 3, 4, 0, 0}) {
		t.Errorf("scatter gave %v", back)
	}
}

func TestValidateNamesTheFirstBadLabel(t *testing.T) {
	if err := Validate("label", []int32{0, 9}, 10); err != nil {
		t.Error(err)
	}
	for _, bad := range []int32{10, -1} {
		t.Run(fmt.Sprintf("label %d", bad), func(t *testing.T) {
			err := Validate("label", []int32{3, bad, 11}, 10)
			if want := fmt.Sprintf("label 1 is %d: want 0 to 9", bad); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestRunningACopyAllocatesNothing(t *testing.T) {
	src, dst := counting(40_000), make([]int32, 80_000)
	permute := NewPermute[int32]([]int{20, 40, 50}, []int{2, 0, 1})
	pad := NewPad[int32]([]int{200, 200}, []int{1, 1}, []int{1, 1}, []int{0, 0})
	for _, p := range []plan{permute, pad} {
		t.Run(fmt.Sprintf("%T", p), func(t *testing.T) {
			if n := testing.AllocsPerRun(10, func() {
				for i := range p.Chunks() {
					p.RunChunk(dst, src, i)
				}
			}); n != 0 {
				t.Errorf("a run allocates %v times", n)
			}
		})
	}
}

// task runs a plan's chunks on a pool.
type task struct {
	plan
	dst, src []int32
}

func (t task) Chunk(i, _ int) { t.RunChunk(t.dst, t.src, i) }

func TestChunksMayRunAtTheSameTime(t *testing.T) {
	pool := par.New(4)
	defer pool.Close()
	src := counting(200 * 300)
	pad := NewPad[int32]([]int{200, 300}, []int{1, 2}, []int{3, 4}, []int{1, 0})
	for _, c := range []struct {
		plan plan
		size int
	}{{NewPermute[int32]([]int{200, 300}, []int{1, 0}), len(src)}, {pad, product(pad.Shape())}} {
		t.Run(fmt.Sprintf("%T", c.plan), func(t *testing.T) {
			dst := make([]int32, c.size)
			pool.Run(c.plan.Chunks(), task{c.plan, dst, src})
			if !slices.Equal(dst, runAll(c.plan, c.size, src)) {
				t.Error("four workers give another result than one")
			}
		})
	}
}

// Large arrays are copied past the caches, whatever the runs' lengths and places.
func TestLargeArraysArePermutedLikeSmallOnes(t *testing.T) {
	for _, c := range []struct{ shape, perm []int }{
		{[]int{3, 700, 5, 200}, []int{2, 0, 1, 3}}, {[]int{70, 3, 100, 101}, []int{1, 2, 0, 3}}, {[]int{2, 30000, 37}, []int{1, 0, 2}}, {[]int{1500, 2, 1000}, []int{1, 0, 2}},
	} {
		permuted[float32](t, c.shape, c.perm)
		permuted[float64](t, c.shape, c.perm)
		permuted[int32](t, c.shape, c.perm)
	}
}

func permuted[T float32 | float64 | int32](t *testing.T, shape, perm []int) {
	t.Helper()
	p := NewPermute[T](shape, perm)
	n := product(shape)
	src, dst := make([]T, n), make([]T, n)
	for i := range src {
		src[i] = T(i)
	}
	for i := range p.Chunks() {
		p.RunChunk(dst, src, i)
	}
	from, to := strides(shape), make([]int, len(perm))
	for i, axis := range perm {
		to[i] = shape[axis]
	}
	for i, v := range dst {
		at, rest := 0, i
		for k := len(to) - 1; k >= 0; k-- {
			at += rest % to[k] * from[perm[k]]
			rest /= to[k]
		}
		if v != T(at) {
			t.Fatalf("%T of shape %v permuted by %v: element %d is %v, want %v", v, shape, perm, i, v, T(at))
		}
	}
}
