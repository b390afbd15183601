package verify

import (
	"context"
	"errors"
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/rule"
)

// tinyNetwork is a tanh network of 385 parameters on some of the handwritten digits.
func tinyNetwork(t testing.TB, opt network.Options) *network.Objective[float64] {
	t.Helper()
	d := dataset.Digits()
	part, err := d.Train.Balanced(40, d.Classes, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := (&nn.MLP{Hidden: []int{5}, Activation: "tanh"}).Build(d.Shape, d.Classes)
	if err != nil {
		t.Fatal(err)
	}
	opt.Seed = 2
	o, err := network.New[float64](m, nn.CrossEntropy, part, opt)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var gentleAdam = map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 0.01}

func TestANetworkFollowsItsEquations(t *testing.T) {
	for name, c := range map[string]struct {
		opt     network.Options
		batches Batches
		start   Start
		lr      []float64
	}{
		"from a cold start":                     {network.Options{MicroBatch: 25}, FullBatch, Cold, []float64{0.02, 0.01, 0.005}},
		"on mini-batches":                       {network.Options{BatchSize: 10}, Cyclic, Cold, []float64{0.02, 0.01, 0.005}},
		"from the slow manifold to order three": {network.Options{}, FullBatch, Manifold, []float64{0.01, 0.005, 0.0025}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tinyNetwork(t, c.opt)
			p := Problem{Objective: o, Rule: mustRule(t, "adam", gentleAdam), Theta: o.Start(), Batches: c.batches}
			orders := []int{1, 2}
			if c.start == Manifold {
				orders = append(orders, 3)
			}
			result := run(t, p, Options{Orders: orders, LR: c.lr, Time: 0.2, Start: c.start})
			for _, order := range result.Orders {
				if last := order.Slopes[1]; !(last > float64(order.Order)-0.3) {
					t.Errorf("order %d: errors %.3g, slopes %.2f", order.Order, order.Errors, order.Slopes)
				}
			}
		})
	}
}

func TestDerivationsAgreeOnANetwork(t *testing.T) {
	o := tinyNetwork(t, network.Options{})
	for _, name := range []string{"adam", "nadam", "heavy-ball"} {
		t.Run(name, func(t *testing.T) {
			c, err := rule.New(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantAgreement(t, o, c, o.Start())
		})
	}
}

func TestFieldsOfANetworkAreItsSecondOrderEquation(t *testing.T) {
	o := tinyNetwork(t, network.Options{})
	theta, dim := o.Start(), o.Dim()
	for _, name := range []string{"gd", "adam", "nesterov"} {
		t.Run(name, func(t *testing.T) {
			r := mustRule(t, name, nil)
			fields, err := modeq.CompileFields(r, o, dim, 2, modeq.FieldOptions{})
			if err != nil {
				t.Fatal(err)
			}
			second, err := modeq.NewSecondOrder[float64](r, o, modeq.SecondOptions{})
			if err != nil {
				t.Fatal(err)
			}
			f0, f1, f, c := make([]float64, dim), make([]float64, dim), make([]float64, dim), make([]float64, dim)
			if err := fields.At(theta, [][]float64{f0, f1}); err != nil {
				t.Fatal(err)
			}
			if err := second.At(t.Context(), modeq.FullMemory, theta, f, c); err != nil {
				t.Fatal(err)
			}
			for j := range f {
				f[j], c[j] = -f[j], -c[j]
			}
			if d := difference(f0, f, 0); d > 1e-12 {
				t.Errorf("f_0 and -F differ by %g", d)
			}
			if d := difference(f1, c, 0); d > 1e-10 {
				t.Errorf("f_1 and -C differ by %g", d)
			}
		})
	}
}

func TestIterateAndSolveWorkOnANetwork(t *testing.T) {
	o := tinyNetwork(t, network.Options{})
	p := Problem{Objective: o, Rule: mustRule(t, "adam", gentleAdam), Theta: o.Start()}
	const lr, steps = 0.01, 10
	path, err := Iterate(t.Context(), p, lr, steps)
	if err != nil {
		t.Fatal(err)
	}
	last := 1.0
	for _, order := range []int{1, 2} {
		solution, err := Solve(t.Context(), p, lr, order, steps)
		if err != nil {
			t.Fatal(err)
		}
		d := difference(solution[steps], path[steps], 0)
		if !(d < last/4) {
			t.Errorf("order %d ends %g away, the order before %g", order, d, last)
		}
		last = d
	}
}

// numbersOnly is a loss without graph code.
type numbersOnly struct{ objective.Objective[float64] }

func TestWhatALossWithoutGraphCodeCannotDoIsSaid(t *testing.T) {
	o := numbersOnly{onePair(t)}
	p := Problem{Objective: o, Rule: mustRule(t, "adam", gentleAdam), Theta: []float64{1.6, 1.1}}
	opt := Options{Orders: []int{1, 2}, LR: []float64{0.01}, Time: 0.1}
	if _, err := Run(t.Context(), p, opt); err == nil || !strings.Contains(err.Error(), "graph code, which this one does not have: want start cold") {
		t.Errorf("got %v", err)
	}
	if _, err := Solve(t.Context(), p, 0.01, 3, 5); err == nil || !strings.Contains(err.Error(), "graph code") {
		t.Errorf("order 3: got %v", err)
	}
	opt.Start = Cold
	if _, err := Run(t.Context(), p, opt); err != nil {
		t.Errorf("a cold start needs no graph code: %v", err)
	}
	c, err := rule.New("adam", nil)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := CrossChecks(t.Context(), o, c, p.Theta)
	if err != nil {
		t.Fatal(err)
	}
	skipped := 0
	for _, k := range checks {
		if k.Skipped != "" {
			skipped++
		}
	}
	if len(checks) != 4 || skipped != 1 {
		t.Errorf("%+v, want one of four skipped", checks)
	}
	shuffled := tinyNetwork(t, network.Options{Shuffle: true})
	if _, err := modeq.CompileFields(p.Rule, shuffled, shuffled.Dim(), 2, modeq.FieldOptions{}); err == nil || !strings.Contains(err.Error(), "another loss of each step") {
		t.Errorf("fields of a shuffled loss: %v", err)
	}
}

// broken fails, and ends its context, after some evaluations.
type broken struct {
	objective.Objective[float64]
	left   int
	cancel context.CancelFunc
}

func (b *broken) Evaluate(ctx context.Context, theta []float64, batch int, want objective.Want[float64]) (objective.Evaluation, error) {
	if b.left--; b.left < 0 {
		b.cancel()
	}
	return b.Objective.Evaluate(ctx, theta, batch, want)
}

func TestACancelledEvaluationEndsWhateverAskedForIt(t *testing.T) {
	for _, left := range []int{0, 3, 20} {
		ctx, cancel := context.WithCancel(t.Context())
		o := &broken{onePair(t), left, cancel}
		p := Problem{Objective: o, Rule: mustRule(t, "adam", gentleAdam), Theta: []float64{1.6, 1.1}}
		_, err := Run(ctx, p, Options{Orders: []int{2}, LR: []float64{0.01}, Time: 0.1, Start: Cold})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d evaluations: %v", left, err)
		}
	}
}
