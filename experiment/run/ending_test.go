package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/safetensors"
)

// lastCheckpoint returns the sorted names and types of the tensors of the newest checkpoint.
func lastCheckpoint(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.safetensors"))
	if err != nil || len(names) == 0 {
		t.Fatalf("checkpoints %v, %v", names, err)
	}
	file, err := safetensors.ReadFile(names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	var tensors []string
	for _, tensor := range file.Tensors {
		tensors = append(tensors, tensor.Name+" "+tensor.DType())
	}
	slices.Sort(tensors)
	return tensors
}

func TestACheckpointHasWeightsStateAndFlowsUnderTheirNames(t *testing.T) {
	for _, c := range []struct {
		name      string
		overrides []string
		want      []string
	}{
		{"adam with equations", []string{"beside=[memoryless-1, state-2]"}, []string{
			"0.weight F32", "0.bias F32", "2.weight F32", "2.bias F32",
			"state.m.0.weight F32", "state.m.0.bias F32", "state.m.2.weight F32", "state.m.2.bias F32",
			"state.v.0.weight F32", "state.v.0.bias F32", "state.v.2.weight F32", "state.v.2.bias F32",
			"trail.origin.0.weight F32", "trail.origin.0.bias F32", "trail.origin.2.weight F32", "trail.origin.2.bias F32",
			"trail.last.0.weight F32", "trail.last.0.bias F32", "trail.last.2.weight F32", "trail.last.2.bias F32",
			"trail.before.0.weight F32", "trail.before.0.bias F32", "trail.before.2.weight F32", "trail.before.2.bias F32",
			"memoryless-1.theta.0.weight F64", "memoryless-1.theta.0.bias F64", "memoryless-1.theta.2.weight F64", "memoryless-1.theta.2.bias F64",
			"state-2.theta.0.weight F64", "state-2.theta.0.bias F64", "state-2.theta.2.weight F64", "state-2.theta.2.bias F64",
			"state-2.m.0.weight F64", "state-2.m.0.bias F64", "state-2.m.2.weight F64", "state-2.m.2.bias F64",
			"state-2.v.0.weight F64", "state-2.v.0.bias F64", "state-2.v.2.weight F64", "state-2.v.2.bias F64",
		}},
		{"gradient descent", []string{"optimizer={name: gd, lr: 1e-2}", "beside=[]", "dtype=float64", "model.hidden=[]"}, []string{
			"0.weight F64", "0.bias F64",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			runIn(t, dir, parse(t, small, append(c.overrides, "steps=3", "checkpoint.every=2")...))
			slices.Sort(c.want)
			if got := lastCheckpoint(t, dir); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestACheckpointOfAnotherConfigIsNotResumed(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"precision", "dtype: float32", "dtype: float64", "checkpoint of step 3: its weights are float32; the config says float64"},
		{"model", "hidden: [8]", "hidden: [9]", "checkpoint of step 3: tensors do not fit the model: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			runIn(t, dir, parse(t, small, "steps=3", "beside=[]"))
			path := filepath.Join(dir, "config.yaml")
			text := string(fileBytes(t, dir, "config.yaml"))
			if !strings.Contains(text, c.old) {
				t.Fatalf("no %q in %s", c.old, text)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(text, c.old, c.new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "result.json")); err != nil {
				t.Fatal(err)
			}
			if _, err := Resume(t.Context(), dir, Options{AcceptChanged: true}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestExamplesInNoMiniBatchAreSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	result, _ := runIn(t, dir, parse(t, small, "beside=[]", "batch={mode: shuffled, size: 25}", "steps=3", "record.sharpness=0"))
	if want := "10 of 60 examples are in none of the 2 mini-batches of 25"; result.Untrained != 10 || !strings.Contains(string(fileBytes(t, dir, "log.txt")), want) {
		t.Errorf("%d examples, and the log does not say %q", result.Untrained, want)
	}
	if whole, _ := runFor(t, small, "beside=[]", "batch={mode: shuffled, size: 20}", "steps=3", "record.sharpness=0"); whole.Untrained != 0 {
		t.Errorf("%d of examples that mini-batches of 20 divide", whole.Untrained)
	}
}

func TestNumbersThatSinglePrecisionLacksAreRefused(t *testing.T) {
	for override, want := range map[string]string{
		"optimizer.eps=1e-60": "optimizer.eps: 1e-60 is 0 in float32", "optimizer.lr=1e60": "optimizer.lr: 1e+60 is +Inf in float32", "optimizer.l2=1e-50": "optimizer.l2: 1e-50 is 0 in float32",
		"bias.scale=1e39": "bias.scale: 1e+39 is +Inf in float32", "bias.scale=-1e-50": "bias.scale: -1e-50 is",
		"beside=[];regularizer={kind: perturbed-one-norm, weight: 1e300}": "regularizer.weight: 1e+300 is +Inf in float32",
		"optimizer.groups=[{match: [\"*.bias\"], lr: 1e39}]":              "optimizer.groups: group 1: lr: 1e+39 is +Inf in float32",
		"optimizer.groups=[{match: [\"*.bias\"], lr: 1e-50}]":             "optimizer.groups: group 1: lr: 1e-50 is 0 in float32",
		"optimizer.groups=[{match: [\"*.bias\"], lr_scale: 1e300}]":       "optimizer.groups: group 1: lr: 1e+",
		"optimizer.groups=[{match: [\"*.bias\"], eps: 1e-60}]":            "optimizer.groups: group 1: eps: 1e-60 is 0 in float32",
		"schedule={shape: cosine, final: 1e300}":                          "schedule.final: lr times it, 1e+",
		"schedule={shape: step, every: 1, factor: 1e60}":                  "schedule.factor: lr times it, 1e+",
		"schedule={shape: step, every: 1, factor: 1e-60}":                 "schedule.factor: lr times it, 9.99",
		"schedule={shape: step, every: 1, factor: 1e20}":                  "schedule.factor: the size of step 3, 1e+",
	} {
		t.Run(override, func(t *testing.T) {
			_, err := Run(t.Context(), parse(t, small, strings.Split(override, ";")...), filepath.Join(t.TempDir(), "run"), Options{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
	factors := filepath.Join(t.TempDir(), "factors.txt")
	if err := os.WriteFile(factors, []byte("0\n1\n1e-60\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newTraining[float32](t.Context(), parse(t, small, "schedule={shape: file, path: "+factors+"}"), Options{}); err == nil ||
		!strings.Contains(err.Error(), "schedule.path: lr times number 3 of the file, 9.99") {
		t.Errorf("of a file: %v", err)
	}
	if _, err := newTraining[float32](t.Context(), parse(t, "objective: {name: bilinear, pairs: [[1, 1e39]]}"), Options{}); err == nil ||
		!strings.Contains(err.Error(), "objective.pairs: 1e+39 is +Inf in float32") {
		t.Errorf("of a pair: %v", err)
	}
	for _, fine := range [][]string{
		{"stop.loss=1e-50"}, {"flow={method: dop853, abs_tol: 1e-60}"},
		{"optimizer.groups=[{match: [\"*.bias\"], lr: 0.5}]"}, {"schedule={shape: step, every: 1, factor: 1e-30}"}, {"optimizer.groups=[{match: [\"*.bias\"], lr_scale: 0}]"},
	} {
		if _, err := newTraining[float32](t.Context(), parse(t, small, fine...), Options{}); err != nil {
			t.Errorf("%v in float32: %v", fine, err)
		}
	}
	if _, err := newTraining[float64](t.Context(), parse(t, small, "optimizer.eps=1e-60", "dtype=float64"), Options{}); err != nil {
		t.Errorf("in float64: %v", err)
	}
}
