package run

import (
	"strings"

	"shadowflow/diagnose/spectrum"
	"shadowflow/experiment/config"
	"shadowflow/flow"
	"shadowflow/modeq/central"
	"shadowflow/rule"
)

// vectorCount counts the numbers that a run holds in vectors of parameters, and in states of equations, which are several of those. What parts of a run
// hold stands here once, and a test compares it with what runs take.
type vectorCount struct {
	c          *config.Config
	s          Subject
	dim, state int64
	batches    int64
	moments    int64
	// narrow are in the run's precision, wide in float64; largest is the largest state of an equation, of which the integrator works with one at a time.
	narrow, wide, largest int64
}

// vectorRoom returns the bytes of a run's vectors.
func vectorRoom(c *config.Config, s Subject) int64 {
	v := &vectorCount{c: c, s: s, dim: int64(s.Dim), batches: int64(s.batches(c))}
	for _, n := range s.Rule.Lengths(s.Dim) {
		v.state += int64(n)
	}
	if m := s.Rule.Memory; m != nil {
		v.moments = int64(len(m.Moments))
	}
	v.run()
	v.bias()
	v.sharpness()
	v.spectrum()
	v.density()
	v.beside()
	return v.narrow*widthOf(c) + 8*v.wide
}

// add counts vectors of parameters.
func (v *vectorCount) add(narrow, wide int64) {
	v.narrow, v.wide = v.narrow+narrow*v.dim, v.wide+wide*v.dim
}

// run counts the optimizer, where it began, and the weights that are saved at the end.
func (v *vectorCount) run() {
	v.add(3, 2)
	v.narrow += v.state - v.dim
	r := v.s.Rule
	if !r.Elementwise { // whose step is computed aside
		v.narrow += v.state
	}
	if r.Hessian != nil {
		v.add(3, 0)
	}
	if penalized(v.c) {
		v.add(3, 0)
	}
	if v.c.Bias.Scale != 0 {
		v.add(2, 0)
	}
	if v.c.Record.Average > 0 {
		v.add(1, 1)
	}
	if _, passes := v.s.atOnce(v.c); v.s.Model != nil && passes > 1 { // the parts of a batch's results, and the gradient that a direction is made of
		products, _ := productsOf(v.c, r) // without any where it fails, which whoever makes them says
		v.add(max(1, int64(products)), 0)
		if measuresBias(v.c, r) && !v.general() {
			v.add(1, 0)
		}
	}
}

// bias counts the second-order terms, and the meter of the bias.
func (v *vectorCount) bias() {
	switch {
	case !measuresBias(v.c, v.s.Rule):
		return
	case v.general():
		v.add(7, 0)
		v.secondOrder()
	default:
		v.add(6, 0)
	}
	if v.c.Record.Bias > 0 {
		v.add(8, 0)
	}
}

// general reports whether the general theorem is evaluated over the steps that the memory holds.
func (v *vectorCount) general() bool {
	m := v.s.Rule.Memory
	return v.c.Batch.Mini() || m != nil && !m.Steady()
}

// secondOrder counts what [modeq.SecondOrder] holds.
func (v *vectorCount) secondOrder() {
	v.add(4+v.batches, 0)
	if v.general() {
		v.add(5+5*v.moments, 0)
		v.add(v.batches*2*v.moments, 0)
	}
}

// sharpness counts the search for eigenvalues, and what the noise does to the bias.
func (v *vectorCount) sharpness() {
	if v.c.Record.Sharpness == 0 {
		return
	}
	v.add(int64(largestSearch[float32](0).Vectors())+7, 0)
	v.add(1, 3)
	if v.s.Rule.Elementwise && v.moments > 0 {
		v.add(11+v.moments, 10+2*v.moments)
	}
}

// spectrum counts the search for eigenvalues, what was found before and now, and the sums of the trace's probes, in float64.
func (v *vectorCount) spectrum() {
	if v.c.Record.Spectrum == 0 {
		return
	}
	top := int(min(int64(v.c.Record.Modes), v.dim))
	search := spectrum.ExtremalOptions[float32]{Top: top, Bottom: 1, AtOnce: atOnce}
	v.add(int64(search.Vectors())+4, 0)
	v.add(2*int64(2*top+1)+2, 14)
	if v.s.Rule.Elementwise && v.moments > 0 {
		v.add(6, 0)
	}
}

// density counts the bases of its probes, or the matrix where that is small.
func (v *vectorCount) density() {
	switch {
	case v.c.Record.Density == 0:
	case v.dim > densityProbes*densitySteps:
		v.add(int64(densityOptions(0).Vectors())+6, 0)
	default:
		v.add(2*atOnce, 4*v.dim)
	}
}

// beside counts the equations that the run is compared with, and those that are followed for a step.
func (v *vectorCount) beside() {
	if len(v.c.Beside) > 0 {
		v.add(4, 0)
	}
	exact := false
	for _, name := range v.c.Beside {
		v.add(2, 0) // of the meter
		switch {
		case name == "central":
			v.central()
		case strings.HasPrefix(name, "state-"):
			v.equation(v.state)
			v.add(2, 2)
		case strings.HasPrefix(name, "lift-"):
			v.equation(2 * v.state)
			v.add(2, 4)
			v.wide += 2 * v.state // the two ends
		case strings.HasPrefix(name, "iteration-"):
			v.add(4, 2) // it leaps, and is not integrated
			v.secondOrder()
		case strings.HasPrefix(name, "memoryless-"):
			v.equation(v.dim)
			v.add(3, 0)
			if !exact {
				v.secondOrder()
			}
			exact = true
		default:
			v.equation(v.dim)
			v.add(2, 0)
		}
	}
	if v.c.Record.State > 0 && followable(v.c, v.s.Rule) {
		v.add(4, 3)
		v.wide += 4 * v.state
		v.largest = max(v.largest, v.state)
	}
	if v.largest == 0 {
		return
	}
	v.wide += v.largest // of a stage
	if method, err := flow.MethodByName(v.c.Flow.Method); err == nil {
		v.wide += int64(method.States()) * v.largest
	}
}

// equation counts where an equation of a state is, and where it comes to.
func (v *vectorCount) equation(state int64) {
	v.wide += 2 * state
	v.largest = max(v.largest, state)
}

// central counts the central flow with room for its directions, a few of which are critical.
func (v *vectorCount) central() {
	const critical, third = 4, 10 // the third derivatives of so many
	moments := v.state/v.dim - 1
	v.add(2*central.Vectors, 2*(1+moments+central.Vectors)+1)
	search := spectrum.ExtremalOptions[float32]{Top: critical + 2, AtOnce: central.ProductsAtOnce}
	v.add(int64(search.Vectors())+critical+2*third+5, 6+moments*(third+4))
}

// measuresBias reports whether a run finds the second-order terms, or those of an optimizer without the memory form that are known.
func measuresBias(c *config.Config, r *rule.Rule) bool {
	if c.Bias.Scale != 0 || c.Record.Bias == 0 || r.Memory != nil {
		return c.Bias.Scale != 0 || c.Record.Bias > 0
	}
	_, err := r.Settled()
	return err == nil && !c.Batch.Mini()
}
