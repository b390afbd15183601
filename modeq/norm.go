package modeq

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"

	"shadowflow/rule"
)

// Norm is the implicit norm of a rule whose phi and U act coordinate by coordinate: sum_j psi(g_j) with psi' = F, weight decay
// left out, psi(0) = 0, so that its gradient as a function of theta is H F. It is Adam's perturbed one-norm less p sqrt(eps), half
// the squared two-norm for gradient descent, and is found by integrating the rule's own F. It is not for concurrent use.
type Norm struct {
	terms         *Terms[float64]
	nodes, values []float64
	zero          []float64
	x, w          []float64 // a Gauss rule on [0, 1]
}

// F is smooth in log |g|, whatever the scale of eps, so the integral is taken octave by octave.
const (
	octaves       = 120
	nodesAnOctave = 12
)

// NewNorm prepares the implicit norm of a rule with its memory full.
func NewNorm(r *rule.Rule) (*Norm, error) {
	const size = octaves * nodesAnOctave
	terms, err := NewTerms[float64](r, size, 1)
	if err != nil {
		return nil, err
	}
	n := &Norm{terms: terms, nodes: make([]float64, size), values: make([]float64, size), zero: make([]float64, size)}
	n.x, n.w = make([]float64, nodesAnOctave), make([]float64, nodesAnOctave)
	quad.Legendre{}.FixedLocations(n.x, n.w, 0, 1)
	return n, nil
}

// Density returns psi(g).
func (n *Norm) Density(g float64) (float64, error) {
	if math.IsNaN(g) || math.IsInf(g, 0) {
		return 0, fmt.Errorf("norm of %s: gradient %v is not finite", n.terms.rule.Name, g)
	}
	width := g / 2
	for k := range octaves {
		for i, x := range n.x {
			n.nodes[k*nodesAnOctave+i] = width * (1 + x)
		}
		width /= 2
	}
	if err := n.terms.Field(FullMemory, n.nodes, n.zero, n.values); err != nil {
		return 0, err
	}
	sum := 0.0
	width = math.Ldexp(g/2, 1-octaves)
	for k := octaves - 1; k >= 0; k-- { // the small ones first
		for i, w := range n.w {
			sum += width * w * n.values[k*nodesAnOctave+i]
		}
		width *= 2
	}
	return sum, nil
}

// Value returns the norm of a gradient.
func (n *Norm) Value(g []float64) (float64, error) {
	sum := 0.0
	for _, v := range g {
		psi, err := n.Density(v)
		if err != nil {
			return 0, err
		}
		sum += psi
	}
	return sum, nil
}
