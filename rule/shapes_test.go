package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// A matrix, a vector, and a kernel of a convolution.
func shaped() []graph.Block {
	return []graph.Block{{Name: "w", Shape: []int{3, 2}}, {Name: "b", Shape: []int{2}, Offset: 6}, {Name: "k", Shape: []int{1, 2, 1, 2}, Offset: 8}}
}

func ruleOfWeights(t *testing.T, name string, values map[string]any, weights []graph.Block) *Rule {
	t.Helper()
	return conditioned(t, name, values, Conditioning{}, weights...)
}

func TestAnArrayOfStateHasTheShapesOfItsForm(t *testing.T) {
	left := []graph.Block{{Name: "w", Shape: []int{3, 3}}, {Name: "k", Shape: []int{2, 2}, Offset: 9}}
	right := []graph.Block{{Name: "w", Shape: []int{2, 2}}, {Name: "k", Shape: []int{2, 2}, Offset: 4}}
	one := []graph.Block{{}}
	for name, c := range map[string]struct {
		values  map[string]any
		weights []graph.Block
		want    map[string][]graph.Block
	}{
		"shampoo":            {nil, shaped(), map[string][]graph.Block{"l": left, "r": right, "v": nil}},
		"soap":               {nil, shaped(), map[string][]graph.Block{"m": nil, "v": nil, "l": left, "r": right, "ql": left, "qr": right}},
		"prodigy":            {nil, shaped(), map[string][]graph.Block{"start": nil, "num": one, "m": nil, "v": nil, "s": nil, "d": one}},
		"nadam":              {map[string]any{"momentum_decay": 0.004}, shaped(), map[string][]graph.Block{"m": nil, "v": nil, "product": one}},
		"soap, one vector":   {nil, nil, map[string][]graph.Block{"m": nil, "v": nil}},
		"soap, only vectors": {nil, []graph.Block{{Name: "b", Shape: []int{2}}}, map[string][]graph.Block{"m": nil, "v": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			of, _, _ := strings.Cut(name, ",")
			r := ruleOfWeights(t, of, c.values, c.weights)
			if len(r.State) != len(c.want) {
				t.Errorf("state %v", r.State)
			}
			for i, entry := range r.State {
				want, ok := c.want[entry]
				if !ok || !slices.EqualFunc(r.PartsOf(i), want, func(a, b graph.Block) bool {
					return a.Name == b.Name && a.Offset == b.Offset && slices.Equal(a.Shape, b.Shape)
				}) || (want == nil) != (r.PartsOf(i) == nil) {
					t.Errorf("%s consists of %v, want %v", entry, r.PartsOf(i), want)
				}
			}
		})
	}
}

// Where the sums are means, Shampoo's step settles to the present gradient between inverse roots of its own products, which without
// eps is the polar factor of it: (gg')^(-1/4) g (g'g)^(-1/4) = U V' of g = U S V'.
func TestShampooWithoutMemoryIsThePolarFactor(t *testing.T) {
	weights := []graph.Block{{Name: "w", Shape: []int{2, 2}}}
	g, theta := []float64{3, 1, -1, 2}, []float64{0, 0, 0, 0}
	r := ruleOfWeights(t, "shampoo", map[string]any{"beta2": 0.5, "eps": 1e-13}, weights)
	f, err := r.Settled()
	if err != nil {
		t.Fatal(err)
	}
	want := elements(t, func(g, _ graph.Value) graph.Value {
		c, err := New("muon", map[string]any{"exact": true, "weight_decay": 0.0})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.RuleOf(weights)
		if err != nil {
			t.Fatal(err)
		}
		polar, err := m.Settled()
		if err != nil {
			t.Fatal(err)
		}
		return polar(g, g)
	}, g, theta)
	s, err := NewStepper[float64](r, weights, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	u := make([]float64, 4)
	for range 60 {
		if err := s.Step(1e-3, slices.Clone(theta), g); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(t.Context(), 1e-3, theta, g, u); err != nil {
		t.Fatal(err)
	}
	for i, v := range elements(t, f, g, theta) {
		if math.Abs(v-want[i]) > 1e-10 || math.Abs(u[i]-want[i]) > 1e-10 {
			t.Errorf("element %d: F is %.12g, and after 60 steps U %.12g; the polar factor has %.12g", i, v, u[i], want[i])
		}
	}
}

// The bases of SOAP are orthonormal, and under a gradient that stays the eigenvectors of its products.
func TestTheBasesOfSOAPAreEigenvectors(t *testing.T) {
	weights := []graph.Block{{Name: "w", Shape: []int{2, 3}}}
	g := []float64{3, 1, 0.5, -1, 2, 0.3}
	r := ruleOfWeights(t, "soap", map[string]any{"frequency": 3.0}, weights)
	s, err := NewStepper[float64](r, weights, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := s.Step(1e-3, make([]float64, 6), g); err != nil {
			t.Fatal(err)
		}
	}
	l, q := s.State()[slices.Index(r.State, "l")], s.State()[slices.Index(r.State, "ql")]
	at := func(a []float64, i, j int) float64 { return a[2*i+j] }
	for i := range 2 {
		for j := range 2 {
			product, turned, want := 0.0, 0.0, 0.0
			for k := range 2 {
				product += at(q, k, i) * at(q, k, j)
				for m := range 2 {
					turned += at(q, k, i) * at(l, k, m) * at(q, m, j)
				}
			}
			if i == j {
				want, turned = 1, 0
			}
			if math.Abs(product-want) > 1e-14 || math.Abs(turned) > 1e-12 {
				t.Errorf("q'q[%d,%d] = %g, q'lq %g", i, j, product, turned)
			}
		}
	}
}

func TestARuleSaysInWhichStepsItReadsTheHessian(t *testing.T) {
	reads := func(values map[string]any) (steps []int) {
		r := ruleOfWeights(t, "sophia", values, shaped())
		for n := range 12 {
			if r.Hessian(n) {
				steps = append(steps, n)
			}
		}
		return steps
	}
	if got := reads(nil); !slices.Equal(got, []int{0, 10}) {
		t.Errorf("every ten steps: %v", got)
	}
	if got := reads(map[string]any{"frequency": 5.0}); !slices.Equal(got, []int{0, 5, 10}) {
		t.Errorf("every five steps: %v", got)
	}
	if got := reads(map[string]any{"frequency": 1.0}); len(got) != 12 {
		t.Errorf("every step: %v", got)
	}
	if r := ruleOfWeights(t, "adam", nil, shaped()); r.Hessian != nil {
		t.Error("adam reads it")
	}
}

// Without an estimate for that very step it is refused, and not taken with another's.
func TestAStepThatReadsTheHessianWantsAnEstimateOfItsOwn(t *testing.T) {
	r := ruleOfWeights(t, "sophia", map[string]any{"frequency": 2.0, "gamma": 1.0, "beta1": 0.0, "beta2": 0.5, "weight_decay": 0.0}, nil)
	s := mustStepper[float64](t, r, vector(2))
	theta, g := []float64{0, 0}, []float64{0.1, 0.1}
	refused := func() {
		t.Helper()
		if err := s.Step(1, theta, g); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("step %d reads an estimate of the Hessian's diagonal", s.Steps())) {
			t.Errorf("got %v", err)
		}
	}
	refused()
	s.SetHessian([]float64{1, -1})
	for range 2 { // the second reads none
		if err := s.Step(1, theta, g); err != nil {
			t.Fatal(err)
		}
	}
	refused()
	if want := -2 * 0.1 / 0.5; math.Abs(theta[0]-want) > 1e-15 || theta[1] != -2 { // h is (1, -1)/2, and what is not above eps counts as eps
		t.Errorf("theta %v, want [%g -2]", theta, want)
	}
	s.SetHessian([]float64{1, 1})
	if err := s.Restore(2, s.State()); err != nil {
		t.Fatal(err)
	}
	refused()
}

func TestWhatHasNoStepsOfAllSizesIsNamed(t *testing.T) {
	for want, r := range map[string]*Rule{
		"optimizer sophia has no equation with memory as state, which is made from steps of all sizes: it reads an estimate of the Hessian's diagonal": ruleOfWeights(t, "sophia", nil, shaped()),
		"every(n, frequency) has a meaning in whole steps alone": ruleOfWeights(t, "soap", nil, shaped()),
	} {
		_, _, err := r.Velocity(Call{}, Scale{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := r.MemoryForm(); err == nil || !strings.Contains(err.Error(), "the equation with memory as state there is not") {
			t.Errorf("memory form: %v", err)
		}
	}
	_, err := New("shampoo", map[string]any{"root": 2.5})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := New("shampoo", map[string]any{"root": 2.5})
	if _, err := c.RuleOf(shaped()); err == nil || !strings.Contains(err.Error(), "an inverse root of order 2.5: want a whole number from 1 to 16") {
		t.Errorf("root 2.5: %v", err)
	}
}

// The number of threads changes no bit of products, roots and bases.
func TestStepsOfMatricesAreTheSameBitsWhateverTheThreads(t *testing.T) {
	weights := []graph.Block{{Name: "w", Shape: []int{40, 30}}, {Name: "b", Shape: []int{30}, Offset: 1200}}
	for _, name := range []string{"shampoo", "soap"} {
		t.Run(name, func(t *testing.T) {
			var first []float32
			for _, threads := range []int{1, 3} {
				s, err := NewStepper[float32](ruleOfWeights(t, name, nil, weights), weights, engine.Options{Threads: threads})
				if err != nil {
					t.Fatal(err)
				}
				theta, g := make([]float32, 1230), make([]float32, 1230)
				for n := range 3 {
					for i := range g {
						g[i] = float32(math.Sin(float64(i*(n+1)))) / float32(1+i%7)
					}
					if err := s.Step(0.01, theta, g); err != nil {
						t.Fatal(err)
					}
				}
				if threads == 1 {
					first = theta
				} else if !slices.Equal(first, theta) || math.IsNaN(float64(theta[0])) || theta[0] == 0 {
					t.Errorf("%v.. with one thread, %v.. with %d", first[:3], theta[:3], threads)
				}
			}
		})
	}
}
