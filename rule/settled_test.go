package rule

import (
	"math"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// elements returns values of graph code made from a gradient and parameters.
func elements(t *testing.T, f func(g, theta graph.Value) graph.Value, g, theta []float64) []float64 {
	t.Helper()
	b := graph.NewBuilder()
	gs, thetas := b.Param("g", graph.Float64, len(g)), b.Param("theta", graph.Float64, len(g))
	p, err := engine.Compile([]graph.Value{gs, thetas}, []graph.Value{f(gs, thetas)}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(g))
	if err := p.Run([]engine.Buffer{engine.Of(g), engine.Of(theta)}, []engine.Buffer{engine.Of(out)}); err != nil {
		t.Fatal(err)
	}
	return out
}

// settlers are definitions whose entries settle.
var settlers = map[string]string{
	"a deviation from the mean": `
  state:
    m: ema(g, beta1)
    s: ema((g - m)^2 + eps, beta2)
  update: corrected(m) / (sqrt(corrected(s)) + eps)
`,
	"the change of the gradient": `
  state:
    change: ema(g - last, beta1)
    last: g
    m: sum(g, beta1)
  update: m + beta2 * change / (1 + eps)
`,
	"a decay that changes": `
  state:
    v: ema(g^2, 1 - (n + 1)^(-0.8))
  update: beta1 * g / sqrt(v + eps * beta2)
`,
}

// restless are the optimizers whose update goes on changing while the gradient stays, or comes to rest too late to say where.
var restless = map[string]string{
	"adafactor":           "its relative steps shrink with the root of n",
	"adagrad":             "its sum of squares grows for ever",
	"rprop":               "its steps grow to their bound, whatever lr is",
	"schedule-free-adamw": "it averages all its iterates",
	"prodigy":             "its step size grows with the way that it has come",
	"shampoo":             "its sums grow for ever",
	"sophia":              "the Hessian's diagonal is no function of the gradient",
}

// A step's U under a gradient that stays tends to F, for every optimizer.
func TestUpdatesSettleToWhatIsSaid(t *testing.T) {
	rules := map[string]*Rule{}
	for _, name := range Names() {
		values := map[string]any{}
		switch name { // 1e6 steps would be too few otherwise
		case "ademamix":
			values["beta3"] = 0.99
		case "adadelta": // within 1/(1-beta2) times 1 + g^2/eps steps
			values["eps"] = 1e-3
		}
		r, _ := mustRule(t, name, values)
		if restless[name] == "" {
			rules[name] = r
		} else if _, err := r.Settled(); err == nil || !strings.Contains(err.Error(), "has no update without memory that is known") {
			t.Errorf("%s: %v, though %s", name, err, restless[name])
		}
	}
	rules["nadam whose momentum rises"], _ = mustRule(t, "nadam", map[string]any{"beta2": 0.999, "eps_inside": false, "momentum_decay": 0.04, "weight_decay": 0.1})
	for name, nesterov := range map[string]bool{"sgd with dampening": false, "sgd with dampening and Nesterov's step": true} {
		rules[name], _ = mustRule(t, "sgd", map[string]any{"momentum": 0.9, "dampening": 0.25, "nesterov": nesterov})
	}
	for name, text := range settlers {
		d := define(t, "optimizer:\n  name: mine\n  lr: 1e-3\n  let: {beta1: 0.9, beta2: 0.99, eps: 1e-8}\n"+text)
		r, _ := ruleOf(t, d, nil)
		rules[name] = r
	}
	g, theta := []float64{0.3, -0.02, 1e-5}, []float64{0.1, 0.2, -0.3}
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			f, err := r.Settled()
			if err != nil {
				t.Fatal(err)
			}
			want := elements(t, f, g, theta)
			s := mustStepper[float64](t, r, vector(len(g)))
			u := make([]float64, len(g))
			for range 60_000 {
				still := append([]float64(nil), theta...)
				if err := s.Step(1e-3, still, g); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Update(t.Context(), 1e-3, theta, g, u); err != nil {
				t.Fatal(err)
			}
			for j := range u {
				if math.Abs(u[j]-want[j]) > 1e-9*math.Abs(want[j]) {
					t.Errorf("element %d: U = %g, F = %g", j, u[j], want[j])
				}
			}
		})
	}
}

func TestUpdateIsTheStepOverTheStepSize(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			r, _ := mustRule(t, name, nil)
			s := mustStepper[float64](t, r, vector(3))
			theta, u := []float64{0.1, -0.2, 0.3}, make([]float64, 3)
			const lr = 0.01
			for n := range 5 {
				g := []float64{math.Sin(float64(n)), 0.1, -0.3 * float64(n)}
				before := append([]float64(nil), theta...)
				estimate(s.state)
				if err := s.Update(t.Context(), lr, theta, g, u); err != nil {
					t.Fatal(err)
				}
				if s.Steps() != n {
					t.Fatalf("after Update %d steps are taken, want %d", s.Steps(), n)
				}
				if err := s.Step(lr, theta, g); err != nil {
					t.Fatal(err)
				}
				for j := range u {
					if got := (before[j] - theta[j]) / lr; math.Abs(got-u[j]) > 1e-12*(1+math.Abs(u[j])) {
						t.Errorf("step %d, element %d: moved by lr times %g, U = %g", n, j, got, u[j])
					}
				}
			}
		})
	}
}

func TestWhatDoesNotSettleIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ state, update, want string }{
		"a maximum":             {"v: ema(g, beta2)\n    top: max(top, v)", "g * top", "what top = max(top, v) tends to while the gradient stays is not known"},
		"a sum that grows":      {"v: v + g^2", "g / sqrt(v + eps)", "v = v + g^2 grows without end while the gradient stays"},
		"a circle":              {"a: b + g\n    b: a * 2", "a", "tends to while the gradient stays is not known"},
		"a bound that shrinks":  {"m: ema(g, beta1)", "min(m, 1 / (n + 1))", "depends on n"},
		"its own steps":         {"u: ema((u + 2 * g)^2, beta2)\n    d: u + 2 * g", "d", "tends to while the gradient stays is not known"},
		"an update with n":      {"m: ema(g, beta1)", "m / (n + 1)", "depends on n"},
		"a sum that may change": {"m: sum(g, 1 - 1/(n + 2))", "m", "what m = sum(g, 1 - 1 / (n + 2)) tends to"},
	} {
		t.Run(name, func(t *testing.T) {
			d := define(t, head+"  state:\n    "+c.state+"\n  update: "+c.update+" + if(nesterov, 0, beta1 * beta2 * eps)\n")
			r, _ := ruleOf(t, d, nil)
			if _, err := r.Settled(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	code := &Rule{Name: "own", Step: func(c Call) (graph.Value, []graph.Value) { return c.Theta.Sub(c.G.Mul(c.LR)), nil }}
	if _, err := code.Settled(); err == nil || !strings.Contains(err.Error(), "given as code alone") {
		t.Errorf("got %v", err)
	}
	s := mustStepper[float64](t, code, vector(2))
	if err := s.Update(t.Context(), 1, make([]float64, 2), make([]float64, 2), make([]float64, 2)); err == nil || !strings.Contains(err.Error(), "given as code alone") {
		t.Errorf("got %v", err)
	}
}
