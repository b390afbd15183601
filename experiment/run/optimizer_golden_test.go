package run

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/nn"
	"shadowflow/objective"
	"shadowflow/rule"
	"shadowflow/safetensors"
	"shadowflow/schema"
)

// The losses of 25 full-batch steps are those of PyTorch, optax, or the paper's own formula (testdata/optimizers.py), and so they are where
// weights are kernels of convolutions (testdata/kernels.py).
func TestOptimizersTakeTheStepsOfPyTorchAndOptax(t *testing.T) {
	testLosses(t, "testdata/optimizers.json")
}

func TestOptimizersTakeTheStepsOfPyTorchAndOptaxOnKernels(t *testing.T) {
	testLosses(t, "testdata/kernels.json", schema.Set("model.name", "cnn"), schema.Set("model.channels", []int{3, 4}), schema.Set("model.dense", 8),
		schema.Set("model.weights", "testdata/kernels_weights.safetensors"))
}

// testLosses compares the losses of the cases in a file, of a config with more settings.
func testLosses(t *testing.T, file string, more ...schema.Setting) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []goldenCase }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden.Cases {
		t.Run(g.Name, func(t *testing.T) {
			p, err := NewProblem[float64](t.Context(), g.config(t, "", more...))
			if err != nil {
				t.Fatal(err)
			}
			paths, err := Iterate(t.Context(), *p, Iteration{Steps: len(g.Loss) - 1})
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

// The directions of the estimates that Sophia's golden values are made with are those of a run of that seed.
func TestTheDirectionsOfTheGoldenHessianAreTheRuns(t *testing.T) {
	const file = "testdata/optimizers_directions.safetensors"
	c := goldenCase{Optimizer: map[string]any{"name": "sophia"}}.config(t, "")
	s, err := loadSource(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := problemOf[float64](c, s)
	if err != nil {
		t.Fatal(err)
	}
	h := newHutchinson(p)
	var tensors []safetensors.Tensor
	for _, n := range []int{0, 10, 20} {
		if w := (objective.Want[float64]{}); !h.want(n, &w) || len(w.Vectors) != 1 || h.want(n+1, &w) {
			t.Fatalf("step %d wants %v", n, w)
		}
		more, err := nn.Tensors(s.model, fmt.Sprintf("%d.", n), slices.Clone(h.u))
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, more...)
	}
	if *update {
		if err := safetensors.WriteFile(file, tensors, nil); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := safetensors.ReadFile(file)
	if err != nil || len(golden.Tensors) != len(tensors) {
		t.Fatalf("%d tensors, want %d, %v", len(golden.Tensors), len(tensors), err)
	}
	for _, want := range tensors {
		i := slices.IndexFunc(golden.Tensors, func(t safetensors.Tensor) bool { return t.Name == want.Name })
		if i < 0 {
			t.Fatalf("no %s", want.Name)
		}
		got, _ := golden.Tensors[i].Float64s()
		if v, _ := want.Float64s(); !slices.Equal(got, v) {
			t.Errorf("%s is another: run go test -run Directions -update, and then optimizers.py", want.Name)
		}
	}
}

// Whatever the form of its step, a network's run measures what it can, and the state equation is near after a few steps.
func TestEveryOptimizerTrainsANetworkBesideItsStateEquation(t *testing.T) {
	for _, name := range rule.Names() {
		t.Run(name, func(t *testing.T) {
			lr := cmp.Or(map[string]float64{"prodigy": 1, "rmsprop": 1e-4}[name], 1e-3) // Prodigy's is times its d, and RMSProp's first steps are long
			settings := []schema.Setting{
				schema.Set("optimizer.name", name), schema.Set("optimizer.lr", lr), schema.Set("dtype", "float64"),
				schema.Set("steps", 14), schema.Set("data.subset", 100), schema.Set("model.hidden", []int{5}), schema.Set("threads", 1),
				schema.Set("flow.start", 10), schema.Set("record.bias", 5), schema.Set("record.sharpness", 5),
			}
			if name == "soap" {
				settings = append(settings, schema.Set("optimizer.frequency", 1)) // in whole steps alone it has none otherwise
			}
			c, err := config.New(append(settings, schema.Set("beside", []string{"state-2"}))...)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			_, err = Run(t.Context(), c, dir, Options{})
			if name == "sophia" && err != nil && strings.Contains(err.Error(), "which is drawn anew from step to step") {
				c, err = config.New(settings...)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Run(t.Context(), c, dir, Options{}); err != nil {
					t.Error(err)
				}
				return
			}
			if err != nil {
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
