package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/modeq"
	"shadowflow/objective"
)

func verified(t testing.TB, p Problem[float64], opt VerifyOptions) *Verification {
	t.Helper()
	p.Threads = 1
	result, err := Verify(context.Background(), p, opt)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func onePair(t testing.TB) objective.Objective[float64] {
	return fixture.Objective(t, "bilinear", map[string]any{"pairs": [][2]float64{{2, 1.5}}})
}

func threePairs(t testing.TB) objective.Objective[float64] {
	return fixture.Objective(t, "bilinear", map[string]any{"pairs": [][2]float64{{2, 1.5}, {1, 2}, {1.5, 0.3}}})
}

func referenceProblem(t testing.TB) Problem[float64] {
	return Problem[float64]{
		Objective: onePair(t),
		Rule:      fixture.Rule(t, "adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 1.0}),
		Theta:     []float64{1.6, 1.1},
	}
}

var referenceLR = []float64{0.02, 0.01, 0.005, 0.0025}

func matches(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %g, want %g", what, got, want)
	}
	for i, w := range want {
		if math.Abs(got[i]-w) > tol*math.Abs(w) {
			t.Errorf("%s: %.3g, want %g", what, got, want)
			return
		}
	}
}

func TestReferenceTableIsReproduced(t *testing.T) {
	result := verified(t, referenceProblem(t), VerifyOptions{Orders: []int{1, 2, 3, 4, 5}, LR: referenceLR, Time: 0.2})
	want := [][]float64{
		{7.88e-3, 3.80e-3, 1.86e-3, 9.15e-4},
		{1.01e-3, 2.77e-4, 7.21e-5, 1.84e-5},
		{1.75e-4, 2.31e-5, 2.95e-6, 3.72e-7},
		{1.10e-5, 5.58e-7, 4.16e-8, 2.92e-9},
		{6.85e-6, 2.57e-7, 8.84e-9, 2.91e-10},
	}
	wantSlopes := [][]float64{{1.05, 1.03, 1.02}, {1.87, 1.94, 1.97}, {2.92, 2.97, 2.99}, {4.30, 3.74, 3.83}, {4.74, 4.86, 4.93}}
	for i, o := range result.Orders {
		matches(t, fmt.Sprintf("order %d: errors", o.Order), o.Errors, want[i], 6e-3)
		matches(t, fmt.Sprintf("order %d: slopes", o.Order), o.Slopes, wantSlopes[i], 6e-3)
	}
}

func TestInterventionsScaleTheBias(t *testing.T) {
	p := referenceProblem(t)
	p.BiasScale = -1
	without := verified(t, p, VerifyOptions{Orders: []int{1}, LR: referenceLR, Time: 0.2})
	matches(t, "no bias, order 1: errors", without.Orders[0].Errors, []float64{1.22e-3, 3.16e-4, 8.02e-5, 2.02e-5}, 6e-3)
	matches(t, "no bias, order 1: slopes", without.Orders[0].Slopes, []float64{1.95, 1.98, 1.99}, 6e-3)
	p.BiasScale = 1
	twice := verified(t, p, VerifyOptions{Orders: []int{2, 3}, LR: referenceLR, Time: 0.2})
	matches(t, "twice the bias, order 2: slopes", twice.Orders[0].Slopes, []float64{1.74, 1.88, 1.94}, 1e-2)
	if last := twice.Orders[1].Slopes[2]; last < 2.9 {
		t.Errorf("twice the bias, order 3: the last slope is %.2f", last)
	}
}

// The equations exact in the step number have the scaled bias, too.
func TestInterventionsScaleTheBiasFromAnEmptyMemory(t *testing.T) {
	for scale, want := range map[float64][]float64{-1: {2, 2}, 1: {1, 2}} {
		t.Run(fmt.Sprintf("scale %g", scale), func(t *testing.T) {
			p := referenceProblem(t)
			p.BiasScale = scale
			cold := verified(t, p, VerifyOptions{Orders: []int{1, 2}, LR: referenceLR, Time: 0.2, Start: Cold})
			for i, o := range cold.Orders {
				if last := o.Slopes[2]; math.Abs(last-want[i]) > 0.1 {
					t.Errorf("order %d: the last slope is %.3f, want %g", o.Order, last, want[i])
				}
			}
		})
	}
}

func TestEveryRuleFollowsItsEquationsOfOrdersOneToFour(t *testing.T) {
	values := map[string]map[string]any{
		"gd": nil, "heavy-ball": {"beta1": 0.5}, "nesterov": {"beta1": 0.4}, "rmsprop": {"beta2": 0.5, "eps": 1},
		"adam": {"beta1": 0.3, "beta2": 0.5, "eps": 0.5, "eps_inside": false}, "adamw": {"beta1": 0.3, "beta2": 0.5, "eps": 1, "weight_decay": 0.3},
		"nadam": {"beta1": 0.3, "beta2": 0.5, "eps": 1}, "signum": {"beta1": 0.4, "eps": 1},
		"lion": {"beta1": 0.4, "beta2": 0.5, "eps": 1, "weight_decay": 0.2},
		"sgd":  {"momentum": 0.4, "nesterov": true}, "ademamix": {"beta1": 0.3, "beta2": 0.4, "beta3": 0.5, "alpha": 0.5, "eps": 1},
		"muon": {"momentum": 0.4, "beta1": 0.3, "beta2": 0.5, "eps": 1, "weight_decay": 0},
	}
	for _, name := range fixture.Remembering(t) {
		if name == "lamb" {
			continue // steps as long as the parameters: backwards in time these run away
		}
		t.Run(name, func(t *testing.T) {
			// Backwards, momentum's field on this loss runs away in a short time, but not from a point near the valley.
			p := Problem[float64]{Objective: onePair(t), Rule: fixture.Rule(t, name, values[name]), Theta: []float64{0.9, 0.7}}
			result := verified(t, p, VerifyOptions{Orders: []int{1, 2, 3, 4}, LR: []float64{0.006, 0.003, 0.0015}, Time: 0.15})
			for _, o := range result.Orders {
				if last := o.Slopes[1]; !(last > float64(o.Order)-0.3) {
					t.Errorf("order %d: errors %.3g, slopes %.2f", o.Order, o.Errors, o.Slopes)
				}
			}
		})
	}
}

func TestSectionThreeSlopesOfOtherRules(t *testing.T) {
	for _, tc := range []struct {
		rule string
		set  map[string]any
	}{
		{"adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 0.5, "eps_inside": false}},
		{"heavy-ball", map[string]any{"beta1": 0.5}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			p := Problem[float64]{Objective: onePair(t), Rule: fixture.Rule(t, tc.rule, tc.set), Theta: []float64{0.9, 0.7}}
			result := verified(t, p, VerifyOptions{Orders: []int{3, 4}, LR: []float64{0.006, 0.003, 0.0015}, Time: 0.15})
			for _, o := range result.Orders {
				if last := o.Slopes[1]; math.Abs(last-float64(o.Order)) > 0.25 {
					t.Errorf("order %d: slopes %.2f", o.Order, o.Slopes)
				}
			}
		})
	}
}

func TestColdStartFollowsTheEquationsExactInN(t *testing.T) {
	for _, tc := range []struct {
		rule string
		set  map[string]any
	}{
		{"adam", map[string]any{"beta1": 0.6, "beta2": 0.8, "eps": 0.5}},
		{"adam", map[string]any{"beta1": 0.6, "beta2": 0.8, "eps": 0.5, "bias_correction": false}},
		{"nadam", map[string]any{"beta1": 0.6, "beta2": 0.8, "eps": 0.5}},
		{"nesterov", map[string]any{"beta1": 0.5}},
		{"lion", map[string]any{"beta1": 0.6, "beta2": 0.7, "eps": 0.5}},
	} {
		for _, batches := range []string{"full", "cyclic", "shuffled"} {
			t.Run(fmt.Sprintf("%s %v, %s", tc.rule, tc.set, batches), func(t *testing.T) {
				p := Problem[float64]{Objective: threePairs(t), Rule: fixture.Rule(t, tc.rule, tc.set), Theta: []float64{1.6, 1.1}, Order: batchOrder(batches, 3, 3)}
				result := verified(t, p, VerifyOptions{Orders: []int{1, 2}, LR: []float64{0.002, 0.001, 0.0005}, Time: 0.1, Start: Cold})
				first, second := result.Orders[0], result.Orders[1]
				if last := second.Slopes[1]; !(last > 1.6) {
					t.Errorf("order 2: errors %.3g, slopes %.2f", second.Errors, second.Slopes)
				}
				if last := first.Slopes[1]; !(last > 0.6 && last < 1.4) {
					t.Errorf("order 1: errors %.3g, slopes %.2f", first.Errors, first.Slopes)
				}
			})
		}
	}
}

func TestMiniBatchCheckOfSectionTwo(t *testing.T) {
	p := Problem[float64]{
		Objective: threePairs(t), Theta: []float64{1.6, 1.1}, Order: modeq.Cyclic(3),
		Rule: fixture.Rule(t, "adam", map[string]any{"beta1": 0.6, "beta2": 0.8, "eps": 0.5}),
	}
	result := verified(t, p, VerifyOptions{Orders: []int{1, 2}, LR: []float64{0.04, 0.02, 0.01, 0.005}, Time: 0.4, Start: Cold})
	first, second := result.Orders[0].Slopes, result.Orders[1].Slopes
	if !(first[2] > 0.75 && second[2] > 1.75 && second[0] < second[1] && second[1] < second[2]) {
		t.Errorf("slopes %.2f and %.2f", first, second)
	}
}

func TestIteratesOfThePapersCubicMatchReference(t *testing.T) {
	p := Problem[float64]{
		Objective: fixture.Objective(t, "cubic", nil), Theta: []float64{6.8, 6.73},
		Rule: fixture.Rule(t, "adam", map[string]any{"beta2": 0.999, "eps": 1e5}), LR: 0.1,
	}
	paths, err := Iterate(t.Context(), p, Iteration{Steps: 5, Orders: []int{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "last row", paths[0].Theta[5], []float64{6.306753009890437, 6.23673961805188}, 1e-14)
	for i, tol := range []float64{2e-3, 4e-4} {
		matches(t, fmt.Sprintf("order %d", i+1), paths[i+1].Theta[5], paths[0].Theta[5], tol)
	}
}

func TestProgressOfAComparisonEndsWhereItSays(t *testing.T) {
	for name, c := range map[string]struct {
		memory Memory
		want   int // steps, of each order where these are compared one by one
		last   string
	}{
		"memory eliminated": {Eliminated, 10 + 20, "lr 0.01"},
		"memory as state":   {State, 2 * (10 + 20), "order 2, lr 0.02"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewProblem[float64](t.Context(), parse(t, "objective: {name: bilinear}\noptimizer: {beta1: 0.3, beta2: 0.5, eps: 1}"))
			if err != nil {
				t.Fatal(err)
			}
			before, end, what := 0, 0, ""
			opt := VerifyOptions{Orders: []int{1, 2}, LR: []float64{0.02, 0.01}, Time: .2, Memory: c.memory, Wait: 1, Progress: func(done, of int, last string) {
				if done != before+1 {
					t.Errorf("%d behind %d", done, before)
				}
				before, end, what = done, of, last
			}}
			if _, err := Verify(t.Context(), *p, opt); err != nil || before != end || end != c.want || what != c.last {
				t.Errorf("%d of %d, %q; error %v; want %d, %q", before, end, what, err, c.want, c.last)
			}
		})
	}
}

// QR of means of products that are hardly of full rank, as those of few examples are, magnifies rounding ten million times.
func TestAnEquationThatMagnifiesRoundingIsFollowedAsFarAsItGoes(t *testing.T) {
	p, err := NewProblem[float64](t.Context(), parse(t, "model: {hidden: [8]}\ndata: {subset: 20}\noptimizer: {name: soap, frequency: 1}"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), *p, VerifyOptions{Orders: []int{1}, LR: []float64{0.02, 0.01}, Time: .04, Memory: State, Wait: 10})
	if err != nil {
		t.Fatal(err)
	}
	o := v.Orders[0]
	if o.Unmeasured != "" || math.Abs(o.Slopes[0]-1) > 0.2 {
		t.Errorf("%+v", o)
	}
	if !(o.Rounding > 1e-9 && o.Rounding < 1e-5) || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "is followed to a tolerance of") {
		t.Errorf("rounding %g; notes %q", o.Rounding, v.Notes)
	}
}

func TestAStiffEquationIsGivenUpAtTheStepSizeThatTells(t *testing.T) {
	p, err := NewProblem[float64](t.Context(), parse(t, "objective: {name: quadratic, spectrum: [1e6]}\noptimizer: {name: heavy-ball, beta1: 0.5}"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), *p, VerifyOptions{Orders: []int{1}, LR: []float64{0.02, 0.01, 0.005}, Time: .2, Memory: State, Wait: 1})
	if err != nil {
		t.Fatal(err)
	}
	if o, notes := v.Orders[0], strings.Join(v.Notes, "\n"); o.Unmeasured != "the equation could not be followed at lr 0.005" || !strings.Contains(notes, "it is stiff there") || strings.Contains(notes, "lr 0.01:") {
		t.Errorf("%+v\n%s", o, notes)
	}
}

func TestWhatCannotBeComparedIsRefused(t *testing.T) {
	good := VerifyOptions{Orders: []int{1, 2}, LR: []float64{0.01}, Time: 0.1}
	for _, tc := range []struct {
		want   string
		change func(p *Problem[float64], opt *VerifyOptions)
	}{
		{"theta has 1", func(p *Problem[float64], _ *VerifyOptions) { p.Theta = p.Theta[:1] }},
		{"cold", func(p *Problem[float64], opt *VerifyOptions) { p.Order, opt.Start = modeq.Cyclic(3), Manifold }},
		{"start", func(_ *Problem[float64], opt *VerifyOptions) { opt.Start = "warm" }},
		{"order 3", func(_ *Problem[float64], opt *VerifyOptions) { opt.Start, opt.Orders = Cold, []int{3} }},
		{"order 0", func(_ *Problem[float64], opt *VerifyOptions) { opt.Orders = []int{0} }},
		{"lr 0", func(_ *Problem[float64], opt *VerifyOptions) { opt.LR = []float64{0} }},
		{"steps", func(_ *Problem[float64], opt *VerifyOptions) { opt.LR = []float64{1} }},
		{"time", func(_ *Problem[float64], opt *VerifyOptions) { opt.Time = math.NaN() }},
		{"nothing", func(_ *Problem[float64], opt *VerifyOptions) { opt.Orders = nil }},
		{"diverge", func(p *Problem[float64], opt *VerifyOptions) {
			p.Rule, opt.LR, opt.Time, opt.Start = fixture.Rule(t, "gd", nil), []float64{10}, 1000, Cold
		}},
		{"backwards", func(p *Problem[float64], _ *VerifyOptions) {
			p.Rule = fixture.Rule(t, "heavy-ball", map[string]any{"beta1": 0.99})
		}},
	} {
		t.Run(tc.want, func(t *testing.T) {
			p, opt := referenceProblem(t), good
			tc.change(&p, &opt)
			if _, err := Verify(context.Background(), p, opt); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error that says %q, got %v", tc.want, err)
			}
		})
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, referenceProblem(t), VerifyOptions{Orders: []int{1}, LR: []float64{0.01}, Time: 0.1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
