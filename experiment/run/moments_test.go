package run

import (
	"bytes"
	"context"
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
	"shadowflow/graph"
	"shadowflow/rule"
	"shadowflow/safetensors"
	"shadowflow/schema"
	"shadowflow/torchfile"
)

// continued is a training that PyTorch began; see testdata/continued.py.
type continued struct {
	File      string
	Optimizer json.RawMessage // a section optimizer
	Losses    []float64
}

func readContinued(t *testing.T) (all []continued) {
	t.Helper()
	text, err := os.ReadFile("testdata/continued.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		t.Fatal(err, len(all))
	}
	return all
}

// config returns the config that goes on from where PyTorch stopped.
func (c *continued) config(t *testing.T, more ...schema.Setting) *config.Config {
	t.Helper()
	path := filepath.Join("testdata", c.File)
	settings := []schema.Setting{
		schema.Set("dtype", "float64"), schema.Set("model.hidden", []int{4}), schema.Set("steps", 5), schema.Set("record.test", 0),
		schema.Set("model.weights", path), schema.Set("optimizer.moments", path),
	}
	var section bytes.Buffer
	if err := json.Compact(&section, c.Optimizer); err != nil {
		t.Fatal(err)
	}
	document, err := schema.Parse(c.File, []byte("optimizer: "+section.String()))
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := config.Resolve(document, settings, more)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func TestARunGoesOnFromPyTorchsCheckpoint(t *testing.T) {
	for _, c := range readContinued(t) {
		t.Run(c.File, func(t *testing.T) {
			var notices []string
			dir := filepath.Join(t.TempDir(), "run")
			result, err := Run(t.Context(), c.config(t), dir, Options{Notice: func(s string) { notices = append(notices, s) }})
			if err != nil {
				t.Fatal(err)
			}
			h, err := record.ReadHistory(dir)
			if err != nil {
				t.Fatal(err)
			}
			got, steps := h.Floats("loss"), h.Floats("step")
			if len(got) != len(c.Losses) || steps[0] != 10 || result.Step != 15 {
				t.Fatalf("losses at steps %v, to step %d; want those of 10 to 15", steps, result.Step)
			}
			for i, want := range c.Losses {
				if math.Abs(got[i]-want) > 1e-9*want {
					t.Errorf("step %g: loss %.15g, PyTorch has %.15g", steps[i], got[i], want)
				}
			}
			if len(notices) != 0 {
				t.Errorf("notices %q", notices)
			}
		})
	}
}

func TestAnInterruptedRunFromACheckpointEndsWithTheSameBits(t *testing.T) {
	c := readContinued(t)[0]
	whole, part := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "part")
	settings := []schema.Setting{schema.Set("schedule.shape", "cosine"), schema.Set("beside", []string{"state-2"}), schema.Set("flow.start", 1), schema.Set("checkpoint.every", 2)}
	if _, err := Run(t.Context(), c.config(t, settings...), whole, Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err := Run(ctx, c.config(t, settings...), part, Options{Progress: func(p Progress) {
		if p.Steps != 15 {
			t.Errorf("%d steps in all, want 15", p.Steps)
		}
		if p.Step == 13 {
			stop()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), part, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"history.csv", weightsFile} {
		a, errA := os.ReadFile(filepath.Join(whole, file))
		b, errB := os.ReadFile(filepath.Join(part, file))
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", file, errA, errB)
		}
	}
}

// TestProbeOfACheckpointReadsWhatTheRunRead compares the probe of a run's checkpoint with the row of the run itself.
func TestProbeOfACheckpointReadsWhatTheRunRead(t *testing.T) {
	for name, c := range map[string]string{"adam": "name: adam", "lion": "name: lion", "heavy-ball": "name: heavy-ball", "shampoo": "name: shampoo, beta2: 0.9"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			base := []string{"dtype=float64", "model.hidden=[6]", "optimizer={" + c + "}", "record.bias=1", "record.sharpness=1", "flow.start=0", "checkpoint.every=7"}
			if _, err := Run(t.Context(), parse(t, "", append(base, "steps=14")...), dir, Options{}); err != nil {
				t.Fatal(err)
			}
			checkpoint := filepath.Join(dir, "checkpoint-000000000007.safetensors")
			out := filepath.Join(t.TempDir(), "probe.safetensors")
			p, err := Probe(t.Context(), parse(t, "", append(base, "model.weights="+checkpoint, "optimizer.moments="+checkpoint)...), out)
			if err != nil {
				t.Fatal(err)
			}
			h, err := record.ReadHistory(dir)
			if err != nil {
				t.Fatal(err)
			}
			if p.Next == nil || p.Next.Steps != 7 {
				t.Fatalf("next step %+v, want that behind 7", p.Next)
			}
			for _, name := range []string{
				"drive.main", "drive.predicted", "drive.realized", "drive.observed", "bias.cosine", "bias.realized_share", "realized.penalized", "step_norm", "monitor.state_defect",
			} {
				got, ok := p.Next.Columns[name]
				if want := h.Floats(name)[7]; !ok || math.Abs(float64(got)-want) > 1e-9*math.Abs(want) {
					t.Errorf("%s = %v, the run has %v", name, got, want)
				}
			}
			if loss := h.Floats("loss")[7]; math.Abs(float64(p.Loss)-loss) > 1e-12 {
				t.Errorf("loss %v, the run has %v", p.Loss, loss)
			}
			if v := readTensors(t, out)["realized.0.weight"]; len(v) != 64*6 || slices.ContainsFunc(v, math.IsNaN) {
				t.Errorf("%d numbers of the realized bias", len(v))
			}
		})
	}
}

func TestOtherHyperparametersAreNoticed(t *testing.T) {
	adam := readContinued(t)[0]
	p, err := Probe(t.Context(), adam.config(t, schema.Set("optimizer.beta2", 0.99), schema.Set("optimizer.eps_inside", true), schema.Set("optimizer.lr", 0.01)), "")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(p.Next.Notes, "\n")
	for _, want := range []string{"lr of the coming step is 0.01", "beta2 is 0.99, where the optimizer of testdata/continued_adam.pt had 0.95", "eps_inside is true"} {
		if !strings.Contains(all, want) || len(p.Next.Notes) != 3 {
			t.Errorf("notes %q: want %q", all, want)
		}
	}
}

func TestMomentsThatDoNotFitAreRefused(t *testing.T) {
	all := readContinued(t)
	ours := filepath.Join(t.TempDir(), "ours.safetensors")
	if err := safetensors.WriteFile(ours, []safetensors.Tensor{{Name: "state.m.0.weight", Shape: []int{2}, Data: []float64{1, 2}}}, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		base     continued
		settings []schema.Setting
		want     []string
	}{
		"another optimizer": {all[0], []schema.Setting{schema.Set("optimizer", []schema.Setting{schema.Set("name", "rmsprop")})},
			[]string{"state of parameter 0, 0.weight", "exp_avg", "rmsprop"}},
		"one that remembers nothing": {all[0], []schema.Setting{schema.Set("optimizer.name", "gd")}, []string{"gd remembers nothing"}},
		"momentum for adam":          {all[2], []schema.Setting{schema.Set("optimizer.name", "adam")}, []string{"momentum_buffer", "exp_avg_sq or square_avg"}},
		"another model":              {all[0], []schema.Setting{schema.Set("model.hidden", []int{5}), schema.Set("model.weights", "")}, []string{"state.m.0.weight is F64 [4 64], want F32 or F64 [5 64]"}},
		"more layers":                {all[0], []schema.Setting{schema.Set("model.hidden", []int{4, 4}), schema.Set("model.weights", "")}, []string{"4 parameters", "the model has 6"}},
		"no number of steps":         {all[2], []schema.Setting{schema.Set("optimizer.moments_steps", 0)}, []string{"want optimizer.moments_steps"}},
		"a file with half of it":     {all[0], []schema.Setting{schema.Set("optimizer.moments", ours)}, []string{"missing", "state.v.2.bias [10]", "state.m.0.weight is F64 [2], want F32 or F64 [4 64]"}},
		"steps of nothing":           {all[0], []schema.Setting{schema.Set("optimizer.moments", ""), schema.Set("optimizer.moments_steps", 3)}, []string{"of no use without"}},
		"no such file":               {all[0], []schema.Setting{schema.Set("optimizer.moments", "none.pt")}, []string{"optimizer.moments", "none.pt"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Probe(t.Context(), c.base.config(t, c.settings...), "")
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nshould say %q", err, w)
				}
			}
		})
	}
}

func TestGroupsWithoutNamesHaveNoOrder(t *testing.T) {
	c := readContinued(t)[0].config(t)
	s, err := loadSource(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	o := &torchfile.Optimizer{State: make([]*torchfile.Remembered, 4), Groups: make([]map[string]any, 2), Sizes: []int{2, 2}}
	r, err := c.Optimizer.Rule()
	if err != nil {
		t.Fatal(err)
	}
	if names, err := parameterNames(o, s.model, r); err == nil || !strings.Contains(err.Error(), "want names: ") {
		t.Errorf("names %v, %v", names, err)
	}
	o.Names = []string{"0.weight", "2.weight", "0.bias", "2.bias"}
	if names, err := parameterNames(o, s.model, r); err != nil || !slices.Equal(names, o.Names) {
		t.Errorf("names %v, %v; want the optimizer's own", names, err)
	}
}

func TestGroupsWithoutNamesAreThoseOfTheirShapes(t *testing.T) {
	c := readContinued(t)[0].config(t)
	s, err := loadSource(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	of := func(shape ...int) *torchfile.Remembered {
		return &torchfile.Remembered{Arrays: []safetensors.Tensor{{Name: "exp_avg", Shape: shape}}}
	}
	o := &torchfile.Optimizer{
		State:  []*torchfile.Remembered{of(4), of(10), of(4, 64), of(10, 4)},
		Groups: make([]map[string]any, 2), Sizes: []int{2, 2},
	}
	for _, tc := range []struct {
		groups string
		want   []string
	}{
		{"[{match: '*.bias', lr: 1}]", []string{"0.bias", "2.bias", "0.weight", "2.weight"}},
		{"[{dims: 2}, {match: '*.bias'}]", []string{"0.bias", "2.bias", "0.weight", "2.weight"}},
		{"[{match: '0.*'}]", nil},
		{"[{match: '0.bias'}, {match: '2.bias'}]", nil},
	} {
		c, err := config.Parse("", nil, []string{"model.hidden=[4]", "optimizer.groups=" + tc.groups})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Optimizer.RuleOf(s.model.Blocks())
		if err != nil {
			t.Fatal(err)
		}
		if names, err := parameterNames(o, s.model, r); !slices.Equal(names, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %v, %v, want %v", tc.groups, names, err, tc.want)
		}
	}
}

func TestWhatATorchGroupHadOtherwiseIsNotedOfTheGroup(t *testing.T) {
	var c continued
	for _, one := range readContinued(t) {
		if one.File == "continued_groups.pt" {
			c = one
		}
	}
	groups, err := schema.ParseValue("", "optimizer.groups", "[{dims: 1, lr: 0.002, weight_decay: 0.5}]")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProblem[float64](t.Context(), c.config(t, groups))
	if err != nil {
		t.Fatal(err)
	}
	if want := "optimizer.groups: group 1: weight_decay is 0.5, where the optimizer of testdata/continued_groups.pt had 0"; !slices.Equal(p.Moments.Notes, []string{want}) {
		t.Errorf("%q, want %q", p.Moments.Notes, want)
	}
}

func TestANumberOfAllParametersIsReadAsOne(t *testing.T) {
	from := &torchfile.Remembered{
		Numbers: map[string]float64{"step": 3, "mu_product": 0.5}, Arrays: []safetensors.Tensor{{Name: "exp_avg", Shape: []int{2}, Data: []float64{1, 2}}},
	}
	got, err := renamed(from, &rule.Rule{Name: "own", State: []string{"m", "product"}, Shapes: [][]graph.Block{nil, {{}}}}, "w", []int{2})
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for i, want := range []struct {
		name   string
		values []float64
	}{{"state.m.w", []float64{1, 2}}, {"state.product", []float64{0.5}}} {
		if v, _ := got[i].Float64s(); got[i].Name != want.name || !slices.Equal(v, want.values) {
			t.Errorf("%s %v, want %s %v", got[i].Name, v, want.name, want.values)
		}
	}
}

func TestTheoryWithMemoryAsStateTakesTheMomentsOfAFile(t *testing.T) {
	c := readContinued(t)[0]
	p, err := NewProblem[float64](t.Context(), c.config(t))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := Iterate(t.Context(), *p, Iteration{Steps: 5})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range c.Losses {
		if math.Abs(paths[0].Loss[i]-want) > 1e-9*want {
			t.Errorf("iterate %d: loss %.15g, PyTorch has %.15g", i, paths[0].Loss[i], want)
		}
	}
	if _, err := Verify(t.Context(), *p, VerifyOptions{LR: []float64{0.02}, Orders: []int{1}, Time: 0.1}); err == nil || !strings.Contains(fmt.Sprint(err), "memory state") {
		t.Errorf("verify without memory: %v", err)
	}
}

func TestProbeOfAnOptimizerWithoutTheMemoryFormSaysWhatIsKnownOfTheNextStep(t *testing.T) {
	all := readContinued(t)
	p, err := Probe(t.Context(), all[len(all)-1].config(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, realized := p.Next.Columns["drive.realized"]; p.PredictedBias != nil || p.NoPrediction == "" || realized == (p.Next.NoBias != "") {
		t.Errorf("prediction %v (%s), next step %+v", p.PredictedBias, p.NoPrediction, p.Next)
	}
}
