package diagnose

import (
	"fmt"
	"math"

	"shadowflow/modeq"
	"shadowflow/rule"
)

// The sizes of a gradient's element among which Critical looks, and how many a decade.
const (
	smallestGradient = 1e-30
	largestGradient  = 1e10
	gridPerDecade    = 20
)

// Critical finds the critical gradient sizes g* of a rule: where the factor of (H F)_j in the second-order term C_j, a function
// of |g_j| alone, changes its sign. For Adam with beta2 > beta1 it is sqrt(eps c1 / (c2 - c1)), c = (1+beta)/(1-beta): smaller
// elements are penalized, larger ones hindered. It is not for concurrent use.
type Critical struct {
	rule  *rule.Rule
	terms *modeq.Terms[float64]
	work  [5][]float64
}

// NewCritical prepares the search for a rule.
func NewCritical(r *rule.Rule) (*Critical, error) {
	decades := int(math.Round(math.Log10(largestGradient / smallestGradient)))
	dim := decades*gridPerDecade + 1
	terms, err := modeq.NewTerms[float64](r, dim, 1)
	if err != nil {
		return nil, err
	}
	c := &Critical{rule: r, terms: terms}
	for i := range c.work {
		c.work[i] = make([]float64, dim)
	}
	return c, nil
}

// Sizes returns the critical sizes in step n, modeq.FullMemory for the limit, in ascending order, and whether elements smaller
// than the first are penalized (the factor is positive). A rule whose second-order term has one sign has none.
func (c *Critical) Sizes(n int) (sizes []float64, penalizedBelow bool, err error) {
	g := c.work[0]
	for i := range g {
		g[i] = smallestGradient * math.Pow(10, float64(i)/gridPerDecade)
	}
	factor, err := c.factors(n)
	if err != nil {
		return nil, false, err
	}
	// What lies between two grid points of opposite sign is searched on a grid of its own, over and over.
	type bracket struct{ lo, hi float64 }
	var found []bracket
	last := 0.0
	for i, f := range factor {
		if math.IsNaN(f) || f == 0 {
			continue
		}
		if last == 0 {
			penalizedBelow = f > 0
		} else if f*last < 0 {
			found = append(found, bracket{g[i-1], g[i]})
		}
		last = f
	}
	for _, b := range found {
		for b.hi/b.lo-1 > 1e-14 {
			lo, hi, err := c.narrow(n, b.lo, b.hi)
			if err != nil {
				return nil, false, err
			}
			if lo == b.lo && hi == b.hi {
				break
			}
			b.lo, b.hi = lo, hi
		}
		sizes = append(sizes, math.Sqrt(b.lo*b.hi))
	}
	return sizes, penalizedBelow, nil
}

// factors returns the factor of H F in C at each element of the grid.
func (c *Critical) factors(n int) ([]float64, error) {
	g, theta, zero, one, factor := c.work[0], c.work[1], c.work[2], c.work[3], c.work[4]
	for i := range one {
		one[i] = 1
	}
	// F = 0 takes away the term dU/dtheta F, which is no multiple of H F.
	if err := c.terms.Correct(n, g, theta, zero, one, factor); err != nil {
		return nil, fmt.Errorf("critical gradient of %s: %w", c.rule.Name, err)
	}
	return factor, nil
}

// narrow finds the part of the grid between lo and hi in which the factor changes its sign.
func (c *Critical) narrow(n int, lo, hi float64) (float64, float64, error) {
	g := c.work[0]
	last := len(g) - 1
	for i := range g {
		g[i] = lo + (hi-lo)*(float64(i)/float64(last))
	}
	g[last] = hi
	factor, err := c.factors(n)
	if err != nil {
		return 0, 0, err
	}
	for i := 1; i <= last; i++ {
		if factor[i]*factor[0] <= 0 {
			return g[i-1], g[i], nil
		}
	}
	return lo, hi, nil
}
