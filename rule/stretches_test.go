package rule

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"shadowflow/graph"
)

// longWeights are layers of which some parameters are long runs, and some short ones.
func longWeights() []graph.Block {
	var out []graph.Block
	dim := 0
	for i, shape := range [][]int{{70, 80}, {10}, {worth}, {3}, {64, 64}, {1}, {90, 50}, {7}} {
		w := graph.Block{Name: fmt.Sprintf("%d.%dd", i, len(shape)), Shape: shape, Offset: dim}
		out, dim = append(out, w), dim+w.Size()
	}
	return out
}

// apart are rules of an optimizer of which some weights have another step size: as they are, and with each part in one piece.
func apart(t testing.TB, c Config) (stretched, gathered *Rule) {
	c.Groups = []Group{{Match: []string{"[037].*"}, Scale: 0.5, Config: c}}
	stretched, err := c.RuleOf(longWeights())
	if err != nil {
		t.Fatal(err)
	}
	one := *stretched
	one.Step = one.grouped.step
	return stretched, &one
}

func TestStretchesOfAPartTakeItsStepsBits(t *testing.T) {
	d, err := ParseDefinition("exponentials", []byte("optimizer: {name: exponentials, lr: 1, state: {m: 'ema(exp(g), 0.9)', l: 'log(1 + m) * tanh(g)', steps: 'steps + 1'}, "+
		"update: 'm + l / (1 + steps)'}"))
	if err != nil {
		t.Fatal(err)
	}
	smooth, err := d.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	configs := []Config{smooth}
	for _, name := range Names() {
		c := mustConfig(t, name, nil)
		if r, err := c.RuleOf(longWeights()); err == nil && r.Elementwise {
			configs = append(configs, c)
		}
	}
	for _, c := range configs {
		t.Run(c.Definition.Name, func(t *testing.T) {
			stretched, gathered := apart(t, c)
			compareBits[float32](t, stretched, gathered)
			compareBits[float64](t, stretched, gathered)
		})
	}
}

func compareBits[T graph.Float](t *testing.T, a, b *Rule) {
	t.Helper()
	dim := a.grouped.dim()
	s, other := mustStepper[T](t, a, longWeights()), mustStepper[T](t, b, longWeights())
	theta, g := make([]T, dim), make([]T, dim)
	for i := range theta {
		theta[i] = T(math.Sin(float64(i)))
	}
	want := slices.Clone(theta)
	for n := range 4 {
		for i := range g {
			g[i] = T(math.Cos(float64(i * (n + 1))))
		}
		estimate(s.state)
		estimate(other.state)
		if err := s.Step(0.01, theta, g); err != nil {
			t.Fatal(err)
		}
		if err := other.Step(0.01, want, g); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(theta, want) || !slices.EqualFunc(s.State(), other.State(), slices.Equal[[]T]) {
		t.Errorf("%T: the steps differ", theta)
	}
}

func TestAStepOfElementwiseGroupsIsTakenInPlace(t *testing.T) {
	r, _ := apart(t, mustConfig(t, "adamw", nil))
	s := mustStepper[float32](t, r, longWeights())
	theta, g := make([]float32, s.dim), make([]float32, s.dim)
	if n := testing.AllocsPerRun(10, func() {
		if err := s.StepContext(context.Background(), 0.01, theta, g); err != nil {
			t.Fatal(err)
		}
	}); n != 0 || s.aside != nil {
		t.Errorf("it allocates %v times, and aside there are %d arrays", n, len(s.aside))
	}
	clipped, err := r.Conditioned(Conditioning{ClipNorm: 1})
	if err != nil {
		t.Fatal(err)
	}
	s = mustStepper[float32](t, clipped, longWeights())
	if err := s.StepContext(t.Context(), 0.01, theta, g); err != nil || s.aside == nil {
		t.Errorf("with a norm of all it is not taken aside: %v", err)
	}
}

func TestStretchesHaveEveryParameterOnce(t *testing.T) {
	r, _ := apart(t, mustConfig(t, "adamw", nil))
	cut := r.grouped.stretches()
	at := 0
	for _, c := range cut.pieces {
		if p := cut.parts[c.part]; c.at != at || p.at != c.part {
			t.Errorf("a piece at %d, want %d", c.at, at)
		}
		at += c.to - c.from
	}
	if at != r.grouped.dim() || cut.dim() != at {
		t.Errorf("%d parameters of %d", at, r.grouped.dim())
	}
	for _, p := range cut.parts {
		if p.Parameters < 17 { // which is few for an engine
			t.Errorf("a stretch of %d parameters", p.Parameters)
		}
	}
}
