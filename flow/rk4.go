package flow

// RK4 is the classical Runge-Kutta method, of order 4, with fixed steps and cubic
// Hermite dense output of order 3.
//
// W. Kutta, Beitrag zur naeherungsweisen Integration totaler
// Differentialgleichungen, Zeitschrift fuer Mathematik und Physik 46 (1901).
var RK4 = &Method{
	name:       "rk4",
	order:      4,
	denseOrder: 3,
	c:          []float64{0, 1. / 2, 1. / 2, 1},
	a: [][]float64{
		{},
		{1. / 2},
		{0, 1. / 2},
		{0, 0, 1},
	},
	b: []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
}
