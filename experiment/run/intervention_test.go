package run

import (
	"math"
	"slices"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/objective"
)

// The bias taken away (scale -1), the iterates follow the equation of first order to second order in h; doubled (scale 1), they
// follow that with twice the bias (theory, section 5).
func TestInterventionChangesTheBiasAndNothingElse(t *testing.T) {
	distances := func(t *testing.T, scale, lr, steps string) (first, second float64) {
		_, h := runFor(t, small, "dtype=float64", "record={every: 100, bias: 0, sharpness: 0, test: 0}", "steps="+steps, "bias.scale="+scale,
			"beside=[memoryless-1, memoryless-2]", "flow.start=0", "optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, lr: "+lr+"}")
		last := len(h.Rows) - 1
		return h.Floats("memoryless-1.distance")[last], h.Floats("memoryless-2.distance")[last]
	}
	for _, scale := range []string{"-1", "1"} {
		t.Run("scale "+scale, func(t *testing.T) {
			first, second := distances(t, scale, "4e-4", "25")
			halfFirst, halfSecond := distances(t, scale, "2e-4", "50")
			slopes := [2]float64{math.Log2(first / halfFirst), math.Log2(second / halfSecond)}
			want := [2]float64{1, 2}
			if scale == "-1" {
				want[0] = 2
			}
			for i := range slopes {
				if math.Abs(slopes[i]-want[i]) > 0.4 {
					t.Errorf("the distance of order %d shrinks with slope %.3f, want about %v", i+1, slopes[i], want[i])
				}
			}
		})
	}
}

func TestPenaltyIsTheGradientOfThePenalizedLoss(t *testing.T) {
	for _, kind := range []string{"perturbed-one-norm", "two-norm-squared"} {
		for _, bias := range []string{"record.bias=0", "record.bias=1"} {
			t.Run(kind+", "+bias, func(t *testing.T) {
				c := parse(t, small, "dtype=float64", "beside=[]", "optimizer.eps=1e-4", bias,
					"regularizer={kind: "+kind+", weight: 0.3}")
				tr, err := newTraining[float64](t.Context(), c, Options{})
				if err != nil {
					t.Fatal(err)
				}
				loop := tr.loop
				loop.makeRoom()
				if err := loop.observe(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				start := loop.point.Theta
				found, err := loop.Optimizer.penalty.gradient(t.Context(), &loop.point)
				if err != nil {
					t.Fatal(err)
				}
				g := make([]float64, len(start))
				penalized := func(theta []float64) float64 {
					e, err := tr.problem.Objective.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g})
					if err != nil {
						t.Fatal(err)
					}
					n := diagnose.GradientNorms(g, 1e-4)
					if kind == "perturbed-one-norm" {
						return e.Loss + 0.3*n.Perturbed
					}
					return e.Loss + 0.3*n.Two*n.Two
				}
				total := slices.Clone(found)
				for _, i := range []int{0, 100, 300, len(total) - 1} {
					const d = 1e-5
					theta := slices.Clone(start)
					theta[i] += d
					up := penalized(theta)
					theta[i] -= 2 * d
					if want := (up - penalized(theta)) / (2 * d); math.Abs(total[i]-want) > 1e-6*(1+math.Abs(want)) {
						t.Errorf("element %d of the gradient is %v, differences give %v", i, total[i], want)
					}
				}
			})
		}
	}
}
