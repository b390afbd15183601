package flow

import (
	"context"
	"fmt"
	"math"
	"testing"
)

// A problem has a known solution.
type problem struct {
	name  string
	field Field
	t1    float64
	y0    []float64
	exact func(t float64, y []float64)
}

// kepler is an orbit of eccentricity 0.3 with the Sun at the origin; its exact
// position comes from Kepler's equation.
func kepler() problem {
	const e = 0.3
	return problem{
		name: "kepler",
		field: func(_ int, _ float64, y, d []float64) error {
			r3 := math.Pow(y[0]*y[0]+y[1]*y[1], 1.5)
			d[0], d[1], d[2], d[3] = y[2], y[3], -y[0]/r3, -y[1]/r3
			return nil
		},
		t1: 3,
		y0: []float64{1 - e, 0, 0, math.Sqrt((1 + e) / (1 - e))},
		exact: func(t float64, y []float64) {
			u := t
			for range 50 {
				u -= (u - e*math.Sin(u) - t) / (1 - e*math.Cos(u))
			}
			du := 1 / (1 - e*math.Cos(u))
			b := math.Sqrt(1 - e*e)
			y[0], y[1] = math.Cos(u)-e, b*math.Sin(u)
			y[2], y[3] = -math.Sin(u)*du, b*math.Cos(u)*du
		},
	}
}

// forced is linear and depends on t: y' = y cos 2t.
func forced() problem {
	return problem{
		name: "forced",
		field: func(_ int, t float64, y, d []float64) error {
			d[0] = y[0] * math.Cos(2*t)
			return nil
		},
		t1:    2,
		y0:    []float64{1.5},
		exact: func(t float64, y []float64) { y[0] = 1.5 * math.Exp(math.Sin(2*t)/2) },
	}
}

// logistic is y' = y (1 - y).
func logistic() problem {
	return problem{
		name:  "logistic",
		field: func(_ int, _ float64, y, d []float64) error { d[0] = y[0] * (1 - y[0]); return nil },
		t1:    4,
		y0:    []float64{0.1},
		exact: func(t float64, y []float64) { y[0] = 1 / (1 + 9*math.Exp(-t)) },
	}
}

func problems() []problem { return []problem{kepler(), forced(), logistic()} }

func maxDistance(a, b []float64) float64 {
	worst := 0.0
	for i, v := range a {
		worst = max(worst, math.Abs(v-b[i]))
	}
	return worst
}

// errorsAt returns the error at the end and the largest one between the steps.
func errorsAt(t *testing.T, m *Method, p problem, opt Options) (end, dense float64) {
	t.Helper()
	for i := range 173 {
		opt.Times = append(opt.Times, p.t1*float64(i)/173)
	}
	sol, err := Integrate(context.Background(), m, p.field, 0, p.t1, p.y0, opt)
	if err != nil {
		t.Fatalf("%s, %s: %v", m.name, p.name, err)
	}
	want := make([]float64, len(p.y0))
	p.exact(p.t1, want)
	end = maxDistance(sol.Y, want)
	for i, at := range opt.Times {
		p.exact(at, want)
		dense = max(dense, maxDistance(sol.Rows[i], want))
	}
	return end, dense
}

func TestErrorFallsWithTheMethodsOrder(t *testing.T) {
	// Steps an interval: the coarser of the two step sizes, in the asymptotic range
	// and with errors well above rounding.
	steps := map[string]map[*Method]float64{
		"kepler":   {Euler: 192, RK4: 48, DormandPrince5: 24, DormandPrince8: 32},
		"forced":   {Euler: 192, RK4: 48, DormandPrince5: 48, DormandPrince8: 6},
		"logistic": {Euler: 192, RK4: 48, DormandPrince5: 12, DormandPrince8: 4},
	}
	for _, p := range problems() {
		for _, m := range methods() {
			t.Run(m.name+" on "+p.name, func(t *testing.T) {
				h := p.t1 / steps[p.name][m]
				end1, dense1 := errorsAt(t, m, p, Options{Step: h})
				end2, dense2 := errorsAt(t, m, p, Options{Step: h / 2})
				slope, denseSlope := math.Log2(end1/end2), math.Log2(dense1/dense2)
				t.Logf("%-7s %-9s: %.2g, slope %.2f; dense %.2g, slope %.2f", m.name, p.name, end2, slope, dense2, denseSlope)
				// Above the method's order there are accidents of a problem; below there must not be.
				if slope < float64(m.order)-0.35 {
					t.Errorf("slope %.2f (errors %g, %g), order %d", slope, end1, end2, m.order)
				}
				// The interpolant's own error is O(h^(q+1)).
				if want := float64(min(m.order, m.denseOrder+1)); denseSlope < want-0.5 {
					t.Errorf("dense slope %.2f (errors %g, %g), want %g", denseSlope, dense1, dense2, want)
				}
			})
		}
	}
}

func TestToleranceIsAchieved(t *testing.T) {
	for _, p := range problems() {
		for _, m := range []*Method{DormandPrince5, DormandPrince8} {
			for _, tol := range []float64{1e-4, 1e-7, 1e-10, 1e-12} {
				t.Run(fmt.Sprintf("%s on %s to %g", m.name, p.name, tol), func(t *testing.T) {
					end, dense := errorsAt(t, m, p, Options{RelTol: tol, AbsTol: tol})
					if end > 30*tol {
						t.Errorf("tolerance %g, error %g", tol, end)
					}
					if dense > 100*tol {
						t.Errorf("tolerance %g, dense error %g", tol, dense)
					}
				})
			}
		}
	}
}

func TestHighOrderNeedsFewerEvaluationsForHighAccuracy(t *testing.T) {
	p := kepler()
	count := func(m *Method) int {
		sol, err := Integrate(context.Background(), m, p.field, 0, p.t1, p.y0, Options{RelTol: 1e-11, AbsTol: 1e-11})
		if err != nil {
			t.Fatal(err)
		}
		return sol.Evaluations
	}
	if five, eight := count(DormandPrince5), count(DormandPrince8); eight >= five/2 {
		t.Errorf("dop853 took %d evaluations, dopri5 %d", eight, five)
	}
}

func TestIntegratingBackReturnsToTheStart(t *testing.T) {
	for _, p := range problems() {
		for _, m := range methods() {
			t.Run(m.name+" on "+p.name, func(t *testing.T) {
				opt := Options{RelTol: 1e-11, AbsTol: 1e-11}
				tol := 1e-8
				if !m.Adaptive() {
					opt.Step, tol = 1./256, 1e-6
					if m == Euler {
						tol = 0.2
					}
				}
				y1 := make([]float64, len(p.y0))
				p.exact(p.t1, y1)
				opt.Times = []float64{p.t1, 0.7 * p.t1, 0.2 * p.t1, 0}
				sol, err := Integrate(context.Background(), m, p.field, p.t1, 0, y1, opt)
				if err != nil {
					t.Fatal(err)
				}
				want := make([]float64, len(p.y0))
				for i, at := range opt.Times {
					p.exact(at, want)
					if d := maxDistance(sol.Rows[i], want); d > tol {
						t.Errorf("row at t = %g is off by %g", at, d)
					}
				}
			})
		}
	}
}

func TestRowsAreTheDenseOutputAndDoNotChangeTheSteps(t *testing.T) {
	p := kepler()
	times := []float64{0, 0, 0.1, 0.5, 0.50001, 2.9, 3, 3}
	for _, m := range []*Method{DormandPrince5, DormandPrince8} {
		t.Run(m.name, func(t *testing.T) {
			plain, err := Integrate(context.Background(), m, p.field, 0, p.t1, p.y0, Options{})
			if err != nil {
				t.Fatal(err)
			}
			calls := 0
			with, err := Integrate(context.Background(), m, p.field, 0, p.t1, p.y0, Options{
				Times: times,
				Output: func(i int, at float64, y []float64) error {
					if i != calls || at != times[i] {
						t.Errorf("call %d is for time %d, %g", calls, i, at)
					}
					calls++
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if calls != len(times) || len(with.Rows) != 0 {
				t.Errorf("%d calls, %d rows", calls, len(with.Rows))
			}
			if with.Steps != plain.Steps || maxDistance(with.Y, plain.Y) != 0 {
				t.Error("outputs changed the integration")
			}
		})
	}
}

func TestTheStartIsLeftAlone(t *testing.T) {
	p := kepler()
	y0 := append([]float64(nil), p.y0...)
	if _, err := Integrate(context.Background(), DormandPrince5, p.field, 0, 1, y0, Options{}); err != nil {
		t.Fatal(err)
	}
	if maxDistance(y0, p.y0) != 0 {
		t.Error("y0 changed")
	}
}

func TestNothingIsIntegratedOverNoTime(t *testing.T) {
	sol, err := Integrate(context.Background(), DormandPrince5, forced().field, 1, 1, []float64{2}, Options{Times: []float64{1}})
	if err != nil || sol.T != 1 || sol.Y[0] != 2 || sol.Rows[0][0] != 2 || sol.Evaluations != 0 {
		t.Errorf("got %+v, %v", sol, err)
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	p := kepler()
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			run := func(t1 float64) float64 {
				return testing.AllocsPerRun(3, func() {
					opt := Options{Spacing: 0.25, Times: []float64{0.1}, Output: func(int, float64, []float64) error { return nil }}
					if _, err := Integrate(context.Background(), m, p.field, 0, t1, p.y0, opt); err != nil {
						t.Fatal(err)
					}
				})
			}
			if short, long := run(1), run(40); long > short {
				t.Errorf("%v allocations over time 1, %v over 40", short, long)
			}
		})
	}
}

func BenchmarkStepOfAMillionCoordinates(b *testing.B) {
	y0 := make([]float64, 1_000_000)
	for i := range y0 {
		y0[i] = 1
	}
	field := func(_ int, _ float64, y, d []float64) error {
		for i, v := range y {
			d[i] = -v
		}
		return nil
	}
	for _, m := range methods() {
		b.Run(m.name, func(b *testing.B) {
			opt := Options{Step: 1e-3}
			if _, err := Integrate(context.Background(), m, field, 0, 1e-3*float64(b.N), y0, opt); err != nil {
				b.Fatal(err)
			}
		})
	}
}
