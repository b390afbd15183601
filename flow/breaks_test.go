package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
)

// jumping is y' = -a_n y with a rate that depends on the interval alone.
func jumping(n int, _ float64, y, d []float64) error {
	d[0] = -rate(n) * y[0]
	return nil
}

func rate(n int) float64 { return 1 + 3*math.Abs(math.Sin(float64(7*n+1))) }

// jumpingExact is the solution of jumping at t >= 0 from y(0) = 1.
func jumpingExact(spacing, t float64) float64 {
	sum := 0.0
	for n := 0; float64(n)*spacing < t; n++ {
		sum += rate(n) * (min(t, float64(n+1)*spacing) - float64(n)*spacing)
	}
	return math.Exp(-sum)
}

func TestJumpsAtBreaksCostNoAccuracy(t *testing.T) {
	const spacing, t1 = 0.1, 2.05
	want := jumpingExact(spacing, t1)
	for _, m := range []*Method{DormandPrince5, DormandPrince8} {
		t.Run(m.name, func(t *testing.T) {
			opt := Options{RelTol: 1e-12, AbsTol: 1e-12, Spacing: spacing}
			sol, err := Integrate(context.Background(), m, jumping, 0, t1, []float64{1}, opt)
			if err != nil {
				t.Fatal(err)
			}
			if rel := math.Abs(sol.Y[0]/want - 1); rel > 1e-10 {
				t.Errorf("relative error %g", rel)
			}
			back, err := Integrate(context.Background(), m, jumping, t1, 0, sol.Y, opt)
			if err != nil {
				t.Fatal(err)
			}
			if rel := math.Abs(back.Y[0] - 1); rel > 1e-9 {
				t.Errorf("back: error %g", rel)
			}
		})
	}
}

func TestJumpsOutsideOfBreaksCostOrderAndSteps(t *testing.T) {
	const spacing, t1 = 0.1, 2.05
	guessing := func(_ int, at float64, y, d []float64) error {
		return jumping(int(at/spacing), at, y, d)
	}
	want := jumpingExact(spacing, t1)
	fixed := Options{Step: 0.03}
	sol, err := Integrate(context.Background(), DormandPrince8, guessing, 0, t1, []float64{1}, fixed)
	if err != nil {
		t.Fatal(err)
	}
	without := math.Abs(sol.Y[0]/want - 1)
	fixed.Spacing = spacing
	sol, err = Integrate(context.Background(), DormandPrince8, jumping, 0, t1, []float64{1}, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if with := math.Abs(sol.Y[0]/want - 1); with > 1e-13 || without < 1e-4 {
		t.Errorf("relative error %g with breaks, %g without", with, without)
	}

	tight := Options{RelTol: 1e-10, AbsTol: 1e-10}
	plain, err := Integrate(context.Background(), DormandPrince5, guessing, 0, t1, []float64{1}, tight)
	if err != nil {
		t.Fatal(err)
	}
	tight.Spacing = spacing
	broken, err := Integrate(context.Background(), DormandPrince5, jumping, 0, t1, []float64{1}, tight)
	if err != nil {
		t.Fatal(err)
	}
	if broken.Evaluations*3 > plain.Evaluations {
		t.Errorf("%d evaluations with breaks, %d without", broken.Evaluations, plain.Evaluations)
	}
}

func TestTheFieldIsToldItsIntervalWhateverTheRounding(t *testing.T) {
	for _, spacing := range []float64{0.1, 1e-3, 0.3, 1. / 3, 2.5e-4, 7} {
		for _, m := range methods() {
			for _, direction := range []float64{1, -1} {
				t.Run(fmt.Sprintf("%s, spacing %g, direction %g", m.name, spacing, direction), func(t *testing.T) {
					t0, t1 := 3*spacing, 203*spacing
					if direction < 0 {
						t0, t1 = t1, t0
					}
					check := func(n int, at float64, y, d []float64) error {
						slack := 1e-9 * spacing
						if at < float64(n)*spacing-slack || at > float64(n+1)*spacing+slack {
							return fmt.Errorf("interval %d at t = %v", n, at)
						}
						d[0] = 1
						return nil
					}
					opt := Options{Spacing: spacing, MaxSteps: 5000}
					sol, err := Integrate(context.Background(), m, check, t0, t1, []float64{1}, opt)
					if err != nil {
						t.Fatal(err)
					}
					if m == RK4 && sol.Steps != 200 {
						t.Errorf("%d steps over 200 intervals", sol.Steps)
					}
				})
			}
		}
	}
}

func TestSumsOfStepsAreTakenForTheBreaksTheyMean(t *testing.T) {
	const h = 0.1
	sum := 0.0 // 0.1 added up misses n h by rounding
	for n := 1; n <= 100; n++ {
		sum += h
		var intervals []int
		field := func(n int, _ float64, _, d []float64) error {
			intervals = append(intervals, n)
			d[0] = 1
			return nil
		}
		sol, err := Integrate(context.Background(), Euler, field, sum, sum+h, []float64{0}, Options{Spacing: h})
		if err != nil {
			t.Fatal(err)
		}
		if sol.Steps != 1 || intervals[0] != n {
			t.Errorf("from %v: %d steps, intervals %v, want one in %d", sum, sol.Steps, intervals, n)
		}
	}
}

func TestListedBreaksNumberTheirIntervals(t *testing.T) {
	list := []float64{-1, 0.5, 2, 2.25}
	want := func(at float64) (n int) {
		for _, b := range list {
			if at > b {
				n++
			}
		}
		return n
	}
	tests := []struct{ t0, t1 float64 }{{-3, 4}, {4, -3}, {0.5, 2.25}, {2.25, 0.5}, {0, 1}, {3, 4}, {-3, -2}}
	for _, test := range tests {
		t.Run(fmt.Sprintf("from %g to %g", test.t0, test.t1), func(t *testing.T) {
			seen := map[int]bool{}
			inside := func(n int, at float64, y, d []float64) error {
				seen[n] = true
				lo, hi := math.Inf(-1), math.Inf(1)
				if n > 0 {
					lo = list[n-1]
				}
				if n < len(list) {
					hi = list[n]
				}
				if at < lo || at > hi {
					return fmt.Errorf("interval %d at %v", n, at)
				}
				d[0] = 1
				return nil
			}
			opt := Options{Breaks: list}
			sol, err := Integrate(context.Background(), DormandPrince8, inside, test.t0, test.t1, []float64{0}, opt)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(sol.Y[0]-(test.t1-test.t0)) > 1e-12 {
				t.Errorf("moved by %g", sol.Y[0])
			}
			lo, hi := min(test.t0, test.t1), max(test.t0, test.t1)
			for n := range len(list) + 1 {
				expected := n >= want(lo+1e-9) && n <= want(hi-1e-9)
				if seen[n] != expected {
					t.Errorf("interval %d seen: %v", n, seen[n])
				}
			}
		})
	}
}

func TestUnusableBreaksAreRefused(t *testing.T) {
	tests := []struct {
		opt  Options
		want string
	}{
		{Options{Spacing: -1}, "flow: Spacing = -1: must be positive and finite, or 0 for no breaks"},
		{Options{Spacing: math.NaN()}, "flow: Spacing = NaN: must be positive and finite, or 0 for no breaks"},
		{Options{Spacing: 1e-17}, "flow: Spacing = 1e-17: too small to be resolved on [0, 1]"},
		{Options{Breaks: []float64{1, 1}}, "flow: Breaks[1] = 1: breaks must be finite and increasing"},
		{Options{Breaks: []float64{1}, Spacing: 1}, "flow: Breaks = [1]: give either Spacing or Breaks"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			_, err := Integrate(context.Background(), DormandPrince5, jumping, 0, 1, []float64{1}, test.opt)
			var option *OptionError
			if !errors.As(err, &option) || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
