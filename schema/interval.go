package schema

import (
	"math"
	"strconv"
	"strings"
)

// Interval is a range of numbers, each end included or not.
type Interval struct {
	text           string // as it was written
	low, high      float64
	hasLow, hasTop bool // the ends belong to it
}

// ParseInterval reads [a,b], (a,b), [a,b) or (a,b], and returns nil for an empty text. Intervals are constants of the program, so it
// panics on a malformed one.
func ParseInterval(tag string) *Interval {
	if tag == "" {
		return nil
	}
	low, high, ok := strings.Cut(tag[1:len(tag)-1], ",")
	a, errA := strconv.ParseFloat(low, 64)
	b, errB := strconv.ParseFloat(high, 64)
	if !ok || errA != nil || errB != nil {
		panic("schema: malformed interval " + tag)
	}
	return &Interval{text: tag, low: a, high: b, hasLow: tag[0] == '[', hasTop: tag[len(tag)-1] == ']'}
}

// Contains reports whether v is in the interval.
func (r *Interval) Contains(v float64) bool {
	switch {
	case v == r.low && !math.IsInf(v, 0):
		return r.hasLow
	case v == r.high && !math.IsInf(v, 0):
		return r.hasTop
	}
	return r.low < v && v < r.high
}

// Unbounded reports whether every finite number is in the interval.
func (r *Interval) Unbounded() bool { return math.IsInf(r.low, -1) && math.IsInf(r.high, 1) }

// String says in words which numbers it holds.
func (r *Interval) String() string {
	low, high := "", ""
	if !math.IsInf(r.low, 0) {
		low = "above " + FormatNumber(r.low)
		if r.hasLow {
			low = "at least " + FormatNumber(r.low)
		}
	}
	if !math.IsInf(r.high, 0) {
		high = "below " + FormatNumber(r.high)
		if r.hasTop {
			high = "at most " + FormatNumber(r.high)
		}
	}
	switch {
	case r.Unbounded():
		return "finite"
	case low == "" || high == "":
		return low + high
	}
	return low + " and " + high
}

// FormatNumber writes a number for people, whole ones without an exponent.
func FormatNumber(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Notation returns the interval as it was written: [0,1).
func (r *Interval) Notation() string { return r.text }
