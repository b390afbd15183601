package run

import (
	"fmt"
	"math"
	"slices"
	"strings"
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

// The realized bias taken away, a step is theta - lr F of the gradient alone, here g / sqrt(g^2 + eps), however far from the expansion's reach; doubled, it is
// as far from that again as Adam's own, whose memory then is that of the same gradients.
func TestTheRealizedBiasIsScaledInTheStepItself(t *testing.T) {
	const eps, lr = 1e-6, 1e-2
	at := func(t *testing.T, setting ...string) (*Loop[float64], func(n int)) {
		c := parse(t, small, append(setting, "dtype=float64", "beside=[]", "record={every: 1, bias: 0, sharpness: 0, state: 0, test: 0}",
			"optimizer={name: adam, beta1: 0.9, beta2: 0.999, eps: 1e-6, lr: 1e-2}")...)
		tr, err := newTraining[float64](t.Context(), c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tr.loop.makeRoom()
		return tr.loop, func(n int) {
			if _, err := tr.loop.advance(t.Context(), nil, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, scale := range []float64{-1, 1} {
		t.Run(fmt.Sprint("scale ", scale), func(t *testing.T) {
			plain, step := at(t)
			scaled, scaledStep := at(t, "bias={of: realized, scale: "+fmt.Sprint(scale)+"}")
			theta, own := scaled.Optimizer.theta, plain.Optimizer.theta
			g := make([]float64, len(theta))
			farthest := 0.0
			for n := range 20 {
				copy(own, theta) // so that both have seen the same gradients
				before := slices.Clone(theta)
				if _, err := scaled.Optimizer.bias.term.objective.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
					t.Fatal(err)
				}
				scaledStep(n)
				step(n)
				for j, v := range before {
					f := v - lr*g[j]/math.Sqrt(g[j]*g[j]+eps)
					want := own[j] + scale*(own[j]-f)
					if math.Abs(theta[j]-want) > 1e-12 {
						t.Fatalf("step %d: element %d is %v, want %v", n, j, theta[j], want)
					}
					farthest = max(farthest, math.Abs(own[j]-f))
				}
			}
			if farthest < 1e-3 {
				t.Errorf("Adam was within %v of the step without memory: nothing was tested", farthest)
			}
		})
	}
}

func TestWhatDoesNotGoWithTheRealizedBiasScaledIsRefused(t *testing.T) {
	for _, setting := range []string{"record.bias=1", "beside=[memoryless-1]", "beside=[memoryless-2]", "beside=[memoryless-3]", "beside=[state-1]", "beside=[iteration-1]"} {
		t.Run(setting, func(t *testing.T) {
			c := parse(t, small, "beside=[]", "record={bias: 0, sharpness: 0}", "bias={of: realized, scale: -1}", setting)
			_, err := newTraining[float64](t.Context(), c, Options{})
			if err == nil || !strings.Contains(err.Error(), "realized") {
				t.Errorf("error %v, want one about the realized bias", err)
			}
		})
	}
}

// With mini-batches the update without memory is made from the batches that the memory holds.
func TestTheRealizedBiasOfMiniBatchesIsTakenAway(t *testing.T) {
	const lr = 1e-2
	c := parse(t, small, "dtype=float64", "beside=[]", "record={every: 1, bias: 0, sharpness: 0, state: 0, test: 0}", "batch={mode: shuffled, size: 50}", "bias={of: realized, scale: -1}",
		"optimizer={name: adam, beta1: 0.6, beta2: 0.8, eps: 1e-6, lr: 1e-2}")
	tr, err := newTraining[float64](t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	loop := tr.loop
	loop.makeRoom()
	theta := loop.Optimizer.theta
	f := make([]float64, len(theta))
	for n := range 4 {
		before := slices.Clone(theta)
		if err := loop.Optimizer.bias.term.general.At(t.Context(), n, theta, f, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := loop.advance(t.Context(), nil, n); err != nil {
			t.Fatal(err)
		}
		for j, v := range before {
			if want := v - lr*f[j]; math.Abs(theta[j]-want) > 1e-12 {
				t.Fatalf("step %d: element %d is %v, want %v", n, j, theta[j], want)
			}
		}
	}
}
