package gemm

import "unsafe"

// Shape says which elements of a square matrix matter.
type Shape uint8

// The shapes. A triangle has the diagonal.
const (
	Full  Shape = iota
	Lower       // row i has columns up to i
	Upper       // row i has columns from i on
)

// triangular says that a part of the products is left out.
func (s MatMul) triangular() bool { return s.A != Full || s.C != Full }

// inner returns the inner steps that rows top to bottom of op(A) have.
func (s MatMul) inner(top, bottom int) (from, to int) {
	switch s.A {
	case Lower:
		return 0, bottom
	case Upper:
		return top, s.K
	}
	return 0, s.K
}

// wanted returns the columns of rows top to bottom of C that matter.
func (s MatMul) wanted(top, bottom int) (from, to int) {
	switch s.C {
	case Lower:
		return 0, bottom
	case Upper:
		return top, s.N
	}
	return 0, s.N
}

// products returns the multiply-adds of one product that matter.
func (s MatMul) products() float64 {
	if !s.triangular() {
		return float64(s.M) * float64(s.N) * float64(s.K)
	}
	n := 0.0
	for i := range s.M {
		from, to := s.inner(i, i+1)
		left, right := s.wanted(i, i+1)
		n += float64(to-from) * float64(right-left)
	}
	return n
}

// triangle is grid for inner steps k to k+t.count of a triangular product, for rows top to bottom and columns lo to hi of C: each row
// of tiles takes the inner steps that its rows of A have, and makes the columns that matter. The others become zero.
func (p *mulPlan[T]) triangle(t *tile, k, top, bottom, lo, hi, panel int, add bool) {
	whole, ks := *t, p.ks
	cut := ks.cutRows(bottom - top)
	for i := range cut.tiles {
		first, rows := cut.tile(i)
		begin, end := p.inner(top+first, top+first+rows)
		from, to := max(k, begin), min(k+whole.count, end)
		if from >= to {
			continue
		}
		left, right := p.wanted(top+first, top+first+rows)
		left, right = lo+max(0, left-lo)/ks.width()*ks.width(), min(hi, right)
		*t = whole
		t.a = unsafe.Add(whole.a, first*t.rs+(from-k)*t.ks)
		row := unsafe.Add(whole.c, first*t.rc)
		t.accumulate = 0
		if add || k > begin {
			t.accumulate = 1
		} else {
			p.clear(row, rows, 0, min(left, hi)-lo)
			p.clear(row, rows, max(0, right-lo), hi-lo)
		}
		if left < right {
			t.b = unsafe.Add(whole.b, (left-lo)/ks.width()*panel+(from-k)*t.ldb)
			t.c = unsafe.Add(row, (left-lo)*ks.size)
			t.count = to - from
			t.expectRows(uintptr(t.a)+uintptr(rows*t.rs), t.rs, uintptr(row)+uintptr(rows*t.rc), min(right+rows, hi)-lo, ks.size, cut, i)
			ks.columns(t, rows, right-left, panel)
		}
	}
	*t = whole
}

// clear makes columns from to to of so many rows of C zero; row is the first of them.
func (p *mulPlan[T]) clear(row unsafe.Pointer, rows, from, to int) {
	if from >= to {
		return
	}
	for i := range rows { // each from the first: behind the last row there may be nothing to point to
		clear(unsafe.Slice((*T)(unsafe.Add(row, i*p.N*p.ks.size)), to)[from:])
	}
}
