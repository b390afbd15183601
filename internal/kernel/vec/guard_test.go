//go:build unix

package vec

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// guarded is memory between two pages that cannot be touched: a read or write outside ends the test.
type guarded[T Float] struct{ all []T }

func newGuarded[T Float](t *testing.T) guarded[T] {
	page := syscall.Getpagesize()
	b, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no memory to guard: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{b[:page], b[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	first := (*T)(unsafe.Pointer(&b[page]))
	return guarded[T]{unsafe.Slice(first, page/int(unsafe.Sizeof(*first)))}
}

// first returns n elements that begin behind the lower guard, last n that end before the upper one. Neither has spare
// capacity.
func (g guarded[T]) first(n int) []T { return g.all[:n:n] }
func (g guarded[T]) last(n int) []T  { return g.all[len(g.all)-n:] }

func TestNoFunctionTouchesMemoryOutsideItsSlices(t *testing.T) {
	forEach(t, testGuards[float32], testGuards[float64])
}

func testGuards[T Float](t *testing.T, k *Kernels[T]) {
	rng := rand.New(rand.NewPCG(15, 16))
	var mem [4]guarded[T]
	for i := range mem {
		mem[i] = newGuarded[T](t)
	}
	const canary = 12345
	calls := elementwiseOf(k)
	calls["SumRows"] = func(dst, x, _, _ []T) { k.SumRows(dst, x) }
	calls["MaxRows"] = func(dst, x, _, _ []T) { k.MaxRows(dst, x) }
	calls["AddRowsInto"] = func(dst, x, _, _ []T) { k.AddRowsInto(dst, x) }
	calls["Sum, Dot, MaxOf"] = func(dst, x, y, _ []T) {
		if len(dst) > 0 {
			dst[0] = k.Sum(x) + k.Dot(x, y) + k.MaxOf(x)
		}
	}
	calls["AddScaled"] = func(dst, x, _, _ []T) { k.AddScaled(dst, 2.5, x) }
	calls["WindowArgMax"] = func(dst, x, _, _ []T) {
		index := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst))
		k.WindowArgMax(index, x, 0, 1, 0, 1, 0)
	}
	places := make([]int32, 71)
	for i := range places {
		places[i] = int32(i)
	}
	calls["WindowTake"] = func(dst, x, _, _ []T) { k.WindowTake(dst, x, places[:len(dst)], len(dst), Window{Rows: 1, Cols: 1}) }
	if k.WindowPut != nil {
		calls["WindowPut"] = func(dst, x, _, _ []T) { k.WindowPut(dst, x, places[:len(dst)], len(dst), Window{Rows: 1, Cols: 1}) }
	}
	for i := range mem {
		fillRandom(rng, mem[i].all)
	}
	k.Fill(mem[0].all, canary)
	for name, f := range calls {
		for n := range 71 {
			for _, side := range []func(guarded[T], int) []T{guarded[T].first, guarded[T].last} {
				dst := side(mem[0], n)
				f(dst, side(mem[1], n), side(mem[2], n), side(mem[3], n))
				k.Fill(dst, canary)
				for i, v := range mem[0].all {
					if v != canary {
						t.Fatalf("%s of length %d wrote %v at %d of its page", name, n, v, i)
					}
				}
			}
		}
	}
}

func TestStreamStaysInsideItsSlices(t *testing.T) {
	dst, src := newGuarded[float32](t), newGuarded[float32](t)
	for n := range 100 {
		Stream(dst.first(n), src.first(n))
		Stream(dst.last(n), src.last(n))
		Stream(dst.first(n), src.last(n))
	}
}

func TestSizesReadNothingOutsideTheirSlice(t *testing.T) {
	for _, set := range isa.Available() {
		t.Run(set.String(), func(t *testing.T) {
			testSizesGuard[float32](t, set)
			testSizesGuard[float64](t, set)
		})
	}
}

func testSizesGuard[T Float](t *testing.T, set isa.Set) {
	mem, sizes := newGuarded[T](t), SizesFor[T](set)
	for n := range 71 {
		for _, side := range []func(guarded[T], int) []T{guarded[T].first, guarded[T].last} {
			sizes(side(mem, n), 1e-8)
		}
	}
}
