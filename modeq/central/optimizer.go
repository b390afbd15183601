package central

import (
	"fmt"
	"math"

	"shadowflow/graph"
)

// Averaged says what an optimizer keeps the mean square of.
type Averaged int

const (
	// Nothing is averaged: gradient descent, P = 1/lr.
	Nothing Averaged = iota
	// Norm averages the squared two-norm of the gradient, one nu for all parameters: scalar RMSProp.
	Norm
	// Elements averages the square of each element of the gradient, a nu for each: RMSProp.
	Elements
)

// Optimizer is one that has a central flow: theta - P^-1 g, with P = (sqrt(nu) + eps)/lr or sqrt(nu + eps)/lr, nu' = beta2 nu + (1 - beta2) g^2 being
// the moment after the step.
type Optimizer struct {
	LR         float64
	Average    Averaged
	Beta2, Eps float64
	EpsInside  bool // eps is added to nu, not to its root
	Corrected  bool // nu is divided by 1 - beta2^n in the n-th step (bias correction)
}

// Validate reports what is wrong with the numbers.
func (o Optimizer) Validate() error {
	switch {
	case !(o.LR > 0) || math.IsInf(o.LR, 1):
		return fmt.Errorf("central flow: lr %v: want a number above 0", o.LR)
	case o.Average != Nothing && !(o.Beta2 > 0 && o.Beta2 < 1):
		return fmt.Errorf("central flow: beta2 %v: want a number between 0 and 1; at 0 nu has no rate of change", o.Beta2)
	case o.Average != Nothing && !(o.Eps >= 0):
		return fmt.Errorf("central flow: eps %v: want a number, at least 0", o.Eps)
	}
	return nil
}

// moments returns the number of elements of nu for dim parameters.
func (o Optimizer) moments(dim int) int {
	switch o.Average {
	case Norm:
		return 1
	case Elements:
		return dim
	}
	return 0
}

// rate returns the c of dnu/dt = c (square - nu): with nu being the moment after a step, a step adds (1 - beta2)/beta2 times what
// the square has beyond it.
func (o Optimizer) rate() float64 { return (1 - o.Beta2) / o.Beta2 }

// after sets the moment after a step with gradient g, from that before it.
func after[T graph.Float](o Optimizer, nu []float64, g []T) {
	for i, square := range squares(o.Average, g, g, nil) {
		nu[i] = o.Beta2*nu[i] + (1-o.Beta2)*square
	}
}

// Move returns what step n, counted from 0, subtracts from the parameters, P^-1 g, and sets nu to the moment after it.
func (o Optimizer) Move(n int, nu, g []float64) []float64 {
	after(o, nu, g)
	var p preconditioner
	o.at(float64(n), nu, &p)
	move := make([]float64, len(g))
	for j, v := range g {
		move[j] = v / p.of(j)
	}
	return move
}

// preconditioner is P at a time, and its slope by nu.
type preconditioner struct{ p, byNu []float64 }

// at sets P at time t, in steps: nu is the moment after the step that begins at t.
func (o Optimizer) at(t float64, nu []float64, to *preconditioner) {
	if o.Average == Nothing {
		to.p = append(to.p[:0], 1/o.LR)
		return
	}
	share := 1.0 // of the memory that is filled after this step
	if o.Corrected {
		share = 1 - math.Pow(o.Beta2, t+1)
	}
	to.p, to.byNu = to.p[:0], to.byNu[:0]
	for _, v := range nu {
		mean := max(v, 0) / share
		root, p := math.Sqrt(mean), 0.0
		if o.EpsInside {
			root = math.Sqrt(mean + o.Eps)
			p = root / o.LR
		} else {
			p = (root + o.Eps) / o.LR
		}
		slope := 1 / (2 * root * o.LR) // of p by the mean
		if root == 0 {
			slope = 0
		}
		to.p, to.byNu = append(to.p, p), append(to.byNu, slope/share)
	}
}

// of returns p of a parameter: one for all, or one for each.
func (c *preconditioner) of(j int) float64 {
	if len(c.p) == 1 {
		return c.p[0]
	}
	return c.p[j]
}

// square returns the factor of H Sigma H over Sigma in nu j's average, H u being 2 P u for a critical direction u.
func (c *preconditioner) square(j int) float64 { return 4 * c.p[j] * c.p[j] }

// squares appends, as nu averages them, the products of the elements of x and y: none, their sum, or each.
func squares[T graph.Float](a Averaged, x, y []T, to []float64) []float64 {
	switch a {
	case Norm:
		sum := 0.0
		for j, v := range x {
			sum += float64(v) * float64(y[j])
		}
		return append(to, sum)
	case Elements:
		for j, v := range x {
			to = append(to, float64(v)*float64(y[j]))
		}
	}
	return to
}
