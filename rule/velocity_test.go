package rule

import (
	"fmt"
	"math"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// velocityAt evaluates Velocity at size e > 0 on vectors, with g, theta, the state and the age as they are.
func velocityAt(t *testing.T, r *Rule, lr, e, age float64, theta, g []float64, state [][]float64) (dtheta []float64, dstate [][]float64) {
	t.Helper()
	b := graph.NewBuilder()
	vec := func(name string) graph.Value { return b.Param(name, graph.Float64, len(theta)) }
	c := Call{Theta: vec("theta"), G: vec("g")}
	in, values := []graph.Value{c.Theta, c.G}, []engine.Buffer{engine.Of(theta), engine.Of(g)}
	for i, s := range state {
		c.State = append(c.State, b.Param(r.State[i], graph.Float64, len(s)))
		in, values = append(in, c.State[i]), append(values, engine.Of(s))
	}
	size := c.Theta.Like(e)
	c.LR = c.Theta.Like(lr)
	at := Scale{size, c.Theta.Like(age), func(beta float64) graph.Value { return c.Theta.Like(math.Expm1(e*math.Log(beta)) / e) }}
	dt, ds, err := r.Velocity(c, at)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(in, append([]graph.Value{dt}, ds...), engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	dtheta = make([]float64, len(theta))
	out := []engine.Buffer{engine.Of(dtheta)}
	for i := range ds {
		dstate = append(dstate, make([]float64, r.Length(i, len(theta))))
		out = append(out, engine.Of(dstate[len(dstate)-1]))
	}
	if err := p.Run(values, out); err != nil {
		t.Fatal(err)
	}
	return dtheta, dstate
}

// At size 1 the family is the rule: theta and state move as a step moves them, in any step.
func TestTheFamilyOfAStepPassesThroughIt(t *testing.T) {
	texts := map[string]string{
		"written out":       "{beta1: 0.9, beta2: 0.99, eps: 1e-8}\n  state:\n    m: beta1 * m + (1 - beta1) * g\n    v: ema(g^2, beta2)\n  update: m / (1 - beta1^(n + 1)) / (sqrt(v / (1 - beta2^(n + 1))) + eps)\n",
		"a largest so far":  "{beta2: 0.99, eps: 1e-8}\n  state:\n    v: ema(g^2, beta2)\n    top: max(top, v)\n  update: g / (sqrt(top) + eps)\n",
		"a warmed-up decay": "{beta1: 0.9}\n  state:\n    m: ema(g, beta1 * (1 - 0.5 / (n + 1)))\n  update: m + lr * theta\n",
		"a mixture":         "{beta1: 0.9, beta2: 0.99}\n  state:\n    c: beta1 * m + (1 - beta1) * g\n    m: ema(g, beta2)\n  update: c\n",
		"no memory in m":    "{beta1: 0, beta2: 0.99}\n  state:\n    m: ema(g, beta1)\n    v: ema(m^2, beta2)\n  update: m + v\n",
	}
	configs := map[string]Config{}
	for _, name := range Names() {
		if name == "sophia" {
			continue // its steps read more than a gradient
		}
		for _, flag := range []bool{false, true} {
			values := map[string]any{}
			d, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range d.Let {
				if k.Name == "frequency" {
					values[k.Name] = 1.0 // so that all steps are alike
				}
				if _, ok := k.Default.(bool); ok {
					values[k.Name] = flag
				}
			}
			c, err := d.New(values)
			if err != nil {
				t.Fatal(err)
			}
			configs[fmt.Sprintf("%s, flags %v", name, flag)] = c
		}
	}
	for name, text := range texts {
		_, configs[name] = ruleOf(t, define(t, "optimizer:\n  name: mine\n  lr: 1e-3\n  let: "+text), nil)
	}
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			blocks := []graph.Block{{Name: "w", Shape: []int{2, 2}}, {Name: "b", Shape: []int{1}, Offset: 4}}
			r, err := c.RuleOf(blocks)
			if err != nil {
				t.Fatal(err)
			}
			s, err := NewStepper[float64](r, blocks, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			theta := []float64{1.5, -0.5, 0.2, -1, 0.7}
			for n := range 5 {
				g := []float64{math.Cos(float64(n)), 0.1 * float64(n+1), 0.5 * math.Cos(2*float64(n)), -0.25 * float64(n+1), math.Cos(3 * float64(n))}
				before, state := append([]float64(nil), theta...), [][]float64{}
				for _, v := range s.State() {
					state = append(state, append([]float64(nil), v...))
				}
				if err := s.Step(c.LR, theta, g); err != nil {
					t.Fatal(err)
				}
				dtheta, dstate := velocityAt(t, r, c.LR, 1, float64(n), before, g, state)
				for j := range theta {
					if want := theta[j] - before[j]; math.Abs(dtheta[j]-want) > 1e-12*(math.Abs(want)+1e-3) {
						t.Errorf("step %d moves theta[%d] by %v, its family by %v", n, j, want, dtheta[j])
					}
				}
				for i, v := range s.State() {
					for j := range v {
						want := v[j] - state[i][j]
						if name == "no memory in m" && r.State[i] == "m" {
							want = 0 // what no later step reads stands still
						}
						if math.Abs(dstate[i][j]-want) > 1e-13*(math.Abs(v[j])+1) {
							t.Errorf("step %d moves %s[%d] by %v, its family by %v", n, r.State[i], j, want, dstate[i][j])
						}
					}
				}
			}
		})
	}
}

// At other sizes the family of means is the same optimizer with another step size and other decays.
func TestTheFamilyOfMeansIsTheOptimizerAtOtherDecays(t *testing.T) {
	const e, lr, beta1, beta2 = 0.25, 0.01, 0.9, 0.99
	theta, g, state := []float64{1.5}, []float64{0.3}, [][]float64{{0.2}, {0.5}}
	for _, name := range []string{"adam", "adamw", "nadam"} {
		for _, corrected := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bias correction %v", name, corrected), func(t *testing.T) {
				rule := func(size float64) *Rule {
					c, err := New(name, map[string]any{"beta1": math.Pow(beta1, size), "beta2": math.Pow(beta2, size), "bias_correction": corrected})
					if err != nil {
						t.Fatal(err)
					}
					r, err := c.Rule()
					if err != nil {
						t.Fatal(err)
					}
					return r
				}
				const n = 8 // steps of size e
				got, gotState := velocityAt(t, rule(1), lr, e, n*e, theta, g, state)
				want, wantState := velocityAt(t, rule(e), lr*e, 1, n, theta, g, state)
				for i, v := range append([][]float64{got}, gotState...) {
					if w := append([][]float64{want}, wantState...)[i][0] / e; math.Abs(v[0]-w) > 1e-13*math.Abs(w) {
						t.Errorf("component %d moves at %v, the optimizer of that size at %v", i, v[0], w)
					}
				}
			})
		}
	}
}

func TestAStateThatCannotBeNegativeCountsAsZeroWhereItIs(t *testing.T) {
	c, err := New("adam", map[string]any{"beta1": 0.5, "beta2": 0.5, "eps": 1.0, "bias_correction": false})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := velocityAt(t, r, 1, 1, 3, []float64{0}, []float64{0}, [][]float64{{-2}, {-7}})
	if want := 1.0; got[0] != want {
		t.Errorf("theta moves at %v, with v = 0 at %v", got[0], want)
	}
}
