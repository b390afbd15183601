package crosscheck

import (
	"math"
	"math/rand/v2"

	"shadowflow/objective"
)

// foreign reports whether the loss's derivatives are none that package graph made, but those of another program.
func (k *checker) foreign() bool {
	_, ours := k.o.(objective.GraphLoss)
	return !ours
}

// foreignDirections is the number of directions in which another program's derivatives are compared.
const foreignDirections = 4

// gradientOfLoss compares the gradient of another program with central differences of order 4 of its loss.
func (k *checker) gradientOfLoss() (Check, bool, error) {
	check := Check{What: "gradient: the worker's and central differences of its loss", Tolerance: 1e-6}
	if !k.foreign() {
		return check, false, nil
	}
	difference, err := k.slopes(k.g, func(direction []float64, step float64) (float64, error) {
		return k.along(direction, step, func(at []float64) (float64, error) {
			e, err := k.o.Evaluate(k.ctx, at, objective.Full, objective.Want[float64]{})
			return e.Loss, err
		})
	})
	check.Difference = difference
	return check, true, err
}

// productOfGradient compares a Hessian-vector product of another program, H F, with central differences of order 4 of its gradient.
func (k *checker) productOfGradient() (Check, bool, error) {
	check := Check{What: "Hessian-vector product: the worker's and central differences of its gradient", Tolerance: 1e-6}
	if !k.foreign() {
		return check, false, nil
	}
	g := k.vector()
	difference, err := k.slopes(k.hf, func(direction []float64, step float64) (float64, error) { // u'H F is F'H u, the slope of g'F along u
		return k.along(direction, step, func(at []float64) (float64, error) {
			if err := k.gradient(at, g); err != nil {
				return 0, err
			}
			return dot(g, k.f), nil
		})
	})
	check.Difference = difference
	return check, true, err
}

// repeated compares loss, gradient and product with those that another program gives when it is asked again.
func (k *checker) repeated() (Check, bool, error) {
	check := Check{What: "loss, gradient and Hessian-vector product: of two calls, which are to be the same"}
	if !k.foreign() {
		return check, false, nil
	}
	g, hf := k.vector(), k.vector()
	want := objective.Want[float64]{Gradient: g, Vectors: [][]float64{k.f}, Products: [][]float64{hf}}
	var losses [2]float64
	for i := range losses {
		e, err := k.o.Evaluate(k.ctx, k.theta, objective.Full, want)
		if err != nil {
			return check, true, err
		}
		losses[i] = e.Loss
		check.Difference = max(check.Difference, difference(g, k.g, 0), difference(hf, k.hf, 0))
	}
	check.Difference = max(check.Difference, difference(losses[:1], losses[1:], 0))
	return check, true, nil
}

// slopes returns how far the slopes that differences give are from those that a vector has, relative to the largest, at the step of those tried
// that suits them best.
func (k *checker) slopes(exactly []float64, differ func(direction []float64, step float64) (float64, error)) (float64, error) {
	r := rand.New(rand.NewPCG(1, 0xf0e16))
	var exact []float64
	steps := []float64{1e-1, 1e-2, 1e-3, 1e-4}
	approximate := make([][]float64, len(steps))
	for range foreignDirections {
		direction := k.vector()
		for j, x := range k.theta {
			direction[j] = math.Max(1e-2, math.Abs(x)) * r.NormFloat64()
		}
		exact = append(exact, dot(direction, exactly))
		for i, step := range steps {
			slope, err := differ(direction, step)
			if err != nil {
				return 0, err
			}
			approximate[i] = append(approximate[i], slope)
		}
	}
	best := math.Inf(1)
	for _, a := range approximate {
		best = math.Min(best, difference(a, exact, 0))
	}
	return best, nil
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// along returns the central difference of order 4 of a function along a direction.
func (k *checker) along(direction []float64, step float64, f func(at []float64) (float64, error)) (float64, error) {
	slope, at := 0.0, k.vector()
	for _, p := range []struct{ shift, weight float64 }{{-2, 1. / 12}, {-1, -2. / 3}, {1, 2. / 3}, {2, -1. / 12}} {
		for j, x := range k.theta {
			at[j] = x + p.shift*step*direction[j]
		}
		value, err := f(at)
		if err != nil {
			return 0, err
		}
		slope += p.weight * value / step
	}
	return slope, nil
}
