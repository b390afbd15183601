package flow

import (
	"fmt"
	"math"
	"sort"
)

// A segment is a stretch of the integration without a break inside it: interval
// n, up to the time end.
type segment struct {
	n    int
	end  float64
	last bool // end is the end of the whole integration
}

// breaks yields the segments of an integration from t0 to t1, in order.
type breaks struct {
	t0, t1    float64
	spacing   float64
	list      []float64
	tolerance float64
	n         int // the next segment's interval
}

// timeUlps is how many units in the last place a time may be off and still be
// taken for the break that it was meant to be: t = n h is rounded, as is the sum of n
// steps of h.
const timeUlps = 16

func newBreaks(t0, t1 float64, opt *Options) (*breaks, error) {
	b := &breaks{t0: t0, t1: t1, spacing: opt.Spacing, list: opt.Breaks}
	b.tolerance = timeUlps * 0x1p-52 * max(math.Abs(t0), math.Abs(t1), b.spacing)
	switch {
	case b.spacing != 0 && len(b.list) > 0:
		return nil, &OptionError{"Breaks", b.list, "give either Spacing or Breaks"}
	case b.spacing < 0 || math.IsNaN(b.spacing) || math.IsInf(b.spacing, 0):
		return nil, &OptionError{"Spacing", b.spacing, "must be positive and finite, or 0 for no breaks"}
	case b.spacing > 0 && b.spacing < 4*b.tolerance:
		return nil, &OptionError{"Spacing", b.spacing, fmt.Sprintf("too small to be resolved on [%g, %g]", t0, t1)}
	}
	for i, t := range b.list {
		if math.IsNaN(t) || math.IsInf(t, 0) || i > 0 && t <= b.list[i-1] {
			return nil, &OptionError{fmt.Sprintf("Breaks[%d]", i), t, "breaks must be finite and increasing"}
		}
	}
	b.n = b.first()
	return b, nil
}

func (b *breaks) forward() bool { return b.t1 >= b.t0 }

// first returns the interval that the integration starts in. On a break it is the
// interval that the integration moves into.
func (b *breaks) first() int {
	if b.spacing > 0 {
		n := math.Round(b.t0 / b.spacing)
		if math.Abs(b.t0-n*b.spacing) > b.tolerance {
			return int(math.Floor(b.t0 / b.spacing))
		}
		if !b.forward() {
			n--
		}
		return int(n)
	}
	if b.forward() {
		return sort.Search(len(b.list), func(i int) bool { return b.list[i] > b.t0+b.tolerance })
	}
	return sort.Search(len(b.list), func(i int) bool { return b.list[i] >= b.t0-b.tolerance })
}

// next returns the next segment. A break within rounding of t1 is t1.
func (b *breaks) next() segment {
	s := segment{n: b.n}
	if b.forward() {
		s.end = b.breakAt(b.n + 1)
		s.last = s.end >= b.t1-b.tolerance
		b.n++
	} else {
		s.end = b.breakAt(b.n)
		s.last = s.end <= b.t1+b.tolerance
		b.n--
	}
	if s.last {
		s.end = b.t1
	}
	return s
}

// breakAt returns the time at which interval n begins.
func (b *breaks) breakAt(n int) float64 {
	switch {
	case b.spacing > 0:
		return float64(n) * b.spacing
	case n < 1:
		return math.Inf(-1)
	case n > len(b.list):
		return math.Inf(1)
	}
	return b.list[n-1]
}
