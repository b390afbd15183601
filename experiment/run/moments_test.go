package run

import (
	"bytes"
	"context"
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
	Model     json.RawMessage // a section model, without its weights
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
		schema.Set("dtype", "float64"), schema.Set("steps", 5), schema.Set("record.test", 0),
		schema.Set("model.weights", path), schema.Set("optimizer.moments", path),
	}
	var text bytes.Buffer
	if err := json.Compact(&text, []byte(fmt.Sprintf(`{"optimizer": %s, "model": %s}`, c.Optimizer, c.Model))); err != nil {
		t.Fatal(err)
	}
	document, err := schema.Parse(c.File, text.Bytes())
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
	for _, file := range []string{"history.csv", record.WeightsFile} {
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
			if want := Verdicts(h)[7].String(); p.Next.Second != want {
				t.Errorf("the step is %q, in the run %q", p.Next.Second, want)
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
	long := filepath.Join(t.TempDir(), "long.safetensors")
	var moments []safetensors.Tensor
	for _, entry := range []string{"m", "v"} {
		for weight, shape := range map[string][]int{"0.weight": {4, 64}, "0.bias": {4}, "2.weight": {10, 4}, "2.bias": {10}} {
			moments = append(moments, safetensors.Tensor{Name: "state." + entry + "." + weight, Shape: shape, Data: make([]float64, graph.Block{Shape: shape}.Size())})
		}
	}
	if err := safetensors.WriteFile(long, moments, map[string]string{"step": "9000000000000000000"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		base     continued
		settings []schema.Setting
		want     []string
	}{
		"more steps than any run has": {all[0], []schema.Setting{schema.Set("optimizer.moments", long)}, []string{"9000000000000000000 steps", "at most 1000000000"}},
		"another optimizer": {all[0], []schema.Setting{schema.Set("optimizer", []schema.Setting{schema.Set("name", "rmsprop")})},
			[]string{"state of parameter 0, 0.weight", "exp_avg", "rmsprop"}},
		"one that remembers nothing": {all[0], []schema.Setting{schema.Set("optimizer.name", "gd")}, []string{"gd remembers nothing"}},
		"momentum for adam":          {all[2], []schema.Setting{schema.Set("optimizer.name", "adam")}, []string{"momentum_buffer", "exp_avg_sq or square_avg"}},
		"another model":              {all[0], []schema.Setting{schema.Set("model.hidden", []int{5}), schema.Set("model.weights", "")}, []string{"state.m.0.weight is floats [4 64], want floats [5 64]"}},
		"more layers":                {all[0], []schema.Setting{schema.Set("model.hidden", []int{4, 4}), schema.Set("model.weights", "")}, []string{"4 parameters", "the model has 6"}},
		"no number of steps":         {all[2], []schema.Setting{schema.Set("optimizer.moments_steps", 0)}, []string{"want optimizer.moments_steps"}},
		"a file with half of it":     {all[0], []schema.Setting{schema.Set("optimizer.moments", ours)}, []string{"missing", "state.v.2.bias [10]", "state.m.0.weight is floats [2], want floats [4 64]"}},
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
	s, err := loadSource(t.Context(), c, nil)
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
	s, err := loadSource(t.Context(), c, nil)
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

func TestAScheduleFreeOptimizerIsReadInItsModeForTraining(t *testing.T) {
	for mode, want := range map[any]string{true: "", nil: "", false: "call optimizer.train() before both are saved"} {
		err := inTraining([]torchGroup{{settings: map[string]any{"train_mode": mode}}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("train_mode %v: %v", mode, err)
		}
	}
}

func TestANumberOfAllParametersIsReadAsOne(t *testing.T) {
	from := &torchfile.Remembered{
		Numbers: map[string]float64{"step": 3, "mu_product": 0.5}, Arrays: []safetensors.Tensor{{Name: "exp_avg", Shape: []int{2}, Data: []float64{1, 2}}},
	}
	r := &torchReader{rule: &rule.Rule{Name: "own", State: []string{"m", "product"}, Shapes: [][]graph.Block{nil, {{}}}}, numbers: map[string]float64{}}
	if err := r.read(from, "w", []int{2}); err != nil || len(r.tensors) != 2 {
		t.Fatal(r.tensors, err)
	}
	for i, want := range []struct {
		name   string
		values []float64
	}{{"state.m.w", []float64{1, 2}}, {"state.product", []float64{0.5}}} {
		if v, _ := r.tensors[i].Float64s(); r.tensors[i].Name != want.name || !slices.Equal(v, want.values) {
			t.Errorf("%s %v, want %s %v", r.tensors[i].Name, v, want.name, want.values)
		}
	}
	from.Numbers["mu_product"] = 0.25
	if err := r.read(from, "b", []int{2}); err == nil || !strings.Contains(err.Error(), "state.product is 0.25, where another parameter has 0.5") {
		t.Errorf("another product: %v", err)
	}
}

func TestWhatAnOptimizerKeepsOtherwiseIsMadeTheEntry(t *testing.T) {
	for _, c := range []struct {
		entry, name string
		of, shape   []int
		kept, want  []float64
	}{
		{"r", "row_var", []int{2, 1}, []int{2, 3}, []float64{1, 2}, []float64{1, 1, 1, 2, 2, 2}},
		{"c", "col_var", []int{1, 3}, []int{2, 3}, []float64{1, 2, 3}, []float64{1, 2, 3, 1, 2, 3}},
		{"r", "row_var", []int{1, 2, 2, 1}, []int{1, 2, 2, 2}, []float64{1, 2, 3, 4}, []float64{1, 1, 2, 2, 3, 3, 4, 4}},
		{"c", "col_var", []int{1, 2, 1, 2}, []int{1, 2, 2, 2}, []float64{1, 2, 3, 4}, []float64{1, 2, 1, 2, 3, 4, 3, 4}},
		{"r", "exp_avg_sq_row", []int{2}, []int{2, 3}, []float64{1, 2}, []float64{1, 1, 1, 2, 2, 2}},
		{"c", "exp_avg_sq_col", []int{3}, []int{2, 3}, []float64{1, 2, 3}, []float64{1, 2, 3, 1, 2, 3}},
		{"c", "variance", []int{2}, []int{2}, []float64{1, 2}, []float64{1.5, 1.5}},
		{"c", "variance", []int{2, 1}, []int{2, 1}, []float64{1, 2}, nil}, // of no matrix
		{"r", "row_var", []int{3, 1}, []int{2, 3}, []float64{1, 2, 3}, nil},
		{"r", "exp_avg_sq_row", nil, []int{2}, []float64{1}, []float64{1, 1}},
		{"c", "exp_avg_sq_col", nil, []int{2}, []float64{1}, nil},
		{"last", "previous_grad", []int{2}, []int{2}, []float64{1, -2}, []float64{-1, 2}},
		{"start", "p0", []int{4}, []int{2, 2}, []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}},
		{"start", "p0", []int{3}, []int{2, 2}, []float64{1, 2, 3}, nil},
		{"slow", "exp_avg_slow", []int{2}, []int{2}, []float64{1, 2}, []float64{1, 2}},
		{"m", "exp_avg_fast", []int{2}, []int{2}, []float64{1, 2}, []float64{1, 2}},      // of the authors of AdEMAMix
		{"last", "neg_pre_grad", []int{2}, []int{2}, []float64{1, 2}, []float64{-1, -2}}, // of the authors of Adan
	} {
		r := &torchReader{rule: &rule.Rule{Name: "own", State: []string{c.entry}}, numbers: map[string]float64{}}
		err := r.read(&torchfile.Remembered{Arrays: []safetensors.Tensor{{Name: c.name, Shape: c.of, Data: c.kept}}}, "w", c.shape)
		if (err == nil) != (c.want != nil) {
			t.Errorf("%s of %s %v: %v", c.entry, c.name, c.of, err)
			continue
		}
		if c.want == nil {
			continue
		}
		if v, _ := r.tensors[0].Float64s(); !slices.Equal(v, c.want) || !slices.Equal(r.tensors[0].Shape, c.shape) {
			t.Errorf("%s of %s: %v %v, want %v", c.entry, c.name, r.tensors[0].Shape, v, c.want)
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

func TestTheWeightDecayOfAFileIsSaidAsTheKeysThatHaveIt(t *testing.T) {
	group := func(decay float64, decoupled any) map[string]any {
		g := map[string]any{"weight_decay": decay}
		if decoupled != nil {
			g["decoupled_weight_decay"] = decoupled
		}
		return g
	}
	for _, c := range []struct {
		optimizer string
		file      map[string]any
		want      string
	}{
		{"{name: adam}", group(0.1, true), "optimizer.name adam has no weight_decay, where the optimizer of f.pt had 0.1, decoupled: that is name: adamw"},
		{"{name: adam}", group(0.1, false), "optimizer.l2 is 0, where the optimizer of f.pt had 0.1"},
		{"{name: adam, l2: 0.1}", group(0.1, false), ""},
		{"{name: adam}", group(0.1, nil), "optimizer.l2 is 0, where the optimizer of f.pt had 0.1"}, // before PyTorch 2.6
		{"{name: adam}", group(0, true), ""},
		{"{name: adamw, weight_decay: 0.01}", group(0.1, false), "optimizer.l2 is 0, where the optimizer of f.pt had 0.1, coupled: that is name: adam with l2; " +
			"optimizer.weight_decay is 0.01, where the optimizer of f.pt had 0"},
		{"{name: adamw, weight_decay: 0, l2: 0.1}", group(0.1, false), ""},
		{"{name: adamw, weight_decay: 0.01}", group(0.1, true), "optimizer.weight_decay is 0.01, where the optimizer of f.pt had 0.1"},
		{"{name: adamw, weight_decay: 0.01}", group(0.1, nil), "optimizer.weight_decay is 0.01, where the optimizer of f.pt had 0.1"},
		{"{name: adabelief}", group(0.1, true), "optimizer.name adabelief has no weight_decay, where the optimizer of f.pt had 0.1, decoupled"},
		{"{name: nadam}", group(0.1, true), "optimizer.weight_decay is 0, where the optimizer of f.pt had 0.1"},
		{"{name: nadam, weight_decay: 0.1}", group(0.1, true), ""},
		{"{name: nadam, l2: 0.1}", group(0.1, nil), ""}, // before PyTorch 2.1
		{"{name: radam, weight_decay: 0.1}", group(0.1, false), "optimizer.l2 is 0, where the optimizer of f.pt had 0.1; " +
			"optimizer.weight_decay is 0.1, where the optimizer of f.pt had 0"},
		{"{name: radam, l2: 0.1}", group(0.1, nil), ""},
		{"{name: amsgrad}", group(0.1, true), "optimizer.weight_decay is 0, where the optimizer of f.pt had 0.1"},
		{"{name: amsgrad, l2: 0.1}", group(0.1, nil), ""},           // Adam's before PyTorch 2.6
		{"{name: amsgrad, weight_decay: 0.1}", group(0.1, nil), ""}, // AdamW's
		{"{name: sgd}", group(0.1, nil), "optimizer.l2 is 0, where the optimizer of f.pt had 0.1"},
		{"{name: adan, weight_decay: 0.1}", map[string]any{"weight_decay": 0.1, "weight_decouple": false}, ""},
		{"{name: ademamix, alpha: 5}", map[string]any{"alpha": 2., "betas": []float64{0.9, 0.99, 0.9999}},
			"optimizer.alpha is 5, where the optimizer of f.pt had 2; optimizer.beta2 is 0.999, where the optimizer of f.pt had 0.99"},
		{"{name: rmsprop, beta2: 0.9, eps_inside: false}", map[string]any{"alpha": 0.99}, "optimizer.beta2 is 0.9, where the optimizer of f.pt had 0.99"},
		{"{name: muon}", map[string]any{"eps": 1e-7, "ns_steps": 5., "momentum": 0.9}, "optimizer.momentum is 0.95, where the optimizer of f.pt had 0.9"},
		{"{name: rprop}", map[string]any{"etas": []float64{0.4, 1.2}}, "optimizer.shorter is 0.5, where the optimizer of f.pt had 0.4"},
		{"{name: adafactor}", map[string]any{"beta2_decay": -0.7, "d": 2.}, "optimizer.planes is false, where the optimizer of f.pt had true; " +
			"optimizer.eps1 is 1e-30, where the optimizer of f.pt had 0; optimizer.decay is 0.8, where the optimizer of f.pt had 0.7; optimizer.largest is 1, where the optimizer of f.pt had 2"},
	} {
		o, err := config.Parse("", nil, []string{"optimizer=" + c.optimizer})
		if err != nil {
			t.Fatal(err)
		}
		m := &Moments[float64]{}
		m.compareWith(o.Optimizer, "optimizer.", "f.pt", torchGroup{settings: c.file, epsilon: 0x1p-52}, 1)
		if got := strings.Join(m.Notes, "; "); got != c.want {
			t.Errorf("%s of %v: %q, want %q", c.optimizer, c.file, got, c.want)
		}
	}
}

// The step from a point is the one that the run takes, penalty included; what it has beyond the optimizer without memory is then no bias of the memory.
func TestTheNextStepOfARegularizedRunHasThePenaltyAndNoRealizedBias(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	base := []string{"dtype=float64", "model.hidden=[6]", "data.subset=40", "record.bias=1", "record.sharpness=0", "checkpoint.every=3", "regularizer={kind: perturbed-one-norm, weight: 0.01}"}
	if _, err := Run(t.Context(), parse(t, "", append(base, "steps=5")...), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(dir, "checkpoint-000000000003.safetensors")
	p, err := Probe(t.Context(), parse(t, "", append(base, "model.weights="+checkpoint, "optimizer.moments="+checkpoint)...), "")
	if err != nil {
		t.Fatal(err)
	}
	h, err := record.ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"step_norm", "drive.main", "drive.observed"} {
		if got, want := float64(p.Next.Columns[name]), h.Floats(name)[3]; math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s = %v, the run has %v", name, got, want)
		}
	}
	if _, realized := p.Next.Columns["drive.realized"]; realized || !strings.Contains(p.Next.NoRealized, "a regularizer moves the optimizer, too") || p.Next.Second != "unknown" {
		t.Errorf("%+v", p.Next)
	}
	if !slices.ContainsFunc(p.Notes, func(s string) bool { return strings.Contains(s, "perturbed-one-norm of weight 0.01, is no part of") }) {
		t.Errorf("notes %q", p.Notes)
	}
	if h.Index("monitor.second_over_first") >= 0 {
		t.Error("the run judges the equation of the loss without the penalty by steps with it")
	}
}

// torchDefaults are what groups of torch.optim's optimizers have in PyTorch 2.15.
var torchDefaults = map[string]map[string]any{
	"sgd":       {"momentum": 0.9, "dampening": 0., "weight_decay": 0., "nesterov": false},
	"adam":      {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0., "amsgrad": false, "decoupled_weight_decay": false},
	"adamw":     {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0.01, "amsgrad": false, "decoupled_weight_decay": true},
	"amsgrad":   {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0., "amsgrad": true, "decoupled_weight_decay": false},
	"nadam":     {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0., "momentum_decay": 0.004, "decoupled_weight_decay": false},
	"radam":     {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0., "decoupled_weight_decay": false},
	"adamax":    {"betas": []float64{0.9, 0.999}, "eps": 1e-8, "weight_decay": 0.},
	"adagrad":   {"lr_decay": 0., "eps": 1e-10, "weight_decay": 0., "initial_accumulator_value": 0.},
	"adadelta":  {"rho": 0.9, "eps": 1e-6, "weight_decay": 0.},
	"rmsprop":   {"momentum": 0., "alpha": 0.99, "eps": 1e-8, "centered": false, "weight_decay": 0.},
	"rprop":     {"etas": []float64{0.5, 1.2}, "step_sizes": []float64{1e-6, 50}},
	"adafactor": {"beta2_decay": -0.8, "eps": []float64{math.NaN(), 1e-3}, "d": 1., "weight_decay": 0.},
	"muon":      {"weight_decay": 0.1, "momentum": 0.95, "nesterov": true, "ns_coefficients": []float64{3.4445, -4.7750, 2.0315}, "eps": 1e-7, "ns_steps": 5.},
}

func TestEveryOptionOfTorchOptimThatChangesAStepIsSaid(t *testing.T) {
	of := func(optimizer, settings, key string, value any) string {
		t.Helper()
		group := maps.Clone(torchDefaults[optimizer])
		if optimizer != "muon" {
			maps.Copy(group, map[string]any{"maximize": false, "differentiable": false, "capturable": false})
		}
		if key != "" {
			group[key] = value
		}
		o, err := config.Parse("", nil, []string{"optimizer=" + settings})
		if err != nil {
			t.Fatal(err)
		}
		m := &Moments[float64]{}
		m.compareWith(o.Optimizer, "optimizer.", "f.pt", torchGroup{settings: group, epsilon: 0x1p-52}, 1)
		return strings.Join(m.Notes, "; ")
	}
	for name := range torchDefaults {
		settings := "{name: " + name + ", preset: pytorch}"
		if name == "sgd" {
			settings = "{name: sgd, preset: pytorch, momentum: 0.9}"
		}
		if got := of(name, settings, "", nil); got != "" {
			t.Errorf("%s as PyTorch has it: %q", name, got)
		}
		for key, value := range torchDefaults[name] { // what is remembered tells of amsgrad, and the first sum is in it
			if key == "amsgrad" || key == "initial_accumulator_value" {
				continue
			}
			var other any
			switch v := value.(type) {
			case bool:
				other = !v
				if torchDefaults[name]["weight_decay"] == 0. && key == "decoupled_weight_decay" {
					continue // nothing decays
				}
			case float64:
				other = v/2 + 0.125
			case []float64:
				several := slices.Clone(v)
				several[1] = v[1]/2 + 0.125
				other = several
			}
			if got := of(name, settings, key, other); got == "" {
				t.Errorf("%s: %s %v: not a word", name, key, other)
			}
		}
	}
	for _, c := range []struct {
		of, optimizer, key string
		value              any
		want               string
	}{
		{"muon", "{name: muon}", "ns_steps", 7., "optimizer.name muon goes by ns_steps 5, where the optimizer of f.pt had 7"},
		{"muon", "{name: muon}", "ns_coefficients", []float64{3, -2, 0.5},
			"optimizer.name muon goes by ns_coefficients [3.4445 -4.775 2.0315], where the optimizer of f.pt had [3 -2 0.5]"},
		{"muon", "{name: muon}", "adjust_lr_fn", "original", ""},
		{"muon", "{name: muon}", "adjust_lr_fn", "match_rms_adamw", "optimizer.name muon goes by adjust_lr_fn original, where the optimizer of f.pt had " +
			"match_rms_adamw, whose steps are longer by a factor of each weight's shape, and its decay is not: that is lr_scale in optimizer.groups, and weight_decay over it"},
		{"muon", "{name: muon, exact: true}", "", nil, "optimizer.exact is true, where the optimizer of f.pt had false"},
		{"adagrad", "{name: adagrad}", "lr_decay", 0.1, "optimizer.name adagrad goes by lr_decay 0, where the optimizer of f.pt had 0.1, by which lr is divided by " +
			"1 + lr_decay n in step n = 0, 1, ...: that is schedule: {shape: file}"},
		{"sgd", "{name: heavy-ball}", "dampening", 0.5, "optimizer.name heavy-ball goes by dampening 0, where the optimizer of f.pt had 0.5: that is name: sgd"},
		{"sgd", "{name: lion}", "", nil, "optimizer.name is lion, where f.pt is of torch.optim's SGD: want sgd or heavy-ball or nesterov"},
		{"adam", "{name: lamb, eps: 1e-8, weight_decay: 0}", "", nil, "optimizer.name is lamb, where f.pt is of torch.optim's Adam or AdamW: want adam or adamw or amsgrad or muon"},
		{"adam", "{name: adam, preset: pytorch, bias_correction: false}", "", nil, "optimizer.bias_correction is false, where the optimizer of f.pt had true"},
		{"radam", "{name: radam}", "", nil, "optimizer.threshold is 4, where the optimizer of f.pt had 5"},
		{"nadam", "{name: nadam, preset: pytorch, momentum_decay: 0}", "momentum_decay", 0., "optimizer.momentum_decay is 0, where the optimizer of f.pt had 0, " +
			"which in PyTorch keeps momentum at half of beta1: that is nearly momentum_decay: 1e-9 here"},
		{"nadam", "{name: nadam, preset: pytorch, momentum_decay: 1e-9}", "momentum_decay", 0., ""},
		{"adafactor", "{name: adafactor, preset: pytorch}", "eps", []float64{1e-20, 1e-3}, "optimizer.least is 2.220446049250313e-16, where the optimizer of f.pt had 1e-20"},
		{"adam", "{name: adam, preset: pytorch}", "cautious", true, "optimizer.name adam has no cautious, where the optimizer of f.pt had true"},
		{"adam", "{name: adam, preset: pytorch}", "note\n", strings.Repeat("x", 200), `optimizer.name adam has no note\n, where the optimizer of f.pt had ` + strings.Repeat("x", 100)},
		{"adam", "{name: adam, preset: pytorch}", "initial_lr", 3., ""},
	} {
		if got := of(c.of, c.optimizer, c.key, c.value); got != c.want {
			t.Errorf("%s of %s %v: %q, want %q", c.optimizer, c.key, c.value, got, c.want)
		}
	}
	single := &Moments[float64]{}
	o, err := config.Parse("", nil, []string{"optimizer={name: adafactor, preset: pytorch}"})
	if err != nil {
		t.Fatal(err)
	}
	single.compareWith(o.Optimizer, "optimizer.", "f.pt", torchGroup{settings: torchDefaults["adafactor"], epsilon: 0x1p-23}, 1)
	if got, want := strings.Join(single.Notes, "; "), "optimizer.least is 2.220446049250313e-16, where the optimizer of f.pt had 1.1920928955078125e-07"; got != want {
		t.Errorf("moments of float32: %q, want %q", got, want)
	}
}

func TestAnOptimizerThatGoesUpIsRefused(t *testing.T) {
	for _, is := range []any{nil, false, true} {
		err := minimizing([]torchGroup{{settings: map[string]any{}}, {settings: map[string]any{"maximize": is}}})
		if (err != nil) != (is == true) || err != nil && !strings.Contains(err.Error(), "it is of an optimizer with maximize: true") {
			t.Errorf("maximize %v: %v", is, err)
		}
	}
}
