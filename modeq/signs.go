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

// The gradient sizes that Effects looks at, and how closely.
const (
	smallestGradient = 1e-30
	decades          = 60
	perDecade        = 20
	gridPoints       = decades*perDecade + 1
	// cancelled is the share of the terms' sizes below which their sum is rounding.
	cancelled = 1e-13
)

// Effects finds which gradients the second-order term penalizes and which it hinders, for a rule whose phi and U act coordinate by
// coordinate. It is not for concurrent use.
type Effects struct {
	terms  *Terms[float64]
	coarse []float64 // the sizes looked at first, at equal ratios
	sizes  []float64 // those looked at now
	signs  []int     // the effects on them
	// What the terms are evaluated with: theta, which plays no part, and room.
	theta, denominator []float64
}

// NewEffects prepares the search for a rule.
func NewEffects(r *rule.Rule) (*Effects, error) {
	terms, err := NewTerms[float64](r, gridPoints, 1)
	if err != nil {
		return nil, err
	}
	e := &Effects{terms: terms, signs: make([]int, gridPoints)}
	for _, v := range []*[]float64{&e.coarse, &e.sizes, &e.theta, &e.denominator} {
		*v = make([]float64, gridPoints)
	}
	for i := range e.coarse {
		e.coarse[i] = smallestGradient * math.Pow(10, float64(i)/perDecade)
	}
	return e, nil
}

// Vary makes lr(n) the size of step n; see [Terms.Vary].
func (e *Effects) Vary(lr func(step int) float64) { e.terms.Vary(lr) }

// Intervals returns the effect on all gradient sizes in step n (or FullMemory): the sign of the coefficient in front of H F.
func (e *Effects) Intervals(n int) ([]Interval, error) {
	copy(e.sizes, e.coarse)
	if err := e.look(n); err != nil {
		return nil, err
	}
	out := []Interval{{Sign: e.signs[0]}}
	var changes []int
	for i := 1; i < gridPoints; i++ {
		if e.signs[i] != e.signs[i-1] {
			changes = append(changes, i)
			out = append(out, Interval{Sign: e.signs[i]})
		}
	}
	for k, i := range changes {
		at, err := e.boundary(n, e.coarse[i-1], e.coarse[i])
		if err != nil {
			return nil, err
		}
		out[k].To, out[k+1].From = at, at
	}
	out[len(out)-1].To = math.Inf(1)
	return out, nil
}

// Critical returns the critical gradient sizes in step n (or FullMemory), in ascending order: those at which the effect turns from
// penalizing to hindering or back. For Adam with beta2 > beta1 it is g* = sqrt(eps c1/(c2 - c1)).
func (e *Effects) Critical(n int) ([]float64, error) {
	intervals, err := e.Intervals(n)
	if err != nil {
		return nil, err
	}
	var sizes []float64
	last := 0
	for _, i := range intervals {
		if i.Sign == 0 {
			continue
		}
		if i.Sign == -last {
			sizes = append(sizes, i.From)
		}
		last = i.Sign
	}
	return sizes, nil
}

// boundary finds where the effect changes between lo and hi.
func (e *Effects) boundary(n int, lo, hi float64) (float64, error) {
	for hi > lo*(1+1e-13) { // each round divides the range by the number of points
		for i := range e.sizes {
			e.sizes[i] = lo + (hi-lo)*(float64(i)/(gridPoints-1))
		}
		if err := e.look(n); err != nil {
			return 0, err
		}
		i := 1
		for i < gridPoints-1 && e.signs[i] == e.signs[0] {
			i++
		}
		if e.sizes[i-1] == lo && e.sizes[i] == hi {
			break
		}
		lo, hi = e.sizes[i-1], e.sizes[i]
	}
	return math.Sqrt(lo * hi), nil
}

// look finds the effects on the sizes.
func (e *Effects) look(n int) error {
	t := e.terms
	if err := t.coefficientParts(n, e.sizes, e.theta, e.denominator); err != nil {
		return err
	}
	reach := 0.0 // what a moment adds is at most about its reach over R, before anything cancels
	for i := range t.memory.Moments {
		reach += math.Abs(t.ages[i][0] + t.sums[i][0]/2)
	}
	for j := range e.signs {
		sum, size := 0.0, reach/math.Abs(e.denominator[j])
		for _, part := range t.parts {
			sum += part[j]
			size += math.Abs(part[j])
		}
		switch {
		case math.IsNaN(sum) || math.IsNaN(size):
			return fmt.Errorf("rule %s: the coefficient in front of H F at |g| = %g is not a number", t.rule.Name, e.sizes[j])
		case sum > cancelled*size:
			e.signs[j] = 1
		case sum < -cancelled*size:
			e.signs[j] = -1
		default:
			e.signs[j] = 0
		}
	}
	return nil
}
