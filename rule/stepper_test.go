package rule

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

func mustRule(t testing.TB, name string, values map[string]string) (*Rule, Config) {
	t.Helper()
	c, err := Parse(name, values)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func mustStepper[T graph.Float](t testing.TB, r *Rule, lr float64, dim int) *Stepper[T] {
	t.Helper()
	s, err := NewStepper[T](r, lr, dim, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStepsMatchPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		A     [][]float64
		B     []float64 `json:"b"`
		Start []float64
		Runs  []struct {
			Optimizer string
			Set       map[string]string
			Steps     int
			Start     []float64
			State     [][]float64
			Theta     [][]float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Runs) == 0 {
		t.Fatal("no runs")
	}
	for _, run := range golden.Runs {
		r, c := mustRule(t, run.Optimizer, run.Set)
		s := mustStepper[float64](t, r, c.LR, len(golden.Start))
		theta := append([]float64(nil), golden.Start...)
		if run.State != nil {
			copy(theta, run.Start)
			if err := s.Restore(run.Steps, run.State); err != nil {
				t.Fatal(err)
			}
		}
		g := make([]float64, len(theta))
		for n, want := range run.Theta {
			for i := range g {
				g[i] = math.Sin(theta[i]) - golden.B[i]
				for j, v := range theta {
					g[i] += golden.A[i][j] * v
				}
			}
			if err := s.Step(theta, g); err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if math.Abs(theta[i]-w) > 1e-13*math.Max(1, math.Abs(w)) {
					t.Fatalf("%s: step %d: theta[%d] = %.17g, PyTorch has %.17g", run.Optimizer, n+1, i, theta[i], w)
				}
			}
		}
	}
}

func TestAdamWithEpsInsideMatchesHandComputation(t *testing.T) {
	const lr, beta1, beta2, eps = 0.01, 0.9, 0.99, 1e-2
	for _, correct := range []bool{true, false} {
		values := map[string]string{"lr": "0.01", "beta1": "0.9", "beta2": "0.99", "eps": "0.01", "bias_correction": "false"}
		if correct {
			values["bias_correction"] = "true"
		}
		r, c := mustRule(t, "adam", values)
		s := mustStepper[float64](t, r, c.LR, 1)
		theta := []float64{1}
		hand, m, v := 1.0, 0.0, 0.0
		for n := range 50 {
			g := math.Cos(float64(n)) * hand
			m, v = beta1*m+(1-beta1)*g, beta2*v+(1-beta2)*g*g
			mHat, vHat := m, v
			if correct {
				mHat, vHat = m/(1-math.Pow(beta1, float64(n+1))), v/(1-math.Pow(beta2, float64(n+1)))
			}
			if err := s.Step(theta, []float64{math.Cos(float64(n)) * theta[0]}); err != nil {
				t.Fatal(err)
			}
			hand -= lr * mHat / math.Sqrt(vHat+eps)
			if !near(theta[0], hand, 1e-13) {
				t.Fatalf("correction %v: step %d: %.17g, by hand %.17g", correct, n, theta[0], hand)
			}
		}
	}
}

// TestStepsMatchTheDefinition computes every moment of every rule by its sum over all past gradients.
func TestStepsMatchTheDefinition(t *testing.T) {
	for _, name := range Names() {
		r, c := mustRule(t, name, nil)
		s := mustStepper[float64](t, r, c.LR, 2)
		theta, want := []float64{1, -2}, []float64{1, -2}
		var past [][]float64
		for n := range 12 {
			g := []float64{math.Sin(float64(n + 1)), 0.1 * float64(n-5)}
			past = append(past, g)
			step := byDefinition(t, r, past, want)
			for i := range want {
				want[i] -= c.LR * step[i]
			}
			if err := s.Step(theta, g); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Abs(theta[i]-want[i]) > 1e-13 {
					t.Fatalf("%s: step %d: theta[%d] = %.17g, by definition %.17g", name, n, i, theta[i], want[i])
				}
			}
		}
	}
}

func byDefinition(t *testing.T, r *Rule, past [][]float64, at []float64) []float64 {
	t.Helper()
	b := graph.NewBuilder()
	n := len(past) - 1
	var params []graph.Value
	var in []engine.Buffer
	vector := func(v []float64) graph.Value {
		params = append(params, b.Param("", graph.Float64, len(v)))
		in = append(in, engine.Of(v))
		return params[len(params)-1]
	}
	theta := vector(at)
	var g []graph.Value
	for _, v := range past {
		g = append(g, vector(v))
	}
	var s []graph.Value
	for _, m := range r.Moments {
		sum := theta.Like(0).BroadcastTo(len(at))
		for k := range past {
			sum = sum.Add(m.Apply(g[n-k]).Mul(theta.Like(m.Weight(k, n))))
		}
		s = append(s, sum)
	}
	p, err := engine.Compile(params, []graph.Value{r.Update(s, g[n], theta)}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	u := make([]float64, len(at))
	if err := p.Run(in, []engine.Buffer{engine.Of(u)}); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRestoredStepperTakesTheSameBits(t *testing.T) {
	r, c := mustRule(t, "lion", nil)
	a, b := mustStepper[float32](t, r, c.LR, 2), mustStepper[float32](t, r, c.LR, 2)
	theta := []float32{0.5, -0.25}
	g := func(n int) []float32 { return []float32{float32(n) * 0.1, 0.3} }
	for n := range 5 {
		if err := a.Step(theta, g(n)); err != nil {
			t.Fatal(err)
		}
	}
	again := append([]float32(nil), theta...)
	if err := b.Restore(a.Steps(), a.State()); err != nil {
		t.Fatal(err)
	}
	for n := 5; n < 10; n++ {
		if err := a.Step(theta, g(n)); err != nil {
			t.Fatal(err)
		}
		if err := b.Step(again, g(n)); err != nil {
			t.Fatal(err)
		}
	}
	if theta[0] != again[0] || theta[1] != again[1] {
		t.Errorf("%v without a break, %v with one", theta, again)
	}
}

func square(_ *graph.Builder, theta graph.Value) graph.Value { return theta.Square().Sum() }

func TestDescentTakesTheStepperSteps(t *testing.T) {
	for _, name := range Names() {
		r, c := mustRule(t, name, nil)
		s := mustStepper[float64](t, r, c.LR, 3)
		d, err := NewDescent(r, c.LR, square, []float64{1, 2, -3}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		theta := []float64{1, 2, -3}
		for range 7 {
			if err := s.Step(theta, []float64{2 * theta[0], 2 * theta[1], 2 * theta[2]}); err != nil {
				t.Fatal(err)
			}
			if err := d.Step(); err != nil {
				t.Fatal(err)
			}
			for i, v := range d.Theta() {
				if math.Abs(v-theta[i]) > 1e-14 {
					t.Fatalf("%s: theta[%d] = %.17g and %.17g", name, i, v, theta[i])
				}
			}
		}
	}
}

func TestStepsAllocateNothing(t *testing.T) {
	r, c := mustRule(t, "adam", nil)
	s := mustStepper[float64](t, r, c.LR, 2)
	d, err := NewDescent(r, c.LR, square, []float64{1, 2}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	theta, g := []float64{1, 2}, []float64{0.1, 0.2}
	for what, step := range map[string]func() error{"stepper": func() error { return s.Step(theta, g) }, "descent": d.Step} {
		if n := testing.AllocsPerRun(100, func() {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations a step", what, n)
		}
	}
}

func TestMistakesInADefinitionAreNamed(t *testing.T) {
	bad := &Rule{Name: "mine", Moments: []Moment{{Name: "m", Kernel: Kernel{First: 1, Next: 1, Beta: 1}}},
		Update: func(s []graph.Value, _, _ graph.Value) graph.Value { return s[0] }}
	for what, r := range map[string]*Rule{"no update": {Name: "mine"}, "beta": bad, "nil": nil} {
		if _, err := NewStepper[float64](r, 0.1, 2, engine.Options{}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	r, _ := mustRule(t, "gd", nil)
	if _, err := NewStepper[float64](r, 0, 2, engine.Options{}); err == nil {
		t.Error("lr 0: no error")
	}
	if err := mustStepper[float64](t, r, 1, 2).Step([]float64{1}, []float64{1, 2}); err == nil {
		t.Error("a short theta: no error")
	}
}
