package flow

import "fmt"

// Adams integrates with the explicit multistep method of Adams and Bashforth: one evaluation of the field a step, all steps of one size.
// It begins with as many steps of [RK4] as it looks back.
//
// F. Bashforth and J. C. Adams, An attempt to test the theories of capillary action, Cambridge 1883.
type Adams struct {
	order   int
	weights []float64   // of the field at the step's start, and at the starts of the steps before
	past    [][]float64 // the field there, the step's own start first
	known   int         // how many of the steps before are known
}

// adamsWeights are those of the orders from 2.
var adamsWeights = [][]float64{
	{3. / 2, -1. / 2},
	{23. / 12, -16. / 12, 5. / 12},
	{55. / 24, -59. / 24, 37. / 24, -9. / 24},
}

// NewAdams returns the method of an order from 2 to 4 for states of dim numbers.
func NewAdams(order, dim int) (*Adams, error) {
	if order < 2 || order > 4 {
		return nil, fmt.Errorf("flow: Adams-Bashforth of order %d: want 2, 3 or 4", order)
	}
	a := &Adams{order: order, weights: adamsWeights[order-2]}
	for range order {
		a.past = append(a.past, make([]float64, dim))
	}
	return a, nil
}

// Next writes the state a step of size h behind y at t into next. It can be called again from the same y: the step counts when it is
// followed by Commit. The field is told n.
func (a *Adams) Next(field Field, n int, t, h float64, y, next []float64) error {
	if a.known < a.order-1 {
		s := newStepper(RK4, field, t, y)
		s.n = n
		if err := s.start(); err != nil {
			return err
		}
		copy(a.past[0], s.k[0])
		if err := s.try(t + h); err != nil {
			return err
		}
		copy(next, s.yNew)
		return nil
	}
	if err := field(n, t, y, a.past[0]); err != nil {
		return &FieldError{T: t, N: n, Err: err}
	}
	combine(next, y, h, a.weights, a.past)
	for j, v := range next {
		if v-v != 0 {
			return &NonFiniteError{T: t, N: n, Index: j, Value: v}
		}
	}
	return nil
}

// Commit makes the step that was last found the past of the next.
func (a *Adams) Commit() {
	last := a.past[a.order-1]
	copy(a.past[1:], a.past[:a.order-1])
	a.past[0] = last
	a.known = min(a.known+1, a.order-1)
}

// Past returns the field at the starts of the steps before, in place: with the number of steps taken, all that a resumed integration needs.
func (a *Adams) Past() [][]float64 { return a.past[1:] }

// Restore says how many steps the integration had taken whose Past was restored.
func (a *Adams) Restore(steps int) { a.known = min(max(steps, 0), a.order-1) }
