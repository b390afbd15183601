package central

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/flow"
	"shadowflow/graph"
	"shadowflow/objective"
)

// valley is E = sum_i [ (1/2) k_i (1 + y_i) x_i^2 - c_i y_i ] + (1/2) |z|^2, theta = (x.., y.., z..): on its floor x = 0 the gradient in y drives each
// curvature k_i (1 + y_i) up, and an oscillation in x_i drives it down.
func valley(k, c []float64, rest int) *objective.Numeric[float64] {
	n := len(k)
	return objective.NewNumeric[float64](&objective.Function{Dim: 2*n + rest, Batch: func(theta graph.Value, _ int) graph.Value {
		loss := theta.SliceAxis(0, 2*n, 2*n+rest).Square().Sum().Mul(theta.Like(0.5))
		for i := range n {
			x, y := theta.At(i), theta.At(n+i)
			loss = loss.Add(y.Add(y.Like(1)).Mul(x.Square()).Mul(x.Like(k[i] / 2))).Sub(y.Mul(y.Like(c[i])))
		}
		return loss
	}}, 1)
}

func newFlow(t *testing.T, o objective.Objective[float64], optimizer Optimizer, theta, nu []float64) *Flow[float64] {
	t.Helper()
	f, err := New(o, optimizer, Options{})
	if err != nil {
		t.Fatal(err)
	}
	copy(f.Theta(), theta)
	copy(f.Nu(), nu)
	return f
}

func predict(t *testing.T, f *Flow[float64], n int) Prediction {
	t.Helper()
	p, err := f.Predict(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func advance(t *testing.T, f *Flow[float64], n int) {
	t.Helper()
	if err := f.Step(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

// One critical direction u: Sigma = s u u' with s = max(0, -2 grad lambda . g / |grad lambda|^2). In the valley grad lambda is k along y, and
// g is -c there, so s = 2c/k, the mean loss c, and the flow rests at the edge.
func TestGradientDescentWithOneDirectionHasTheClosedForm(t *testing.T) {
	const lr, c = .1, .3
	for _, c := range []float64{c, -c} {
		t.Run(fmt.Sprintf("c = %v", c), func(t *testing.T) {
			f := newFlow(t, valley([]float64{2 / lr}, []float64{c}, 10), Optimizer{LR: lr}, nil, nil)
			p := predict(t, f, 0)
			s := max(0, lr*c)
			if math.Abs(p.Amplitude-math.Sqrt(s)) > 1e-9 || math.Abs(p.MeanLoss-s/lr) > 1e-9 || p.Loss != 0 || p.Directions != 1 || math.Abs(p.Curvature-2) > 1e-9 {
				t.Errorf("%+v, want amplitude %v", p, math.Sqrt(s))
			}
			advance(t, f, 0)
			if y, want := f.Theta()[1], min(0, lr*c); math.Abs(y-want) > 1e-9 {
				t.Errorf("y = %v after a step, want %v", y, want)
			}
		})
	}
}

// In the valley gradient descent has an orbit of period two: x = +-sqrt(s) at rest in y.
func TestThePredictedOrbitIsThatOfGradientDescent(t *testing.T) {
	const lr = .1
	o := valley([]float64{2 / lr, 2 / lr}, []float64{.3, .7}, 10)
	f := newFlow(t, o, Optimizer{LR: lr}, nil, nil)
	p, theta, g := predict(t, f, 0), make([]float64, 14), make([]float64, 14)
	if p.Directions != 2 {
		t.Fatalf("%+v, want two directions", p)
	}
	theta[0], theta[1] = math.Sqrt(lr*.3), math.Sqrt(lr*.7)
	if size := math.Hypot(theta[0], theta[1]); math.Abs(p.Amplitude-size) > 1e-6 {
		t.Errorf("amplitude %v, want %v", p.Amplitude, size)
	}
	for n := range 20 {
		e, err := o.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g})
		if err != nil {
			t.Fatal(err)
		}
		if p := predict(t, f, n); math.Abs(p.MeanLoss-e.Loss) > 1e-6 {
			t.Errorf("step %d: mean loss %v, want %v", n, p.MeanLoss, e.Loss)
		}
		for j := range theta {
			theta[j] -= lr * g[j]
		}
		advance(t, f, n)
		for j, v := range f.Theta()[2:] {
			if math.Abs(v-theta[2+j]) > 1e-6 {
				t.Errorf("step %d: parameter %d is %v, that of gradient descent %v", n, 2+j, v, theta[2+j])
			}
		}
	}
}

// With RMSProp the oscillation also raises nu, and so P. Over a step 2 dp = dH, with dy = (c - k s/2)/p_y and what k^2 s adds to nu beyond its own way,
// gives s.
func TestRMSPropWithOneDirectionHasTheClosedForm(t *testing.T) {
	const lr, k, n = .01, 3, 7
	for _, o := range []Optimizer{
		{LR: lr, Average: Elements, Beta2: .9, Eps: 1e-3},
		{LR: lr, Average: Elements, Beta2: .9, Eps: 1e-5, EpsInside: true},
		{LR: lr, Average: Elements, Beta2: .99, Eps: 1e-3, Corrected: true},
		{LR: lr, Average: Norm, Beta2: .9, Eps: 1e-3},
		{LR: lr, Average: Norm, Beta2: .99, Eps: 1e-5, EpsInside: true, Corrected: true},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			share := func(n int) float64 {
				if !o.Corrected {
					return 1
				}
				return 1 - math.Pow(o.Beta2, float64(n+1))
			}
			p := func(n int, nu float64) float64 {
				if o.EpsInside {
					return math.Sqrt(nu/share(n)+o.Eps) / lr
				}
				return (math.Sqrt(nu/share(n)) + o.Eps) / lr
			}
			start := math.Pow(k/2.*lr-o.Eps, 2) * share(n) // where p = k/2
			if o.EpsInside {
				start = (k*k/4.*lr*lr - o.Eps) * share(n)
			}
			nu, c, py, g2 := slices.Repeat([]float64{start}, o.moments(12)), .3, k/2., 0.
			if o.Average == Norm {
				c = .01
				g2 = c * c
			} else {
				nu[1] *= 4
				py = p(n, nu[1])
			}
			r := (1 - o.Beta2) / o.Beta2
			next := start + r*(g2-start)
			slope := (p(n+1, next*1.0001) - p(n+1, next*.9999)) / (.0002 * next)
			s := (k*c/py - 2*(p(n+1, next)-k/2.)) / (2*slope*r*k*k + k*k/(2*py))
			f := newFlow(t, valley([]float64{k}, []float64{c}, 10), o, nil, nu)
			says := predict(t, f, n)
			if !(s > 0) || says.Directions != 1 || math.Abs(says.Curvature-2) > 1e-9 || math.Abs(says.Amplitude/math.Sqrt(s)-1) > 1e-7 {
				t.Fatalf("%+v, want amplitude %v", says, math.Sqrt(s))
			}
			for step := range 6 {
				advance(t, f, n+step)
			}
			if says := predict(t, f, n+6); math.Abs(says.Curvature-2) > 0.01 || says.Amplitude == 0 {
				t.Errorf("after 6 steps %+v, want the edge", says)
			}
		})
	}
}

func TestAwayFromTheEdgeItIsTheStableFlow(t *testing.T) {
	o := valley([]float64{1}, []float64{.2}, 10)
	start := []float64{.5, .1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	nu := slices.Repeat([]float64{.01}, 12)
	optimizer := Optimizer{LR: .1, Average: Elements, Beta2: .9, Eps: .1}
	f := newFlow(t, o, optimizer, start, nu)
	stable := func(_ int, _ float64, y, dydt []float64) error {
		g := make([]float64, 12)
		_, err := o.Evaluate(t.Context(), y[:12], objective.Full, objective.Want[float64]{Gradient: g})
		for j, v := range g {
			dydt[j], dydt[12+j] = -.1*v/(math.Sqrt(y[12+j])+.1), (v*v-y[12+j])/9
		}
		return err
	}
	want, err := flow.Integrate(t.Context(), flow.RK4, stable, 0, 10, slices.Concat(start, nu), flow.Options{Step: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if p := predict(t, f, n); p.Directions != 0 || p.Amplitude != 0 || p.MeanLoss != p.Loss {
			t.Fatalf("step %d: %+v, want no oscillation", n, p)
		}
		advance(t, f, n)
	}
	for j, v := range slices.Concat(f.Theta(), f.Nu()) {
		if math.Abs(v-want.Y[j]) > 1e-14 {
			t.Errorf("element %d is %v, that of the stable flow %v", j, v, want.Y[j])
		}
	}
}

// A start takes over the optimizer's theta, and nu as it is after the coming step.
func TestAStartIsWhereTheOptimizerStands(t *testing.T) {
	for average, want := range map[Averaged][]float64{Nothing: {}, Norm: {.9*2 + .1*(16+9)}, Elements: {.9*2 + .1*16, .9*5 + .1*9, 0}} {
		t.Run(fmt.Sprintf("average %v", average), func(t *testing.T) {
			f := newFlow(t, valley([]float64{1}, []float64{1}, 1), Optimizer{LR: 1, Average: average, Beta2: .9}, nil, nil)
			Start(f, []float32{1, 2, 3}, []float32{4, -3, 0}, []float32{2, 5, 0})
			if !slices.Equal(f.Theta(), []float64{1, 2, 3}) {
				t.Errorf("theta %v", f.Theta())
			}
			for i, v := range f.Nu() {
				if math.Abs(v-want[i]) > 1e-14 {
					t.Errorf("nu %v, want %v", f.Nu(), want)
				}
			}
		})
	}
}

func TestAStepThatIsBrokenOffMovesNothing(t *testing.T) {
	const lr = .1
	o := valley([]float64{2.2 / lr, 1.9 / lr}, []float64{.3, .7}, 10)
	start := slices.Repeat([]float64{.01}, 14)
	straight, broken := newFlow(t, o, Optimizer{LR: lr}, start, nil), newFlow(t, o, Optimizer{LR: lr}, start, nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range 8 {
		advance(t, straight, n)
		if err := broken.Step(ended, n); !errors.Is(err, context.Canceled) {
			t.Fatalf("step %d with an ended context: %v", n, err)
		}
		copied := newFlow(t, o, Optimizer{LR: lr}, broken.Theta(), nil) // as from a checkpoint
		for i, v := range broken.Vectors() {
			copy(copied.Vectors()[i], v)
		}
		broken = copied
		advance(t, broken, n)
		if !slices.Equal(broken.Theta(), straight.Theta()) {
			t.Fatalf("step %d: other bits than without a break", n)
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	o := valley([]float64{1}, []float64{1}, 4)
	for says, c := range map[string]Optimizer{
		"lr 0: want a number above 0": {},
		"lr NaN":                      {LR: math.NaN()},
		"beta2 0: want a number":      {LR: 1, Average: Norm},
		"beta2 1: want a number":      {LR: 1, Average: Elements, Beta2: 1},
		"eps -1: want a number":       {LR: 1, Average: Elements, Beta2: .9, Eps: -1},
	} {
		t.Run(says, func(t *testing.T) {
			if _, err := New(o, c, Options{}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want an error that says %q, got %v", says, err)
			}
		})
	}
	if _, err := New(valley([]float64{1}, []float64{1}, 0), Optimizer{LR: 1}, Options{}); err == nil || !strings.Contains(err.Error(), "want at least 3") {
		t.Errorf("2 parameters: %v", err)
	}
}

func TestAFlowThatCannotGoOnSaysWhy(t *testing.T) {
	wide := []float64{20, 20, 20, 20, 20}
	bowl := objective.NewNumeric[float64](&objective.Function{Dim: 9, Batch: func(theta graph.Value, _ int) graph.Value {
		return theta.At(0).Square().Mul(theta.Like(0.5))
	}}, 1)
	for says, f := range map[string]*Flow[float64]{
		"3 directions are critical": func() *Flow[float64] {
			f, err := New(valley(wide, wide, 10), Optimizer{LR: .1}, Options{Directions: 1})
			if err != nil {
				t.Fatal(err)
			}
			return f
		}(),
		"no oscillation of finite size": newFlow(t, bowl, Optimizer{LR: 2.1}, nil, nil),
		"the loss is NaN":               newFlow(t, valley([]float64{1}, []float64{1}, 10), Optimizer{LR: 1}, []float64{math.NaN()}, nil),
	} {
		t.Run(says, func(t *testing.T) {
			_, err := f.Predict(t.Context(), 3)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "step 3") {
				t.Errorf("want an error that says %q, got %v", says, err)
			}
		})
	}
}
