package layout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/vec"
)

// rowCases are tables [rows, cols] and numbers of look-ups: none of some rows, many of one, one chunk and many.
var rowCases = []struct{ rows, cols, count int }{
	{1, 1, 1}, {1, 5, 7}, {4, 1, 1}, {7, 3, 40}, {100, 16, 3}, {3, 20, 5000}, {5000, 20, 3}, {300, 33, 900}, {40, 5000, 60}, {2, 1, 100_000},
}

func TestRowsAreTakenAndAddedByIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range rowCases {
		for _, set := range isa.Available() {
			t.Run(fmt.Sprintf("%d of %d rows of %d/%v", c.count, c.rows, c.cols, set), func(t *testing.T) {
				indices := make([]int32, c.count)
				for i := range indices {
					indices[i] = int32(rng.IntN(c.rows))
				}
				testTakeRows(t, c.rows, c.cols, indices)
				testAddRows[float32](t, vec.For[float32](set), c.rows, c.cols, indices)
				testAddRows[float64](t, vec.For[float64](set), c.rows, c.cols, indices)
			})
		}
	}
}

func testTakeRows(t *testing.T, rows, cols int, indices []int32) {
	table, got := counting(rows*cols), make([]int32, len(indices)*cols)
	p := NewTakeRows[int32](len(indices), cols)
	for i := range p.Chunks() {
		p.RunChunk(got, table, indices, i)
	}
	for i, r := range indices {
		if want := table[int(r)*cols : (int(r)+1)*cols]; !slices.Equal(got[i*cols:(i+1)*cols], want) {
			t.Fatalf("row %d is %v: want row %d, %v", i, got[i*cols:(i+1)*cols], r, want)
		}
	}
}

// testAddRows wants the bits of sums in the order of the source rows, whatever the order of the chunks.
func testAddRows[T vec.Float](t *testing.T, k *vec.Kernels[T], rows, cols int, indices []int32) {
	rng := rand.New(rand.NewPCG(3, 4))
	src, want, got := make([]T, len(indices)*cols), make([]T, rows*cols), make([]T, rows*cols)
	for i := range src {
		src[i] = T(rng.NormFloat64())
		want[int(indices[i/cols])*cols+i%cols] += src[i]
	}
	for i := range got {
		got[i] = -7
	}
	p := NewAddRows(k, rows, len(indices), cols)
	scratch := slices.Repeat([]int32{-1}, p.Scratch())
	run := func() {
		p.Sort(scratch, indices)
		for i := range p.Chunks() {
			p.RunChunk(got, src, scratch, p.Chunks()-1-i)
		}
	}
	run()
	if !slices.Equal(got, want) {
		t.Errorf("%T: sums are %v..: want %v..", want, got[:min(8, len(got))], want[:min(8, len(want))])
	}
	if n := testing.AllocsPerRun(2, run); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
}
