package central

import (
	"math"
	"os"
	"slices"
	"testing"

	"shadowflow/dataset"
	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
)

func digits[T graph.Float](t testing.TB, size int, a nn.Architecture) *network.Objective[T] {
	t.Helper()
	d := dataset.Digits()
	part, err := d.Train.Balanced(size, d.Classes, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Build(d.Shape, d.Classes)
	if err != nil {
		t.Fatal(err)
	}
	o, err := network.New[T](m, nn.MeanSquared, part, network.Options{MicroBatch: 400})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// iterates are the points of an optimizer with a central flow, and its mean square before each step.
type iterates struct {
	theta, nu [][]float64
	g         [][]float64
	loss      []float64
}

func iterate(t *testing.T, o objective.Objective[float64], optimizer Optimizer, theta []float64, steps int) iterates {
	t.Helper()
	var all iterates
	nu := make([]float64, optimizer.moments(len(theta)))
	for n := range steps + 1 {
		g := make([]float64, len(theta))
		e, err := o.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g})
		if err != nil {
			t.Fatal(err)
		}
		all.theta, all.nu = append(all.theta, slices.Clone(theta)), append(all.nu, slices.Clone(nu))
		all.g, all.loss = append(all.g, g), append(all.loss, e.Loss)
		for j, v := range optimizer.Move(n, nu, g) {
			theta[j] -= v
		}
	}
	return all
}

func mean(x, y []float64) []float64 {
	out := slices.Clone(x)
	for j, v := range y {
		out[j] = (v + x[j]) / 2
	}
	return out
}

// wantCentral follows the flow from the iterates at step from, and compares it with the mean of the iterates before and behind each of the
// steps at: its distance over the distance travelled, and its loss with the loss of that mean. Its largest curvature is to be at most that.
func wantCentral(t *testing.T, o objective.Objective[float64], optimizer Optimizer, its iterates, from int, at []int, distance, loss, curvature float64) {
	t.Helper()
	f := newFlow(t, o, optimizer, nil, nil)
	Start(f, its.theta[from], its.g[from], its.nu[from])
	for n := from; n <= slices.Max(at); n++ {
		before, p := slices.Clone(f.Theta()), predict(t, f, n)
		advance(t, f, n)
		if !slices.Contains(at, n) {
			continue
		}
		here, middle := mean(before, f.Theta()), mean(its.theta[n], its.theta[n+1])
		d := diagnose.Distance(here, middle) / diagnose.Distance(middle, its.theta[from])
		lossAt := func(theta []float64) float64 {
			e, err := o.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{})
			if err != nil {
				t.Fatal(err)
			}
			return e.Loss
		}
		t.Logf("step %d: distance %.4f, loss %.5f (mean of iterates %.5f), mean loss %.5f (%.5f), amplitude %.4f (%.4f), curvature %.4f, "+
			"%d directions", n, d, lossAt(here), lossAt(middle), p.MeanLoss, (its.loss[n]+its.loss[n+1])/2,
			p.Amplitude, diagnose.Distance(its.theta[n], its.theta[n+1])/2, p.Curvature, p.Directions)
		if !(d <= distance) {
			t.Errorf("step %d: distance %.4f, want at most %v", n, d, distance)
		}
		if !(math.Abs(lossAt(here)/lossAt(middle)-1) <= loss) {
			t.Errorf("step %d: loss %v, the mean of the iterates has %v", n, lossAt(here), lossAt(middle))
		}
		if p.Curvature > curvature {
			t.Errorf("step %d: the largest curvature is %v, want at most %v", n, p.Curvature, curvature)
		}
	}
}

var mlp = &nn.MLP{Hidden: []int{32, 32}, Activation: "tanh"}

func TestGradientDescentOnDigitsFollowsItsCentralFlow(t *testing.T) {
	o, gd := digits[float64](t, 100, mlp), Optimizer{LR: .9}
	its := iterate(t, o, gd, o.Start(), 201)
	wantCentral(t, o, gd, its, 0, []int{160, 180, 200}, .04, .03, 2.002)
}

func TestRMSPropOnDigitsFollowsItsCentralFlow(t *testing.T) {
	o := digits[float64](t, 100, &nn.MLP{Hidden: []int{16}, Activation: "tanh"})
	rmsprop := Optimizer{LR: .005, Average: Elements, Beta2: .99, Eps: 1e-7}
	its := iterate(t, o, rmsprop, o.Start(), 121)
	wantCentral(t, o, rmsprop, its, 60, []int{80, 100, 120}, .1, .1, 2.002)
}

// A flow starts below the threshold, as the ViT is from step 60. What a CNN's kinks add to the change of curvature no third derivative sees.
func TestLongCentralFlowsOnDigits(t *testing.T) {
	if os.Getenv("SHADOWFLOW_LONG") == "" {
		t.Skip("minutes; set SHADOWFLOW_LONG=1")
	}
	gd, scalar := Optimizer{LR: .9}, Optimizer{LR: .02, Average: Norm, Beta2: .99, Corrected: true}
	rmsprop := Optimizer{LR: .005, Average: Elements, Beta2: .99, Eps: 1e-7, Corrected: true}
	for name, c := range map[string]struct {
		model                     nn.Architecture
		examples                  int
		optimizer                 Optimizer
		from                      int
		at                        []int
		distance, loss, curvature float64
	}{
		"gradient descent on an MLP": {mlp, 400, gd, 0, []int{200, 400, 600, 800}, .03, .02, 2.002},
		"gradient descent on a CNN":  {&nn.CNN{Channels: []int{8, 8}, Dense: 16}, 100, gd, 0, []int{100, 200, 300, 400}, .4, .3, 2.2},
		"gradient descent on a ViT":  {&nn.ViT{Patch: 2, Dim: 16, Depth: 2, Heads: 2, DimHead: 8, MLP: 32}, 100, gd, 60, []int{120, 180, 240}, .1, .1, 2.01},
		"RMSProp on an MLP":          {mlp, 400, rmsprop, 60, []int{120, 240, 360, 480}, .13, .1, 2.01},
		"scalar RMSProp on an MLP":   {mlp, 400, scalar, 60, []int{120, 240, 360, 480}, .1, .1, 2.01},
	} {
		t.Run(name, func(t *testing.T) {
			o := digits[float64](t, c.examples, c.model)
			wantCentral(t, o, c.optimizer, iterate(t, o, c.optimizer, o.Start(), slices.Max(c.at)+1), c.from, c.at, c.distance, c.loss, c.curvature)
		})
	}
}

func TestThreadsChangeNoBitOfAFlow(t *testing.T) {
	d := dataset.Digits()
	m, err := mlp.Build(d.Shape, d.Classes)
	if err != nil {
		t.Fatal(err)
	}
	at := func(threads int) []float64 {
		o, err := network.New[float32](m, nn.MeanSquared, d.Train, network.Options{Threads: threads, MicroBatch: 500})
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(o, Optimizer{LR: 2}, Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		copy(f.Theta(), o.Start())
		oscillates := false
		for n := range 3 {
			p, err := f.Predict(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			oscillates = oscillates || p.Amplitude > 0
			if err := f.Step(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if !oscillates {
			t.Error("no oscillation: want a start at the edge")
		}
		return f.Theta()
	}
	if !slices.Equal(at(1), at(3)) {
		t.Error("three threads give other bits than one")
	}
}

// A step of a central flow at the edge with three directions beside a gradient: 4 gradients, about 10 products and 6 third derivatives.
func BenchmarkStep(b *testing.B) {
	o := digits[float32](b, 400, mlp)
	f, err := New(o, Optimizer{LR: .9}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	copy(f.Theta(), o.Start())
	g, theta := make([]float32, o.Dim()), make([]float32, o.Dim())
	step := func(n int) Prediction {
		p, err := f.Predict(b.Context(), n)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Step(b.Context(), n); err != nil {
			b.Fatal(err)
		}
		return p
	}
	n := 0
	for n < 1000 && step(n).Directions < 3 {
		n++
	}
	b.Run("gradient", func(b *testing.B) {
		for b.Loop() {
			if _, err := o.Evaluate(b.Context(), theta, objective.Full, objective.Want[float32]{Gradient: g}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step", func(b *testing.B) {
		for b.Loop() {
			n++
			step(n)
		}
	})
}
