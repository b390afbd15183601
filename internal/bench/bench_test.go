package bench

import (
	"context"
	"math"
	"testing"
	"time"

	"shadowflow/diagnose/spectrum"
	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/rule"
)

func TestEveryWorkCompiles(t *testing.T) {
	for _, w := range Works() {
		t.Run(w.Name, func(t *testing.T) {
			in, out, err := w.build()
			if err != nil {
				t.Error(err)
			}
			if len(in) == 0 || len(out) == 0 {
				t.Error("no inputs or no outputs")
			}
		})
	}
}

func TestASearchFindsTheLargestEigenvaluesOfAWork(t *testing.T) {
	in, out, err := hessian(&nn.MLP{Hidden: []int{5}, Activation: "tanh"}, []int{8}, 3, 20)()
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(in, out, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	ins, outs := buffers(p.Inputs(), true), buffers(p.Outputs(), false)
	labels := ins[2].Int32s()
	for i := range labels {
		labels[i] %= 3
	}
	found, err := search(t.Context(), p, ins, outs, 4)
	if err != nil || !found.Converged {
		t.Fatalf("%+v, %v", found, err)
	}
	dim := len(outs[0].Float32s())
	matrix, err := spectrum.Dense(dim, func(vs, avs [][]float32) error {
		for k, v := range vs {
			copy(ins[3+k].Float32s(), v)
		}
		if err := p.RunContext(t.Context(), ins, outs); err != nil {
			return err
		}
		for k := range avs {
			copy(avs[k], outs[k].Float32s())
		}
		return nil
	}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range found.Top.Values {
		if want := matrix.Values[dim-1-k]; math.Abs(v-want) > 2e-3*found.Norm {
			t.Errorf("eigenvalue %d: %v, want %v", k, v, want)
		}
	}
}

func TestMissesNamesEveryFloorNotReached(t *testing.T) {
	r := Result{Seconds: 1, Peak: 0.3, PeakFloor: 0.5, PeerRatio: 2, PeerFloor: 3, Gradients: 5, GradientCap: 4.5, SecondsCap: 0.5}
	if n := len(r.Misses()); n != 4 {
		t.Errorf("%d misses: %v, want 4", n, r.Misses())
	}
	// A peer that takes 3 s, three times its speed: 1 s, of which half is the least.
	asked := Result{Seconds: 2, PeerRatio: 1.5, PeerFloor: 3, Bound: 0.5}.Misses()
	if len(asked) != 1 || asked[0] != "1.50 times the best peer's speed, want 3.0, 50% of the bound" {
		t.Errorf("%q", asked)
	}
	if n := len((Result{Seconds: 1}).Misses()); n != 0 {
		t.Errorf("%d misses where nothing is asked", n)
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Run(ctx, Options{}, func(Result) { t.Error("measured after cancellation") }); err == nil {
		t.Error("no error after cancellation")
	}
}

func TestAnObjectivesCostsStandBesideItsGradient(t *testing.T) {
	o := objective.NewNumeric[float64](&objective.Function{Dim: 3, Batch: func(theta graph.Value, _ int) graph.Value { return theta.Square().Sum() }}, 1)
	c, err := rule.New("adam", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	costs, err := Objective(t.Context(), o, r, []float64{1, 2, 3}, objective.Full, c.LR, Options{Threads: 1, Budget: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, cost := range costs {
		if !(cost.Seconds > 0) || math.Abs(cost.Gradients*costs[gradientWork].Seconds/cost.Seconds-1) > 1e-12 {
			t.Errorf("%+v", cost)
		}
	}
	if len(costs) != 6 || costs[gradientWork].Name != "gradient" || costs[gradientWork].Gradients != 1 {
		t.Errorf("%+v", costs)
	}
}

// counted counts evaluations of the loss alone.
type counted struct {
	objective.Objective[float64]
	losses *int
}

func (c counted) Evaluate(ctx context.Context, theta []float64, batch int, want objective.Want[float64]) (objective.Evaluation, error) {
	if want.Gradient == nil {
		*c.losses++
	}
	return c.Objective.Evaluate(ctx, theta, batch, want)
}

func TestAnObjectivesWorksAreRunAsOftenAsOthers(t *testing.T) {
	o := objective.NewNumeric[float64](&objective.Function{Dim: 3, Batch: func(theta graph.Value, _ int) graph.Value { return theta.Square().Sum() }}, 1)
	c, err := rule.New("gd", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	losses := 0
	if _, err := Objective(t.Context(), counted{o, &losses}, r, []float64{1, 2, 3}, objective.Full, c.LR, Options{Threads: 1, Budget: 1}); err != nil {
		t.Fatal(err)
	}
	if want := 1 + rounds*minRuns; losses < want { // the first compiles
		t.Errorf("%d runs, want %d", losses, want)
	}
}

// BenchmarkWorks measures every line of the table: fraction of the multiply-add peak, and cost in gradients.
func BenchmarkWorks(b *testing.B) {
	for _, w := range Works() {
		b.Run(w.Name, func(b *testing.B) {
			opt := Options{Only: func(name string) bool { return name == w.Name }}
			for b.Loop() {
				if err := Run(context.Background(), opt, func(r Result) {
					b.ReportMetric(100*r.Peak, "%peak")
					b.ReportMetric(1e9*r.Seconds, "ns/run")
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
