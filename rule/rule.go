package rule

import (
	"errors"
	"fmt"

	"shadowflow/graph"
)

// Moment is one of a rule's memories, s = sum_k w(k) phi(gradient of k steps ago).
type Moment struct {
	// Name is what formulas and messages call it: m, v.
	Name string
	// Phi is applied to each gradient, as graph code; nil stands for the gradient itself.
	Phi func(g graph.Value) graph.Value
	// PhiFormula is Phi as text in g, for people: "g^2". Empty stands for "g".
	PhiFormula string
	Kernel     Kernel
	// Corrected divides the weights of step n by their sum over k = 0..n (bias correction).
	Corrected bool
}

// Apply returns phi(g).
func (m Moment) Apply(g graph.Value) graph.Value {
	if m.Phi == nil {
		return g
	}
	return m.Phi(g)
}

// Weight returns the weight of the gradient of k steps ago in step n, bias correction included. A negative n stands for the
// full memory, reached as n grows.
func (m Moment) Weight(k, n int) float64 { return m.Kernel.At(k) * m.correction(n) }

// Sum returns W = sum_k w(k) of step n, which is 1 under bias correction. A negative n stands for the full memory.
func (m Moment) Sum(n int) float64 {
	if m.Corrected {
		return 1
	}
	return m.Kernel.Sum(n)
}

// Age returns a = sum_k k w(k) of step n: divided by Sum, the mean age of what the moment remembers. A negative n stands for
// the full memory.
func (m Moment) Age(n int) float64 { return m.Kernel.Age(n) * m.correction(n) }

// AgeFactor returns c = 1 + 2 (mean age) of step n, the paper's (1+beta)/(1-beta) for the full memory of an average: the factor
// by which memory multiplies a moment's part of the second-order term. A negative n stands for the full memory.
func (m Moment) AgeFactor(n int) float64 { return 1 + 2*m.Age(n)/m.Sum(n) }

// Power returns the power moment mu_j = sum_k k^j w(k) of the full memory.
func (m Moment) Power(j int) float64 { return m.Kernel.Power(j) * m.correction(-1) }

// correction returns the factor of bias correction in step n.
func (m Moment) correction(n int) float64 {
	if !m.Corrected {
		return 1
	}
	return 1 / m.Kernel.Sum(n)
}

// Rule is an optimizer with memory. Its functions may be called with values of any shape; the networks and losses of this
// project have theta, and so g and the moments, as one vector.
type Rule struct {
	Name    string
	Moments []Moment
	// Update returns U of the moments, the present gradient and the parameters, as graph code. The step is -lr U.
	Update func(s []graph.Value, g, theta graph.Value) graph.Value
	// Formula is Update as text in the moments' names, g and theta, for people: "m / sqrt(v + eps)". It may name the
	// Constants. It may be empty.
	Formula string
	// Constants are the numbers behind the names in the formulas.
	Constants map[string]float64
}

// Validate returns an error that says what the definition lacks.
func (r *Rule) Validate() error {
	if r == nil || r.Update == nil {
		return errors.New("rule: Update is missing")
	}
	for i, m := range r.Moments {
		if err := m.Kernel.check(); err != nil {
			return fmt.Errorf("rule %s: moment %d (%s): %w", r.Name, i, m.Name, err)
		}
		if m.Corrected && m.Kernel.First <= 0 {
			return fmt.Errorf("rule %s: moment %d (%s): bias correction divides by w(0) = %v in the first step: want it positive",
				r.Name, i, m.Name, m.Kernel.First)
		}
	}
	return nil
}

// Window returns how many steps back the past must be followed to know every moment and its mean age to the share tol.
func (r *Rule) Window(tol float64) int {
	window := 0
	for _, m := range r.Moments {
		window = max(window, m.Kernel.Window(tol))
	}
	return window
}

// Steady reports whether equal gradients make equal updates in every step: all moments are bias-corrected or without memory.
func (r *Rule) Steady() bool {
	for _, m := range r.Moments {
		if !m.Corrected && m.Kernel.Next != 0 {
			return false
		}
	}
	return true
}

// Step returns, as graph code, theta after a step and the memory after it, given the arrays of memory that States counts, the
// step size lr and the factors of bias correction, one a moment, both scalars.
func (r *Rule) Step(theta, g, lr graph.Value, state, correction []graph.Value) (thetaNew graph.Value, stateNew []graph.Value) {
	s := make([]graph.Value, len(r.Moments))
	kept := 0
	for i, m := range r.Moments {
		phi, w := m.Apply(g), m.Kernel
		switch {
		case w.Next == 0:
			s[i] = phi.Mul(phi.Like(w.First))
		case w.geometric():
			s[i] = state[kept].Mul(phi.Like(w.Beta)).Add(phi.Mul(phi.Like(w.First)))
			stateNew = append(stateNew, s[i])
			kept++
		default:
			s[i] = phi.Mul(phi.Like(w.First)).Add(state[kept])
			stateNew = append(stateNew, state[kept].Mul(phi.Like(w.Beta)).Add(phi.Mul(phi.Like(w.Next))))
			kept++
		}
		if m.Corrected {
			s[i] = s[i].Mul(correction[i])
		}
	}
	return theta.Sub(r.Update(s, g, theta).Mul(lr)), stateNew
}

// States returns the number of arrays, each as long as theta, that a step must remember: one for each moment with memory.
func (r *Rule) States() int {
	n := 0
	for _, m := range r.Moments {
		if m.Kernel.Next != 0 {
			n++
		}
	}
	return n
}
