package vec

import (
	"math/rand/v2"
	"testing"
)

func TestStreamCopiesWhatItIsGivenAndNothingElse(t *testing.T) {
	t.Run("float32", testStream[float32])
	t.Run("float64", testStream[float64])
}

func testStream[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	const most, fence, canary = 200, 20, 12345
	src := make([]T, most+2*fence)
	fillRandom(rng, src)
	dst := make([]T, most+2*fence)
	for n := range most + 1 {
		to, from := fence-rng.IntN(fence), fence-rng.IntN(fence)
		for i := range dst {
			dst[i] = canary
		}
		Stream(dst[to:to+n], src[from:])
		for i, v := range dst {
			want := T(canary)
			if i >= to && i < to+n {
				want = src[from+i-to]
			}
			if !same(v, want) {
				t.Fatalf("%d elements from %d to %d: element %d is %v, want %v", n, from, to, i, v, want)
			}
		}
	}
}

func TestStreamRefusesAShortSource(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("20 elements were copied from 9")
		}
	}()
	Stream(make([]float32, 20), make([]float32, 9))
}

func BenchmarkStream(b *testing.B) {
	dst, src := make([]float32, 64<<20), make([]float32, 4<<10)
	for name, f := range map[string]func(dst, src []float32){"stream": Stream[float32], "copy": func(dst, src []float32) { copy(dst, src) }} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(dst)))
			for b.Loop() {
				for at := 0; at < len(dst); at += len(src) {
					f(dst[at:at+len(src)], src)
				}
			}
		})
	}
}
