package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

// goldenCase is a run of testdata/schedules.py.
type goldenCase struct {
	Name                string
	Optimizer, Schedule map[string]any
	PyTorch             bool // its clipping is PyTorch's
	Loss                []float64
}

// config returns the case's config, in float64 on all training digits, of the model of schedules.py or of another.
func (c goldenCase) config(t *testing.T, file string, model ...schema.Setting) *config.Config {
	t.Helper()
	settings := []schema.Setting{schema.Set("dtype", "float64"), schema.Set("steps", 25), schema.Set("batch.physical", 2000)}
	if model == nil {
		model = []schema.Setting{schema.Set("model.hidden", []int{8}), schema.Set("model.weights", "testdata/schedules_weights.safetensors")}
	}
	settings = append(settings, model...)
	for section, values := range map[string]map[string]any{"optimizer": c.Optimizer, "schedule": c.Schedule} {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			v := values[key]
			if v == "FILE" {
				v = file
			}
			text, err := json.Marshal(v) // a group is keys and values
			if err != nil {
				t.Fatal(err)
			}
			s, err := schema.ParseValue("the golden file", section+"."+key, string(text))
			if err != nil {
				t.Fatal(err)
			}
			settings = append(settings, s)
		}
	}
	out, err := config.New(settings...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchedulesClippingDecayAndSAMArePyTorchs(t *testing.T) {
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		File  []float64
		Cases []goldenCase
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "factors.txt")
	text := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(golden.File), "[]")), "\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden.Cases {
		t.Run(g.Name, func(t *testing.T) {
			c := g.config(t, file)
			p, err := NewProblem[float64](t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if g.PyTorch {
				bare, err := c.Optimizer.Config()
				if err != nil {
					t.Fatal(err)
				}
				r, err := bare.Rule()
				if err != nil {
					t.Fatal(err)
				}
				with := c.Optimizer.Conditioning()
				with.PyTorch = true
				if p.Rule, err = r.Conditioned(with); err != nil {
					t.Fatal(err)
				}
			}
			paths, err := Iterate(t.Context(), *p, Iteration{Steps: len(g.Loss) - 1})
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range g.Loss {
				if got := paths[0].Loss[n]; math.Abs(got-want) > 1e-9*want {
					t.Fatalf("loss behind %d steps is %.15g, PyTorch's %.15g", n, got, want)
				}
			}
		})
	}
}
