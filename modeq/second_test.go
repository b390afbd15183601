package modeq

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/rule/stepsize"
)

// rules returns every rule of the catalog with hyperparameters that make its terms of similar size.
func rules(t testing.TB) map[string]*rule.Rule {
	t.Helper()
	values := map[string]map[string]any{
		"gd":         nil,
		"heavy-ball": {"beta1": 0.5},
		"nesterov":   {"beta1": 0.5},
		"rmsprop":    {"beta2": 0.6, "eps": 0.5},
		"adam":       {"beta1": 0.3, "beta2": 0.5, "eps": 1},
		"adamw":      {"beta1": 0.3, "beta2": 0.5, "eps": 1, "weight_decay": 0.3},
		"nadam":      {"beta1": 0.4, "beta2": 0.5, "eps": 1},
		"signum":     {"beta1": 0.4, "eps": 1},
		"lion":       {"beta1": 0.5, "beta2": 0.6, "eps": 1, "weight_decay": 0.2},
		"sgd":        {"momentum": 0.5, "nesterov": true},
		"ademamix":   {"beta1": 0.3, "beta2": 0.5, "beta3": 0.6, "alpha": 0.5, "eps": 0.5},
		"lamb":       {"beta1": 0.3, "beta2": 0.5, "eps": 1},
		"muon":       {"momentum": 0.4, "beta1": 0.3, "beta2": 0.5, "eps": 1}, // of a vector
	}
	out := map[string]*rule.Rule{}
	for _, name := range fixture.Remembering(t) {
		out[name] = fixture.Rule(t, name, values[name])
	}
	out["adam, eps outside"] = fixture.Rule(t, "adam", map[string]any{"beta1": 0.3, "beta2": 0.5, "eps": 0.5, "eps_inside": false})
	out["adam, filling"] = fixture.Rule(t, "adam", map[string]any{"beta1": 0.6, "beta2": 0.5, "eps": 0.5, "bias_correction": false})
	return out
}

func mustSecond(t testing.TB, r *rule.Rule, o *objective.Function, opt SecondOptions) *SecondOrder[float64] {
	t.Helper()
	opt.Threads = 1
	s, err := NewSecondOrder(r, objective.Objective[float64](numeric(o)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func evaluate(t testing.TB, s *SecondOrder[float64], n int, theta []float64) (f, c []float64) {
	t.Helper()
	f, c = make([]float64, len(theta)), make([]float64, len(theta))
	if err := s.At(t.Context(), n, theta, f, c); err != nil {
		t.Fatal(err)
	}
	return f, c
}

func agree(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: [%d] = %.16g, want %.16g", what, i, got[i], want[i])
		}
	}
}

func TestFullMemoryIsTheFirstTwoTermsOfTheSeries(t *testing.T) {
	theta := []float64{1.6, 1.1}
	o := onePair(t)
	for name, r := range rules(t) {
		t.Run(name, func(t *testing.T) {
			fields := fieldsAt(t, r, o, 2, FieldOptions{}, theta)
			f, c := evaluate(t, mustSecond(t, r, o, SecondOptions{}), FullMemory, theta)
			for i := range f {
				f[i], c[i] = -f[i], -c[i]
			}
			agree(t, "F", f, fields[0], 1e-13)
			agree(t, "C", c, fields[1], 1e-12)
		})
	}
}

func TestAdamsCorrectionMatchesThePapersClosedForm(t *testing.T) {
	const beta1, beta2, eps = 0.9, 0.99, 0.3
	r := fixture.Rule(t, "adam", map[string]any{"beta1": 0.9, "beta2": 0.99, "eps": 0.3})
	o := onePair(t)
	theta := []float64{0.4, -0.7}
	g := gradient(t, numeric(o), objective.Full, theta)
	age := func(b float64, n int) float64 {
		p := math.Pow(b, float64(n+1))
		return b/(1-b) - float64(n+1)*p/(1-p)
	}
	for _, n := range []int{0, 1, 5, 50, FullMemory} {
		t.Run(fmt.Sprintf("n = %d", n), func(t *testing.T) {
			c1, c2 := (1+beta1)/(1-beta1), (1+beta2)/(1-beta2)
			if n >= 0 {
				c1, c2 = 1+2*age(beta1, n), 1+2*age(beta2, n)
			}
			f, c := evaluate(t, mustSecond(t, r, o, SecondOptions{}), n, theta)
			q := product(t, numeric(o), objective.Full, theta, f)
			want := make([]float64, 2)
			for j := range want {
				square := g[j]*g[j] + eps
				want[j] = 0.5 * (c1 - c2 + c2*eps/square) * q[j] / math.Sqrt(square)
			}
			agree(t, fmt.Sprintf("n = %d", n), c, want, 1e-12)
		})
	}
}

// byTheTheorem evaluates the general theorem as it is written, one product for every past step and moment, with derivatives by
// central differences of the rule's own functions. A nil lr stands for steps of one size.
func byTheTheorem(t *testing.T, r *rule.Rule, o *objective.Function, order func(int) int, lr func(int) float64, n int, theta []float64) (f, c []float64) {
	t.Helper()
	loss := numeric(o)
	batch := func(k int) int {
		if order == nil {
			return objective.Full
		}
		return order(k)
	}
	grads := make([][]float64, n+1)
	for k := range grads {
		grads[k] = gradient(t, loss, batch(k), theta)
	}
	p, err := newGeneralPrograms[float64](r.Memory, 2, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if lr == nil {
		lr = func(int) float64 { return 1 }
	}
	phi := func(i int, g, at []float64) []float64 {
		out := append([]float64(nil), g...)
		if p.phi[i] != nil {
			if err := p.phi[i].Run(buffers([][]float64{g, at}), buffers([][]float64{out})); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	moments := func(l int, shift func(i, k int) []float64) [][]float64 {
		s := make([][]float64, len(r.Memory.Moments))
		for i, m := range r.Memory.Moments {
			s[i] = make([]float64, 2)
			for k := 0; k <= l; k++ {
				addTo(s[i], m.Weight(l-k, l), shift(i, k))
			}
		}
		return s
	}
	still := func(i, k int) []float64 { return phi(i, grads[k], theta) }
	update := func(s [][]float64, g, at []float64) []float64 {
		out := make([]float64, 2)
		if err := p.update.Run(buffers(s, [][]float64{g, at}), buffers([][]float64{out})); err != nil {
			t.Fatal(err)
		}
		return out
	}
	updates := make([][]float64, n+1)
	for l := range updates {
		updates[l] = update(moments(l, still), grads[l], theta)
	}
	u, back := make([][]float64, n+1), make([][]float64, n+1)
	for k := range u {
		back[k] = make([]float64, 2)
		addTo(back[k], 0.5, updates[n])
		for l := k; l < n; l++ {
			addTo(back[k], lr(l)/lr(n), updates[l])
		}
		u[k] = product(t, loss, batch(k), theta, back[k])
	}
	// C is the derivative of U along g_k + d u_k, taken at theta + d back_k, and theta + d F/2.
	along := func(d float64) []float64 {
		moved := func(k int) []float64 {
			v := append([]float64(nil), grads[k]...)
			addTo(v, d, u[k])
			return v
		}
		was := func(k int) []float64 {
			v := append([]float64(nil), theta...)
			addTo(v, d, back[k])
			return v
		}
		return update(moments(n, func(i, k int) []float64 { return phi(i, moved(k), was(k)) }), moved(n), was(n))
	}
	const d = 1e-5
	c = along(d)
	addTo(c, -1, along(-d))
	for i := range c {
		c[i] /= 2 * d
	}
	return updates[n], c
}

func TestRegroupedSumsAreTheTheorem(t *testing.T) {
	theta := []float64{0.9, 0.6}
	for name, r := range withConditioned(t, rules(t)) {
		for orderName, order := range map[string]func(int) int{"full": nil, "cyclic": Cyclic(3), "shuffled": Shuffled(3, 5)} {
			for lrName, lr := range map[string]func(int) float64{"one size": nil, "decay": stepsize.Schedule{Shape: stepsize.Cosine, Warmup: 2, Steps: 12}.At} {
				t.Run(name+", "+orderName+", "+lrName, func(t *testing.T) {
					s := mustSecond(t, r, threePairs(t), SecondOptions{Order: order, LR: lr})
					for _, n := range []int{0, 1, 2, 5, 9} {
						wantF, wantC := byTheTheorem(t, r, threePairs(t), order, lr, n, theta)
						f, c := evaluate(t, s, n, theta)
						agree(t, fmt.Sprintf("n = %d: F", n), f, wantF, 1e-12)
						agree(t, fmt.Sprintf("n = %d: C", n), c, wantC, 1e-6)
					}
				})
			}
		}
	}
}

// withConditioned adds rules whose gradients are clipped, or decay is added to, before their formulas see them.
func withConditioned(t testing.TB, rules map[string]*rule.Rule) map[string]*rule.Rule {
	t.Helper()
	for _, name := range []string{"heavy-ball", "nesterov", "adamw", "adam, filling", "lion"} {
		for what, c := range map[string]rule.Conditioning{
			"clipped norm":          {ClipNorm: 0.7},
			"clipped norm and L2":   {ClipNorm: 0.7, L2: 0.3, PyTorch: true},
			"L2":                    {L2: 0.3},
			"a norm seldom clipped": {ClipNorm: 3, ClipValue: 2.5},
		} {
			r, err := rules[name].Conditioned(c)
			if err != nil {
				t.Fatal(err)
			}
			rules[name+", "+what] = r
		}
	}
	return rules
}

func TestAtAStepOfSize0ThereIsNoEquation(t *testing.T) {
	s := mustSecond(t, rules(t)["adam"], onePair(t), SecondOptions{LR: func(n int) float64 { return float64(1 - min(n, 1)) }})
	v := make([]float64, 2)
	if err := s.At(t.Context(), 1, []float64{1, 1}, v, v); err == nil || !strings.Contains(err.Error(), "step 1 has size 0") {
		t.Errorf("got %v", err)
	}
}

func TestAWindowChangesNoMoreThanItsTolerance(t *testing.T) {
	theta := []float64{0.9, 0.6}
	for name, r := range rules(t) {
		for orderName, order := range map[string]func(int) int{"full": nil, "cyclic": Cyclic(3), "shuffled": Shuffled(3, 5)} {
			t.Run(name+", "+orderName, func(t *testing.T) {
				narrow := mustSecond(t, r, threePairs(t), SecondOptions{Order: order, Tolerance: 1e-9})
				wide := mustSecond(t, r, threePairs(t), SecondOptions{Order: order, Tolerance: 1e-200})
				if narrow.Window() >= wide.Window() && r.Memory.Window(0.5) > 1 {
					t.Fatalf("windows %d and %d", narrow.Window(), wide.Window())
				}
				for _, n := range []int{60, 200} {
					f, c := evaluate(t, narrow, n, theta)
					wantF, wantC := evaluate(t, wide, n, theta)
					what := fmt.Sprintf("%s, n = %d", orderName, n)
					agree(t, what+": F", f, wantF, 1e-7)
					agree(t, what+": C", c, wantC, 1e-7)
				}
			})
		}
	}
}

// counter counts what an evaluation costs.
type counter struct {
	objective.Objective[float64]
	gradients, products, passes int
}

func (c *counter) Evaluate(ctx context.Context, theta []float64, batch int, want objective.Want[float64]) (objective.Evaluation, error) {
	if want.Gradient != nil {
		c.gradients++
	}
	c.products += len(want.Vectors)
	c.passes++
	return c.Objective.Evaluate(ctx, theta, batch, want)
}

func TestCostOfAnEvaluationDoesNotGrowWithTheMemory(t *testing.T) {
	for _, tc := range []struct {
		rule                string
		order               func(int) int
		n                   int
		gradients, products int
	}{
		{"adam", nil, 40, 1, 1},
		{"adam, filling", nil, 40, 1, 2},
		{"adam, filling", nil, 4000, 1, 1},
		{"nesterov", nil, 7, 1, 2},
		{"nadam", nil, 40, 1, 1},
		{"heavy-ball", Cyclic(3), 500, 3, 3},
		{"adam", Cyclic(3), 500, 3, 6},
		{"adam", Shuffled(3, 1), 500, 3, 6},
		{"nadam", Cyclic(3), 500, 3, 7},
		{"gd", Cyclic(3), 500, 1, 1},
	} {
		t.Run(fmt.Sprintf("%s, n = %d", tc.rule, tc.n), func(t *testing.T) {
			loss := &counter{Objective: numeric(threePairs(t))}
			s, err := NewSecondOrder[float64](rules(t)[tc.rule], loss, SecondOptions{Order: tc.order})
			if err != nil {
				t.Fatal(err)
			}
			evaluate(t, s, tc.n, []float64{0.9, 0.6})
			if loss.gradients != tc.gradients || loss.products != tc.products {
				t.Errorf("%d gradients and %d products, want %d and %d", loss.gradients, loss.products, tc.gradients, tc.products)
			}
		})
	}
}

func TestEachBatchTakesOneGradientAndOnePassOfProducts(t *testing.T) {
	for _, name := range []string{"adam", "nadam", "heavy-ball", "nesterov"} {
		for orderName, order := range map[string]func(int) int{"cyclic": Cyclic(3), "shuffled": Shuffled(3, 1)} {
			t.Run(name+" "+orderName, func(t *testing.T) {
				loss := &counter{Objective: numeric(threePairs(t))}
				s, err := NewSecondOrder[float64](rules(t)[name], loss, SecondOptions{Order: order})
				if err != nil {
					t.Fatal(err)
				}
				evaluate(t, s, 500, []float64{0.9, 0.6})
				if loss.gradients != 3 || loss.passes != 6 {
					t.Errorf("%d gradients and %d passes for 3 batches, want one of each, and one of products", loss.gradients, loss.passes)
				}
			})
		}
	}
}

func TestFloat32AgreesWithFloat64(t *testing.T) {
	for name, r := range rules(t) {
		t.Run(name, func(t *testing.T) {
			for _, order := range []func(int) int{nil, Cyclic(3)} {
				single, err := NewSecondOrder[float32](r, objective.NewNumeric[float32](threePairs(t), 1), SecondOptions{Order: order})
				if err != nil {
					t.Fatal(err)
				}
				want, err := mustSecond(t, r, threePairs(t), SecondOptions{Order: order}).Flow(t.Context(), 0.1, 2)
				if err != nil {
					t.Fatal(err)
				}
				got, err := single.Flow(t.Context(), 0.1, 2)
				if err != nil {
					t.Fatal(err)
				}
				a, b := make([]float64, 2), make([]float64, 2)
				if err := want(20, 2, []float64{0.9, 0.6}, a); err != nil {
					t.Fatal(err)
				}
				if err := got(20, 2, []float64{0.9, 0.6}, b); err != nil {
					t.Fatal(err)
				}
				agree(t, name, b, a, 1e-4)
			}
		})
	}
}

func TestShuffledVisitsEveryBatchOnceAnEpoch(t *testing.T) {
	order := Shuffled(5, 7)
	different := false
	for epoch := range 20 {
		var seen [5]bool
		for i := range 5 {
			b := order(5*epoch + i)
			different = different || b != i
			if seen[b] {
				t.Fatalf("epoch %d visits batch %d twice", epoch, b)
			}
			seen[b] = true
		}
	}
	if !different {
		t.Error("nothing was shuffled")
	}
	if again := Shuffled(5, 7); again(33) != order(33) {
		t.Error("the order depends on what was asked before")
	}
}

func TestMistakesAreErrors(t *testing.T) {
	r := rules(t)["adam"]
	s := mustSecond(t, r, threePairs(t), SecondOptions{Order: Cyclic(3)})
	if err := s.At(t.Context(), FullMemory, []float64{1, 1}, make([]float64, 2), nil); err == nil || !strings.Contains(err.Error(), "full memory") {
		t.Errorf("full memory of mini-batches: %v", err)
	}
	if err := s.At(t.Context(), 3, []float64{1}, make([]float64, 2), nil); err == nil {
		t.Error("a short theta: no error")
	}
	if _, err := s.Flow(t.Context(), 0.1, 3); err == nil {
		t.Error("order 3: no error")
	}
	if _, err := NewSecondOrder[float64](r, nil, SecondOptions{}); err == nil {
		t.Error("no loss: no error")
	}
	if _, err := NewSecondOrder[float64](r, numeric(threePairs(t)), SecondOptions{Tolerance: 2}); err == nil {
		t.Error("tolerance 2: no error")
	}
	for _, order := range []int{0, MaxOrder + 1} {
		t.Run(fmt.Sprintf("order %d", order), func(t *testing.T) {
			if _, err := CompileFields(r, threePairs(t), 2, order, FieldOptions{}); err == nil {
				t.Error("no error")
			}
		})
	}
}
