package run

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/internal/fixture"
)

// usual is full-batch Adam on the digits at the settings that everybody has, where the equations that eliminate the memory run away.
const usual = `
steps: 100
dtype: float64
data: {name: digits}
model: {name: mlp, hidden: [64, 64], activation: tanh}
optimizer: {name: adam, lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_inside: false}
record: {every: 25, bias: 0, sharpness: 0, test: 0}
beside: [state-1, state-2]
`

func last(h *record.History, column string) float64 {
	values := h.Floats(column)
	return values[len(values)-1]
}

func TestTheStateEquationHoldsWherePeopleTrain(t *testing.T) {
	for _, c := range []struct {
		name          string
		overrides     []string
		first, second float64 // the largest relative distances at the end
	}{
		{"the usual settings", nil, 0.012, 0.0006},
		{"beta1 0.5", []string{"optimizer.beta1=0.5", "steps=50"}, 0.02, 0.0023},
		{"three times the lr", []string{"optimizer.lr=3e-3", "steps=50", "flow.start=5"}, 0.03, 0.0023},
		{"mini-batches", []string{"batch={mode: shuffled, size: 100}"}, 0.012, 0.001},
		{"float32", []string{"dtype=float32", "steps=50"}, 0.012, 0.0006},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, h := runFor(t, usual, c.overrides...)
			first, second := last(h, "state-1.relative_distance"), last(h, "state-2.relative_distance")
			if !(first < c.first) || !(second < c.second) || !(3*second < first) {
				t.Errorf("order 1 is at %.3g of the way from the iterates, order 2 at %.3g: want at most %g and %g", first, second, c.first, c.second)
			}
			if loss, beside := last(h, "loss"), last(h, "state-2.loss"); c.name != "mini-batches" && math.Abs(beside/loss-1) > 2e-3 {
				t.Errorf("loss %g, of order 2 %g", loss, beside)
			}
			if n := last(h, "state-2.negative"); n != 0 {
				t.Errorf("v was negative %v times", n)
			}
		})
	}
}

// The check table of the theory (section 6) has order 1 at .0098 and order 2 at .00048 of the way at step 100. The weights that its run began with are not
// known, so that no digit of it can be asked for: every start is held to a range, and the documented digits to themselves.
func TestTheStateEquationHoldsFromAnyStartAtTheTheorysSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("distances, which take minutes where each access is watched, and tell nothing of races")
	}
	for seed, documented := range [][2]float64{{0.0094, 0.000614}, {0.0093, 0.000627}, {0.0074, 0.000656}, {0.0081, 0.000440}} { // docs/equations.md
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			_, h := runFor(t, usual, "data.standardize=false", "optimizer.eps_inside=true", fmt.Sprintf("seed=%d", seed), "record.every=100")
			first, second := last(h, "state-1.relative_distance"), last(h, "state-2.relative_distance")
			if !(first > 0.006 && first < 0.011) || !(second < 0.0007) {
				t.Errorf("order 1 is at %.3g of the way from the iterates, order 2 at %.3g: want .006 to .011, and at most .0007", first, second)
			}
			if math.Abs(first/documented[0]-1) > 0.02 || math.Abs(second/documented[1]-1) > 0.02 {
				t.Errorf("order 1 is at %.3g of the way from the iterates, order 2 at %.3g: docs/equations.md has %v", first, second, documented)
			}
			loss := last(h, "loss")
			if far, off := math.Abs(last(h, "state-1.loss")/loss-1), math.Abs(last(h, "state-2.loss")/loss-1); !(off < 5e-4) || !(far < 6e-3) || !(4*off < far) {
				t.Errorf("the loss of order 1 is off by %.2g of the iterates', that of order 2 by %.2g", far, off)
			}
		})
	}
}

// Gradient descent at the edge of stability: the stable flow loses the iterates, the lift keeps with them.
func TestTheLiftFollowsGradientDescentPastTheEdge(t *testing.T) {
	_, h := runFor(t, usual, "steps=400", "data.subset=400", "model.hidden=[32, 32]", "loss=mse", "optimizer={name: gd, lr: 1.2}",
		"beside=[state-2, lift-1]", "record.every=100")
	if stable, lift := last(h, "state-2.relative_distance"), last(h, "lift-1.relative_distance"); !(5*lift < stable) || !(lift < 0.04) {
		t.Errorf("the lift is at %.3g of the way from the iterates, the stable flow at %.3g", lift, stable)
	}
	if loss, mean := last(h, "iterates.mean_loss"), last(h, "lift-1.loss"); math.Abs(mean/loss-1) > 0.05 {
		t.Errorf("mean loss %g, of the lift %g", loss, mean)
	}
	if amplitude, predicted := last(h, "iterates.amplitude"), last(h, "lift-1.amplitude"); !(predicted > amplitude/2 && predicted < 2*amplitude) {
		t.Errorf("amplitude %g, of the lift %g", amplitude, predicted)
	}
}

// Far below the edge nothing flips, and a lift is the state equation, whatever the memory is: a part of it that fades slowly does not grow at the floor.
func TestALiftWithoutOscillationsIsTheStateEquation(t *testing.T) {
	if testing.Short() {
		t.Skip("distances, which tell nothing of races")
	}
	for _, optimizer := range []string{"adan", "adamax", "amsgrad", "adam"} {
		_, h := runFor(t, usual, "steps=60", "data.subset=200", "model.hidden=[16]", "optimizer={name: "+optimizer+", lr: 1e-4}",
			"flow.steps=4", "beside=[state-2, lift-2]", "record.every=60")
		if state, lift := last(h, "state-2.relative_distance"), last(h, "lift-2.relative_distance"); !(lift < 4*state) {
			t.Errorf("%s: the lift is at %.3g of the way from the iterates, the state equation at %.3g", optimizer, lift, state)
		}
	}
}

func TestGradientFlowFollowsSmallSteps(t *testing.T) {
	far := func(lr float64) float64 {
		_, h := runFor(t, small, "dtype=float64", "optimizer={name: gd}", "beside=[gradient-flow]", "record={bias: 0, sharpness: 0}",
			fmt.Sprintf("optimizer.lr=%g", lr), fmt.Sprintf("steps=%d", 3+int(math.Round(2/lr))))
		return last(h, "gradient-flow.distance")
	}
	if slope := math.Log2(far(0.05) / far(0.025)); math.Abs(slope-1) > 0.15 {
		t.Errorf("the distance falls like lr^%.2f, want lr", slope)
	}
}

func TestVerifySaysThatProdigysEstimateGrew(t *testing.T) {
	for d0, grows := range map[float64]bool{1e-6: true, 0.1: false} {
		p := Problem[float64]{Objective: fixture.Objective(t, "bilinear", nil), Rule: fixture.Rule(t, "prodigy", map[string]any{"d0": d0}), Theta: []float64{1.6, 1.1}}
		v := verified(t, p, VerifyOptions{Memory: State, Wait: 10, Orders: []int{1, 2}, LR: []float64{0.02, 0.01}, Time: 0.2})
		if said := len(v.Notes) == 1 && strings.Contains(v.Notes[0], "optimizer.d0: Prodigy's estimate d of the distance grew from 1e-06 to 1."); said != grows || len(v.Notes) > 1 {
			t.Errorf("d0 %g: notes %q", d0, v.Notes)
		}
		if hardly := v.Orders[0].Unmeasured; strings.Contains(hardly, "theta moves by 1.3e-06") != grows {
			t.Errorf("d0 %g: not measured: %q", d0, hardly)
		}
		if slope := v.Orders[1].Slopes[0]; !grows && math.Abs(slope-2) > 0.1 {
			t.Errorf("d0 %g: the error of order 2 falls like lr^%.2f", d0, slope)
		}
	}
}

// From v = 0 under a root there is f_0 alone, and where the gradient is 0 with a memory that is eliminated, f_0 and f_1: the orders
// beyond are not measured, and the others are as ever.
func TestVerifyMeasuresNoOrderWhoseEquationDoesNotExistAtTheStart(t *testing.T) {
	outside := map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 0.3, "eps_inside": false, "bias_correction": false}
	for _, c := range []struct {
		name  string
		theta []float64
		opt   VerifyOptions
		there int
	}{
		{"memory as state", []float64{1.3, 1.6}, VerifyOptions{Memory: State, Moments: [][]float64{{6, 6}, {0, 50}}}, 1},
		{"memory as state, v above 0", []float64{1.3, 1.6}, VerifyOptions{Memory: State, Moments: [][]float64{{6, 6}, {40, 50}}}, 3},
		{"memory eliminated", []float64{1.3, 0}, VerifyOptions{}, 2},
		{"memory eliminated, no gradient is 0", []float64{1.3, 0.2}, VerifyOptions{}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Problem[float64]{Objective: fixture.Objective(t, "bilinear", nil), Rule: fixture.Rule(t, "adam", outside), Theta: c.theta}
			c.opt.Orders, c.opt.LR, c.opt.Time = []int{1, 3, 2}, []float64{0.005, 0.0025}, 0.1
			for i, o := range verified(t, p, c.opt).Orders {
				if o.Order != c.opt.Orders[i] || len(o.Errors) != 2 || len(o.Slopes) != 1 {
					t.Fatalf("orders %+v", o)
				}
				if missing := o.Order > c.there; missing != (o.Unmeasured != "") || missing != math.IsNaN(o.Errors[0]) {
					t.Errorf("order %d: errors %.3g, not measured: %q", o.Order, o.Errors, o.Unmeasured)
				}
				if o.Order > 1 && o.Order <= c.there && o.Slopes[0] < float64(o.Order)-0.3 {
					t.Errorf("order %d: the error falls like lr^%.2f", o.Order, o.Slopes[0])
				}
			}
		})
	}
}

func TestVerifyWithMemoryAsStateShowsTheOrders(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    string
		values  map[string]any
		moments [][]float64
	}{
		{"adam off the slow manifold", "adam", map[string]any{"beta1": 0.67, "beta2": 0.85, "eps": 0.3}, [][]float64{{2.2, 3.2}, {13.8, 29.2}}},
		{"nesterov behind its first steps", "nesterov", map[string]any{"beta1": 0.5}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Problem[float64]{Objective: fixture.Objective(t, "bilinear", nil), Rule: fixture.Rule(t, c.rule, c.values), Theta: []float64{1.6, 1.1}}
			v := verified(t, p, VerifyOptions{
				Memory: State, Moments: c.moments, Wait: 10, Orders: []int{1, 2, 4}, LR: []float64{0.004, 0.002, 0.001}, Time: 0.04,
			})
			for _, o := range v.Orders {
				if slope := o.Slopes[1]; math.Abs(slope-float64(o.Order)) > 0.2 {
					t.Errorf("order %d: errors %.3g, slope %.2f", o.Order, o.Errors, slope)
				}
			}
		})
	}
}

func TestAnOrderWhoseEquationCannotBeFollowedIsNotMeasured(t *testing.T) {
	p := Problem[float64]{Objective: fixture.Objective(t, "bilinear", nil), Rule: fixture.Rule(t, "adam", map[string]any{"eps": 0.3}), Theta: []float64{1.6, 1.1}}
	for _, lr := range [][]float64{{0.01}, {0.02, 0.01, 0.005}} {
		v := verified(t, p, VerifyOptions{Memory: State, Wait: 10, Orders: []int{1, 2}, LR: lr, Time: 0.2, RelTol: 1e-60}) // no step is small enough
		for _, o := range v.Orders {
			if !strings.Contains(o.Unmeasured, fmt.Sprintf("the equation could not be followed at lr %g", lr[len(lr)-1])) || !math.IsNaN(o.Errors[0]) {
				t.Errorf("lr %v, order %d: errors %.3g, not measured: %q", lr, o.Order, o.Errors, o.Unmeasured)
			}
		}
	}
}
