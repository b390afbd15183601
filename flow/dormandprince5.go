package flow

// DormandPrince5 is the 5(4) pair of Dormand and Prince, with step control and
// Shampine's dense output of order 4. The method to begin with.
//
// J. R. Dormand and P. J. Prince, A family of embedded Runge-Kutta formulae,
// Journal of Computational and Applied Mathematics 6 (1980), 19-26. Dense output:
// L. F. Shampine, Some practical Runge-Kutta formulas, Mathematics of Computation
// 46 (1986), 135-150, in the form of Hairer, Norsett and Wanner, section II.6,
// whose DOPRI5 the step control's constants come from.
var DormandPrince5 = &Method{
	name:       "dopri5",
	order:      5,
	denseOrder: 4,
	c:          []float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1},
	a: [][]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
	},
	b: []float64{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	errors: [][]float64{
		{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40},
	},
	control: control{safety: 0.9, beta: 0.04, smallest: 0.2, largest: 10, errorOrder: 4},
	d: [][]float64{
		{
			-12715105075. / 11282082432, 0, 87487479700. / 32700410799, -10690763975. / 1880347072,
			701980252875. / 199316789632, -1453857185. / 822651844, 69997945. / 29380423,
		},
	},
}
