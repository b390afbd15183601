package run

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/internal/fixture"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/rule/stepsize"
)

// scheduled is a setting with a step size that is another in every step.
const scheduled = "schedule={shape: cosine, warmup: 6}"

// uneven is a schedule whose step sizes change within the memory's length, however small they are.
func uneven(steps int) stepsize.Schedule {
	s := stepsize.Schedule{Shape: stepsize.File}
	for n := range steps {
		s.Factors = append(s.Factors, 1+0.9*math.Cos(float64(n)))
	}
	return s
}

func problemWith(t *testing.T, r *rule.Rule, options map[string]any) *Problem[float64] {
	t.Helper()
	return &Problem[float64]{
		Objective: fixture.Objective(t, "bilinear", options), Rule: r, Theta: []float64{0.9, 0.6}, Eps: 1e-8, Threads: 1,
	}
}

// distancesAt returns the largest distances of the iterates from the equations of orders 1 and 2, exact in the step number, at several step
// sizes; with ratios, the equations know those of the step sizes.
func distancesAt(t *testing.T, p *Problem[float64], lrs []float64, time float64, ratios bool) [2][]float64 {
	t.Helper()
	var far [2][]float64
	for _, lr := range lrs {
		p.LR = lr
		steps := int(math.Round(time / lr))
		p.Schedule = uneven(steps)
		opt := modeq.SecondOptions{Order: p.Order, Threads: 1}
		if ratios {
			opt.LR = p.StepSize
		}
		exact, err := modeq.NewSecondOrder(p.Rule, p.Objective, opt)
		if err != nil {
			t.Fatal(err)
		}
		var equations []*equation[float64]
		for order := 1; order <= 2; order++ {
			e, err := memorylessEquation(p, exact, order, integration{method: "dopri5", relTol: 1e-10, absTol: 1e-11})
			if err != nil {
				t.Fatal(err)
			}
			equations = append(equations, e)
		}
		loop, err := loopBeside(p, equations)
		if err != nil {
			t.Fatal(err)
		}
		meter := newFarthest(p, equations, func() {})
		loop.Meters, loop.Steps = []Meter[float64]{meter}, steps
		if status, err := loop.run(t.Context(), nil); err != nil || status != Finished {
			t.Fatalf("%s, %v", status, err)
		}
		for i, d := range meter.distance {
			far[i] = append(far[i], d)
		}
	}
	return far
}

// Theory, section 10: past updates count by the ratio of their step's size to the present one's.
func TestTheSecondOrderEquationHoldsUnderUnevenSteps(t *testing.T) {
	pairs := map[string]any{"pairs": [][2]float64{{2, 1.5}, {1, 2}, {1.5, 0.3}}}
	lrs := []float64{0.02, 0.01, 0.005, 0.0025}
	adam := fixture.Rule(t, "adam", map[string]any{"beta1": 0.6, "beta2": 0.8, "eps": 0.5})
	for name, c := range map[string]struct {
		rule  *rule.Rule
		with  rule.Conditioning
		order func(int) int
	}{
		"heavy ball":            {rule: fixture.Rule(t, "heavy-ball", map[string]any{"beta1": 0.6})},
		"Adam":                  {rule: adam},
		"Adam on mini-batches":  {rule: adam, order: modeq.Cyclic(3)},
		"Adam with L2":          {rule: adam, with: rule.Conditioning{L2: 0.3}},
		"Adam, clipped, and L2": {rule: adam, with: rule.Conditioning{ClipNorm: 0.1, L2: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.rule.Conditioned(c.with)
			if err != nil {
				t.Fatal(err)
			}
			p := problemWith(t, r, pairs)
			p.Order = c.order
			knowing, ignorant := distancesAt(t, p, lrs, 0.4, true), distancesAt(t, p, lrs, 0.4, false)
			last := func(errs []float64) float64 { return slopes(lrs, errs)[2] }
			t.Logf("slopes of order 1 %.2f, of order 2 %.2f, without the ratios %.2f", slopes(lrs, knowing[0]), slopes(lrs, knowing[1]), slopes(lrs, ignorant[1]))
			if s := last(knowing[1]); s < 1.75 || s > 2.3 {
				t.Errorf("order 2: slope %.2f, want 2", s)
			}
			if s := last(ignorant[1]); s > 1.3 {
				t.Errorf("order 2 without the ratios of step sizes: slope %.2f, want 1", s)
			}
		})
	}
}

func TestVerifyStretchesAScheduleOverTheSameTime(t *testing.T) {
	for name, c := range map[string]struct {
		opt    VerifyOptions
		with   rule.Conditioning
		rho    float64
		slopes []float64
	}{
		"memory eliminated":        {opt: VerifyOptions{Orders: []int{1, 2}}, slopes: []float64{1, 2}},
		"memory as state":          {opt: VerifyOptions{Orders: []int{1, 2, 3, 4}, Memory: State, Wait: 4}, slopes: []float64{1, 2, 3, 4}},
		"memory as state, clipped": {opt: VerifyOptions{Orders: []int{2, 4}, Memory: State, Wait: 4}, with: rule.Conditioning{ClipNorm: 0.5, L2: 0.2}, slopes: []float64{2, 4}},
		"memory as state, SAM":     {opt: VerifyOptions{Orders: []int{2, 4}, Memory: State, Wait: 4}, rho: 0.1, slopes: []float64{2, 4}},
		"memory eliminated, SAM":   {opt: VerifyOptions{Orders: []int{1, 2}}, rho: 0.1, slopes: []float64{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := fixture.Rule(t, "adam", map[string]any{"beta1": 0.5, "beta2": 0.7, "eps": 0.5}).Conditioned(c.with)
			if err != nil {
				t.Fatal(err)
			}
			p := problemWith(t, r, map[string]any{"pairs": [][2]float64{{2, 1.5}}})
			p.Schedule = stepsize.Schedule{Shape: stepsize.Cosine, Steps: 24, Final: 0.1}
			if c.rho > 0 {
				if p.Objective, err = objective.NewSAM(p.Objective, c.rho, 1); err != nil {
					t.Fatal(err)
				}
			}
			c.opt.LR, c.opt.Time = []float64{0.01, 0.005, 0.0025}, 0.2
			v, err := Verify(t.Context(), *p, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range v.Orders {
				if s := o.Slopes[1]; s < c.slopes[i]-0.25 || s > c.slopes[i]+0.8 {
					t.Errorf("order %d: slopes %.2f", o.Order, o.Slopes)
				}
			}
		})
	}
}

// The series of any order of a clipped and decayed gradient, memory full.
func TestTheSeriesOfAnyOrderKnowsWhatIsDoneToTheGradient(t *testing.T) {
	for name, with := range map[string]rule.Conditioning{"clipped": {ClipNorm: 0.5}, "decayed": {L2: 0.3}, "as PyTorch clips": {ClipNorm: 0.5, L2: 0.1, PyTorch: true}} {
		t.Run(name, func(t *testing.T) {
			r, err := fixture.Rule(t, "adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 1}).Conditioned(with)
			if err != nil {
				t.Fatal(err)
			}
			p := problemWith(t, r, map[string]any{"pairs": [][2]float64{{2, 1.5}}})
			p.Theta = []float64{1.6, 1.1}
			v, err := Verify(t.Context(), *p, VerifyOptions{Orders: []int{1, 2, 3}, LR: []float64{0.01, 0.005, 0.0025}, Time: 0.2})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range v.Orders {
				if s := o.Slopes[1]; math.Abs(s-float64(o.Order)) > 0.15 {
					t.Errorf("order %d: slopes %.2f", o.Order, o.Slopes)
				}
			}
		})
	}
}

func TestStepsOfDifferentSizesAreRefusedWhereTheyHaveNoMeaning(t *testing.T) {
	p := problemWith(t, fixture.Rule(t, "adam", nil), map[string]any{"pairs": [][2]float64{{2, 1.5}}})
	p.LR, p.Schedule = 0.01, stepsize.Schedule{Shape: stepsize.Linear, Steps: 5}
	if _, err := Iterate(t.Context(), *p, Iteration{Steps: 5, Orders: []int{3}}); err == nil || !strings.Contains(err.Error(), "of steps of one size") {
		t.Errorf("the series of order 3: %v", err)
	}
	_, err := Verify(t.Context(), *p, VerifyOptions{Orders: []int{1}, LR: []float64{0.01}, Time: 0.05, Start: Manifold})
	if err == nil || !strings.Contains(err.Error(), "no slow manifold") {
		t.Errorf("a start on the manifold: %v", err)
	}
}

func TestARunRecordsWhatChangesItsSteps(t *testing.T) {
	_, h := runFor(t, small, scheduled, "optimizer={clip_norm: 0.5, clip_value: 0.05}", "record.average=0.9", "beside=[state-2]", "record.bias=1", "dtype=float64")
	lr, factor, share := h.Floats("lr"), h.Floats("clip.factor"), h.Floats("clip.share")
	plan := stepsize.Schedule{Shape: stepsize.Cosine, Warmup: 6, Steps: 60}
	clipped := 0
	for n := range 60 {
		if want := 1e-3 * plan.At(n); lr[n] != want {
			t.Errorf("step %d: lr %v, want %v", n, lr[n], want)
		}
		if factor[n] < 1 && share[n] > 0 {
			clipped++
		}
	}
	if clipped < 30 || !math.IsNaN(factor[60]) {
		t.Errorf("%d steps are clipped, and behind the last the factor is %v", clipped, factor[60])
	}
	for name, rows := range map[string][2]int{"drive.schedule": {1, 60}, "drive.clip": {0, 60}, "drive.realized": {1, 60}, "average.test_loss": {60, 61}} {
		for n, v := range h.Floats(name) {
			if measured := n >= rows[0] && n < rows[1]; measured && (v == 0 || math.IsNaN(v)) {
				t.Errorf("%s behind step %d is %v", name, n, v)
			}
		}
	}
	if d := h.Floats("state-2.relative_distance"); !(d[60] < 0.02) {
		t.Errorf("the state equation is off by %v of the way", d[60])
	}
}

// Of gradient descent U = f g and U' = g, with f the clip's factor.
func TestClippingWithoutMemoryHasItsPartOfTheDrive(t *testing.T) {
	const config = "data: {subset: 100}\nmodel: {hidden: [8]}\nsteps: 5\ndtype: float64\nrecord: {every: 1, bias: 1, sharpness: 0, state: 0}\noptimizer: {clip_norm: 0.1}"
	_, h := runFor(t, config, "optimizer.name=gd")
	for n, got := range h.Floats("drive.clip")[:5] {
		f := h.Floats("clip.factor")[n]
		if want := -(1 - f) / f * h.Floats("drive.main")[n]; !(f < 1) || !(math.Abs(got-want) <= 1e-12*math.Abs(want)) {
			t.Errorf("step %d, factor %g: %g, want %g", n, f, got, want)
		}
	}
	_, other := runFor(t, config, "optimizer={name: heavy-ball, clip_norm: 0.1}") // remembers nothing at its first step
	if a, b := h.Floats("drive.clip")[0], other.Floats("drive.clip")[0]; !(math.Abs(a-b) <= 1e-12*math.Abs(b)) {
		t.Errorf("%g, of heavy ball %g", a, b)
	}
}

func TestTheAverageOfTheWeightsIsThatOfTheIterates(t *testing.T) {
	c := parse(t, small, "objective={name: bilinear}", "steps=20", "record.average=0.8", "dtype=float64", "beside=[]", "optimizer.lr=0.05")
	dir := filepath.Join(t.TempDir(), "run")
	_, h := runIn(t, dir, c)
	p, err := NewProblem[float64](t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := Iterate(t.Context(), *p, Iteration{Steps: 20})
	if err != nil {
		t.Fatal(err)
	}
	mean := append([]float64(nil), paths[0].Theta[0]...)
	for n, theta := range paths[0].Theta {
		if n > 0 {
			for j, v := range theta {
				mean[j] = 0.8*mean[j] + (1-0.8)*v
			}
		}
		e, err := p.Objective.Evaluate(t.Context(), mean, objective.Full, objective.Want[float64]{})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Floats("average.loss")[n]; math.Abs(got-e.Loss) > 1e-13 {
			t.Errorf("step %d: loss %v at the average, want %v", n, got, e.Loss)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, record.AverageFile)); err != nil {
		t.Error(err)
	}
}

func TestClippingThatNeverActsChangesNothing(t *testing.T) {
	for _, name := range []string{"clip_norm", "clip_value"} {
		_, plain := runFor(t, small, "beside=[state-2, memoryless-2]")
		_, wide := runFor(t, small, "beside=[state-2, memoryless-2]", fmt.Sprintf("optimizer.%s=1e9", name))
		for _, column := range []string{"loss", "drive.predicted", "drive.realized", "state-2.distance", "memoryless-2.distance"} {
			a, b := plain.Floats(column), wide.Floats(column)
			for n := range a {
				if math.Abs(a[n]-b[n]) > 1e-5*math.Abs(a[n]) {
					t.Errorf("%s, step %d: %s is %v, without clipping %v", name, n, column, b[n], a[n])
					break
				}
			}
		}
	}
}
