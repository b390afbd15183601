package modeq

import (
	"fmt"
	"math"

	"shadowflow/rule"
)

// Interval is a range of gradient sizes, From < |g_j| <= To, in which the second-order term has one effect on the rule's norm.
type Interval struct {
	From float64 `json:"from"`
	To   float64 `json:"to"` // +Inf for the last
	// Sign is +1 where the norm is penalized, -1 where its decrease is hindered, and 0 where the terms cancel to within rounding.
	Sign int `json:"sign"`
}

// The gradient sizes that Signs looks at, and how closely.
const (
	smallestGradient = 1e-30
	largestGradient  = 1e+30
	gridPoints       = 2401
	// cancelled is the share of the terms' sizes below which their sum is rounding.
	cancelled = 1e-13
)

// Signs returns the effect of the second-order term for all gradient sizes in step n (or FullMemory), for a rule whose phi and
// U act coordinate by coordinate: the sign of the coefficient in front of H F. Where the sign changes is a critical gradient size,
// Adam's g* = sqrt(eps c1/(c2 - c1)).
func Signs(r *rule.Rule, n int) ([]Interval, error) {
	t, err := NewTerms[float64](r, gridPoints, 0)
	if err != nil {
		return nil, err
	}
	grid := func(lo, hi float64) []float64 {
		g := make([]float64, gridPoints)
		for i := range g {
			g[i] = math.Exp(math.Log(lo) + (math.Log(hi)-math.Log(lo))*float64(i)/(gridPoints-1))
		}
		return g
	}
	g := grid(smallestGradient, largestGradient)
	signs, err := t.signs(n, g)
	if err != nil {
		return nil, err
	}
	out := []Interval{{Sign: signs[0]}}
	for i := 1; i < len(g); i++ {
		if signs[i] == signs[i-1] {
			continue
		}
		at, err := t.boundary(n, grid, g[i-1], g[i])
		if err != nil {
			return nil, err
		}
		out[len(out)-1].To = at
		out = append(out, Interval{From: at, Sign: signs[i]})
	}
	out[len(out)-1].To = math.Inf(1)
	return out, nil
}

// boundary finds where the sign changes between lo and hi.
func (t *Terms[T]) boundary(n int, grid func(lo, hi float64) []T, lo, hi T) (float64, error) {
	for range 4 { // each divides the range by the number of points
		g := grid(float64(lo), float64(hi))
		signs, err := t.signs(n, g)
		if err != nil {
			return 0, err
		}
		for i := 1; i < len(g); i++ {
			if signs[i] != signs[0] {
				lo, hi = g[i-1], g[i]
				break
			}
		}
	}
	return math.Sqrt(float64(lo) * float64(hi)), nil
}

func (t *Terms[T]) signs(n int, g []T) ([]int, error) {
	denominator := make([]T, len(g))
	if err := t.coefficientParts(n, g, make([]T, len(g)), denominator); err != nil {
		return nil, err
	}
	reach := 0.0 // what a moment adds is at most about its reach over R, before anything cancels
	for _, m := range t.rule.Moments {
		reach += math.Abs(m.Age(n) + m.Sum(n)/2)
	}
	out := make([]int, len(g))
	for j := range g {
		sum, size := 0.0, reach/math.Abs(float64(denominator[j]))
		for _, part := range t.parts {
			sum += float64(part[j])
			size += math.Abs(float64(part[j]))
		}
		switch {
		case math.IsNaN(sum) || math.IsNaN(size):
			return nil, fmt.Errorf("rule %s: the coefficient in front of H F at |g| = %g is not a number", t.rule.Name, float64(g[j]))
		case sum > cancelled*size:
			out[j] = 1
		case sum < -cancelled*size:
			out[j] = -1
		}
	}
	return out, nil
}
