package crosscheck

import (
	"context"
	"math"
	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/internal/fixture"
	"shadowflow/modeq"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/objective/network"
	"shadowflow/rule"
	"slices"
	"strings"
	"testing"
)

func TestDerivationsAgreeOnEveryLossForEveryRule(t *testing.T) {
	for _, name := range fixture.Remembering(t) {
		for _, values := range []map[string]any{nil, {"eps": 1e-3}} {
			c, err := rule.New(name, values)
			if err != nil {
				continue // a rule without eps
			}
			for _, loss := range closed.Names() {
				t.Run(c.String()+" on "+loss, func(t *testing.T) {
					o := fixture.Objective(t, loss, nil)
					wantAgreement(t, o, c, o.Start())
				})
			}
		}
	}
}

// Terms of a size 1/(1-beta) leave little of each other there.
func TestDerivationsAgreeOnVeryLongMemories(t *testing.T) {
	for _, beta := range []float64{0.9999, 1 - 1e-8} {
		c, err := rule.New("adam", map[string]any{"beta1": beta, "beta2": beta})
		if err != nil {
			t.Fatal(err)
		}
		o := fixture.Objective(t, "bilinear", nil)
		wantAgreement(t, o, c, o.Start())
	}
}

func wantAgreement(t *testing.T, o objective.Objective[float64], c rule.Config, theta []float64) {
	t.Helper()
	checks, err := Run(t.Context(), o, c, theta)
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) < 2 {
		t.Errorf("only %d checks", len(checks))
	}
	for _, k := range checks {
		if name := c.Definition.Name; k.Skipped == coupled && (name == "lamb" || name == "muon") {
			if !k.Agrees() || k.Difference != 0 {
				t.Errorf("%s was not compared, and differs by %g", k.What, k.Difference)
			}
			continue
		}
		if !k.Agrees() || math.IsNaN(k.Difference) || k.Skipped != "" {
			t.Errorf("%s: %g, %s", k.What, k.Difference, k.Skipped)
		}
	}
}

func TestDifferenceKeepsWhatIsNotANumber(t *testing.T) {
	if d := difference([]float64{1, math.NaN()}, []float64{1, 2}, 0); !math.IsNaN(d) {
		t.Errorf("got %g", d)
	}
	if d := difference([]float64{1, 2}, []float64{1, 3}, 10); d != 0.1 {
		t.Errorf("got %g", d)
	}
}

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
			r := fixture.Rule(t, name, nil)
			fields, err := modeq.CompileFields(r, o, dim, 2, modeq.FieldOptions{})
			if err != nil {
				t.Fatal(err)
			}
			second, err := modeq.NewSecondOrder[float64](r, o, modeq.SecondOptions{})
			if err != nil {
				t.Fatal(err)
			}
			f0, f1, f, c := make([]float64, dim), make([]float64, dim), make([]float64, dim), make([]float64, dim)
			if err := fields.At(t.Context(), theta, [][]float64{f0, f1}); err != nil {
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

// numbersOnly is a loss without graph code.
type numbersOnly struct{ objective.Objective[float64] }

func TestALossWithoutGraphCodeSkipsTheSeriesAndSaysSo(t *testing.T) {
	c, err := rule.New("adam", nil)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := Run(t.Context(), numbersOnly{fixture.Objective(t, "bilinear", nil)}, c, []float64{1.6, 1.1})
	if err != nil {
		t.Fatal(err)
	}
	skipped := 0
	for _, k := range checks {
		if k.Skipped != "" {
			skipped++
		}
	}
	if len(checks) != 7 || skipped != 1 {
		t.Errorf("%+v, want one of seven skipped", checks)
	}
}

// mistaken is a loss of another program that makes a mistake.
type mistaken struct {
	objective.Objective[float64]
	in    string
	calls int
}

func (m *mistaken) Evaluate(ctx context.Context, theta []float64, batch int, want objective.Want[float64]) (objective.Evaluation, error) {
	e, err := m.Objective.Evaluate(ctx, theta, batch, want)
	switch {
	case m.in == "gradient" && want.Gradient != nil:
		want.Gradient[0] *= 1 + 1e-5
	case m.in == "Hessian-vector product" && want.Products != nil:
		want.Products[0][0] *= 1 + 1e-5
	case m.in == "loss, gradient" && want.Products != nil:
		m.calls++
		e.Loss *= 1 + float64(m.calls)*1e-15
	case m.in == "two calls" && want.Products != nil:
		m.calls++
		want.Products[0][1] *= 1 + float64(m.calls)*1e-15
	}
	return e, err
}

func TestAMistakeInTheDerivativesOfAnotherProgramIsFound(t *testing.T) {
	c, err := rule.New("adam", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"gradient", "Hessian-vector product", "two calls", "loss, gradient"} {
		t.Run(in, func(t *testing.T) {
			m := &mistaken{Objective: fixture.Objective(t, "bilinear", nil), in: in}
			checks, err := Run(t.Context(), m, c, []float64{1.6, 1.1})
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(checks, func(k Check) bool { return strings.Contains(k.What, in) && !k.Agrees() }); i < 0 {
				t.Errorf("it is not found: %+v", checks)
			}
			if first := checks[0]; !strings.Contains(first.What, "two calls") {
				t.Errorf("first of all is %q: want two calls, whose difference makes all others", first.What)
			}
		})
	}
}

// Muon's step of a network is made of whole weights, and Shampoo's remembers products of them: C by the general formula is that of
// the series, and there is no norm to compare.
func TestAnOptimizerOfWholeWeightsIsCheckedOnThem(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"muon": {"weight_decay": 0}, "shampoo": {"beta2": 0.8, "eps": 0.1},
	} {
		t.Run(name, func(t *testing.T) { checkWholeWeights(t, name, values) })
	}
}

func checkWholeWeights(t *testing.T, name string, values map[string]any) {
	c, err := rule.New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	o := tinyNetwork(t, network.Options{MicroBatch: 1000})
	checks, err := Run(t.Context(), o, c, o.Start())
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) != 2 || checks[0].Skipped != coupled || !checks[0].Agrees() || checks[1].Skipped != "" || !checks[1].Agrees() {
		t.Errorf("%+v", checks)
	}
	one, err := c.Rule()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rule.NewStepper[float64](one, o.Blocks(), engine.Options{}); err == nil || !strings.Contains(err.Error(), "RuleOf") {
		t.Errorf("a rule of one weight takes steps of several: %v", err)
	}
}

func TestGroupsOfWeightsAreCheckedTogether(t *testing.T) {
	c, err := rule.New("muon", map[string]any{"exact": true})
	if err != nil {
		t.Fatal(err)
	}
	own, err := rule.New("adamw", map[string]any{"weight_decay": 0.3})
	if err != nil {
		t.Fatal(err)
	}
	c.Groups = []rule.Group{{Dims: []int{1}, Scale: 0.5, Config: own}}
	o := tinyNetwork(t, network.Options{MicroBatch: 1000})
	checks, err := Run(t.Context(), o, c, o.Start())
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) != 2 || checks[0].Skipped != grouped || checks[1].Skipped != "" || !checks[1].Agrees() {
		t.Errorf("%+v", checks)
	}
}
