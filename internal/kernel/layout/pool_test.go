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

var windowCases = []Windows{
	{N: 3, H: 6, W: 8, C: 5, KH: 2, KW: 2, StrideH: 2, StrideW: 2},
	{N: 2, H: 7, W: 5, C: 19, KH: 2, KW: 2, StrideH: 2, StrideW: 2},
	{N: 1, H: 5, W: 5, C: 1, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
	{N: 2, H: 9, W: 6, C: 33, KH: 3, KW: 2, StrideH: 2, StrideW: 3, PadTop: 1, PadBottom: 2, PadRight: 1},
	{N: 2, H: 9, W: 11, C: 19, KH: 3, KW: 3, StrideH: 2, StrideW: 1, PadTop: 1, PadLeft: 2, PadBottom: 2, PadRight: 1, DilationH: 2, DilationW: 3},
	{N: 2, H: 7, W: 4, C: 6, KH: 2, KW: 3, StrideH: 1, StrideW: 2, PadLeft: 1, DilationH: 3},
	{N: 20, H: 8, W: 8, C: 16, KH: 8, KW: 8, StrideH: 8, StrideW: 8},
	{N: 2, H: 8, W: 9, C: 32, KH: 2, KW: 2, StrideH: 3, StrideW: 3, PadLeft: 1}, // elements in no window, and a first one cut short
	{N: 3, H: 4, W: 6, C: 20, KH: 2, KW: 3, StrideH: 2, StrideW: 3},
}

// eachElement calls f with every result of a pooling and every element of its window, in order.
func eachElement(w Windows, f func(result, element int)) {
	each([]int{w.N, w.OutH(), w.OutW(), w.C}, func(o []int) {
		result := flat([]int{w.N, w.OutH(), w.OutW(), w.C}, o)
		for i := range w.KH {
			for j := range w.KW {
				y, x := o[1]*w.StrideH-w.PadTop+i*max(w.DilationH, 1), o[2]*w.StrideW-w.PadLeft+j*max(w.DilationW, 1)
				if y >= 0 && y < w.H && x >= 0 && x < w.W {
					f(result, flat([]int{w.N, w.H, w.W, w.C}, []int{o[0], y, x, o[3]}))
				}
			}
		}
	})
}

// coarse gives few distinct values, so that maxima tie, and some that are not finite.
func coarse[T vec.Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		switch rng.IntN(20) {
		case 0:
			x[i] = T(math.NaN())
		case 1:
			x[i] = T(math.Inf(-1))
		case 2:
			x[i] = T(math.Copysign(0, -1))
		default:
			x[i] = T(rng.IntN(4))
		}
	}
	return x
}

func TestMaxIndexIsTheFirstMaximumOrTheLastNaN(t *testing.T) {
	for _, set := range isa.Available() {
		t.Run("float32/"+set.String(), func(t *testing.T) { testMaxIndex(t, vec.For[float32](set)) })
		t.Run("float64/"+set.String(), func(t *testing.T) { testMaxIndex(t, vec.For[float64](set)) })
	}
}

func testMaxIndex[T vec.Float](t *testing.T, k *vec.Kernels[T]) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, w := range windowCases {
		p := NewPool(k, w)
		x := coarse[T](rng, w.N*w.H*w.W*w.C)
		want := slices.Repeat([]int32{-1}, w.N*w.OutH()*w.OutW()*w.C)
		eachElement(w, func(result, element int) {
			if want[result] < 0 || x[element] > x[want[result]] || x[element] != x[element] {
				want[result] = int32(element)
			}
		})
		got, taken := make([]int32, len(want)), make([]T, len(want))
		for i := range p.Chunks() {
			p.MaxIndex(got, x, i)
			p.Take(taken, x, got, i)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%+v: result %d is at %d (%v), want %d (%v)", w, i, got[i], x[got[i]], want[i], x[want[i]])
			}
			if v := x[want[i]]; taken[i] != v && v == v {
				t.Fatalf("%+v: result %d is %v, want %v", w, i, taken[i], v)
			}
		}
	}
}

func TestPutIsTheTransposeOfTake(t *testing.T) {
	for _, set := range isa.Available() {
		t.Run("float32/"+set.String(), func(t *testing.T) { testPut(t, vec.For[float32](set)) })
		t.Run("float64/"+set.String(), func(t *testing.T) { testPut(t, vec.For[float64](set)) })
	}
}

func testPut[T vec.Float](t *testing.T, k *vec.Kernels[T]) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, w := range windowCases {
		p := NewPool(k, w)
		x := coarse[T](rng, w.N*p.in)
		index := make([]int32, w.N*p.out)
		src := make([]T, len(index))
		for i := range src {
			if src[i] = T(rng.IntN(100)); rng.IntN(4) == 0 {
				src[i] = T(math.Copysign(0, -1)) // which is 0 once it is added to 0
			}
		}
		got, want := slices.Repeat([]T{7}, len(x)), make([]T, len(x))
		for i := range p.Chunks() {
			p.MaxIndex(index, x, i)
			p.Put(got, src, index, i)
		}
		for i, j := range index {
			want[j] += src[i]
		}
		for i, v := range want {
			if got[i] != v || math.Signbit(float64(got[i])) != math.Signbit(float64(v)) {
				t.Fatalf("%+v: element %d is %v, want %v", w, i, got[i], v)
			}
		}
	}
}

func TestWindowSumsAndTheirTransposeMatchTheirDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, set := range isa.Available() {
		for _, w := range windowCases {
			t.Run(fmt.Sprintf("%v, %+v", set, w), func(t *testing.T) {
				p := NewPool(vec.For[float64](set), w)
				x, dy := make([]float64, w.N*p.in), make([]float64, w.N*p.out)
				for i := range x {
					x[i] = float64(rng.IntN(100))
				}
				for i := range dy {
					dy[i] = float64(rng.IntN(100))
				}
				wantY, wantX := make([]float64, len(dy)), make([]float64, len(x))
				eachElement(w, func(result, element int) {
					wantY[result] += x[element]
					wantX[element] += dy[result]
				})
				y, dx := slices.Repeat([]float64{7}, len(dy)), slices.Repeat([]float64{7}, len(x))
				for i := range p.Chunks() {
					p.SumWindows(y, x, i)
					p.SpreadWindows(dx, dy, i)
				}
				if !slices.Equal(y, wantY) {
					t.Errorf("sums of %+v: got %v, want %v", w, y, wantY)
				}
				if !slices.Equal(dx, wantX) {
					t.Errorf("transpose of %+v: got %v, want %v", w, dx, wantX)
				}
			})
		}
	}
}

func TestPoolRefusesWindowsOfPaddingAlone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewPool(vec.For[float32](isa.Go), Windows{N: 1, H: 4, W: 4, C: 1, KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadTop: 2})
}

func BenchmarkMaxPool(b *testing.B) {
	w := Windows{N: 64, H: 16, W: 16, C: 32, KH: 2, KW: 2, StrideH: 2, StrideW: 2}
	x := coarse[float32](rand.New(rand.NewPCG(1, 2)), w.N*w.H*w.W*w.C)
	for _, set := range isa.Available() {
		p := NewPool(vec.For[float32](set), w)
		index, y, dx := make([]int32, w.N*p.out), make([]float32, w.N*p.out), make([]float32, len(x))
		for _, c := range []struct {
			name string
			run  func(i int)
		}{
			{"MaxIndex", func(i int) { p.MaxIndex(index, x, i) }},
			{"Take", func(i int) { p.Take(y, x, index, i) }},
			{"Put", func(i int) { p.Put(dx, y, index, i) }},
			{"SumWindows", func(i int) { p.SumWindows(y, x, i) }},
			{"SpreadWindows", func(i int) { p.SpreadWindows(dx, y, i) }},
		} {
			b.Run(fmt.Sprintf("%s/%v", c.name, set), func(b *testing.B) {
				for b.Loop() {
					for i := range p.Chunks() {
						c.run(i)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
			})
		}
	}
}

func BenchmarkPermute(b *testing.B) {
	for _, c := range []struct {
		name        string
		shape, perm []int
	}{
		{"matrix", []int{1024, 1024}, []int{1, 0}},
		{"NCHWtoNHWC", []int{16, 64, 32, 32}, []int{0, 2, 3, 1}},
		{"NHWCtoNCHW", []int{16, 32, 32, 64}, []int{0, 3, 1, 2}},
		{"swapOuter", []int{128, 128, 64}, []int{1, 0, 2}},
		{"swapOuterShort", []int{512, 512, 4}, []int{1, 0, 2}},
	} {
		p := NewPermute[float32](c.shape, c.perm)
		src, dst := make([]float32, product(c.shape)), make([]float32, product(c.shape))
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				for i := range p.Chunks() {
					p.RunChunk(dst, src, i)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(src)), "ns/element")
		})
	}
}
