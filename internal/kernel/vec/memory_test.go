package vec

import (
	"math/rand/v2"
	"testing"
)

// elementwiseOf lists all elementwise functions, each called with three sources.
func elementwiseOf[T Float](k *Kernels[T]) map[string]func(dst, x, y, z []T) {
	all := map[string]func(dst, x, y, z []T){}
	for _, c := range exactCases[T]() {
		all[c.name] = func(dst, x, y, z []T) { c.call(k, dst, x, y, z) }
	}
	for name, f := range map[string]Unary[T]{
		"Exp": k.Exp, "Log": k.Log, "Log1p": k.Log1p, "Tanh": k.Tanh, "Sigmoid": k.Sigmoid, "Erf": k.Erf,
	} {
		all[name] = func(dst, x, _, _ []T) { f(dst, x) }
	}
	return all
}

func TestResultsDoNotDependOnPositionLengthOrAliasing(t *testing.T) {
	forEach(t, testPositions[float32], testPositions[float64])
}

func testPositions[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(13, 14))
	const n = 150
	x, y, z := make([]T, n), make([]T, n), make([]T, n)
	fillRandom(rng, x)
	fillRandom(rng, y)
	fillRandom(rng, z)
	for name, f := range elementwiseOf(k) {
		whole := make([]T, n)
		f(whole, x, y, z)
		for range 40 {
			from := rng.IntN(n)
			to := from + rng.IntN(n-from+1)
			for alias := range 4 {
				a, b, c := append([]T(nil), x[from:to]...), append([]T(nil), y[from:to]...), append([]T(nil), z[from:to]...)
				dst := [][]T{make([]T, to-from), a, b, c}[alias]
				f(dst, a, b, c)
				for i, v := range dst {
					if !same(v, whole[from+i]) {
						t.Fatalf("%s of elements %d to %d, dst source %d: element %d is %v, want %v", name, from, to, alias, from+i, v, whole[from+i])
					}
				}
			}
		}
	}
}

func TestNoFunctionAllocates(t *testing.T) {
	forEach(t, testAllocations[float32], testAllocations[float64])
}

func testAllocations[T Float](t *testing.T, k *Kernels[T]) {
	x, dst, index := make([]T, 9000), make([]T, 9000), make([]int32, 10)
	calls := map[string]func(){
		"Sum": func() { dst[0] = k.Sum(x) }, "Dot": func() { dst[0] = k.Dot(x, x) }, "MaxOf": func() { dst[0] = k.MaxOf(x) },
		"SumRows": func() { k.SumRows(dst[:10], x) }, "MaxRows": func() { k.MaxRows(dst[:10], x) },
		"AddRowsInto":  func() { k.AddRowsInto(dst[:10], x) },
		"AddScaled":    func() { k.AddScaled(dst, 2.5, x) },
		"WindowArgMax": func() { k.WindowArgMax(index, x, 0, 2, 100, 2, 10) },
		"WindowTake":   func() { k.WindowTake(dst[:10], x, index, 10, Window{Rows: 2, RowStride: 100, Cols: 2, ColStride: 10}) },
	}
	if k.WindowPut != nil {
		calls["WindowPut"] = func() { k.WindowPut(dst, x[:10], index, 10, Window{Rows: 2, RowStride: 100, Cols: 2, ColStride: 10}) }
	}
	for name, f := range elementwiseOf(k) {
		calls[name] = func() { f(dst, x, x, x) }
	}
	for name, call := range calls {
		if n := testing.AllocsPerRun(2, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestShortSourcesPanic(t *testing.T) {
	forEach(t, testShortSources[float32], testShortSources[float64])
}

func testShortSources[T Float](t *testing.T, k *Kernels[T]) {
	for name, f := range elementwiseOf(k) {
		if name == "Fill" {
			continue
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s reads beyond a source of 9 elements for 20 results", name)
				}
			}()
			short := make([]T, 9)
			f(make([]T, 20), short, short, short)
		}()
	}
}
