package rule

import (
	"slices"
	"testing"

	"shadowflow/engine"
	"shadowflow/graph"
)

// TestWeightsWithAStepSizeOfZeroStay takes steps of optimizers that do not stay by themselves at a step size of 0.
func TestWeightsWithAStepSizeOfZeroStay(t *testing.T) {
	for _, name := range []string{"adam", "rprop", "adafactor", "schedule-free-adamw", "muon"} {
		t.Run(name, func(t *testing.T) {
			c := mustConfig(t, name, nil)
			c.Groups = []Group{{Match: []string{"0.*"}, Config: mustConfig(t, name, nil)}}
			r, err := c.RuleOf(someWeights)
			if err != nil {
				t.Fatal(err)
			}
			s, theta, g := mustStepper[float64](t, r, someWeights), randomVectors(20, 1)[0], randomVectors(20, 4)
			const staying = 8
			start := slices.Clone(theta)
			for _, g := range g {
				u := make([]float64, 20)
				if err := s.Update(t.Context(), 0.1, theta, g, u); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(u[:staying], make([]float64, staying)) || slices.Equal(u[staying:], make([]float64, 20-staying)) {
					t.Errorf("U is %v", u)
				}
				if err := s.Step(0.1, theta, g); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(theta[:staying], start[:staying]) || slices.Equal(theta[staying:], start[staying:]) {
				t.Errorf("from %v to %v", start, theta)
			}
			if f, err := r.Settled(); err == nil {
				if u := settledAt(t, f, theta, g[0]); !slices.Equal(u[:staying], make([]float64, staying)) {
					t.Errorf("F is %v", u)
				}
			}
			if r.StepsOfAllSizes() != nil {
				return
			}
			for what, rates := range ratesOf(t, r, 0.1, theta, g[0], s.State()) {
				if what == "flip of the lift" { // whose ends are theta and 0.9 theta
					for j := range staying {
						rates[0][j] -= 0.9*theta[j] - theta[j]
					}
				}
				if !slices.Equal(rates[0][:staying], make([]float64, staying)) {
					t.Errorf("%s is %v", what, rates[0])
				}
			}
		})
	}
}

func settledAt(t *testing.T, f func(g, theta graph.Value) graph.Value, theta, g []float64) []float64 {
	t.Helper()
	b := graph.NewBuilder()
	x, at := b.Param("g", graph.Float64, len(g)), b.Param("theta", graph.Float64, len(theta))
	p, err := engine.Compile([]graph.Value{x, at}, []graph.Value{f(x, at)}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	u := make([]float64, len(g))
	if err := p.Run([]engine.Buffer{engine.Of(g), engine.Of(theta)}, []engine.Buffer{engine.Of(u)}); err != nil {
		t.Fatal(err)
	}
	return u
}
