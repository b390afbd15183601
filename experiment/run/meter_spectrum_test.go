package run

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"shadowflow/experiment/record"
)

// The meter's searches, warm and of a few digits, against the whole matrix at the weights of the run's end.
func TestARunMeasuresTheSpectrumOfItsPoints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, small, "dtype=float64", "steps=30", "beside=[lift-1]", "record.spectrum=5", "record.bias=5", "record.sharpness=5", "flow.start=3")
	_, h := runIn(t, dir, c)
	found, err := FindSpectrum(t.Context(), parse(t, small, "dtype=float64", "beside=[]", "model.weights="+filepath.Join(dir, record.WeightsFile)), SpectrumOptions{Top: 5, Bottom: 1})
	if err != nil {
		t.Fatal(err)
	}
	last := func(name string) float64 {
		column := h.Floats(name)
		if column == nil {
			t.Fatalf("no column %s", name)
		}
		return column[len(column)-1]
	}
	within := last("spectrum.residual")
	if !(within > 0 && within <= 1.2e-3*float64(found.Top[0])) {
		t.Errorf("residual %v of %v", within, found.Top)
	}
	for k, want := range found.Top {
		if got := last(fmt.Sprintf("spectrum.top_%d", k+1)); math.Abs(got-float64(want)) > within {
			t.Errorf("eigenvalue %d: %v, want %v", k+1, got, want)
		}
	}
	if got := last("spectrum.bottom"); math.Abs(got-float64(found.Bottom[0])) > within {
		t.Errorf("smallest eigenvalue %v, want %v", got, found.Bottom[0])
	}
	if got, e := last("spectrum.trace"), last("spectrum.trace_error"); math.Abs(got-float64(found.Trace.Mean)) > 5*e || !(e > 0) {
		t.Errorf("trace %v +- %v, want %v", got, e, found.Trace.Mean)
	}
	if got, e := last("spectrum.root_diagonal"), last("spectrum.root_diagonal_error"); math.Abs(got-float64(found.RootDiagonal.Mean)) > 6*e || !(e > 0) {
		t.Errorf("root of the diagonal %v +- %v, want %v", got, e, found.RootDiagonal.Mean)
	}
	wantSameReadings(t, h, "spectrum.preconditioned_1", "preconditioned_sharpness", 2e-3)
	wantSameReadings(t, h, "spectrum.period_two", "stability_threshold", 1e-12)
	for _, name := range []string{"gradient_share", "step_share", "bias_share", "lift_share"} {
		count := 0
		for _, v := range h.Floats("spectrum." + name) {
			if !math.IsNaN(v) {
				count++
				if !(v >= 0 && v <= 1+1e-12) {
					t.Errorf("%s is %v", name, v)
				}
			}
		}
		if count < 4 {
			t.Errorf("%s was read %d times", name, count)
		}
	}
}

// wantSameReadings compares two columns where both were measured, relative to the second.
func wantSameReadings(t *testing.T, h *record.History, name, other string, tolerance float64) {
	t.Helper()
	a, b, count := h.Floats(name), h.Floats(other), 0
	for i, v := range a {
		if math.IsNaN(v) || math.IsNaN(b[i]) {
			continue
		}
		count++
		if !(math.Abs(v-b[i]) <= tolerance*math.Abs(b[i])) {
			t.Errorf("row %d: %s is %v, %s %v", i, name, v, other, b[i])
		}
	}
	if count < 3 {
		t.Errorf("%s and %s were measured together %d times", name, other, count)
	}
}

// In two dimensions the five sharpest directions are all there are.
func TestSharesOfAPlaneAreOne(t *testing.T) {
	_, h := runFor(t, "objective: {name: bilinear, theta: [1.6, 1.1]}\noptimizer: {name: gd, lr: 0.01}\nsteps: 4\nrecord: {spectrum: 2, sharpness: 0, state: 0}\n")
	for i, v := range h.Floats("spectrum.step_share") {
		if !math.IsNaN(v) && math.Abs(v-1) > 1e-5 {
			t.Errorf("row %d: share %v", i, v)
		}
	}
	if v := h.Floats("spectrum.preconditioned_2"); !(math.Abs(v[0]+3.864227) < 1e-4) {
		t.Errorf("second eigenvalue %v", v)
	}
}

func TestARunOfAClippedGradientHasNoPreconditionedSpectrum(t *testing.T) {
	_, h := runFor(t, small, "beside=[]", "steps=2", "record.spectrum=1", "optimizer.clip_norm=1e-4")
	for _, v := range h.Floats("spectrum.preconditioned_1") {
		if !math.IsNaN(v) {
			t.Errorf("read %v", v)
		}
	}
}

// The preconditioned product is beyond float32, and the plain one is not.
func TestARunGoesOnWhereAProductIsNotFinite(t *testing.T) {
	_, h := runFor(t, "objective: {name: quadratic, spectrum: [1.0e+37, 1], rotation: 0, theta: [0, 1e-3]}\ndtype: float32\nsteps: 3\n"+
		"optimizer: {name: rmsprop, eps: 1e-8, lr: 1e-4}\nrecord: {sharpness: 1, spectrum: 1, state: 0}\n")
	for name, want := range map[string]float64{"sharpness": 1e37, "spectrum.top_1": 1e37, "preconditioned_sharpness": math.NaN(), "spectrum.preconditioned_1": math.NaN()} {
		if got := h.Floats(name)[0]; math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-3*want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestARunMeasuresAsManyModesAsItIsToldTo(t *testing.T) {
	const of = "objective: {name: quadratic, spectrum: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}\ndtype: float64\noptimizer: {name: gd, lr: 0.01}\nsteps: 2\nrecord: {spectrum: 1, sharpness: 0, state: 0, modes: 12}\n"
	_, h := runFor(t, of)
	for k := range 12 {
		if got, want := h.Floats(fmt.Sprintf("spectrum.top_%d", k+1))[0], float64(16-k); math.Abs(got-want) > 1e-3*16 {
			t.Errorf("eigenvalue %d: %v, want %v", k+1, got, want)
		}
	}
	if h.Index("spectrum.top_13") >= 0 || h.Index("spectrum.preconditioned_12") < 0 {
		t.Error("other columns than those of 12 modes")
	}
	if _, h := runFor(t, of, "record.modes=100"); h.Index("spectrum.top_16") < 0 || h.Index("spectrum.top_17") >= 0 {
		t.Error("of 16 dimensions there are not 16 modes")
	}
	if _, h := runFor(t, of, "record.modes=1"); h.Index("spectrum.top_1") < 0 || h.Index("spectrum.top_2") >= 0 {
		t.Error("not one mode where one is wanted")
	}
}

func TestOrdinalsAreEnglish(t *testing.T) {
	for k, want := range map[int]string{0: "largest", 4: "fifth largest", 5: "6th largest", 10: "11th largest", 11: "12th largest", 20: "21st largest", 21: "22nd largest", 22: "23rd largest", 99: "100th largest"} {
		if got := ordinal(k); got != want {
			t.Errorf("%d: %q, want %q", k, got, want)
		}
	}
}

// Where the Hessian is diagonal the sharpest directions are coordinates, and shares are sums over these. The step of RMSProp goes another way than the gradient.
func TestSharesAreThoseOfTheSharpestCoordinates(t *testing.T) {
	const lr, eps, beta2, modes = 0.01, 1e-8, 0.9, 3
	spectrum, theta := []float64{2, 9, 1, 8, 3, 7, 0.5, 0.1}, []float64{1, 0.1, -1, 0.2, 2, -0.3, 1, 5}
	sharpest := map[int]bool{1: true, 3: true, 5: true}
	_, h := runFor(t, fmt.Sprintf("objective: {name: quadratic, rotation: 0, spectrum: [2, 9, 1, 8, 3, 7, 0.5, 0.1], theta: [1, 0.1, -1, 0.2, 2, -0.3, 1, 5]}\ndtype: float64\nsteps: 2\n"+
		"optimizer: {name: rmsprop, lr: %g, beta2: %g, eps: %g}\nrecord: {spectrum: 1, sharpness: 0, state: 0, bias: 0, modes: %d}\n", lr, beta2, eps, modes))
	share := func(v []float64) float64 {
		in, all := 0.0, 0.0
		for i, x := range v {
			all += x * x
			if sharpest[i] {
				in += x * x
			}
		}
		return in / all
	}
	v := make([]float64, len(theta))
	for n := range 2 {
		g, step := make([]float64, len(theta)), make([]float64, len(theta))
		for i := range theta {
			g[i] = spectrum[i] * theta[i]
			v[i] = beta2*v[i] + (1-beta2)*g[i]*g[i]
			step[i] = lr * g[i] / math.Sqrt(v[i]+eps)
			theta[i] -= step[i]
		}
		for name, want := range map[string]float64{"gradient": share(g), "step": share(step)} {
			if got := h.Floats("spectrum." + name + "_share")[n]; math.Abs(got-want) > 1e-5 {
				t.Errorf("step %d: the share of the %s is %v, want %v", n, name, got, want)
			}
		}
		if n == 1 && math.Abs(share(g)-share(step)) < 0.01 {
			t.Error("the shares of gradient and step are the same: nothing tells them apart")
		}
	}
}
