package run

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
)

// small is a quick run that keeps all kinds of state: moments, modified equations, several micro-batches.
const small = `
steps: 60
data: {name: digits, subset: 60, test_subset: 20}
model: {name: mlp, hidden: [8], activation: tanh}
batch: {mode: full, physical: 25}
record: {every: 1, bias: 7, sharpness: 20, test: 9}
beside: [memoryless-1, memoryless-2, state-2, lift-1]
flow: {start: 3}
checkpoint: {every: 5}
`

func parse(t testing.TB, src string, overrides ...string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(src), overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func runIn(t testing.TB, dir string, c *config.Config) (*Result, *record.History) {
	t.Helper()
	result, err := Run(t.Context(), c, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := record.ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	return result, h
}

func runFor(t testing.TB, src string, overrides ...string) (*Result, *record.History) {
	t.Helper()
	return runIn(t, filepath.Join(t.TempDir(), "run"), parse(t, src, overrides...))
}

func historyBytes(t *testing.T, dir string) []byte { return fileBytes(t, dir, "history.csv") }

func fileBytes(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantSameHistory fails at the first line that two runs' histories do not share.
func wantSameHistory(t *testing.T, dir, want string) {
	t.Helper()
	a, b := strings.Split(string(historyBytes(t, dir)), "\n"), strings.Split(string(historyBytes(t, want)), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d of the history is\n%s\nan uninterrupted run has\n%s", i+1, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Fatalf("the history has %d lines, that of an uninterrupted run %d", len(a), len(b))
	}
}

func TestInterruptedRunEndsWithTheSameBits(t *testing.T) {
	for name, overrides := range map[string][]string{
		"full batch":     nil,
		"mini-batches":   {"batch={mode: shuffled, size: 20}", "record.bias=30", "beside=[]"},
		"float64":        {"dtype=float64", "beside=[memoryless-1]"},
		"batch norm":     {"model={name: resnet18, width: 2}", "beside=[]", "record.bias=0", "record.sharpness=0", "data.subset=20", "data.test_subset=5", "steps=8", "checkpoint.every=2"},
		"lion":           {"optimizer={name: lion, lr: 1e-3, eps: 1e-6}"},
		"scheduled":      {scheduled, "record.average=0.9", "optimizer={clip_norm: 0.5, clip_value: 0.1, l2: 1e-3, sam: 0.05}", "record.blocks=true"},
		"groups":         {grouped, "beside=[state-2]", "record.blocks=true", "optimizer.clip_norm=0.5"},
		"augmented":      {"data.augment=true", "beside=[]"},
		"soap":           {"optimizer={name: soap, frequency: 1}", "beside=[state-2, lift-1]", "steps=14"},
		"sophia":         {"optimizer={name: sophia, frequency: 2}", "batch={mode: shuffled, size: 20}", "beside=[]"},
		"imported":       {"model={name: onnx, path: ../../nn/imported/testdata/digits.onnx}"},
		"without record": {"record={every: 0, bias: 0, sharpness: 0, test: 0}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, small, overrides...)
			whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
			runIn(t, whole, c)
			ctx, cancel := context.WithCancel(t.Context())
			opt := Options{Progress: func(p Progress) {
				if p.Step == c.Steps/2+1 {
					cancel()
				}
			}}
			result, err := Run(ctx, c, parts, opt)
			if err != nil {
				t.Fatal(err)
			}
			if result.Status != Interrupted || result.Step != c.Steps/2+1 {
				t.Fatalf("the interrupted run %s at step %d", result.Status, result.Step)
			}
			result, err = Resume(t.Context(), parts, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if result.Status != Finished || result.Step != c.Steps {
				t.Errorf("the resumed run %s at step %d", result.Status, result.Step)
			}
			wantSameHistory(t, parts, whole)
			if !bytes.Equal(fileBytes(t, parts, record.WeightsFile), fileBytes(t, whole, record.WeightsFile)) {
				t.Error("the weights are not those of an uninterrupted run")
			}
			again, err := Resume(t.Context(), parts, Options{})
			if err != nil || again.Step != result.Step {
				t.Errorf("resuming an ended run gives %+v, %v", again, err)
			}
		})
	}
}

// countdown is a context that ends after its error was asked for so many times: between any two micro-batches.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestStepBrokenOffAnywhereIsRepeatedWhole(t *testing.T) {
	for name, overrides := range map[string][]string{
		"flows":      {"steps=9", "checkpoint.every=0"},
		"scheduled":  {"steps=9", scheduled, "record.average=0.9", "optimizer={clip_norm: 0.5, sam: 0.05}", "beside=[state-2]"},
		"batch norm": {"model={name: resnet18, width: 2}", "beside=[]", "record={every: 1, bias: 0, sharpness: 0, test: 2}", "data.subset=20", "data.test_subset=5", "batch.physical=9", "steps=4"},
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, small, overrides...)
			whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
			runIn(t, whole, c)
			left := 7
			result, err := Run(countdown{t.Context(), &left}, c, parts, Options{})
			for i := 0; err == nil && result.Status == Interrupted; i++ {
				left = 10 + 13*i // every step can be finished at last
				result, err = Resume(countdown{t.Context(), &left}, parts, Options{})
			}
			if err != nil {
				t.Fatal(err)
			}
			wantSameHistory(t, parts, whole)
		})
	}
}

func TestResumeWithoutCheckpointStartsAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, small, "steps=10", "beside=[]")
	runIn(t, dir, c)
	want := historyBytes(t, dir)
	for _, pattern := range []string{"checkpoint-*", "result.json"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			if err := os.Truncate(name, 10); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "result.json") {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var notices []string
	if _, err := Resume(t.Context(), dir, Options{Notice: func(s string) { notices = append(notices, s) }}); err != nil {
		t.Fatal(err)
	}
	if len(notices) == 0 {
		t.Error("nothing was said about damaged checkpoints")
	}
	if !bytes.Equal(historyBytes(t, dir), want) {
		t.Error("the history differs from that of an uninterrupted run")
	}
}

func TestKillBeforeTheResultAddsNoRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	result, _ := runIn(t, dir, parse(t, small, "steps=10", "beside=[]"))
	want := historyBytes(t, dir)
	if err := os.Remove(filepath.Join(dir, "result.json")); err != nil {
		t.Fatal(err)
	}
	again, err := Resume(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Status != result.Status || again.Loss != result.Loss || again.Regime != result.Regime {
		t.Errorf("the result is %+v, was %+v", again, result)
	}
	if !bytes.Equal(historyBytes(t, dir), want) {
		t.Error("the history grew")
	}
}

func TestThreadsDoNotChangeTheRecord(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	for _, more := range []string{"steps=20", "optimizer={clip_norm: 0.3, sam: 0.05}", grouped} {
		runIn(t, one, parse(t, small, "steps=20", "threads=1", more))
		runIn(t, two, parse(t, small, "steps=20", "threads=3", more))
		wantSameHistory(t, two, one)
		one, two = one+" again", two+" again"
	}
}

func TestRunStops(t *testing.T) {
	for name, c := range map[string]struct {
		overrides []string
		want      Status
	}{
		"when its steps are done":            {nil, Finished},
		"when the loss is below its bound":   {[]string{"stop.loss=1.5", "optimizer.lr=0.01"}, LossReached},
		"when its time is up":                {[]string{"stop.seconds=1e-9"}, TimeUp},
		"when the loss is not finite":        {[]string{"optimizer={name: gd, lr: 1e30}"}, Diverged},
		"when the loss is out of all bounds": {[]string{"optimizer={name: gd, lr: 1e5}", "model={name: mlp, hidden: [], activation: tanh}"}, Diverged},
	} {
		t.Run(name, func(t *testing.T) {
			result, h := runFor(t, small, append(c.overrides, "beside=[]")...)
			if result.Status != c.want {
				t.Errorf("status %s at step %d with loss %v, want %s", result.Status, result.Step, result.Loss, c.want)
			}
			if last := h.Rows[len(h.Rows)-1][0].Int(); last != int64(result.Step) {
				t.Errorf("the last record is of step %d, the result of step %d", last, result.Step)
			}
		})
	}
}

func TestARunWhoseMemoryOverflowsIsNoFinishedRun(t *testing.T) {
	for name, overrides := range map[string][]string{
		"float32":      {"objective={name: bilinear, theta: [1e30, 1e-30]}", "dtype=float32"},
		"mini-batches": {"objective={name: bilinear, theta: [1e30, 1e-30], pairs: [[2, 1.5], [1, 2]]}", "dtype=float32", "batch.mode=cyclic"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			c := parse(t, "objective: {name: bilinear}", append(overrides, "steps=30", "beside=[]", "threads=2")...)
			_, err := Run(t.Context(), c, dir, Options{})
			if err == nil || !strings.Contains(err.Error(), "step 1: the optimizer's memory v is +Inf in "+c.DType+" at element") {
				t.Fatalf("%v", err)
			}
			if h, fault := record.ReadHistory(dir); fault != nil || len(h.Rows) == 0 {
				t.Errorf("%v: nothing is recorded of the step before", fault)
			}
			if _, again := Resume(t.Context(), dir, Options{}); again == nil {
				t.Error("the run went on when it was resumed")
			}
		})
	}
}

func TestCombinationsWithoutMeaningAreRefused(t *testing.T) {
	penalty := "regularizer={kind: perturbed-one-norm, weight: 0.1}"
	for _, overrides := range [][]string{
		{penalty},
		{penalty, "beside=[]", "bias.scale=-1"},
		{"data.augment=true"},
		{"batch.shuffle=true"},
		{"batch={mode: cyclic, size: 61}"},
	} {
		t.Run(strings.Join(overrides, " "), func(t *testing.T) {
			if _, err := Run(t.Context(), parse(t, small, overrides...), filepath.Join(t.TempDir(), "run"), Options{}); err == nil {
				t.Errorf("%v was accepted", overrides)
			}
		})
	}
}

// The modified equation of order 2 exact in n predicts a step to h^3, that of order 1 to h^2: halving h divides the defects of the
// fourth step by 8 and 4. By one Hessian-vector product for a full batch, by the general theorem otherwise.
func TestDefectsShrinkAsTheOrdersSay(t *testing.T) {
	for name, c := range map[string]struct {
		optimizer string
		overrides []string
	}{
		"full batch":              {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-4", nil},
		"another rule":            {"name: nadam, beta1: 0.5, beta2: 0.7, eps: 1e-4", nil},
		"mini-batches":            {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3", []string{"batch={mode: cyclic, size: 20}"}},
		"without bias correction": {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, bias_correction: false", nil},
		"a warmup":                {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-4", []string{"schedule.warmup=8"}},
		"a warmup, mini-batches":  {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3", []string{"schedule.warmup=8", "batch={mode: cyclic, size: 20}"}},
		"a clipped norm, and L2":  {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, clip_norm: 0.1, l2: 0.1", nil},
		"SAM":                     {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, sam: 0.05", nil},
		"half of the bias added":  {"name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3", []string{"bias.scale=0.5", "batch={mode: cyclic, size: 20}"}},
		// The fourth step's memory is not full, and its bias not that of a full one.
		"half of the bias added, full batch": {"name: adam, beta1: 0.9, beta2: 0.7, eps: 1e-3", []string{"bias.scale=0.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			defects := func(lr string) (first, second float64) {
				_, h := runFor(t, small, append(c.overrides, "dtype=float64", "beside=[]", "steps=4", "record.bias=1", "record.sharpness=0",
					"optimizer={"+c.optimizer+", lr: "+lr+"}")...)
				return h.Floats("defect_1")[3], h.Floats("defect_2")[3]
			}
			first, second := defects("4e-5")
			halfFirst, halfSecond := defects("2e-5")
			if slope := math.Log2(first / halfFirst); math.Abs(slope-2) > 0.1 {
				t.Errorf("the defect of order 1 shrinks with slope %.3f, want 2", slope)
			}
			if slope := math.Log2(second / halfSecond); math.Abs(slope-3) > 0.3 {
				t.Errorf("the defect of order 2 shrinks with slope %.3f, want 3", slope)
			}
		})
	}
}

// Distances after a fixed time shrink with h for order 1 and with h^2 for order 2 (theory, section 2).
func TestModifiedEquationsFollowTheIterates(t *testing.T) {
	distances := func(lr, steps string, extra ...string) (first, second float64) {
		_, h := runFor(t, small, append([]string{"dtype=float64", "record={every: 100, bias: 0, sharpness: 0, test: 0}", "steps=" + steps,
			"optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, lr: " + lr + "}"}, extra...)...)
		last := len(h.Rows) - 1
		return h.Floats("memoryless-1.distance")[last], h.Floats("memoryless-2.distance")[last]
	}
	first, second := distances("4e-4", "25")
	halfFirst, halfSecond := distances("2e-4", "50")
	if slope := math.Log2(first / halfFirst); math.Abs(slope-1) > 0.1 {
		t.Errorf("the distance of order 1 shrinks with slope %.3f, want 1", slope)
	}
	if slope := math.Log2(second / halfSecond); slope < 1.6 || slope > 2.2 {
		t.Errorf("the distance of order 2 shrinks with slope %.3f, want about 2", slope)
	}
}

// The loss of single examples is below the bound at once; that over all of them is looked at once an epoch.
func TestWithMiniBatchesTheLossToReachIsThatOverAllExamples(t *testing.T) {
	const bound, examples = 1.2, 200
	result, h := runFor(t, small, "data={subset: 200, test_subset: 20}", "model.hidden=[4]", "batch={mode: sampled, size: 1}", "steps=2000", "optimizer.lr=0.01", "stop.loss=1.2",
		"beside=[]", "record={every: 1, bias: 200, sharpness: 0, state: 0}")
	if result.Status != LossReached || result.Step%examples != 0 {
		t.Fatalf("%s at step %d, want the loss reached at the end of an epoch", result.Status, result.Step)
	}
	full, alone, below := h.Floats("full_loss"), h.Floats("loss"), 0
	for i, v := range full {
		if v < bound != (i == len(full)-1) && !math.IsNaN(v) {
			t.Errorf("the loss over all examples is %g in row %d of %d", v, i, len(full))
		}
		if alone[i] < bound {
			below++
		}
	}
	if below < 2 {
		t.Errorf("%d losses of single examples below %g: too few to show anything", below, bound)
	}
}
