package gemm

import (
	"fmt"
	"math"
	"sync"
	"testing"
)

// reports are what a plan's run said of its result.
type reports[T Float] struct {
	mutex  sync.Mutex
	times  []int // by element, how often it was done
	values []T   // and what it was then
	counts []int // by area, its elements by Before
	wide   bool  // an area has an element beyond its span
}

// report has a plan report into what it returns.
func report[T Float](p *Plan[T], dst []T) *reports[T] {
	r := &reports[T]{times: make([]int, len(dst)), values: make([]T, len(dst))}
	p.Report(func(_ int, a Area) {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		lo, hi := a.Span()
		for row := a.Row; row < a.Row+a.Rows; row++ {
			for i := row*a.Width + a.Col; i < row*a.Width+a.Col+a.Cols; i++ {
				r.times[i]++
				r.values[i] = dst[i]
				r.wide = r.wide || i < lo || i >= hi || a.Before(i+1) != a.Before(i)+1
			}
		}
		r.counts = append(r.counts, a.Before(len(dst))-a.Rows*a.Cols)
	})
	return r
}

// check says what is wrong with the reports of a run of a plan that has them.
func (r *reports[T]) check(dst []T) error {
	for i, n := range r.times {
		if n != 1 || r.values[i] != dst[i] && !math.IsNaN(float64(dst[i])) {
			return fmt.Errorf("dst[%d] was reported %d times, as %v: it is %v", i, n, r.values[i], dst[i])
		}
	}
	for i, n := range r.counts {
		if n != 0 || r.wide {
			return fmt.Errorf("area %d does not know its elements", i)
		}
	}
	return nil
}

func TestAnAreaCountsItsElements(t *testing.T) {
	for _, a := range []Area{{0, 3, 0, 7, 7}, {2, 3, 1, 4, 7}, {5, 20, 0, 1, 1}, {1, 1, 2, 3, 9}} {
		lo, hi := a.Span()
		count := 0
		for i := range a.Width * (a.Row + a.Rows + 2) {
			if got := a.Before(i); got != count {
				t.Errorf("%+v: %d elements before %d, want %d", a, got, i, count)
			}
			row, col := i/a.Width-a.Row, i%a.Width-a.Col
			if row < 0 || row >= a.Rows || col < 0 || col >= a.Cols {
				continue
			}
			if i < lo || i >= hi {
				t.Errorf("%+v: element %d lies outside of %d to %d", a, i, lo, hi)
			}
			count++
		}
		if count != a.Rows*a.Cols {
			t.Errorf("%+v has %d elements", a, count)
		}
	}
}

func TestPlansReportThatReachTheirResultsInOrder(t *testing.T) {
	same := Conv{N: 9, H: 12, W: 12, C: 16, O: 16, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
	strided := same
	strided.StrideH, strided.StrideW = 2, 2
	for _, set := range tested() {
		for name, c := range map[string]struct {
			plan *Plan[float32]
			want bool
		}{
			"a product":                            {NewMatMul[float32](MatMul{Batch: 1, M: 700, N: 40, K: 600}, set, 2), true},
			"a sum over long columns":              {NewMatMul[float32](MatMul{Batch: 1, M: 40, N: 40, K: 6000, TransA: true}, set, 2), false},
			"a Winograd convolution":               {NewConv[float32](same, set, 2), true},
			"its gradient with respect to images":  {NewConvInputGrad[float32](same, set, 2), true},
			"its gradient with respect to weights": {NewConvKernelGrad[float32](same, set, 2), false},
			"a strided convolution":                {NewConv[float32](strided, set, 2), true},
		} {
			if got := c.plan.Reports(); got != c.want {
				t.Errorf("on %v, %s reports: %v, want %v", set, name, got, c.want)
			}
		}
	}
}
