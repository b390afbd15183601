package rule

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// Memory is a rule as moments of the gradient and an update made from them. Its functions take vectors.
type Memory struct {
	Moments []Moment
	// Update returns U of the moments, the present gradient and the parameters, as graph code. The step is -lr U.
	Update func(s []graph.Value, g, theta graph.Value) graph.Value
	// Of returns the moments of the step that a call is for, as graph code.
	Of func(c Call) []graph.Value
	// Formula is Update in the moments' names, g, theta and the hyperparameters; nil if the update is code alone.
	Formula *formula.Formula
	// Values are the numbers behind the hyperparameters' names in the formulas.
	Values map[string]float64
}

// Moment is one of a rule's memories, s = sum_k w(k) phi(gradient of k steps ago).
type Moment struct {
	// Name is what formulas and messages call it: m, v, corrected(m).
	Name string
	// State is the entry of the rule's definition that it is, or is the corrected value of: m, v, m.
	State string
	// Phi is applied to each gradient, and the parameters that it was taken at, as graph code; nil stands for the gradient itself.
	Phi func(g, theta graph.Value) graph.Value
	// Formula is phi in g and the hyperparameters, nil if it is code alone. Of a rule that changes the gradient first, see [Rule.Conditioned], g is
	// the changed one.
	Formula *formula.Formula
	Kernel  Kernel
	// Parts are what the moment, and phi, consist of, as the rule's [Rule.Shapes]; nil: of what theta does.
	Parts []graph.Block
	// Corrected divides the weights of step n by their sum over k = 0..n (bias correction).
	Corrected bool
}

// Apply returns phi(g), of a gradient at theta.
func (m Moment) Apply(g, theta graph.Value) graph.Value {
	if m.Phi == nil {
		return g
	}
	return m.Phi(g, theta)
}

// Length returns the number of the moment's elements, where the parameters are dim.
func (m Moment) Length(dim int) int { return lengthOf(m.Parts, dim) }

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

// AgeAt returns a = sum_k w(k) sum_{i=1..k} lr(n-i)/lr(n) of step n, from 0: the age in steps of that step's size where the steps have
// different sizes, so that a decay of lr lengthens what a moment remembers, and a warmup shortens it (theory, section 10). lr(n) is above 0.
func (m Moment) AgeAt(n int, lr func(step int) float64) float64 {
	w, sum := m.Kernel, 0.0
	faded := 1.0 // Beta^(i-1)
	for i := 1; i <= n && faded > 1e-18; i++ {
		left := 1.0 // of sum_{k=i..n} Beta^(k-i) (1 - Beta)
		if w.Beta > 0 {
			left = -math.Expm1(float64(n-i+1) * math.Log(w.Beta))
		}
		sum += lr(n-i) * faded * left
		faded *= w.Beta
	}
	return w.Next / (1 - w.Beta) * sum / lr(n) * m.correction(n)
}

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
	return m.Kernel.correction(n)
}

func (m *Memory) validate() error {
	if m.Update == nil || m.Of == nil {
		return errors.New("the memory form lacks Update or Of")
	}
	for i, mo := range m.Moments {
		if err := mo.Kernel.check(); err != nil {
			return fmt.Errorf("moment %d (%s): %w", i, mo.Name, err)
		}
		if mo.Corrected && mo.Kernel.First <= 0 {
			return fmt.Errorf("moment %d (%s): bias correction divides by w(0) = %v in the first step: want it positive", i, mo.Name, mo.Kernel.First)
		}
	}
	return nil
}

// Window returns how many steps back the past must be followed to know every moment and its mean age to the share tol.
func (m *Memory) Window(tol float64) int {
	window := 0
	for _, mo := range m.Moments {
		window = max(window, mo.Kernel.Window(tol))
	}
	return window
}

// Remembers reports whether the update depends on gradients before the present one.
func (m *Memory) Remembers() bool {
	return slices.ContainsFunc(m.Moments, func(mo Moment) bool { return mo.Kernel.Next != 0 })
}

// Steady reports whether equal gradients make equal updates in every step: all moments are bias-corrected or without memory.
func (m *Memory) Steady() bool {
	for _, mo := range m.Moments {
		if !mo.Corrected && mo.Kernel.Next != 0 {
			return false
		}
	}
	return true
}
