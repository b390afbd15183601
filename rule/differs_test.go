package rule

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
)

// otherwise is what a definition says that a library has otherwise: values, and formulas in the place of its own.
type otherwise struct {
	values    map[string]any
	formulas  []string // in pairs: what stands there, and what instead
	tolerance float64
}

var others = map[string]otherwise{
	"adagrad": {values: map[string]any{"lr": 0.1, "initial": 0.1, "eps": 1e-2}, formulas: []string{"(sqrt(v) + eps)", "sqrt(v + eps)"}},
	"adan": {values: map[string]any{"lr": 0.1, "weight_decay": 0.5}, formulas: []string{
		"beta2 * change", "(1 - beta2) * change",
		"beta2 * corrected(d)", "(1 - beta2) * corrected(d)",
		"sqrt(corrected(v))", "sqrt(corrected(v) + 1e-8)",
		" / (1 + lr * weight_decay)", "",
	}},
	"muon": {values: map[string]any{"lr": 0.05, "weight_decay": 0.0}, formulas: []string{
		"(1 - momentum) * g + momentum * buf", "(1 - momentum) * g / (1 - momentum^(n + 1)) + momentum * buf / (1 - momentum^(n + 2))",
		"rest: corrected(m)", "rest: (beta1 * m / (1 - beta1^(n + 2)) + (1 - beta1) * g / (1 - beta1^(n + 1)))",
	}, tolerance: 1e-7}, // for optax adds 1e-8 to the norm, which no formula here can
	"nadam": {values: map[string]any{"lr": 0.05, "beta2": 0.999, "eps_inside": false, "momentum_decay": 1e-9}, tolerance: 1e-8},
	"prodigy": {values: map[string]any{"d0": 1e-3, "weight_decay": 0.01}, formulas: []string{
		"old * lr *", "old * lr * sqrt(1 - beta2^(n + 1)) / (1 - beta1^(n + 1)) *",
		"update: old *", "update: old * sqrt(1 - beta2^(n + 1)) / (1 - beta1^(n + 1)) *",
	}},
	"radam":   {values: map[string]any{"lr": 0.05, "threshold": 5.0, "eps": 1e-2}, formulas: []string{"(sqrt(v) + eps)", "(sqrt(v) + eps * sqrt(1 - beta2^(n + 1)))"}},
	"rmsprop": {values: map[string]any{"lr": 0.01, "beta2": 0.9, "eps": 1e-3, "momentum": 0.9}},
	"rprop": {values: map[string]any{"lr": 0.3}, formulas: []string{
		"  update: sign(last) * size / lr", "    late: if(same < 0, 0, coming)\n    coming: sign(last) * size\n  update: late / lr",
	}},
}

// TestOtherImplementationsDifferInWhatTheDefinitionsSay takes the paths that optax has, and torch.optim's NAdam, with nothing but that changed.
func TestOtherImplementationsDifferInWhatTheDefinitionsSay(t *testing.T) {
	data, err := os.ReadFile("testdata/others.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		A        [][]float64
		B, Start []float64
		Paths    map[string][][]float64
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	gradient := func(theta []float64) []float64 {
		g := make([]float64, len(theta))
		for i := range g {
			g[i] = math.Sin(theta[i]) - golden.B[i]
			for j, v := range theta {
				g[i] += golden.A[i][j] * v
			}
		}
		return g
	}
	for name, path := range golden.Paths {
		t.Run(name, func(t *testing.T) {
			other := others[name]
			if got := farthest(t, name, other, golden.Start, path, gradient); !(got < max(other.tolerance, 1e-12)) {
				t.Errorf("off by %g", got)
			}
			other.formulas = nil
			if len(others[name].formulas) == 0 {
				other.values = nil
			}
			if got := farthest(t, name, other, golden.Start, path, gradient); !(got > 1e-4) {
				t.Errorf("the definition as it is differs by %g: what it says differs should be seen", got)
			}
		})
	}
}

// farthest returns the largest distance of an element from a path, over all steps, of a definition that is changed.
func farthest(t *testing.T, name string, other otherwise, start []float64, path [][]float64, gradient func([]float64) []float64) (distance float64) {
	t.Helper()
	src, err := Source(name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	for pair := range slices.Chunk(other.formulas, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s has no %q", name, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	d, err := ParseDefinition(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.New(other.values)
	if err != nil {
		t.Fatal(err)
	}
	weights := []graph.Block{{Name: "matrix", Shape: []int{3, 2}}, {Name: "vector", Shape: []int{4}, Offset: 6}}
	r, err := c.RuleOf(weights)
	if err != nil {
		t.Fatal(err)
	}
	s, theta := mustStepper[float64](t, r, weights), slices.Clone(start)
	for _, want := range path {
		if err := s.Step(c.LR, theta, gradient(theta)); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			distance = max(distance, math.Abs(theta[i]-w))
		}
	}
	return distance
}

// TestDecayOfThePapersAdamWIsLambdaOverLR steps as algorithm 2 of arXiv:1711.05101 with its schedule multiplier eta, which scales the gradient's part by lr and the decay
// by nothing else.
func TestDecayOfThePapersAdamWIsLambdaOverLR(t *testing.T) {
	const lr, lambda, beta1, beta2, eps = 0.05, 0.02, 0.9, 0.99, 1e-8
	r, _ := mustRule(t, "adamw", map[string]any{"lr": lr, "weight_decay": lambda / lr, "eps_inside": false})
	s := mustStepper[float64](t, r, vector(1))
	theta, paper, m, v := []float64{2}, 2.0, 0.0, 0.0
	for n := range 40 {
		eta := (1 + math.Cos(math.Pi*float64(n)/40)) / 2
		if err := s.Step(eta*lr, theta, []float64{math.Sin(theta[0])}); err != nil {
			t.Fatal(err)
		}
		g := math.Sin(paper)
		m, v = beta1*m+(1-beta1)*g, beta2*v+(1-beta2)*g*g
		first, second := m/(1-math.Pow(beta1, float64(n+1))), v/(1-math.Pow(beta2, float64(n+1)))
		paper -= eta * (lr*first/(math.Sqrt(second)+eps) + lambda*paper)
		if math.Abs(theta[0]-paper) > 1e-13 {
			t.Fatalf("step %d: %.17g, the paper has %.17g", n, theta[0], paper)
		}
	}
}
