package rule

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

func conditioned(t *testing.T, name string, values map[string]any, with Conditioning, weights ...graph.Block) *Rule {
	t.Helper()
	c, err := New(name, values)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.RuleOf(weights)
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Conditioned(with)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAConditioningIsItsFormula(t *testing.T) {
	g, theta := []float64{3, -4, 0.5, 0}, []float64{1, 2, -1, 4}
	norm := math.Sqrt(3*3 + 4*4 + 0.25)
	small := math.Sqrt(2*2 + 2*2 + 0.25)
	for name, c := range map[string]struct {
		with  Conditioning
		want  []float64
		clips Clipped
	}{
		"nothing":                 {Conditioning{}, g, Clipped{1, 0}},
		"a norm within its bound": {Conditioning{ClipNorm: 6}, g, Clipped{1, 0}},
		"a norm":                  {Conditioning{ClipNorm: 2}, []float64{6 / norm, -8 / norm, 1 / norm, 0}, Clipped{2 / norm, 0}},
		"a norm as PyTorch has it": {
			Conditioning{ClipNorm: 2, PyTorch: true}, []float64{6 / (norm + 1e-6), -8 / (norm + 1e-6), 1 / (norm + 1e-6), 0}, Clipped{2 / (norm + 1e-6), 0},
		},
		"elements": {Conditioning{ClipValue: 2}, []float64{2, -2, 0.5, 0}, Clipped{1, 0.5}},
		"elements, and then the norm": {
			Conditioning{ClipValue: 2, ClipNorm: 1}, []float64{2 / small, -2 / small, 0.5 / small, 0}, Clipped{1 / small, 0.5},
		},
		"decay behind clipping": {Conditioning{ClipNorm: 2, L2: 0.1}, []float64{6/norm + 0.1, -8/norm + 0.2, 1/norm - 0.1, 0.4}, Clipped{2 / norm, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			got := elements(t, c.with.Of, g, theta)
			for i, want := range c.want {
				if math.Abs(got[i]-want) > 1e-15 {
					t.Fatalf("%v, want %v", got, c.want)
				}
			}
			if clips := Clip(c.with, g); math.Abs(clips.Factor-c.clips.Factor) > 1e-15 || clips.Share != c.clips.Share {
				t.Errorf("%+v, want %+v", clips, c.clips)
			}
		})
	}
}

// D phi[v] = (c/|g|)(v - ghat (ghat . v)) where the norm is clipped, and v where it is not, as at a gradient of 0 (theory, section 10).
func TestTheDerivativeOfAClippedNormIsThatOfTheTheory(t *testing.T) {
	v := []float64{0.3, -1, 2}
	for name, c := range map[string]struct{ g, want []float64 }{
		"clipped":            {[]float64{1, 2, 2}, []float64{0.5 / 3 * (0.3 - 2.3/9), 0.5 / 3 * (-1 - 2*2.3/9), 0.5 / 3 * (2 - 2*2.3/9)}},
		"not clipped":        {[]float64{0.1, 0.2, 0.2}, v},
		"at a gradient of 0": {[]float64{0, 0, 0}, v},
	} {
		t.Run(name, func(t *testing.T) {
			with := Conditioning{ClipNorm: 0.5}
			along := func(g, v graph.Value) graph.Value {
				return graph.JVP([]graph.Value{with.Of(g, g)}, []graph.Value{g}, []graph.Value{v})[0]
			}
			got := elements(t, along, c.g, v)
			for i, want := range c.want {
				if math.Abs(got[i]-want) > 1e-15 {
					t.Fatalf("%v, want %v", got, c.want)
				}
			}
		})
	}
}

// A conditioned step is the rule's step with the conditioned gradient, over all weights at once.
func TestAConditionedStepIsTheRulesWithAnotherGradient(t *testing.T) {
	with := Conditioning{ClipValue: 2, ClipNorm: 0.7, L2: 0.1}
	blocks := []graph.Block{{Name: "w", Shape: []int{2, 2}}, {Name: "b", Shape: []int{1}, Offset: 4}}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			w := conditioned(t, name, nil, with, blocks...)
			if w.Elementwise || !reflect.DeepEqual(w.Conditioning(), with) || w.Unconditioned().Conditioning().Active() {
				t.Errorf("elementwise %v, conditioning %v", w.Elementwise, w.Conditioning())
			}
			one, err := NewStepper[float64](w, blocks, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			two, err := NewStepper[float64](w.Unconditioned(), blocks, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			a, b := []float64{1, -2, 0.5, 3, 0.1}, []float64{1, -2, 0.5, 3, 0.1}
			u, v := make([]float64, 5), make([]float64, 5)
			for n := range 6 {
				g := make([]float64, 5)
				for j := range g {
					g[j] = math.Sin(float64(1+n*5+j)) * float64(1+n)
				}
				seen := elements(t, with.Of, g, a)
				estimate(one.state)
				estimate(two.state)
				if err := one.Update(t.Context(), 0.1, a, g, u); err != nil {
					t.Fatal(err)
				}
				if err := two.Update(t.Context(), 0.1, b, seen, v); err != nil {
					t.Fatal(err)
				}
				if err := one.Step(0.1, a, g); err != nil {
					t.Fatal(err)
				}
				if err := two.Step(0.1, b, seen); err != nil {
					t.Fatal(err)
				}
				for j := range a {
					if math.Abs(a[j]-b[j]) > 1e-14 || math.Abs(u[j]-v[j]) > 1e-12*(1+math.Abs(v[j])) {
						t.Fatalf("step %d: %v and %v, with the conditioned gradient %v and %v", n, a, u, b, v)
					}
				}
			}
			if restless[name] != "" || name == "soap" { // whose bases of a matrix settle to nothing that is known
				return
			}
			f, err := w.Settled()
			if err != nil {
				t.Fatal(err)
			}
			bare, err := w.Unconditioned().Settled()
			if err != nil {
				t.Fatal(err)
			}
			g := []float64{3, -1, 0.2, 0.1, -2}
			got, want := elements(t, f, g, a), elements(t, bare, elements(t, with.Of, g, a), a)
			for j := range got {
				if math.Abs(got[j]-want[j]) > 1e-13*(1+math.Abs(want[j])) {
					t.Errorf("F is %v, with the conditioned gradient %v", got, want)
				}
			}
		})
	}
}

func TestAConditioningThatMakesNoSenseIsRefused(t *testing.T) {
	r := conditioned(t, "adam", nil, Conditioning{ClipNorm: 1})
	for want, c := range map[string]Conditioning{
		"optimizer.clip_norm: -1: want a number of at least 0": {ClipNorm: -1},
		"optimizer.clip_value: NaN":                            {ClipValue: math.NaN()},
		"optimizer.l2: +Inf":                                   {L2: math.Inf(1)},
		"is conditioned already, by clip_norm=1":               {L2: 1},
	} {
		if _, err := r.Conditioned(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: want an error that says %q, got %v", c, want, err)
		}
	}
	if same, err := r.Conditioned(Conditioning{}); err != nil || same != r {
		t.Errorf("nothing to do gives another rule, %v", err)
	}
}

func TestTheAgeUnderStepsOfDifferentSizesIsItsSum(t *testing.T) {
	lr := func(n int) float64 { return 1.1 + math.Cos(float64(n)) }
	for name, m := range map[string]Moment{
		"an average":            {Kernel: EMA(0.9)},
		"a corrected average":   {Kernel: EMA(0.9), Corrected: true},
		"a sum":                 {Kernel: Geometric(0.5)},
		"the present and a sum": {Kernel: Kernel{First: 0.3, Next: 0.2, Beta: 0.7}},
		"no memory":             {Kernel: Kernel{First: 1}},
	} {
		for _, n := range []int{0, 1, 2, 7, 500} {
			want := 0.0
			for k := 1; k <= n; k++ {
				for i := 1; i <= k; i++ {
					want += m.Weight(k, n) * lr(n-i) / lr(n)
				}
			}
			if got := m.AgeAt(n, lr); math.Abs(got-want) > 1e-12*(1+want) {
				t.Errorf("%s, step %d: age %v, want %v", name, n, got, want)
			}
			if got, one := m.AgeAt(n, func(int) float64 { return 3 }), m.Age(n); math.Abs(got-one) > 1e-12*(1+one) {
				t.Errorf("%s, step %d: age %v under one size, want %v", name, n, got, one)
			}
		}
	}
}
