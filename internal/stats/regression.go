package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// RSquared is the part of the variance of y, whose mean is 0, that a linear regression on predictors with means 0 explains; NaN if
// it cannot be told.
func RSquared(y []float64, predictors ...[]float64) float64 {
	if len(y) <= len(predictors) {
		return math.NaN()
	}
	x := mat.NewDense(len(y), len(predictors), nil)
	for j, p := range predictors {
		x.SetCol(j, p)
	}
	var b mat.VecDense
	if err := b.SolveVec(x, mat.NewVecDense(len(y), y)); err != nil {
		return math.NaN()
	}
	var fit mat.VecDense
	fit.MulVec(x, &b)
	residual, total := 0.0, 0.0
	for i, v := range y {
		residual += (v - fit.AtVec(i)) * (v - fit.AtVec(i))
		total += v * v
	}
	return 1 - residual/total
}
