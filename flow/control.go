package flow

import "math"

// control holds the constants of a method's step control. After a step whose
// scaled error was err (at most 1 is accepted) the next step is
//
//	h * clamp(safety * err^(-alpha) * errOld^beta, smallest, largest),  alpha = 1/(errorOrder+1) - 0.75 beta,
//
// a proportional-integral controller (K. Gustafsson, ACM Transactions on Mathematical
// Software 17 (1991), 533-554; Hairer and Wanner, Solving Ordinary Differential
// Equations II, section IV.2) that is the elementary one for beta = 0.
type control struct {
	safety            float64
	beta              float64
	smallest, largest float64
	errorOrder        int
}

// controller chooses step sizes from the errors of the steps tried so far.
type controller struct {
	control
	errOld   float64
	rejected bool // the last step was rejected
}

// smallestErrOld bounds the memory of a step that was far more accurate than asked.
const smallestErrOld = 1e-4

func (c *controller) restart() {
	c.errOld = smallestErrOld
	c.rejected = false
}

// accept returns the factor to the next step's size after an accepted step. It
// never grows the step directly after a rejection.
func (c *controller) accept(err float64) float64 {
	alpha := 1/float64(c.errorOrder+1) - 0.75*c.beta
	factor := c.largest
	if err > 0 {
		factor = c.clamp(c.safety * math.Pow(err, -alpha) * math.Pow(c.errOld, c.beta))
	}
	if c.rejected {
		factor = min(factor, 1)
	}
	c.errOld = max(err, smallestErrOld)
	c.rejected = false
	return factor
}

// reject returns the factor to the size of the next try. An error that is not
// finite shrinks the step as far as one rejection may.
func (c *controller) reject(err float64) float64 {
	c.rejected = true
	alpha := 1/float64(c.errorOrder+1) - 0.75*c.beta
	factor := c.clamp(c.safety * math.Pow(err, -alpha))
	if math.IsNaN(factor) {
		return c.smallest
	}
	return min(factor, c.safety)
}

func (c *controller) clamp(factor float64) float64 {
	return min(max(factor, c.smallest), c.largest)
}
