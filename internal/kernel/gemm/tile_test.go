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
		unsafe.Offsetof(a.lines), unsafe.Offsetof(a.rowLines), unsafe.Offsetof(a.skip),
	} {
		if unsafe.Sizeof(uintptr(0)) == 8 && got != uintptr(8*i) {
			t.Errorf("field %d of tile is at %d, want %d", i, got, 8*i)
		}
	}
	for i, got := range []uintptr{
		unsafe.Offsetof(b.dst), unsafe.Offsetof(b.src), unsafe.Offsetof(b.rows), unsafe.Offsetof(b.cols),
		unsafe.Offsetof(b.ldd), unsafe.Offsetof(b.lds), unsafe.Offsetof(b.piece), unsafe.Offsetof(b.gap), unsafe.Offsetof(b.index),
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
		t.Run(set.String(), func(t *testing.T) {
			if peak := PeakFlops[float32](pool, set, time.Microsecond); !(peak > 0) || math.IsInf(peak, 0) {
				t.Errorf("float32 peak is %v", peak)
			}
			if peak := PeakFlops[float64](pool, set, time.Microsecond); !(peak > 0) || math.IsInf(peak, 0) {
				t.Errorf("float64 peak is %v", peak)
			}
		})
	}
}

func TestTilesAskForEveryExpectedLine(t *testing.T) {
	memory := make([]float32, 1<<16)
	for _, c := range []struct {
		name                    string
		at, rows, cols, pitch   int
		count, segs, planes, of int // steps of a kernel; kernels
	}{
		{"one row", 5, 1, 1000, 1000, 7, 1, 1, 20},
		{"rows without a gap", 0, 10, 64, 64, 9, 2, 1, 20},
		{"short rows, long kernels", 3, 30, 40, 256, 50, 1, 2, 20},
		{"long rows, short kernels", 16, 5, 500, 1024, 3, 2, 1, 200},
		{"rows of one line", 0, 100, 16, 512, 13, 1, 1, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			tl := tile{count: c.count, segs: c.segs, planes: c.planes}
			want := map[uintptr]bool{}
			for r := range c.rows {
				for i := range c.cols {
					want[uintptr(at(memory, c.at+r*c.pitch+i))/cacheLine] = true
				}
			}
			lines := len(want)
			tl.expect(stretchOf(memory, c.at, c.rows, c.cols, c.pitch), stretch{})
			for range c.of {
				if tl.soon[0].rows <= 0 {
					break
				}
				tl.ask()
				walk(&tl, func(line uintptr) { delete(want, line) })
			}
			if len(want) > 0 {
				t.Errorf("%d of %d lines are never asked for", len(want), lines)
			}
			if tl.soon[0].rows > 0 {
				t.Errorf("more is asked for than the %d lines expected", lines)
			}
		})
	}
}

// walk follows a kernel's requests.
func walk(t *tile, ask func(line uintptr)) {
	next, lines := t.next, t.lines
	for range t.count * t.segs * t.planes {
		ask(next / cacheLine)
		next += cacheLine
		if lines--; lines == 0 {
			next += uintptr(t.skip)
			lines = t.rowLines
		}
	}
}
