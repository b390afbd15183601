package run

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/rule"
	"shadowflow/schema"
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

// Whatever the form of its step, a network's run measures what it can, and the state equation is near after a few steps.
func TestEveryOptimizerTrainsANetworkBesideItsStateEquation(t *testing.T) {
	for _, name := range rule.Names() {
		t.Run(name, func(t *testing.T) {
			lr := cmp.Or(map[string]float64{"prodigy": 1, "rmsprop": 1e-4}[name], 1e-3) // Prodigy's is times its d, and RMSProp's first steps are long
			c, err := config.New(schema.Set("optimizer.name", name), schema.Set("optimizer.lr", lr), schema.Set("dtype", "float64"),
				schema.Set("steps", 14), schema.Set("data.subset", 100), schema.Set("model.hidden", []int{5}), schema.Set("threads", 1),
				schema.Set("beside", []string{"state-2"}), schema.Set("flow.start", 10), schema.Set("record.bias", 5))
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			if _, err := Run(t.Context(), c, dir, Options{}); err != nil {
				t.Fatal(err)
			}
			h, err := record.ReadHistory(dir)
			if err != nil {
				t.Fatal(err)
			}
			far := h.Floats("state-2.relative_distance")
			bound := cmp.Or(map[string]float64{"rprop": 1, "prodigy": 0.5}[name], 0.02) // signs are no field's, and d grows from step to step
			if last := far[len(far)-1]; !(last < bound) {
				t.Errorf("state-2 is at %g of the way from the iterates", last)
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
