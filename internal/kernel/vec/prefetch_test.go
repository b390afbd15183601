package vec

import "testing"

func TestPrefetchReadsNothing(t *testing.T) {
	for n := range 70 {
		x := make([]float32, n)
		Prefetch(x)
		Prefetch(make([]float64, n))
		for i, v := range x {
			if v != 0 {
				t.Fatalf("length %d: element %d became %v", n, i, v)
			}
		}
	}
	Prefetch[float32](nil)
}
