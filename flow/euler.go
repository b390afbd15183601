package flow

// Euler is the explicit Euler method, of order 1, with fixed steps: one
// evaluation a step, for states so large that this is what can be paid.
//
// L. Euler, Institutionum calculi integralis, volumen primum, 1768, section 650.
var Euler = &Method{
	name:       "euler",
	order:      1,
	denseOrder: 3,
	c:          []float64{0},
	a:          [][]float64{{}},
	b:          []float64{1},
}
