package modeq

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/engine"
	"shadowflow/rule"
)

// wayApart returns how far an optimizer and its iteration without memory of an order, theta - lr F - lr^2 C_mem, are apart after some time, from one
// start.
func wayApart(t *testing.T, r *rule.Rule, order func(int) int, terms int, lr float64, steps int) float64 {
	t.Helper()
	o := threePairs(t)
	s := mustSecond(t, r, o, SecondOptions{Order: order, MemoryAlone: true})
	theta := []float64{0.9, 0.6}
	beside := []float64{0.9, 0.6}
	stepper, err := rule.NewStepper[float64](r, numeric(o).Blocks(), engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := range steps {
		batch := s.name(s.batchOf(n))
		if err := stepper.Step(lr, theta, gradient(t, numeric(o), batch, theta)); err != nil {
			t.Fatal(err)
		}
		f, c := evaluate(t, s, n, beside)
		for j := range beside {
			beside[j] -= lr * f[j]
			if terms == 2 {
				beside[j] -= lr * lr * c[j]
			}
		}
	}
	return math.Hypot(theta[0]-beside[0], theta[1]-beside[1])
}

func TestTheMemorysPartAloneMakesTheIterationWithoutMemory(t *testing.T) {
	for name, r := range rules(t) {
		for orderName, order := range map[string]func(int) int{"full": nil, "cyclic": Cyclic(3)} {
			for terms := 1; terms <= 2; terms++ {
				t.Run(fmt.Sprintf("%s, %s, order %d", name, orderName, terms), func(t *testing.T) {
					const lr, steps = 1e-3, 50
					coarse, fine := wayApart(t, r, order, terms, lr, steps), wayApart(t, r, order, terms, lr/2, 2*steps)
					if slope := math.Log2(coarse / fine); coarse > 1e-13 && !(slope > float64(terms)-0.3) {
						t.Errorf("%g apart, at half the step size %g: slope %.2f", coarse, fine, slope)
					}
				})
			}
		}
	}
}
