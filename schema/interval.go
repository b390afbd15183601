package schema

import (
	"fmt"
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

// ReadInterval reads [a,b], (a,b), [a,b) or (a,b], with inf and -inf for no end.
func ReadInterval(text string) (*Interval, error) {
	wrong := fmt.Errorf("%q is no range of numbers: want one like [0,1) or (0,inf)", text)
	if len(text) < 2 || !strings.ContainsRune("[(", rune(text[0])) || !strings.ContainsRune("])", rune(text[len(text)-1])) {
		return nil, wrong
	}
	low, high, ok := strings.Cut(text[1:len(text)-1], ",")
	a, errA := strconv.ParseFloat(strings.TrimSpace(low), 64)
	b, errB := strconv.ParseFloat(strings.TrimSpace(high), 64)
	if !ok || errA != nil || errB != nil || !(a < b) {
		return nil, wrong
	}
	return &Interval{text: text, low: a, high: b, hasLow: text[0] == '[', hasTop: text[len(text)-1] == ']'}, nil
}

// ParseInterval is ReadInterval for intervals that are constants of the program: it panics on a malformed one, and returns nil for an
// empty text.
func ParseInterval(tag string) *Interval {
	if tag == "" {
		return nil
	}
	r, err := ReadInterval(tag)
	if err != nil {
		panic("schema: " + err.Error())
	}
	return r
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
