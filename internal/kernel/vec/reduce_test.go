package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// normals are numbers of ordinary size.
func normals[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

func TestReductionsHaveThePlainBitsOnEveryInstructionSet(t *testing.T) {
	forEach(t, testReductionBits[float32], testReductionBits[float64])
}

func testReductionBits[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(7, 8))
	x, y := normals[T](rng, 9100), normals[T](rng, 9100)
	plain := plain[T]()
	for _, n := range lengths() {
		a, b := x[rng.IntN(4):][:n], y[rng.IntN(4):][:n]
		for name, pair := range map[string][2]T{
			"Sum":   {k.Sum(a), plain.Sum(a)},
			"Dot":   {k.Dot(a, b), plain.Dot(a, b)},
			"MaxOf": {k.MaxOf(a), plain.MaxOf(a)},
		} {
			if !same(pair[0], pair[1]) {
				t.Fatalf("%s of %d elements is %v, want %v", name, n, pair[0], pair[1])
			}
		}
	}
}

func TestMatrixReductionsHaveThePlainBitsOnEveryInstructionSet(t *testing.T) {
	forEach(t, testMatrixBits[float32], testMatrixBits[float64])
}

func testMatrixBits[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(9, 10))
	plain := plain[T]()
	compare := func(name string, rows, cols int, got, want []T) {
		t.Helper()
		for i := range want {
			if !same(got[i], want[i]) {
				t.Fatalf("%s of [%d, %d]: result %d is %v, want %v", name, rows, cols, i, got[i], want[i])
			}
		}
	}
	for _, rows := range []int{0, 1, 2, 3, 4, 5, 9, 257, 1023, 1024, 1025, 2051} {
		for _, cols := range []int{1, 2, 3, 4, 5, 7, 8, 10, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130} {
			x := normals[T](rng, rows*cols+1)[1:]
			got, want := make([]T, rows), make([]T, rows)
			k.SumRows(got, x)
			plain.SumRows(want, x)
			compare("SumRows", rows, cols, got, want)
			k.MaxRows(got, x)
			plain.MaxRows(want, x)
			compare("MaxRows", rows, cols, got, want)
			acc := normals[T](rng, cols)
			wantAcc := append([]T(nil), acc...)
			k.AddRowsInto(acc, x)
			plain.AddRowsInto(wantAcc, x)
			compare("AddRowsInto", rows, cols, acc, wantAcc)
		}
	}
	x := normals[T](rng, 3*5000)
	got, want := make([]T, 3), make([]T, 3)
	k.SumRows(got, x)
	for i := range want {
		want[i] = k.Sum(x[i*5000 : (i+1)*5000])
	}
	compare("SumRows", 3, 5000, got, want)
}

func TestSumsOfIntegersAreExact(t *testing.T) {
	forEach(t, testIntegerSums[float32], testIntegerSums[float64])
}

// testIntegerSums uses integers whose sums are exact in any order.
func testIntegerSums[T Float](t *testing.T, k *Kernels[T]) {
	for _, n := range lengths() {
		x, y, exact, product := make([]T, n), make([]T, n), 0, 0
		for i := range x {
			x[i], y[i] = T(i%17-8), T(i%5)
			exact += i%17 - 8
			product += (i%17 - 8) * (i % 5)
		}
		if got := k.Sum(x); got != T(exact) {
			t.Fatalf("sum of %d elements is %v, want %v", n, got, exact)
		}
		if got := k.Dot(x, y); got != T(product) {
			t.Fatalf("dot of %d elements is %v, want %v", n, got, product)
		}
		rows := make([]T, 3)
		k.SumRows(rows[:1], x)
		if rows[0] != T(exact) {
			t.Fatalf("row sum of %d elements is %v, want %v", n, rows[0], exact)
		}
		k.AddRowsInto(rows, x[:n/3*3])
		want := [3]int{exact, 0, 0}
		for i := range n / 3 * 3 {
			want[i%3] += i%17 - 8
		}
		for j, w := range want {
			if rows[j] != T(w) {
				t.Fatalf("column sum %d of %d elements is %v, want %v", j, n, rows[j], w)
			}
		}
	}
}

func TestSumOfManyEqualTermsIsAccurate(t *testing.T) {
	forEach(t, func(t *testing.T, k *Kernels[float32]) {
		const n = 1_000_000
		x, one := make([]float32, n), []float32{0}
		k.Fill(x, 0.1)
		k.AddRowsInto(one, x)
		want := n * float64(float32(0.1))
		for _, c := range []struct {
			name       string
			got, bound float64
		}{{"Sum", float64(k.Sum(x)), 1e-6}, {"AddRowsInto", float64(one[0]), 2e-5}} {
			if e := math.Abs(c.got-want) / want; e > c.bound {
				t.Errorf("%s is off by %v", c.name, e)
			}
		}
	}, func(*testing.T, *Kernels[float64]) {})
}

func TestMaximaPropagateNaN(t *testing.T) {
	forEach(t, testMaxNaN[float32], testMaxNaN[float64])
}

func testMaxNaN[T Float](t *testing.T, k *Kernels[T]) {
	nan, inf := T(math.NaN()), T(math.Inf(1))
	for n := 1; n <= 150; n += 7 {
		x := make([]T, n)
		k.Fill(x, -inf)
		if got := k.MaxOf(x); got != -inf {
			t.Fatalf("maximum of %d times -Inf is %v", n, got)
		}
		for at := range x {
			k.Fill(x, inf)
			x[at] = nan
			if got := k.MaxOf(x); got == got {
				t.Fatalf("maximum of %d elements with NaN at %d is %v", n, at, got)
			}
			k.Fill(x, -3)
			x[at] = -2
			if got := k.MaxOf(x); got != -2 {
				t.Fatalf("maximum of %d elements with -2 at %d is %v", n, at, got)
			}
		}
	}
	zeros := []T{T(math.Copysign(0, -1)), 0, T(math.Copysign(0, -1)), T(math.Copysign(0, -1)), T(math.Copysign(0, -1))}
	if got := k.MaxOf(zeros); !same(got, 0) {
		t.Errorf("maximum of both zeros is %v, want 0", got)
	}
	if got := k.MaxOf(nil); got != -inf {
		t.Errorf("maximum of nothing is %v", got)
	}
}

func TestWindowArgMaxFindsTheFirstMaximumOrTheLastNaN(t *testing.T) {
	forEach(t, testWindowArgMax[float32], testWindowArgMax[float64])
}

func testWindowArgMax[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(11, 12))
	nan := T(math.NaN())
	for n := range 40 {
		for _, window := range [][2]int{{1, 1}, {2, 2}, {3, 1}, {1, 4}, {3, 3}} {
			colStride := n + 1
			rowStride := 5 * colStride
			x := make([]T, 3+3*rowStride+n)
			for i := range x {
				if x[i] = T(rng.IntN(3)); rng.IntN(8) == 0 {
					x[i] = nan
				}
			}
			index := make([]int32, n)
			k.WindowArgMax(index, x, 3, window[0], rowStride, window[1], colStride)
			for c, got := range index {
				want := 3 + c
				for i := range window[0] {
					for j := range window[1] {
						p := 3 + c + i*rowStride + j*colStride
						if x[p] > x[want] || x[p] != x[p] {
							want = p
						}
					}
				}
				if int(got) != want {
					t.Fatalf("%v window %d of %d is largest at %d (%v), want %d (%v)", window, c, n, got, x[got], want, x[want])
				}
			}
		}
	}
}

func TestPlacesOfWindowsTakeAndPut(t *testing.T) {
	forEach(t, testWindowPlaces[float32], testWindowPlaces[float64])
}

func testWindowPlaces[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(17, 18))
	const windows, first = 3, 5
	for n := 1; n < 40; n++ {
		for _, size := range [][2]int{{1, 1}, {2, 2}, {3, 1}, {1, 4}, {3, 3}} {
			w := Window{At: first, Next: size[1] * n, Rows: size[0], RowStride: windows*size[1]*n + 2, Cols: size[1], ColStride: n}
			x := normals[T](rng, first+size[0]*w.RowStride)
			index := make([]int32, windows*n)
			inside := make([]bool, len(x))
			for i := range index {
				at := w.At + i/n*w.Next + i%n
				index[i] = int32(at + rng.IntN(w.Rows)*w.RowStride + rng.IntN(w.Cols)*w.ColStride)
				for e := range w.Rows * w.Cols {
					inside[at+e/w.Cols*w.RowStride+e%w.Cols*w.ColStride] = true
				}
			}
			taken := make([]T, len(index))
			k.WindowTake(taken, x, index, n, w)
			want := make([]T, len(x))
			for i, j := range index {
				if taken[i] != x[j] {
					t.Fatalf("%v of %d: %v at %d, want %v", size, n, taken[i], i, x[j])
				}
				want[j] = x[j]
			}
			if k.WindowPut == nil {
				continue
			}
			put := slices.Repeat([]T{7}, len(x))
			k.WindowPut(put, taken, index, n, w)
			for i, v := range want {
				if !inside[i] {
					v = 7
				}
				if put[i] != v {
					t.Fatalf("%v of %d: put %v at %d, want %v", size, n, put[i], i, v)
				}
			}
		}
	}
}
