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
	does, err := newSearch(t.Context(), in, out, 4, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	labels := does.fixed[2].Int32s()
	for i := range labels {
		labels[i] %= 3
	}
	if err := does.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := does.found
	p, err := engine.Compile(in, out, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	dim := does.dim
	matrix, err := spectrum.Dense(dim, func(vs, avs [][]float32) error {
		for k, v := range vs {
			if err := p.Run(append(does.fixed[:3:3], engine.Of(v)), []engine.Buffer{engine.Of(avs[k])}); err != nil {
				return err
			}
		}
		return nil
	}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range found.Top.Values {
		if want := matrix.Values[dim-1-k]; math.Abs(v-want) > searchTolerance*want {
			t.Errorf("eigenvalue %d: %v, want %v", k, v, want)
		}
	}
}

func TestASearchIsAtAPointBehindStepsOfAdam(t *testing.T) {
	a, input := &nn.MLP{Hidden: []int{5}, Activation: "tanh"}, []int{8}
	m, err := a.Build(input, 3)
	if err != nil {
		t.Fatal(err)
	}
	in, _, err := hessian(a, input, 3, 20)()
	if err != nil {
		t.Fatal(err)
	}
	var fixed []engine.Buffer
	for _, v := range in[:3] {
		fixed = append(fixed, engine.NewBuffer(v.DType(), v.Size()))
	}
	if err := learning(a, input, 3, 20)(t.Context(), fixed, engine.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if labels := fixed[2].Int32s(); labels[4] != 1 || labels[11] != 2 {
		t.Errorf("labels %v: want classes in turn", labels)
	}
	for i, x := range fixed[1].Float32s()[:8] { // the same of the class in each, and nothing else
		if y := fixed[1].Float32s()[3*8+i]; x == 0 || x != y {
			t.Errorf("element %d of two images of a class is %g and %g", i, x, y)
		}
	}
	theta, moved := fixed[0].Float32s(), 0.0
	for i, x := range m.Init(0).Theta {
		moved = max(moved, math.Abs(float64(theta[i])-x))
	}
	if moved < 5e-3 || moved > 1.1e-2 { // ten steps of at most about 1e-3
		t.Errorf("a parameter moved by %g at most", moved)
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
	large := Result{Seconds: 1, ResidentBytes: 13, Peers: []PeerResult{{Seconds: 1, Best: "eager", PeakBytes: 10, Settings: []Setting{{Name: "eager", Seconds: 1}}}}}
	if got := large.Misses(); len(got) != 1 || got[0] != "1.30 times the memory of the fastest peer, want at most 1.2" {
		t.Errorf("a work that takes more memory than its peers: %q", got)
	}
	if large.ResidentBytes = 12; len(large.Misses()) != 0 {
		t.Errorf("one that takes what it may: %q", large.Misses())
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
