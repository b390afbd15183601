package state

import (
	"cmp"
	"fmt"
	"math"
	"testing"

	"shadowflow/flow"
	"shadowflow/internal/fixture"
	"shadowflow/rule"
)

// The theory's example: Adam without bias correction on the bilinear loss, tau = .05 and .12, far off the slow manifold.
const tau1, tau2 = 0.05, 0.12

func example(t testing.TB, lr float64, order int) (*Fields, []float64) {
	t.Helper()
	r := fixture.Rule(t, "adam", map[string]any{
		"beta1": math.Exp(-lr / tau1), "beta2": math.Exp(-lr / tau2), "eps": 0.3, "eps_inside": true, "bias_correction": false,
	})
	f, err := CompileFields(r, fixture.Loss(t, "bilinear", nil), 2, order, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := []float64{4.444, 6.464}
	return f, []float64{1.6, 1.1, g[0] / 2, g[1] / 2, 0.7 * g[0] * g[0], 0.7 * g[1] * g[1]}
}

func TestFieldsAreThoseOfTheTheorysExampleAtAnyStepSize(t *testing.T) {
	want := [][]float64{
		{-0.591233623302493, -0.5945728160739238, 44.44, 64.64, 49.37284, 104.45824},
		{-5.395661312212493, -5.420249412510592, 94.49437538883149, 126.39294182788603, 349.94417018997257, 680.836646646213},
		{16.043476201528335, 16.66074702543598, 907.3102942754049, 1210.0171952654036, 2803.6419447100434, 5415.987697571831},
		{-28.827730299549785, -26.239955261799878, 1397.4002995922183, 1786.4100816155733, 7567.957675039324, 13962.53512499803},
	}
	for _, lr := range []float64{0.02, 0.001} {
		t.Run(fmt.Sprintf("lr %g", lr), func(t *testing.T) {
			f, z := example(t, lr, len(want))
			got := make([][]float64, len(want))
			for j := range got {
				got[j] = make([]float64, f.Size())
			}
			if err := f.At(t.Context(), lr, 0, z, got); err != nil {
				t.Fatal(err)
			}
			for j, field := range want {
				for i, v := range field {
					if got := got[j][i] / math.Pow(lr, float64(j+1)); math.Abs(got-v) > 1e-12*math.Abs(v) {
						t.Errorf("f_%d[%d] = %.16g, want %.16g", j, i, got, v)
					}
				}
			}
		})
	}
}

// distance returns the largest distance of theta from the flow of the first order fields over 10 own steps, for steps of a size.
func distance(t testing.TB, f *Fields, lr, age, size float64, start []float64) float64 {
	t.Helper()
	const span = 10
	z := append([]float64(nil), start...)
	steps := int(math.Round(span / size))
	opt := flow.Options{RelTol: 1e-13, AbsTol: 1e-15}
	for k := range steps {
		opt.Times = append(opt.Times, float64(k+1)*size)
	}
	field := func(_ int, u float64, y, dydt []float64) error { return f.Sum(t.Context(), lr, age+u, size, y, dydt) }
	solution, err := flow.Integrate(t.Context(), flow.DormandPrince8, field, 0, span, z, opt)
	if err != nil {
		t.Fatal(err)
	}
	far := 0.0
	for k, row := range solution.Rows {
		if err := f.Step(t.Context(), lr, age+float64(k)*size, size, z); err != nil {
			t.Fatal(err)
		}
		for i := range f.dim {
			far = math.Max(far, math.Abs(z[i]-row[i]))
		}
	}
	return far
}

func TestTheFlowShadowsTheStepsToItsOrderInTheTheorysExample(t *testing.T) {
	want := map[int][]float64{ // at h = .02, .01, .005, .0025
		1: {3.73e-3, 1.90e-3, 9.61e-4, 4.83e-4},
		2: {6.51e-4, 1.64e-4, 4.12e-5, 1.03e-5},
		3: {6.37e-6, 1.15e-6, 1.66e-7, 2.22e-8},
		4: {2.37e-6, 1.50e-7, 9.38e-9, 5.87e-10},
	}
	for order, errs := range want {
		t.Run(fmt.Sprintf("order %d", order), func(t *testing.T) {
			f, z := example(t, 0.02, order)
			for i, v := range errs {
				if got := distance(t, f, 0.02, 0, math.Pow(2, -float64(i)), z); math.Abs(got-v) > 0.006*v {
					t.Errorf("h/%d: distance %.3g, want %.3g", 1<<i, got, v)
				}
			}
		})
	}
}

// Every built-in optimizer whose step is smooth at the point has the equation, with and without bias correction, from any start.
func TestTheSlopeOfTheErrorIsTheOrderForEveryOptimizer(t *testing.T) {
	rough := map[string]string{"rprop": "it takes signs", "sophia": "it reads the Hessian"}
	// Entries of state to start from, so that a maximum or a bound is no kink nearby and a deviation is not negative; the others are about 3.
	from := map[string]float64{"amsgrad.top": 40, "adopt.v": 90, "nadam.product": 0.1, "rmsprop.center": 0.1}
	for _, name := range rule.Names() {
		if rough[name] != "" {
			continue
		}
		keys, err := rule.Keys(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range []bool{false, true} {
			values, flags := map[string]any{}, false
			for _, k := range keys {
				switch k.Name {
				case "beta1", "momentum":
					values[k.Name] = 0.7
				case "beta3":
					values[k.Name] = 0.9
				case "beta2":
					values[k.Name] = 0.85
				case "eps":
					values[k.Name] = 0.3
				case "weight_decay":
					values[k.Name] = 0.1
				case "momentum_decay":
					if flag {
						values[k.Name] = 0.01
					}
				case "frequency":
					values[k.Name] = 1.0
				case "largest": // adafactor's
					values[k.Name] = 5.0
				}
				if _, ok := k.Default.(bool); ok {
					values[k.Name], flags = flag, true
				}
			}
			if flag && !flags {
				continue
			}
			t.Run(fmt.Sprintf("%s, flags %v", name, flag), func(t *testing.T) {
				r := fixture.Rule(t, name, values)
				lr := 0.02
				if name == "gd" || name == "heavy-ball" || name == "nesterov" {
					lr = 0.005
				}
				z := []float64{1.3, 1.6}
				for i, entry := range r.State {
					v := cmp.Or(from[name+"."+entry], 3.1)
					z = append(z, []float64{v, 4.3 / 3.1 * v}[:r.Length(i, 2)]...)
				}
				for order := 1; order <= 5; order++ {
					f, err := CompileFields(r, fixture.Loss(t, "bilinear", nil), 2, order, 1)
					if err != nil {
						t.Fatal(err)
					}
					size := 1.0 / 64 // where the terms of the next orders do not cancel it any more
					if order > 3 {
						size = 1.0 / 32
					}
					a, b := distance(t, f, lr, 7, size, z), distance(t, f, lr, 7, size/2, z)
					slope := math.Log2(a / b)
					for k := 4.0; slope < float64(order)-0.2 && k <= 16; k *= 2 { // terms of the next orders are still there
						a, b = b, distance(t, f, lr, 7, size/k, z)
						slope = math.Log2(a / b)
					}
					if b > 1e-12 && !(slope > float64(order)-0.2) {
						t.Errorf("order %d: distances %.3g and %.3g, slope %.2f", order, a, b, slope)
					}
				}
			})
		}
	}
}
