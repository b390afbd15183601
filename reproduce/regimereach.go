package reproduce

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A reach says at which lr of those tried something holds. What was not measured neither holds nor fails.
type reach struct {
	lr           []float64
	holds, known []bool
}

// reachesOf are the reaches of a pair of betas in a slice: of stable runs, of the state equation, and of the equation without memory.
func (m *Map) reachesOf(s Slice, i, j int) []reach {
	var out []reach
	for _, of := range []struct{ holds, known func(Point) bool }{
		{Point.stable, Point.regimeKnown}, {Point.stateHolds, Point.stateKnown}, {Point.memorylessHolds, Point.memorylessKnown},
	} {
		r := reach{lr: m.LR}
		for k := range m.LR {
			p := m.at(s, i, j, k)
			r.holds, r.known = append(r.holds, of.holds(p)), append(r.known, of.known(p))
		}
		out = append(out, r)
	}
	return out
}

// limit is the largest lr up to which it holds at all, from the smallest on; 0 where it does not at the smallest.
func (r *reach) limit() float64 {
	limit := 0.0
	for k, lr := range r.lr {
		if !r.holds[k] {
			break
		}
		limit = lr
	}
	return limit
}

// largest is the largest lr at which it holds, whatever is at smaller ones; 0 where it holds at none.
func (r *reach) largest() float64 {
	largest := 0.0
	for k, lr := range r.lr {
		if r.holds[k] {
			largest = lr
		}
	}
	return largest
}

// measured reports whether it is known at any lr.
func (r *reach) measured() bool { return r.count(func(k int) bool { return r.known[k] }) > 0 }

func (r *reach) count(is func(k int) bool) int {
	n := 0
	for k := range r.lr {
		n += count(is(k))
	}
	return n
}

// where says at which lr it holds, and at which that was not measured.
func (r *reach) where() string {
	unknown := ""
	if gaps := ranges(r.lr, func(k int) bool { return !r.known[k] }); gaps != "" {
		unknown = "; at lr " + gaps + " that was not measured"
	}
	limit, held := r.limit(), r.count(func(k int) bool { return r.holds[k] })
	switch {
	case held == 0 && unknown == "":
		return "at no lr that was tried"
	case held == 0:
		return "at no lr where that was measured" + unknown
	case held == 1 && len(r.lr) == 1:
		return fmt.Sprintf("at lr %g, the only one that was tried", limit)
	case held == len(r.lr):
		return fmt.Sprintf("up to lr %g, the largest that was tried", limit)
	case limit > 0 && limit == r.largest():
		return fmt.Sprintf("up to lr %g of those tried%s", limit, unknown)
	}
	return "at lr " + ranges(r.lr, func(k int) bool { return r.holds[k] }) + " of those tried" + unknown
}

// ranges writes the values at whose places something is so, those in sequence as a range.
func ranges(values []float64, is func(k int) bool) string {
	var parts []string
	for k := 0; k < len(values); k++ {
		from := k
		for k < len(values) && is(k) {
			k++
		}
		switch k - from {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("%g", values[from]))
		default:
			parts = append(parts, fmt.Sprintf("%g to %g", values[from], values[k-1]))
		}
	}
	last := len(parts) - 1
	if last < 1 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// cell writes the limit, and in brackets the largest lr where it holds too behind one where it does not; "-" where nothing was measured.
func (r *reach) cell() (value float64, text string) {
	limit, largest := r.limit(), r.largest()
	switch {
	case !r.measured():
		return math.NaN(), "-"
	case largest == limit:
		return limit, strconv.FormatFloat(limit, 'g', -1, 64)
	case limit == 0:
		return limit, fmt.Sprintf("(%g)", largest)
	}
	return limit, fmt.Sprintf("%g (%g)", limit, largest)
}
