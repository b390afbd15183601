package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/modeq"
	"shadowflow/schema"
)

// clipped makes of a gradient what docs/schedules.md says, and of a way of it what the derivative of that makes, by plain loops.
func clipped(value, norm, softening float64, g, way []float64) (out, turned []float64) {
	out, turned = make([]float64, len(g)), make([]float64, len(g))
	square := 0.0
	for j := range g {
		out[j], turned[j] = g[j], way[j]
		if value > 0 && math.Abs(g[j]) > value {
			out[j], turned[j] = math.Copysign(value, g[j]), 0
		}
		square += out[j] * out[j]
	}
	size := math.Sqrt(square)
	if norm == 0 || size+softening <= norm {
		return out, turned
	}
	along := 0.0
	for j := range g {
		along += out[j] / size * turned[j]
	}
	factor := norm / (size + softening)
	for j := range g {
		turned[j] = factor * (turned[j] - out[j]/size*along*size/(size+softening))
		out[j] *= factor
	}
	return out, turned
}

// The rule that run and probe follow is not the one that is derived: it has clipping and decay inside of its moments.
func TestTheDerivedFormulasAreThoseOfTheRuleWhoseGradientIsClippedAndDecayed(t *testing.T) {
	gradient := []float64{0.8, -1.5, 0.05, 0.3}
	theta := []float64{0.4, -0.2, 1.1, -0.7}
	hessian := [4][4]float64{{2, -0.3, 0.1, 0.7}, {-0.3, 1, 0.4, 0}, {0.1, 0.4, -0.5, 0.2}, {0.7, 0, 0.2, 3}}
	for _, name := range []string{"gd", "nesterov", "adam", "adamw", "lion", "nadam"} {
		for what, c := range map[string]struct{ value, norm, l2 float64 }{
			"L2": {l2: 0.3}, "norm": {norm: 0.7}, "long norm": {norm: 30}, "elements": {value: 0.5}, "all": {0.5, 0.6, 0.2},
		} {
			for _, preset := range []string{"paper", "pytorch"} {
				t.Run(fmt.Sprintf("%s, %s, %s", name, what, preset), func(t *testing.T) {
					given := []schema.Setting{
						schema.Set("optimizer.name", name), schema.Set("optimizer.preset", preset),
						schema.Set("optimizer.clip_value", c.value), schema.Set("optimizer.clip_norm", c.norm), schema.Set("optimizer.l2", c.l2),
					}
					if name != "gd" && name != "nesterov" {
						given = append(given, schema.Set("optimizer.eps", 0.01)) // of a smaller one the terms of Lion cancel to rounding
					}
					if name == "nadam" {
						given = append(given, schema.Set("optimizer.momentum_decay", 0)) // PyTorch's schedule has no memory form
					}
					of, err := config.New(given...)
					if err != nil {
						t.Fatal(err)
					}
					d, err := Derive(of.Optimizer)
					if err != nil {
						t.Fatal(err)
					}
					r, err := of.Optimizer.Rule()
					if err != nil {
						t.Fatal(err)
					}
					terms, err := modeq.NewTerms[float64](r, len(theta), 1)
					if err != nil {
						t.Fatal(err)
					}
					f, hf, want := make([]float64, len(theta)), make([]float64, len(theta)), make([]float64, len(theta))
					if err := terms.Field(modeq.FullMemory, gradient, theta, f); err != nil {
						t.Fatal(err)
					}
					for i := range hessian {
						for j := range hessian {
							hf[i] += hessian[i][j] * f[j]
						}
					}
					if err := terms.SecondOrder(modeq.FullMemory, gradient, theta, f, hf, want); err != nil {
						t.Fatal(err)
					}
					softening := map[string]float64{"paper": 0, "pytorch": 1e-6}[preset]
					g, turned := clipped(c.value, c.norm, softening, gradient, hf)
					for j := range theta {
						at := maps.Clone(d.Values)
						at["g"], at["theta"] = g[j]+c.l2*theta[j], theta[j]
						if got := d.Field.Value(at); math.Abs(got-f[j]) > 1e-12*math.Abs(f[j]) {
							t.Errorf("F_%d = %v, want %v", j, got, f[j])
						}
						kappa, decay := d.Kappa.Value(at), d.Decay.Value(at)
						got := kappa*(turned[j]+c.l2*f[j]) + decay/2*f[j]
						if scale := math.Abs(kappa*turned[j]) + math.Abs(kappa*c.l2*f[j]); math.Abs(got-want[j]) > 1e-11*scale+1e-15 {
							t.Errorf("C_%d = %v, want %v", j, got, want[j])
						}
					}
				})
			}
		}
	}
}

func TestADerivationSaysWhatTheGradientIs(t *testing.T) {
	for _, c := range []struct {
		settings []schema.Setting
		want     []string
	}{
		{[]schema.Setting{schema.Set("optimizer.l2", 0.01)}, []string{"g stands for grad E + l2 theta, and H F for H F + l2 F,", "l2 = 0.01", "that of the loss E + (l2/2)|theta|^2"}},
		{[]schema.Setting{schema.Set("optimizer.clip_norm", 0.5)}, []string{"g stands for clip(grad E), and H F for D H F,", "g min(1, 0.5/|g|)", "(0.5/|g|)(v - ghat (ghat.v))", "no norm"}},
		{[]schema.Setting{schema.Set("optimizer.clip_norm", 0.5), schema.Set("optimizer.preset", "pytorch")}, []string{"g min(1, 0.5/(|g| + 1e-06))"}},
		{[]schema.Setting{schema.Set("optimizer.clip_value", 2), schema.Set("optimizer.clip_norm", 0.5)}, []string{"within +-2", "Then clip_norm", "behind that of the elements"}},
	} {
		d := derive(t, c.settings...)
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for format, text := range map[string]string{"text": d.Text(), "LaTeX": d.LaTeX(), "JSON": string(data)} {
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q in\n%s", format, want, text)
				}
			}
		}
	}
	if text := derive(t).Text(); strings.Contains(text, "stands for") {
		t.Errorf("of a gradient as it is:\n%s", text)
	}
}

func TestSAMIsNotDerived(t *testing.T) {
	c, err := config.New(schema.Set("optimizer.sam", 0.1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Derive(c.Optimizer); err == nil || !strings.Contains(err.Error(), "optimizer.sam") || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("%v", err)
	}
}
