package rule

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/schema"
)

func mustRule(t testing.TB, name string, values map[string]any) (*Rule, Config) {
	t.Helper()
	c, err := New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func vector(dim int) []graph.Block { return []graph.Block{{Name: "theta", Shape: []int{dim}}} }

func mustStepper[T graph.Float](t testing.TB, r *Rule, blocks []graph.Block) *Stepper[T] {
	t.Helper()
	s, err := NewStepper[T](r, blocks, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// estimate gives the coming step of a rule that reads the Hessian's diagonal one.
func estimate[T graph.Float](s *state[T]) {
	if s.rule.Hessian == nil {
		return
	}
	h := make([]T, len(s.hessian))
	for i := range h {
		h[i] = T(math.Cos(float64(s.n + i)))
	}
	s.SetHessian(h)
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
		values := map[string]any{}
		for k, text := range run.Set {
			v, err := schema.ParseValue("", k, text)
			if err != nil {
				t.Fatal(err)
			}
			values[k] = v.Value
		}
		r, c := mustRule(t, run.Optimizer, values)
		s := mustStepper[float64](t, r, vector(len(golden.Start)))
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
			if err := s.Step(c.LR, theta, g); err != nil {
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
		r, c := mustRule(t, "adam", map[string]any{"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "bias_correction": correct})
		s := mustStepper[float64](t, r, vector(1))
		theta := []float64{1}
		hand, m, v := 1.0, 0.0, 0.0
		for n := range 50 {
			g := math.Cos(float64(n)) * hand
			m, v = beta1*m+(1-beta1)*g, beta2*v+(1-beta2)*g*g
			mHat, vHat := m, v
			if correct {
				mHat, vHat = m/(1-math.Pow(beta1, float64(n+1))), v/(1-math.Pow(beta2, float64(n+1)))
			}
			if err := s.Step(c.LR, theta, []float64{math.Cos(float64(n)) * theta[0]}); err != nil {
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
		if r.Memory == nil {
			continue // which have none is a test of its own
		}
		s := mustStepper[float64](t, r, vector(2))
		theta, want := []float64{1, -2}, []float64{1, -2}
		var past [][]float64
		for n := range 12 {
			g := []float64{math.Sin(float64(n + 1)), 0.1 * float64(n-5)}
			past = append(past, g)
			step := byDefinition(t, r, past, want)
			for i := range want {
				want[i] -= c.LR * step[i]
			}
			if err := s.Step(c.LR, theta, g); err != nil {
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
	for _, m := range r.Memory.Moments {
		sum := theta.Like(0).BroadcastTo(len(at))
		for k := range past {
			sum = sum.Add(m.Apply(g[n-k], theta).Mul(theta.Like(m.Weight(k, n))))
		}
		s = append(s, sum)
	}
	p, err := engine.Compile(params, []graph.Value{r.Memory.Update(s, g[n], theta)}, engine.Options{Threads: 1})
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
	a, b := mustStepper[float32](t, r, vector(2)), mustStepper[float32](t, r, vector(2))
	theta := []float32{0.5, -0.25}
	g := func(n int) []float32 { return []float32{float32(n) * 0.1, 0.3} }
	for n := range 5 {
		if err := a.Step(c.LR, theta, g(n)); err != nil {
			t.Fatal(err)
		}
	}
	again := append([]float32(nil), theta...)
	if err := b.Restore(a.Steps(), a.State()); err != nil {
		t.Fatal(err)
	}
	for n := 5; n < 10; n++ {
		if err := a.Step(c.LR, theta, g(n)); err != nil {
			t.Fatal(err)
		}
		if err := b.Step(c.LR, again, g(n)); err != nil {
			t.Fatal(err)
		}
	}
	if theta[0] != again[0] || theta[1] != again[1] {
		t.Errorf("%v without a break, %v with one", theta, again)
	}
}

func TestStepsAllocateNothing(t *testing.T) {
	r, c := mustRule(t, "adam", nil)
	s := mustStepper[float64](t, r, vector(2))
	theta, g := []float64{1, 2}, []float64{0.1, 0.2}
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Step(c.LR, theta, g); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations a step", n)
	}
}

func TestMistakesInARuleOrAStepAreNamed(t *testing.T) {
	r, _ := mustRule(t, "adam", nil)
	wrong := *r.Memory
	wrong.Moments = []Moment{{Name: "m", Kernel: Kernel{First: 1, Next: 1, Beta: 1}}}
	for what, tc := range map[string]struct {
		rule   *Rule
		blocks []graph.Block
		want   string
	}{
		"no step":       {&Rule{Name: "mine"}, vector(2), "Step is missing"},
		"no rule":       {nil, vector(2), "Step is missing"},
		"a kernel":      {&Rule{Name: "mine", Step: r.Step, Memory: &wrong}, vector(2), "want 0 <= Beta < 1"},
		"twice a name":  {&Rule{Name: "mine", Step: r.Step, State: []string{"m", "m"}}, vector(2), `state 1 is called "m"`},
		"no parameters": {r, nil, "no parameters"},
		"a hole":        {r, []graph.Block{{Name: "w", Shape: []int{2}, Offset: 1}}, "weight w begins at parameter 1: want 0"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := NewStepper[float64](tc.rule, tc.blocks, engine.Options{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	s := mustStepper[float64](t, r, vector(2))
	for what, err := range map[string]error{
		"a short theta":   s.Step(0.1, []float64{1}, []float64{1, 2}),
		"a negative lr":   s.Step(-1, []float64{1, 1}, []float64{1, 2}),
		"lr not a number": s.Step(math.NaN(), []float64{1, 1}, []float64{1, 2}),
		"one array":       s.Restore(3, [][]float64{{1, 2}}),
		"a short array":   s.Restore(3, [][]float64{{1, 2}, {1}}),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// A schedule may take lr to 0: then an optimizer whose update is made by dividing by lr stays, or does what it does beside its gradient.
func TestAStepOfNoSizeMovesByNoGradient(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			r, c := mustRule(t, name, nil)
			s := mustStepper[float64](t, r, vector(2))
			theta := []float64{1, -0.5}
			for n, lr := range []float64{0, c.LR, c.LR, 0} {
				before := append([]float64(nil), theta...)
				estimate(s.state)
				if err := s.Step(lr, theta, []float64{0.3, -0.2 * float64(n+1)}); err != nil {
					t.Fatal(err)
				}
				for j, v := range theta {
					if math.IsNaN(v) || lr == 0 && v != before[j] && !byItself[name] {
						t.Errorf("step %d of size %g: theta[%d] is %v, before %v", n, lr, j, v, before[j])
					}
				}
			}
		})
	}
}

// byItself are the optimizers that move even where lr is 0: to the mean of the iterates, or by steps whose size is their state.
var byItself = map[string]bool{"schedule-free-adamw": true, "rprop": true}
