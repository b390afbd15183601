package stats

import "math"

// Running takes values one by one and knows their mean, without keeping them (Welford's recurrence). The zero Running has none.
type Running struct {
	n            int
	mean, spread float64
}

// Add takes a value.
func (r *Running) Add(v float64) {
	r.n++
	d := v - r.mean
	r.mean += d / float64(r.n)
	r.spread += d * (v - r.mean)
}

// StandardError returns the mean of the values and its standard error, NaN for fewer than two values.
func (r *Running) StandardError() (mean, se float64) {
	if r.n < 2 {
		return r.mean, math.NaN()
	}
	n := float64(r.n)
	return r.mean, math.Sqrt(r.spread / (n - 1) / n)
}
