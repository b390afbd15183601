package run

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/objective"
)

// Gradient descent on the valley of TestTheRealizedBiasIsWhatItsDefinitionSays with a step that is too large for where it begins.
const steep = `
objective: {name: bilinear, pairs: [[2, 1.5]], theta: [1.9, 0.45]}
dtype: float64
optimizer: {name: gd, lr: 0.16}
steps: 40
record: {every: 1, bias: 1, sharpness: 1}
checkpoint: {every: 1}
`

func TestMonitorsOfGradientDescentAreThoseOfItsHessian(t *testing.T) {
	const lr, x, y = 0.16, 2, 1.5
	_, h := runFor(t, steep)
	a, b := 1.9, 0.45
	rows, spikes := 0, 0
	for n := range 40 {
		r := y - x*a*b
		g := [2]float64{-r * x * b, -r * x * a}
		cross := x*x*a*b - r*x
		along := (g[0]*g[0]*x*x*b*b + 2*g[0]*g[1]*cross + g[1]*g[1]*x*x*a*a) / (g[0]*g[0] + g[1]*g[1])
		if rows++; along <= 2/lr {
			rows = 0
		}
		spikes = max(spikes, rows)
		trace, determinant := x*x*(a*a+b*b), x*x*x*x*a*a*b*b-cross*cross
		sharpness := trace/2 + math.Sqrt(trace*trace/4-determinant)
		for name, want := range map[string]float64{
			"monitor.lambda_grad": along, "monitor.spike_rows": float64(rows), "monitor.period_two": sharpness * lr / 2, "monitor.memory_edge": sharpness * lr,
		} {
			if got := h.Floats(name)[n]; !(math.Abs(got-want) <= 1e-4*want) {
				t.Errorf("step %d: %s = %.9g, want %.9g", n, name, got, want)
			}
		}
		value := sharpness - x*x*b*b
		direction := [2]float64{cross, value} // an eigenvector of the Hessian
		pull := func(a, b float64) float64 {
			r := y - x*a*b
			return -r * x * (direction[0]*b + direction[1]*a)
		}
		before := pull(a, b)
		a, b = a-lr*g[0], b-lr*g[1]
		flip := pull(a, b) / before
		if got := h.Floats("monitor.flip")[n]; !(math.Abs(got-flip) <= 1e-2*math.Max(1, math.Abs(flip))) {
			t.Errorf("step %d: the gradient along the sharpest direction becomes %.6g of itself, want %.6g", n, got, flip)
		}
	}
	if spikes < 2 {
		t.Errorf("lambda_grad was above its threshold in at most %d rows: the example is too flat", spikes)
	}
}

// P of centered RMSProp changes with the mean of gradients too, and no linear recursion of them has a threshold.
func TestAPreconditionerOfMeansOfTheGradientHasNoThreshold(t *testing.T) {
	_, h := runFor(t, "data: {subset: 40}\nmodel: {hidden: [4]}\ndtype: float64\noptimizer: {name: rmsprop, centered: true}\nsteps: 20\nrecord: {every: 10, bias: 10, sharpness: 10}")
	for _, name := range []string{"stability_threshold", "monitor.period_two", "monitor.memory_edge", "monitor.flip"} {
		for n, v := range h.Floats(name) {
			if !math.IsNaN(v) {
				t.Errorf("row %d: %s = %g", n, name, v)
			}
		}
	}
	if v := h.Floats("preconditioned_sharpness"); !(v[1] > 0) {
		t.Errorf("preconditioned sharpness %v", v)
	}
}

func TestGroupsWithOtherMemoriesHaveTheThresholdOfAlternation(t *testing.T) {
	for name, c := range map[string]struct {
		groups string
		uneven bool
	}{
		"gradient descent for biases": {"[{match: ['*.bias'], name: gd, lr: 0.01}]", true},
		"the same memory, another lr": {"[{match: ['*.bias'], lr: 0.01}]", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, h := runFor(t, "data: {subset: 40}\nmodel: {hidden: [4]}\ndtype: float64\noptimizer: {name: adam, lr: 3e-3, groups: "+c.groups+"}\nsteps: 30\nrecord: {every: 10, bias: 10, sharpness: 10}")
			threshold := 2 * (1 + 0.9) / (1 - 0.9) / 3e-3
			for n, two := range h.Floats("monitor.period_two") {
				edge, at := h.Floats("monitor.memory_edge")[n], h.Floats("stability_threshold")[n]
				if even := math.Abs(at-threshold) < 1e-6*threshold; !(two > 0) || math.IsNaN(edge) != c.uneven || even == c.uneven || c.uneven && at > threshold {
					t.Errorf("row %d: %g times the threshold %g, %g times the edge", n, two, at, edge)
				}
			}
		})
	}
}

// Of heavy ball with gradient descent for the biases D is known: D(1) = 1/(1-b), D(-1) = 1/(1+b), and the lr's ratio for the biases.
func TestTheThresholdOfGroupsIsThatOfTheWholeHessian(t *testing.T) {
	const lr, beta, ratio = 0.1, 0.9, 3.
	const config = "data: {subset: 30}\nmodel: {hidden: [2]}\ndtype: float64\noptimizer: {name: heavy-ball, beta1: 0.9, lr: 0.1, groups: [{match: ['*.bias'], name: gd, lr: 0.3}]}\nsteps: 1\nrecord: {every: 1, bias: 1, sharpness: 1}"
	_, h := runFor(t, config)
	p, err := NewProblem[float64](t.Context(), parse(t, config))
	if err != nil {
		t.Fatal(err)
	}
	dim := len(p.Theta)
	bias := make([]bool, dim)
	for _, b := range p.Objective.Blocks() {
		for j := b.Offset; j < b.Offset+b.Size(); j++ {
			bias[j] = strings.HasSuffix(b.Name, ".bias")
		}
	}
	hessian := make([][]float64, dim)
	for j := range hessian {
		v, hv := make([]float64, dim), make([]float64, dim)
		v[j] = 1
		if err := product(t.Context(), p.Objective, objective.Full, p.Theta, v, hv); err != nil {
			t.Fatal(err)
		}
		hessian[j] = hv
	}
	largest := func(d float64) float64 { // of diag(d) H, ratio in place of d for biases
		m := mat.NewSymDense(dim, nil)
		root := func(j int) float64 {
			if bias[j] {
				return math.Sqrt(ratio)
			}
			return math.Sqrt(d)
		}
		for i := range dim {
			for j := i; j < dim; j++ {
				m.SetSym(i, j, root(i)*hessian[i][j]*root(j))
			}
		}
		var e mat.EigenSym
		if !e.Factorize(m, false) {
			t.Fatal("no eigenvalues")
		}
		return slices.Max(e.Values(nil))
	}
	steady, twice := largest(1/(1-beta)), lr/2*largest(1/(1+beta))
	for name, want := range map[string]float64{"preconditioned_sharpness": steady, "monitor.period_two": twice, "stability_threshold": steady / twice} {
		if got := h.Floats(name)[0]; !(math.Abs(got-want) <= 2e-3*want) {
			t.Errorf("%s = %.9g, want %.9g", name, got, want)
		}
	}
}

// What meters keep of points that have passed, and a row that waits for the next point, survive an interruption between any two steps.
func TestMetersGoOnWhereTheyWere(t *testing.T) {
	c := parse(t, steep)
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	runIn(t, whole, c)
	stopAt := 0
	interrupted := func(step func(ctx context.Context, opt Options) (*Result, error)) *Result {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stopAt++
		result, err := step(ctx, Options{Progress: func(p Progress) {
			if p.Step >= stopAt {
				cancel()
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	result := interrupted(func(ctx context.Context, opt Options) (*Result, error) { return Run(ctx, c, parts, opt) })
	for result.Status == Interrupted {
		result = interrupted(func(ctx context.Context, opt Options) (*Result, error) { return Resume(ctx, parts, opt) })
	}
	wantSameHistory(t, parts, whole)
}

// Of gradient descent on a parabola the equation of order 2 is linear: in a step theta falls to exp(-k(1 + k/2)) of itself, and the iterate to
// 1 - k, k being lr times the curvature. One step of RK4 is far from that where k is 1.9.
func TestTheStateEquationsDefectIsThatOfItsSolution(t *testing.T) {
	const k = 1.9
	want := math.Abs(1-k-math.Exp(-k*(1+k/2))) / k
	for _, steps := range []string{"1", "4"} {
		t.Run(steps+" steps of the integrator", func(t *testing.T) {
			_, h := runFor(t, "", "objective={name: quadratic, spectrum: [19]}", "dtype=float64", "optimizer={name: gd, lr: 0.1}", "steps=20", "flow.steps="+steps,
				"record={every: 1, bias: 0, sharpness: 0, state: 1}")
			if got := h.Floats("monitor.state_defect")[15]; !(math.Abs(got-want) < 1e-4) {
				t.Errorf("the step is missed by %.6g of its length, want %.6g", got, want)
			}
		})
	}
}

// Where k is 14 the solution falls by exp(-112) within a step: no 32 steps of RK4 resolve that.
func TestAStepThatTheStateEquationCannotBeFollowedThroughIsRecordedAsInfinitelyFar(t *testing.T) {
	_, h := runFor(t, "", "objective={name: quadratic, spectrum: [20]}", "dtype=float64", "optimizer={name: gd, lr: 0.7}", "steps=2", "flow.start=1",
		"record={every: 1, bias: 0, sharpness: 0, state: 1}")
	// Before flow.start it is not asked, and behind the last step there is none.
	if got := h.Floats("monitor.state_defect"); len(got) != 3 || !math.IsNaN(got[0]) || !math.IsInf(got[1], 1) || !math.IsNaN(got[2]) {
		t.Errorf("%g, want it of the second step alone, +Inf", got)
	}
}

// Muon has no memory form, and so no columns of what the second-order equation without memory misses; whether rounding hides the state equation's
// defect is recorded all the same.
func TestWhatRoundingHidesIsRecordedWithoutABiasBesideIt(t *testing.T) {
	_, h := runFor(t, small, "beside=[]", "steps=13", "dtype=float32", "record={every: 1, bias: 0, sharpness: 0, state: 6}", "optimizer={name: muon, lr: 1e-9}")
	defects, rounding := h.Floats("monitor.state_defect"), h.Floats("monitor.state_rounding")
	if !math.IsNaN(defects[12]) || !(rounding[12] > StateHolds) || !math.IsNaN(rounding[11]) {
		t.Errorf("defects %g, rounding %g: want rounding alone, at step 12", defects[11:], rounding[11:])
	}
}

// In float32 a step may be so small that rounding it is more than a twentieth of it: what the state equation misses of it says nothing then.
func TestRoundingIsNotTakenForADefectOfTheStateEquation(t *testing.T) {
	for name, c := range map[string]struct {
		dtype, lr string
		recorded  bool
	}{
		"rounding hides it":      {"float32", "2e-8", false},
		"in float64 it does not": {"float64", "2e-8", true},
		"nor of a larger step":   {"float32", "1e-4", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, h := runFor(t, small, "beside=[]", "steps=14", "dtype="+c.dtype, "record={every: 1, bias: 1, sharpness: 0, state: 1}", "optimizer={name: adam, beta2: 0.999, lr: "+c.lr+"}")
			defect, rounding, length := h.Floats("monitor.state_defect")[12], h.Floats("step_rounding")[12], h.Floats("step_norm")[12]
			part := h.Floats("monitor.state_rounding")[12]
			if got := !math.IsNaN(defect); got != c.recorded || got == (part > StateHolds) {
				t.Errorf("the defect %g is recorded: %v, want %v; rounding may make %g of the step", defect, got, c.recorded, part)
			}
			if want := 3 * rounding / length; !(math.Abs(part-want) <= 1e-12*want) {
				t.Errorf("rounding may make %g of the step, want %g", part, want)
			}
			if defect >= StateHolds {
				t.Errorf("the state equation is said not to hold: it misses %g of the step", defect)
			}
		})
	}
}

func TestWithoutARootOfThePreconditionerThereIsNoSharpnessOfIt(t *testing.T) {
	_, h := runFor(t, small, "optimizer={name: lamb}", "steps=30", "record={bias: 0, state: 0, sharpness: 10}", "beside=[]")
	for _, column := range []string{"preconditioned_sharpness", "monitor.memory_edge", "monitor.period_two"} {
		for i, row := range h.Rows {
			if v := row[h.Index(column)]; v.Measured() && math.IsNaN(v.Float()) {
				t.Errorf("row %d: %s is NaN", i, column)
			}
		}
	}
}
