package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/diagnose"
	"shadowflow/internal/fixture"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/network"
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
		batches string
		start   Start
		lr      []float64
	}{
		"from a cold start":                     {network.Options{MicroBatch: 25}, "full", Cold, []float64{0.02, 0.01, 0.005}},
		"on mini-batches":                       {network.Options{BatchSize: 10}, "cyclic", Cold, []float64{0.02, 0.01, 0.005}},
		"from the slow manifold to order three": {network.Options{}, "full", Manifold, []float64{0.01, 0.005, 0.0025}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tinyNetwork(t, c.opt)
			p := Problem[float64]{Objective: o, Rule: fixture.Rule(t, "adam", gentleAdam), Theta: o.Start(), Order: batchOrder(c.batches, o.Batches(), 0)}
			orders := []int{1, 2}
			if c.start == Manifold {
				orders = append(orders, 3)
			}
			result := verified(t, p, VerifyOptions{Orders: orders, LR: c.lr, Time: 0.2, Start: c.start})
			for _, order := range result.Orders {
				if last := order.Slopes[1]; !(last > float64(order.Order)-0.3) {
					t.Errorf("order %d: errors %.3g, slopes %.2f", order.Order, order.Errors, order.Slopes)
				}
			}
		})
	}
}

func TestIterateFollowsANetworkWithItsEquationsBeside(t *testing.T) {
	o := tinyNetwork(t, network.Options{})
	p := Problem[float64]{Objective: o, Rule: fixture.Rule(t, "adam", gentleAdam), Theta: o.Start(), LR: 0.01}
	const steps = 10
	paths, err := Iterate(t.Context(), p, Iteration{Steps: steps, Orders: []int{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	last := 1.0
	for _, path := range paths[1:] {
		d := diagnose.Distance(path.Theta[steps], paths[0].Theta[steps]) / diagnose.Norm(paths[0].Theta[steps])
		if !(d < last/4) {
			t.Errorf("order %d ends %g away, the order before %g", path.Order, d, last)
		}
		last = d
	}
}

// numbersOnly is a loss without graph code.
type numbersOnly struct{ objective.Objective[float64] }

// lender is a loss that counts the vectors it has handed out.
type lender struct {
	numbersOnly
	out map[*float64]bool
	all int
}

func (l *lender) Vector() []float64 {
	v := make([]float64, l.Dim())
	l.out[&v[0]], l.all = true, l.all+1
	return v
}

func (l *lender) Release(v []float64) {
	if len(v) > 0 {
		delete(l.out, &v[0])
	}
}

func TestAComparisonGivesTheVectorsOfEachStepSizeBack(t *testing.T) {
	o := &lender{numbersOnly{onePair(t)}, map[*float64]bool{}, 0}
	p := Problem[float64]{Objective: o, Rule: fixture.Rule(t, "adam", gentleAdam), Theta: []float64{1.6, 1.1}, BiasScale: 1}
	opt := VerifyOptions{Orders: []int{1}, LR: []float64{0.02, 0.01, 0.005}, Time: 0.1, Start: Cold}
	if _, err := Verify(t.Context(), p, opt); err != nil {
		t.Fatal(err)
	}
	if o.all == 0 || len(o.out) > 0 {
		t.Errorf("of %d vectors %d were kept: want some, and all given back", o.all, len(o.out))
	}
}

func TestWhatALossWithoutGraphCodeCannotDoIsSaid(t *testing.T) {
	o := numbersOnly{onePair(t)}
	p := Problem[float64]{Objective: o, Rule: fixture.Rule(t, "adam", gentleAdam), Theta: []float64{1.6, 1.1}}
	opt := VerifyOptions{Orders: []int{1, 2}, LR: []float64{0.01}, Time: 0.1}
	if _, err := Verify(t.Context(), p, opt); err == nil || !strings.Contains(err.Error(), "graph code, which one that another program serves does not have: want start cold") {
		t.Errorf("got %v", err)
	}
	p.LR = 0.01
	if _, err := Iterate(t.Context(), p, Iteration{Steps: 5, Orders: []int{3}}); err == nil || !strings.Contains(err.Error(), "graph code") {
		t.Errorf("order 3: got %v", err)
	}
	if on := StartOf(&Problem[float64]{Objective: onePair(t)}); on != Manifold {
		t.Errorf("on a loss that is graph code a comparison starts %s: want %s", on, Manifold)
	}
	opt.Start = StartOf(&p)
	if _, err := Verify(t.Context(), p, opt); err != nil {
		t.Errorf("a cold start needs no graph code: %v", err)
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
		t.Run(fmt.Sprintf("after %d evaluations", left), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			o := &broken{onePair(t), left, cancel}
			p := Problem[float64]{Objective: o, Rule: fixture.Rule(t, "adam", gentleAdam), Theta: []float64{1.6, 1.1}}
			_, err := Verify(ctx, p, VerifyOptions{Orders: []int{2}, LR: []float64{0.01}, Time: 0.1, Start: Cold})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
