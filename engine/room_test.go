package engine

import (
	"slices"
	"testing"

	"shadowflow/graph"
)

// chainOf returns a program of n numbers that keeps arrays between its steps: products, with what they are made of.
func chainOf(t *testing.T, n int, r *Room) *Program {
	t.Helper()
	b := graph.NewBuilder()
	x := b.Param("x", graph.Float64, n, n)
	y := x.MatMul(x)
	p, err := Compile([]graph.Value{x}, []graph.Value{y.MatMul(x).Add(y.MatMul(y))}, Options{Room: r, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func resultOf(t *testing.T, p *Program) []float64 {
	t.Helper()
	n := p.Inputs()[0].Size()
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = float64(i%7) / 8
	}
	if err := p.Run([]Buffer{Of(x)}, []Buffer{Of(y)}); err != nil {
		t.Fatal(err)
	}
	return y
}

func TestProgramsInOneRoomTakeWhatTheLargestNeedsAndKeepTheirBits(t *testing.T) {
	var r Room
	var programs []*Program
	sizes := []int{16, 40, 8, 64, 24} // the room grows, and what is in it moves
	for _, n := range sizes {
		programs = append(programs, chainOf(t, n, &r))
	}
	alone := &Room{}
	chainOf(t, slices.Max(sizes), alone)
	if r.elements() != alone.elements() {
		t.Errorf("a room of %v elements, want %v as for the largest", r.elements(), alone.elements())
	}
	for range 2 {
		for i, p := range programs {
			if got, want := resultOf(t, p), resultOf(t, chainOf(t, sizes[i], nil)); !slices.Equal(got, want) {
				t.Errorf("%d by %d: other bits than alone", sizes[i], sizes[i])
			}
		}
	}
	if need := [3]int{graph.Float64: 1 << 20}; r.lacks(need) != 8*int64(1<<20-len(r.f64)) || alone.lacks([3]int{}) != 0 {
		t.Errorf("it lacks %d bytes of a mebielement, and %d of nothing", r.lacks(need), alone.lacks([3]int{}))
	}
}
