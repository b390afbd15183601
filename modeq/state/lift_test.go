package state

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
)

func liftOf(t *testing.T, name string, values map[string]any, order int, loss func(theta graph.Value) graph.Value) *Lift[float64] {
	t.Helper()
	o := objective.NewNumeric[float64](&objective.Function{Dim: 1, Batch: func(theta graph.Value, _ int) graph.Value { return loss(theta) }}, 1)
	l, err := NewLift[float64](fixture.Rule(t, name, values), o, order, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Gradient descent on a x^2/2 with x = lr a: zbar is multiplied by 1 - x, and zeta by x - 1.
func TestTheLiftOfGradientDescentOnAParabola(t *testing.T) {
	const lr, a = 0.5, 3.6
	const x = lr * a
	for order, want := range map[int][2]float64{
		1: {-x, x - 2},
		2: {-x - x*x/2, (x - 2) - (x-2)*(x-2)/2},
	} {
		t.Run(fmt.Sprintf("order %d", order), func(t *testing.T) {
			l := liftOf(t, "gd", map[string]any{"lr": lr}, order, func(theta graph.Value) graph.Value {
				return theta.Square().Sum().Mul(theta.Like(a / 2))
			})
			dw := make([]float64, 2)
			if err := l.At(t.Context(), lr, 0, objective.Full, []float64{1.5, 0.25}, dw); err != nil {
				t.Fatal(err)
			}
			if math.Abs(dw[0]-1.5*want[0]) > 1e-14 || math.Abs(dw[1]-0.25*want[1]) > 1e-14 {
				t.Errorf("moves at %v, want %v", dw, [2]float64{1.5 * want[0], 0.25 * want[1]})
			}
		})
	}
}

// On theta^4/4 gradient descent flips between +-sqrt(2/lr), so the lift rests there; heavy ball between +-sqrt(2 (1+beta)/lr), with
// m = -theta^3/(1+beta) before the step that sees theta.
func TestTheLiftRestsOnAPeriodTwoOrbit(t *testing.T) {
	quartic := func(theta graph.Value) graph.Value {
		return theta.Square().Square().Sum().Mul(theta.Like(0.25))
	}
	const lr, beta = 0.1, 0.6
	plain := math.Sqrt(2 / lr)
	heavy := math.Sqrt(2 * (1 + beta) / lr)
	for _, c := range []struct {
		name   string
		values map[string]any
		w      []float64
	}{
		{"gd", map[string]any{"lr": lr}, []float64{0, plain}},
		{"heavy-ball", map[string]any{"lr": lr, "beta1": beta}, []float64{0, 0, heavy, -math.Pow(heavy, 3) / (1 + beta)}},
	} {
		for _, order := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, order %d", c.name, order), func(t *testing.T) {
				l := liftOf(t, c.name, c.values, order, quartic)
				dw := make([]float64, len(c.w))
				if err := l.At(t.Context(), lr, 5, objective.Full, c.w, dw); err != nil {
					t.Fatal(err)
				}
				for i, v := range dw {
					if math.Abs(v) > 1e-12*math.Abs(c.w[len(c.w)-1]) {
						t.Errorf("w[%d] moves at %g", i, v)
					}
				}
			})
		}
	}
}
