package flow

import (
	"fmt"
	"strings"
)

// A Method is an explicit Runge-Kutta method, and nothing but its coefficients.
//
// One step of size h from (t, y) evaluates the stages
//
//	k_i = f(t + c_i h, y + h sum_{j<i} a_ij k_j),   y_new = y + h sum_i b_i k_i.
//
// With s stages, k_s (counted from 0) stands for the derivative at the end of the
// step, f(t+h, y_new), which is the next step's k_0. Methods whose error estimate
// uses it are those called "first same as last".
//
// Dense output is the nested Hermite form of Hairer, Norsett and Wanner (Solving
// Ordinary Differential Equations I, section II.6): with x = (t' - t)/h,
//
//	y(t') = r0 + x (r1 + (1-x) (r2 + x (r3 + (1-x) (r4 + x (r5 + ...))))),
//	r0 = y, r1 = y_new - y, r2 = h k_0 - r1, r3 = r1 - h k_s - r2, r_{4+j} = h sum_i d_ji k_i.
//
// Without rows d this is the cubic Hermite interpolant.
type Method struct {
	name       string
	order      int // of y_new
	denseOrder int // of y(t'), uniformly in x

	c []float64
	a [][]float64 // a[i] has i entries
	b []float64

	// errors holds the weights of the error estimates h sum_i e_i k_i, the last of
	// them the one of highest order; none for a method without step control.
	errors  [][]float64
	control control

	// Further stages that only the dense output needs; they see k_s too.
	denseC []float64
	denseA [][]float64
	d      [][]float64
}

// Name returns the method's short name, as [MethodByName] takes it.
func (m *Method) Name() string { return m.name }

// Order returns the order p of the method: after a fixed time the error is O(h^p).
func (m *Method) Order() int { return m.order }

// DenseOrder returns the order of the dense output: between the steps the
// error is of this order, or of the method's own if that is lower.
func (m *Method) DenseOrder() int { return m.denseOrder }

// Adaptive reports whether the method estimates its error, and so can choose its steps.
func (m *Method) Adaptive() bool { return len(m.errors) > 0 }

func (m *Method) stages() int { return len(m.b) }

// usesEnd reports whether the error estimate needs the derivative at the step's end.
func (m *Method) usesEnd() bool {
	for _, e := range m.errors {
		if len(e) > m.stages() {
			return true
		}
	}
	return false
}

// States returns the number of states that an integration works with where nothing is asked between its steps, which a method without step control takes at
// a fixed size.
func (m *Method) States() int {
	switch {
	case !m.Adaptive() && m.looksBackOnce():
		return 4
	case m.usesEnd():
		return 3 + m.stages()
	}
	return 2 + m.stages()
}

// looksBackOnce reports whether each stage reads the one before it alone.
func (m *Method) looksBackOnce() bool {
	for i, row := range m.a {
		for j, w := range row {
			if w != 0 && j != i-1 {
				return false
			}
		}
	}
	return true
}

func methods() []*Method {
	return []*Method{DormandPrince5, DormandPrince8, RK4, Euler}
}

// MethodByName returns the method of that name: dopri5, dop853, rk4 or euler.
func MethodByName(name string) (*Method, error) {
	var names []string
	for _, m := range methods() {
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
	}
	return nil, fmt.Errorf("flow: no method %q; there are %s", name, strings.Join(names, ", "))
}
