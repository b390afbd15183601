package gemm

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"shadowflow/internal/kernel/isa"
	"shadowflow/internal/kernel/par"
)

// The generator of the kernels numbers these fields in words.
func TestKernelsAndPlansAgreeOnLayouts(t *testing.T) {
	var a tile
	var b block
	for i, got := range []uintptr{
		unsafe.Offsetof(a.a), unsafe.Offsetof(a.b), unsafe.Offsetof(a.c), unsafe.Offsetof(a.rs), unsafe.Offsetof(a.ks),
		unsafe.Offsetof(a.ss), unsafe.Offsetof(a.ps), unsafe.Offsetof(a.ldb), unsafe.Offsetof(a.rc), unsafe.Offsetof(a.count),
		unsafe.Offsetof(a.segs), unsafe.Offsetof(a.planes), unsafe.Offsetof(a.mask), unsafe.Offsetof(a.accumulate), unsafe.Offsetof(a.next),
	} {
		if unsafe.Sizeof(uintptr(0)) == 8 && got != uintptr(8*i) {
			t.Errorf("field %d of tile is at %d, want %d", i, got, 8*i)
		}
	}
	for i, got := range []uintptr{
		unsafe.Offsetof(b.dst), unsafe.Offsetof(b.src), unsafe.Offsetof(b.rows), unsafe.Offsetof(b.cols),
		unsafe.Offsetof(b.ldd), unsafe.Offsetof(b.lds), unsafe.Offsetof(b.piece), unsafe.Offsetof(b.gap),
	} {
		if unsafe.Sizeof(uintptr(0)) == 8 && got != uintptr(8*i) {
			t.Errorf("field %d of block is at %d, want %d", i, got, 8*i)
		}
	}
}

func TestRowsAreCutIntoTheFewestEvenTiles(t *testing.T) {
	ks := &kernels{rows: 14}
	for m := 1; m < 200; m++ {
		cut := ks.cutRows(m)
		if cut.tiles != ceilDiv(m, 14) {
			t.Errorf("%d rows: %d tiles", m, cut.tiles)
		}
		next := 0
		for i := range cut.tiles {
			first, rows := cut.tile(i)
			if first != next || rows < m/cut.tiles || rows > ceilDiv(m, cut.tiles) {
				t.Errorf("%d rows: tile %d is rows %d to %d", m, i, first, first+rows)
			}
			next = first + rows
		}
		if next != m {
			t.Errorf("%d rows: tiles end at %d", m, next)
		}
	}
}

func TestPeakIsMeasuredOnEverySet(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	for _, set := range isa.Available() {
		if peak := PeakFlops[float32](pool, set, time.Microsecond); !(peak > 0) || math.IsInf(peak, 0) {
			t.Errorf("float32 peak of %s is %v", set, peak)
		}
		if peak := PeakFlops[float64](pool, set, time.Microsecond); !(peak > 0) || math.IsInf(peak, 0) {
			t.Errorf("float64 peak of %s is %v", set, peak)
		}
	}
}
