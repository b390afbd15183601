package run

import (
	"encoding/json"
	"math"
	"os"
	"shadowflow/experiment/config"
	"shadowflow/schema"
	"testing"
)

// The losses of 25 full-batch steps are those of PyTorch, optax, or the paper's own formula (testdata/optimizers.py).
func TestOptimizersTakeTheStepsOfPyTorchAndOptax(t *testing.T) {
	data, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []goldenCase }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden.Cases {
		t.Run(g.Name, func(t *testing.T) {
			p, err := NewProblem[float64](t.Context(), g.config(t, ""))
			if err != nil {
				t.Fatal(err)
			}
			paths, err := Iterate(t.Context(), *p, len(g.Loss)-1, nil)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range g.Loss {
				if got := paths[0].Loss[n]; !(math.Abs(got-want) <= 1e-9*want) {
					t.Fatalf("step %d: loss %.15g, want %.15g", n, got, want)
				}
			}
		})
	}
}

func TestThePresetPyTorchIsItsDefaults(t *testing.T) {
	data, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Defaults map[string]map[string]any }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for name, want := range golden.Defaults {
		t.Run(name, func(t *testing.T) {
			c, err := config.New(schema.Set("optimizer.name", name), schema.Set("optimizer.preset", "pytorch"))
			if err != nil {
				t.Fatal(err)
			}
			if inside := c.Get("optimizer.eps_inside"); inside == true {
				t.Error("eps is inside of the root")
			}
			for key, v := range want {
				if got := c.Get("optimizer." + key); got != v {
					t.Errorf("%s is %v, PyTorch has %v", key, got, v)
				}
			}
		})
	}
}
