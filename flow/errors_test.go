package flow

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

// blowUp is y' = y^2, y(0) = 1, whose solution 1/(1-t) leaves for infinity at t = 1.
func blowUp(_ int, _ float64, y, d []float64) error {
	d[0] = y[0] * y[0]
	return nil
}

func TestTooManyStepsSayWhere(t *testing.T) {
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			opt := Options{MaxSteps: 10, Step: 0.01}
			if m.Adaptive() {
				opt = Options{MaxSteps: 10, MaxStep: 0.01, InitialStep: 0.01}
			}
			sol, err := Integrate(context.Background(), m, forced().field, 0, 2, []float64{1.5}, opt)
			var tooMany *TooManyStepsError
			if !errors.As(err, &tooMany) {
				t.Fatal(err)
			}
			if tooMany.Steps != 10 || math.Abs(tooMany.T-0.1) > 1e-12 || sol.T != tooMany.T || sol.Steps != 10 {
				t.Errorf("%+v, solution up to %g", tooMany, sol.T)
			}
		})
	}
}

func TestStepSizeUnderflowsAtASingularity(t *testing.T) {
	for _, m := range []*Method{DormandPrince5, DormandPrince8} {
		t.Run(m.name, func(t *testing.T) {
			sol, err := Integrate(context.Background(), m, blowUp, 0, 2, []float64{1}, Options{})
			var underflow *StepUnderflowError
			if !errors.As(err, &underflow) {
				t.Fatal(err)
			}
			if math.Abs(underflow.T-1) > 1e-5 || sol.T != underflow.T {
				t.Errorf("underflow at %g, solution up to %g", underflow.T, sol.T)
			}
		})
	}
}

func TestNonFiniteFieldSaysWhereAndWhich(t *testing.T) {
	bad := func(_ int, at float64, y, d []float64) error {
		d[0], d[1] = 1, math.Sqrt(0.625-at) // not a number behind t = 0.625
		return nil
	}
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			_, err := Integrate(context.Background(), m, bad, 0, 1, []float64{1, 1}, Options{Spacing: 0.25})
			var nonFinite *NonFiniteError
			if !errors.As(err, &nonFinite) {
				t.Fatal(err)
			}
			if nonFinite.Index != 1 || nonFinite.N != 2 && m.Adaptive() || !math.IsNaN(nonFinite.Value) {
				t.Errorf("%+v", nonFinite)
			}
			slack := 0.25
			if m.Adaptive() {
				slack = 1e-6
			}
			if nonFinite.T < 0.625 || nonFinite.T > 0.625+slack {
				t.Errorf("said to be at %g", nonFinite.T)
			}
		})
	}
}

func TestASmallerStepMayStayInsideTheFieldsDomain(t *testing.T) {
	// y' = -sqrt(y) reaches the edge of its domain only as fast as y reaches 0.
	field := func(_ int, _ float64, y, d []float64) error { d[0] = -math.Sqrt(y[0]); return nil }
	opt := Options{InitialStep: 4, RelTol: 1e-9, AbsTol: 1e-9}
	sol, err := Integrate(context.Background(), DormandPrince5, field, 0, 1.5, []float64{1}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if want := 0.25 * 0.25; math.Abs(sol.Y[0]-want) > 1e-8 {
		t.Errorf("got %g, want %g", sol.Y[0], want)
	}
	if sol.Rejected == 0 {
		t.Error("the first step should have left the domain")
	}
}

func TestTheFieldsOwnErrorEndsTheIntegration(t *testing.T) {
	errOwn := errors.New("out of data")
	field := func(n int, at float64, _, d []float64) error {
		if n == 3 {
			return errOwn
		}
		d[0] = 1
		return nil
	}
	sol, err := Integrate(context.Background(), DormandPrince5, field, 0, 2, []float64{0}, Options{Spacing: 0.25})
	var fieldError *FieldError
	if !errors.Is(err, errOwn) || !errors.As(err, &fieldError) || fieldError.T != 0.75 || fieldError.N != 3 {
		t.Errorf("got %v", err)
	}
	if sol.T != 0.75 || math.Abs(sol.Y[0]-0.75) > 1e-14 {
		t.Errorf("solution up to %g: %v", sol.T, sol.Y)
	}
}

func TestTheOutputsErrorEndsTheIntegration(t *testing.T) {
	errFull := errors.New("disk full")
	opt := Options{Times: []float64{0.5, 1}, Output: func(int, float64, []float64) error { return errFull }}
	_, err := Integrate(context.Background(), DormandPrince5, forced().field, 0, 2, []float64{1.5}, opt)
	if err != errFull {
		t.Errorf("got %v", err)
	}
}

func TestCancellationStopsWithinAStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	field := func(n int, at float64, y, d []float64) error {
		if calls++; calls == 20 {
			cancel()
		}
		d[0] = -y[0]
		return nil
	}
	sol, err := Integrate(ctx, DormandPrince5, field, 0, 1e6, []float64{1}, Options{MaxStep: 0.1})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped at t = ") {
		t.Errorf("got %v", err)
	}
	if calls > 30 || sol.T > 1 {
		t.Errorf("%d calls, up to %g", calls, sol.T)
	}
}

func TestUnusableArgumentsAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		m      *Method
		t0, t1 float64
		y0     []float64
		opt    Options
		want   string
	}{
		{"empty state", RK4, 0, 1, nil, Options{Step: 1}, "flow: y0 = []: the state is empty"},
		{"infinite state", RK4, 0, 1, []float64{0, math.Inf(1)}, Options{Step: 1}, "flow: y0[1] = +Inf: must be finite"},
		{"infinite end", RK4, 0, math.Inf(1), []float64{0}, Options{Step: 1}, "flow: t1 = +Inf: must be finite"},
		{"NaN tolerance", DormandPrince5, 0, 1, []float64{0}, Options{RelTol: math.NaN()}, "flow: RelTol = NaN: must be finite and not negative"},
		{"negative steps", DormandPrince5, 0, 1, []float64{0}, Options{MaxSteps: -1}, "flow: MaxSteps = -1: must be finite and not negative"},
		{"no step", RK4, 0, 1, []float64{0}, Options{}, "flow: Step = 0: rk4 has no step control: give Step, or breaks"},
		{"time outside", RK4, 0, 1, []float64{0}, Options{Step: 1, Times: []float64{2}}, "flow: Times[0] = 2: must lie between t0 = 0 and t1 = 1"},
		{"unordered times", RK4, 1, 0, []float64{0}, Options{Step: 1, Times: []float64{0, 1}}, "flow: Times[1] = 1: times must be ordered from t0 to t1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sol, err := Integrate(context.Background(), test.m, blowUp, test.t0, test.t1, test.y0, test.opt)
			if err == nil || err.Error() != test.want || sol != nil {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
