package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/internal/fixture"
	"shadowflow/schema"
)

func derive(t *testing.T, settings ...schema.Setting) *Derivation {
	t.Helper()
	c, err := config.New(settings...)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Derive(c.Optimizer)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDerivationText(t *testing.T) {
	for _, c := range []struct {
		name, optimizer string
		set             []schema.Setting
		want            []string
	}{
		{"adam hinders large gradients", "adam", nil, []string{
			"F = g / sqrt(g^2 + eps)", "kappa = (c1 - c2 g^2 / (g^2 + eps)) / (2 sqrt(g^2 + eps))", "perturbed one-norm",
			"coordinates with |g| > 3.2e-05 would be hindered:", "c1 = 1 + 2 (mean age) = 19", "the two-norm would be penalized",
			"the decrease of the one-norm would be hindered (penalized where c1 > c2",
		}},
		{"adam with equal betas penalizes small gradients", "adam", []schema.Setting{schema.Set("optimizer.beta2", 0.9)}, []string{
			"with these numbers the terms cancel (penalized where c1 > c2",
		}},
		{"gradient descent penalizes all", "gd", nil, []string{"all coordinates would be penalized", "gd remembers nothing: no step of it has a realized bias", "half the squared two-norm"}},
		{"weight decay adds a term", "adamw", nil, []string{"/2) F_j", "that weight decay does not add"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := derive(t, append(c.set, schema.Set("optimizer.name", c.optimizer))...).Text()
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		})
	}
}

func TestEveryOptimizerHasItsDerivationInEveryFormat(t *testing.T) {
	for _, name := range fixture.Remembering(t) {
		if name == "lamb" || name == "muon" {
			continue // functions of whole weights are not written down by their derivatives
		}
		t.Run(name, func(t *testing.T) {
			d := derive(t, schema.Set("optimizer.name", name))
			data, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			for format, text := range map[string]string{"text": d.Text(), "LaTeX": d.LaTeX(), "JSON": string(data)} {
				if text == "" || strings.Contains(text, "NaN") || strings.Contains(text, "%!") {
					t.Errorf("%s:\n%s", format, text)
				}
			}
			if text := d.LaTeX(); strings.Count(text, "{") != strings.Count(text, "}") {
				t.Errorf("braces that do not match:\n%s", text)
			}
		})
	}
}

func TestDerivationAsJSONHasNoEndOfTheLastInterval(t *testing.T) {
	data, err := json.Marshal(derive(t))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Optimizer, Field, Kappa string
		Signs                   []struct {
			From float64
			To   *float64
			Sign int
		}
		Limits    []struct{ Case string }
		Sentences []string
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Signs) != 2 || got.Signs[0].To == nil || *got.Signs[0].To != got.Signs[1].From || got.Signs[1].To != nil || got.Signs[1].Sign != -1 {
		t.Errorf("signs %+v, want a penalized interval and a hindered one without end", got.Signs)
	}
	if len(got.Limits) != 2 || len(got.Sentences) != 3 || !strings.HasPrefix(got.Optimizer, "adam(") {
		t.Errorf("%+v", got)
	}
}

func ExampleDerivation_Sentences() {
	c, err := config.New(schema.Set("optimizer.name", "adam"), schema.Set("optimizer.beta2", 0.99))
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := Derive(c.Optimizer)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, sentence := range d.Sentences() {
		fmt.Println(sentence)
	}
	// Output:
	// coordinates with |g| < 3.2e-05 would be penalized: the second-order term acts to drive the norm down.
	// coordinates with |g| > 3.2e-05 would be hindered: the second-order term acts against the norm's decrease.
	// the critical gradient size is g* = 3.24893e-05.
}
