package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/nn/imported"
	"shadowflow/rule"
	"shadowflow/schema"
)

func mustParse(t *testing.T, src string, overrides ...string) *Config {
	t.Helper()
	c, err := Parse("run.yaml", []byte(src), overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEmptyConfigIsTheDefault(t *testing.T) {
	for _, src := range []string{"", "\n", "# nothing\n", "data:\nmodel: {}\n", "null"} {
		if c := mustParse(t, src); !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: %+v", src, c)
		}
	}
	c := Default()
	if c.Steps != 900 || c.DType != "float32" || c.Data.Name != "digits" || !c.Data.Standardize ||
		c.Model.Name != "mlp" || !reflect.DeepEqual(c.Model.Hidden, []int{64, 64}) || c.Model.Activation != "tanh" ||
		c.Loss != "cross-entropy" || c.Batch.Mode != "full" || c.Batch.Physical != 500 ||
		c.Record != (Record{Every: 1, Bias: 10, Sharpness: 50, Modes: 5, State: 50, Test: 10}) || len(c.Beside) != 0 {
		t.Errorf("unexpected defaults: %+v", c)
	}
	want := Optimizer{Name: "adam", LR: 1e-3, Values: map[string]any{
		"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "eps_inside": true, "bias_correction": true, "preset": "paper",
	}}
	if !reflect.DeepEqual(c.Optimizer, want) {
		t.Errorf("optimizer %+v, want %+v", c.Optimizer, want)
	}
}

func TestAFileAsOptimizersStateIsItsMoments(t *testing.T) {
	for name, c := range map[string]*Config{
		"in a section":        mustParse(t, "optimizer: {name: adam, state: adam.pt}\n"),
		"as a setting":        mustParse(t, "", "optimizer.state=adam.pt"),
		"by its name":         mustParse(t, "optimizer: {moments: adam.pt}\n"),
		"beside a definition": mustParse(t, "optimizer: {name: mine, lr: 1, moments: adam.pt, state: {m: 'ema(g, 0.5)'}, update: m}\n"),
	} {
		if c.Optimizer.Moments != "adam.pt" {
			t.Errorf("%s: moments %q", name, c.Optimizer.Moments)
		}
		if again := mustParse(t, string(c.YAML())); again.Optimizer.Moments != "adam.pt" {
			t.Errorf("%s: written and read again: %q", name, again.Optimizer.Moments)
		}
	}
	_, err := Parse("run.yaml", []byte("optimizer: {name: mine, lr: 1, state: adam.pt, update: g}\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "optimizer.state: expected keys and values") {
		t.Errorf("a file as a definition's state: %v", err)
	}
}

// The steps that the moments are from count, and only their file tells how many these are.
func TestAWarmupMayBeLongerThanTheStepsBehindMoments(t *testing.T) {
	const src = "steps: 5\nschedule: {shape: linear, warmup: 12}\n"
	if _, err := Parse("run.yaml", []byte(src), nil); err == nil {
		t.Error("a run that ends within its warmup is taken")
	}
	if c := mustParse(t, src+"optimizer: {moments: adam.pt}\n"); c.Schedule.Warmup != 12 {
		t.Errorf("%+v", c.Schedule)
	}
}

func TestKeysSetWhatTheyName(t *testing.T) {
	src := `
seed: 18446744073709551615
steps: 1e4
dtype: float64
data:
  name: npz
  path: 'my data.npz'
  test_fraction: 0.25
model: {name: vit, dim: 64}
optimizer:
  name: lion
  lr: 1e-4
  weight_decay: 1
batch: {mode: shuffled, size: 32}
beside: [memoryless-1, memoryless-2]
flow: {method: dopri5, rel_tol: 1e-9}
bias: {scale: -1}
stop: {loss: 0.01, seconds: 60}
regularizer: {kind: perturbed-one-norm, weight: 1e-4}
`
	c := mustParse(t, src, "optimizer.beta2=0.95", "model.depth=2", " steps = 7", "data.path=other.npz")
	if c.Seed != 1<<64-1 || c.Steps != 7 || c.DType != "float64" || c.Data.Path != "other.npz" || *c.Data.TestFraction != 0.25 {
		t.Errorf("got %+v", c)
	}
	if m := c.Model; m.Dim != 64 || m.Depth != 2 || m.Heads != 16 || m.Hidden != nil {
		t.Errorf("model %+v", m)
	}
	if o := c.Optimizer; o.LR != 1e-4 || o.Value("beta2") != 0.95 || o.Value("beta1") != 0.9 || o.Value("weight_decay") != 1 || o.Values["bias_correction"] != nil {
		t.Errorf("optimizer %+v", o)
	}
	if f := c.Flow; !reflect.DeepEqual(c.Beside, []string{"memoryless-1", "memoryless-2"}) || f.RelTol != 1e-9 || f.AbsTol != 1e-9 || f.Steps != 0 {
		t.Errorf("flow %+v", f)
	}
	if c.Bias.Scale != -1 || c.Stop.Loss != 0.01 || c.Regularizer.Weight != 1e-4 || c.Batch.Size != 32 {
		t.Errorf("got %+v", c)
	}
}

func TestOverridesMayBeSectionsAndLists(t *testing.T) {
	c := mustParse(t, "", "model={hidden: [8, 8, 8], activation: relu}", "model.hidden=[]", "beside=[memoryless-1]")
	if len(c.Model.Hidden) != 0 || c.Model.Activation != "relu" || !reflect.DeepEqual(c.Beside, []string{"memoryless-1"}) {
		t.Errorf("got %+v, %+v", c.Model, c.Flow)
	}
}

func TestAnotherNameByOverrideDropsTheFilesKeys(t *testing.T) {
	c := mustParse(t, "optimizer: {name: adam, beta1: 0.5, eps: 1e-4, lr: 0.01}\n", "optimizer.name=gd")
	if want := (Optimizer{Name: "gd", LR: 0.01, Values: map[string]any{"preset": "paper"}}); !reflect.DeepEqual(c.Optimizer, want) {
		t.Errorf("got %+v, want %+v", c.Optimizer, want)
	}
}

func TestErrorsSayLineKeyAndWhatWouldBeRight(t *testing.T) {
	tests := []struct {
		name, src string
		set       []string
		want      string
	}{
		{"unknown key", "seed: 1\noptimizer:\n  bta2: 0.9\n", nil, "run.yaml:3:3: optimizer.bta2: unknown key; did you mean beta2?"},
		{"no time to decay in", "steps: 10\nschedule: {shape: cosine, warmup: 10}\n", nil, "run.yaml:2:19: schedule.steps: 10, with a warmup of 10 steps: want more, for cosine to come to its final value in"},
		{"no file of a schedule", "schedule:\n  shape: file\n", nil, "run.yaml:2:10: schedule.path: no file; expected one with the factor of each step, a number a line"},
		{"a key of another shape", "schedule: {shape: linear, every: 5}\n", nil, "run.yaml:1:34: schedule.every: of no use with schedule.shape: linear; it is for step"},
		{"a hyperparameter called like a key", "optimizer: {name: mine, lr: 1, let: {l2: 0.1}, update: l2 * g}\n", nil, "run.yaml:1:38: optimizer.let.l2: l2 is a key of the section; expected another name"},
		{"unknown section", "optimiser: {lr: 1}\n", nil, "run.yaml:1:1: optimiser: unknown key; did you mean optimizer?"},
		{"key of another section", "beta2: 0.9\n", nil, "run.yaml:1:1: beta2: unknown key; did you mean optimizer.beta2?"},
		{"nothing near", "stop: {zzzzzzzzz: 1}\n", nil, "run.yaml:1:8: stop.zzzzzzzzz: unknown key; expected one of loss, seconds"},
		{"wrong type", "\n\nsteps: many\n", nil, `run.yaml:3:8: steps: expected a whole number, got the text "many"`},
		{"fraction of a step", "steps: 1.5\n", nil, "run.yaml:1:8: steps: expected a whole number, got 1.5"},
		{"no value", "steps:\n", nil, "run.yaml:1:8: steps: expected a whole number, got nothing"},
		{"list for a number", "optimizer: {lr: [1, 2]}\n", nil, "run.yaml:1:17: optimizer.lr: expected a number, got a list"},
		{"number for a list", "model: {hidden: 64}\n", nil, "run.yaml:1:17: model.hidden: expected a list of whole numbers like [64, 64], got the number 64"},
		{"text in a list", "model: {hidden: [64, big]}\n", nil, `run.yaml:1:17: model.hidden: item 2: expected a whole number, got the text "big"`},
		{"zero in a list", "model: {hidden: [64, 0]}\n", nil, "run.yaml:1:17: model.hidden: item 2: 0 is out of range; expected a number at least 1 and at most 65536, [1,65536]"},
		{"number for a text", "loss: 5\n", nil, "run.yaml:1:7: loss: expected text, got the number 5; put it in quotes if it is meant as text"},
		{"text for a truth", "data: {standardize: 'yes'}\n", nil, `run.yaml:1:21: data.standardize: expected true or false, got the text "yes"`},
		{"scalar for a section", "model: cnn\n", nil, `run.yaml:1:1: model: expected keys and values, got the text "cnn"`},
		{"out of range", "optimizer: {beta2: 1}\n", nil, "run.yaml:1:20: optimizer.beta2: 1 is out of range; expected a number at least 0 and below 1, [0,1)"},
		{"not a number", "optimizer: {lr: .nan}\n", nil, "run.yaml:1:17: optimizer.lr: NaN is out of range; expected a number above 0, (0,inf)"},
		{"infinite", "bias: {scale: .inf}\n", nil, "run.yaml:1:15: bias.scale: +Inf is out of range; expected a finite number"},
		{"negative seed", "seed: -1\n", nil, "run.yaml:1:7: seed: -1 is negative"},
		{"unknown word", "optimizer: {name: adem}\n", nil, `run.yaml:1:19: optimizer.name: unknown value "adem"; did you mean adam?`},
		{"unknown data", "data: {name: digit}\n", nil, `run.yaml:1:14: data.name: unknown value "digit"; did you mean digits?`},
		{"key without use", "model: {name: cnn, hidden: [3]}\n", nil, "run.yaml:1:28: model.hidden: of no use with model.name: cnn; it is for mlp"},
		{"missing path", "data: {name: npz}\n", nil, "run.yaml:1:14: data.path: empty; name: npz needs it"},
		{"repeated order", "beside: [state-1, state-1]\n", nil, "run.yaml:1:9: beside: item 2: state-1 is there already"},
		{"anchor", "steps: &n 5\n", nil, "run.yaml:1:8: steps: expected a whole number, got a YAML anchor, alias or tag, which is of no use here"},
		{"two documents", "seed: 1\n---\nseed: 2\n", nil, "run.yaml:3:5: a second YAML document; expected one"},
		{"not YAML", "model: [1,\n", nil, "run.yaml:1:8: not YAML: sequence end token ']' not found"},
		{"key given twice", "seed: 1\nseed: 2\n", nil, `run.yaml:2:1: not YAML: mapping key "seed" already defined at [1:1]`},
		{"not UTF-8", "loss: \xff\n", nil, "run.yaml: not UTF-8 text"},
		{"override without value", "", []string{"seed"}, "--set seed: expected key=value, like optimizer.beta2=0.99"},
		{"override of nothing", "", []string{"optimizer.bta1=0.5"}, "--set optimizer.bta1=0.5: optimizer.bta1: unknown key; did you mean beta1?"},
		{"override out of range", "", []string{"optimizer.eps=0"}, "--set optimizer.eps=0: optimizer.eps: 0 is out of range; expected a number above 0, (0,inf)"},
		{"override without use", "", []string{"optimizer.name=gd", "optimizer.eps=1"}, "--set optimizer.eps=1: optimizer.eps: of no use with optimizer.name: gd; it is for adabelief, adadelta, adagrad, adam, adamax, adamw, adan, ademamix, adopt, amsgrad, lamb, lion, muon, nadam, prodigy, radam, rmsprop, schedule-free-adamw, shampoo, signum, soap, sophia"},
		{"override with no YAML", "", []string{"model.hidden=[1"}, "--set model.hidden=[1: model.hidden: not YAML: sequence end token ']' not found"},
	}
	for _, test := range tests {
		_, err := Parse("run.yaml", []byte(test.src), test.set)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.name, err, test.want)
		}
	}
}

func TestAllErrorsAreReportedAtOnce(t *testing.T) {
	_, err := Parse("run.yaml", []byte("stps: 5\noptimizer: {lr: -1, beta1: no}\n"), []string{"dtype=float16"})
	var all schema.Errors
	if !errors.As(err, &all) || len(all) != 4 {
		t.Fatalf("got %v", err)
	}
	var one *schema.Error
	if !errors.As(err, &one) || one.Line != 1 || one.Key != "stps" {
		t.Errorf("the first is %+v", one)
	}
}

func TestResolvedConfigParsesToItself(t *testing.T) {
	sources := [][]string{
		{},
		{"optimizer={name: adam, beta1: 0, lr: 0.1}", "seed=12345678901234567890"},
		{"optimizer.name=gd", "batch={mode: sampled, size: 7}", "flow={method: dop853}", "beside=[memoryless-2]"},
		{"model.name=cnn", "data={name: images, path: \"it's: a # path\\t\\u00e9\\n\", test_fraction: 0.1}"},
		{"model={name: resnet50, width: 8, weights: 'true'}", "data={name: cifar100, path: '1e5', coarse_labels: true}"},
		{"model={name: vit, depth: 1}", "data={name: idx, train_images: 'a', train_labels: './b', test_images: '', classes: 3}"},
		{"data={name: csv, path: x, target: [a, 'b c'], features: ['1'], standardize_target: true, task: regression}", "loss=huber"},
		{"data={name: npz, path: x, layout: nhwc, task: classification}", "loss=binary-cross-entropy"},
		{"regularizer={kind: two-norm-squared, weight: -1.2345678901234567e-300}", "model.hidden=[]"},
	}
	for _, set := range sources {
		c := mustParse(t, "", set...)
		text := c.YAML()
		again, err := Parse("config.yaml", text, nil)
		if err != nil {
			t.Errorf("%v:\n%s\n%v", set, text, err)
			continue
		}
		if !reflect.DeepEqual(c, again) {
			t.Errorf("%v:\n%s\n got %+v\nwant %+v", set, text, again, c)
		}
		if c.Hash() != again.Hash() {
			t.Errorf("%v: hashes differ", set)
		}
	}
}

func TestHashIsThatOfWhatIsComputed(t *testing.T) {
	base := mustParse(t, "")
	for _, same := range []string{"threads=2", "checkpoint.every=1", "seed=0", "optimizer.lr=0.001"} {
		if mustParse(t, "", same).Hash() != base.Hash() {
			t.Errorf("%s changed the hash", same)
		}
	}
	for _, other := range []string{"seed=1", "optimizer.lr=0.0010000000000000002", "record.bias=0", "data.subset=10", "model.hidden=[64]"} {
		if mustParse(t, "", other).Hash() == base.Hash() {
			t.Errorf("%s did not change the hash", other)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	keys := Schema().Describe()
	if len(keys) < 60 {
		t.Errorf("only %d keys", len(keys))
	}
	for _, k := range keys {
		if k.Doc == "" || k.Type == "" || k.Default == "" {
			t.Errorf("%s: %+v", k.Key, k)
		}
	}
}

func TestEveryDefaultIsValidAndEveryChoiceHasOne(t *testing.T) {
	s := Schema()
	needs := map[string]string{ // what gives a key a meaning that it does not have by default
		"data.task": "data={name: npz, path: x}", "data.layout": "data={name: npz, path: x}", "data.colors": "data={name: images, path: x}",
		"data.level": "data.name=text", "model.batch_norm": "model={name: onnx, path: net.onnx}",
	}
	for _, d := range s.Describe() {
		if d.Type != "text" || d.Values == "" || d.Key == "data.name" {
			continue
		}
		for _, word := range strings.Split(d.Values, ", ") {
			t.Run(d.Key+"="+word, func(t *testing.T) {
				set := []string{d.Key + "=" + word}
				if needs[d.Key] != "" {
					set = []string{needs[d.Key], set[0]}
				}
				if d.Key == "schedule.shape" && word == "file" {
					set = append(set, "schedule.path=lr.txt")
				}
				c := mustParse(t, "", set...)
				for _, path := range s.Paths() {
					k := s.Find(path, schema.Load(*c))
					if k == nil {
						continue
					}
					if _, problem := k.Convert(c.Get(path)); problem != "" {
						t.Errorf("default of %s: %s", path, problem)
					}
				}
			})
		}
	}
}

func TestWordsAreThoseOfThePackagesBelow(t *testing.T) {
	s := Schema()
	for key, want := range map[string][]string{
		"optimizer.name": rule.Names(), "model.name": append(nn.Names(), ONNX), "loss": nn.LossNames(), "data.name": dataset.Names(),
	} {
		if got := s.Find(key, schema.Load(*Default())).Words; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	for _, name := range rule.Names() {
		if _, err := mustParse(t, "", "optimizer.name="+name).Optimizer.Rule(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range nn.Names() {
		c := mustParse(t, "", "model.name="+name)
		got, err := c.Model.Architecture()
		want, _ := nn.Named(name)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAnImportedNetworkIsThatOfItsFile(t *testing.T) {
	got, err := mustParse(t, "", "model.name=onnx", "model.path=net.onnx").Model.Architecture()
	if net, ok := got.(*imported.Net); !ok || net.Path != "net.onnx" || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := mustParse(t, "", "model.name=onnx").Model.Architecture(); err == nil || !strings.Contains(err.Error(), "want the ONNX file") {
		t.Errorf("%v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("seed: 1\noptimizer: {name: adamw, lr: 1e-3}\n", "model.hidden=[3, 4]")
	f.Add("data: {name: npz, path: 'x y'}\nbeside: [state-1, lift-2]\n", "data.path=\"\\u0007\"")
	f.Add("optimizer: {groups: [{match: '*.bias', name: sgd, l2: 0}, {dims: [2], lr_scale: 3}]}", "optimizer.groups=[{match: [a, 'b['], update: g}]")
	f.Add("a: [b: {c: &d e}]\n- *d", "=")
	f.Fuzz(func(t *testing.T, src, set string) {
		c, err := Parse("fuzz.yaml", []byte(src), []string{set})
		if err != nil {
			if !strings.Contains(err.Error(), ":") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		again, err := Parse("again.yaml", c.YAML(), nil)
		if err != nil {
			t.Fatalf("%s\n%v", c.YAML(), err)
		}
		c.Optimizer.placed, again.Optimizer.placed = nil, nil // where the groups were written
		if !reflect.DeepEqual(c, again) {
			t.Errorf("%s\n%+v\n%+v", c.YAML(), c, again)
		}
	})
}

func ExampleParse() {
	src := "optimizer:\n  bta2: 0.999\nsteps: -1\n"
	_, err := Parse("run.yaml", []byte(src), nil)
	fmt.Println(err)
	// Output:
	// run.yaml:2:3: optimizer.bta2: unknown key; did you mean beta2?
	// run.yaml:3:8: steps: -1 is out of range; expected a number at least 0, [0,inf)
}

func ExampleConfig_YAML() {
	c, err := Parse("run.yaml", nil, []string{"optimizer.name=signum", "bias.scale=-1"})
	if err != nil {
		fmt.Println(err)
	}
	os.Stdout.Write(c.YAML())
	// Output:
	// seed: 0
	// steps: 900
	// dtype: float32
	// threads: 0
	// data:
	//   name: digits
	//   size: 32
	//   standardize: true
	//   subset: 0
	//   test_subset: 0
	//   subset_seed: 0
	//   augment: false
	// model:
	//   name: mlp
	//   hidden: [64, 64]
	//   activation: tanh
	//   weights: ''
	// loss: cross-entropy
	// optimizer:
	//   name: signum
	//   lr: 0.001
	//   beta1: 0.9
	//   eps: 1.0e-08
	//   bias_correction: false
	// batch:
	//   mode: full
	//   physical: 500
	//   shuffle: false
	// regularizer:
	//   kind: none
	// bias:
	//   scale: -1
	//   of: predicted
	// stop:
	//   loss: 0
	//   seconds: 0
	// record:
	//   every: 1
	//   bias: 10
	//   sharpness: 50
	//   state: 50
	//   test: 10
	// beside: []
	// flow:
	//   start: 10
	//   noise: 1.0e-05
	//   method: rk4
	//   steps: 1
	// checkpoint:
	//   every: 100
}

func FuzzTextsSurviveTheResolvedConfig(f *testing.F) {
	for _, s := range []string{"plain.npz", "it's", "a: b # c", " lead", "1e5", "true", "\t\n\x00\x7f\u0085\u2028\U0001F600\ufeff", "- x", "~", `\x41`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		c := Default()
		c.Model.Weights = s
		again, err := Parse("config.yaml", c.YAML(), nil)
		if err != nil {
			t.Fatalf("%q: %v", c.YAML(), err)
		}
		if again.Model.Weights != s {
			t.Errorf("%q became %q", s, again.Model.Weights)
		}
	})
}

func TestWhatPyTorchCallsOtherwiseIsSaidWithItsNameHere(t *testing.T) {
	for set, want := range map[string]string{
		"optimizer={name: adam, weight_decay: 0.1}":             "of no use with optimizer.name: adam; its weight decay is coupled, optimizer.l2; decoupled weight decay is name: adamw",
		"optimizer={name: sgd, weight_decay: 0.1}":              "of no use with optimizer.name: sgd; its weight decay is coupled: optimizer.l2",
		"optimizer={name: rmsprop, alpha: 0.9}":                 "of no use with optimizer.name: rmsprop; PyTorch's alpha is beta2",
		"optimizer={name: adam, amsgrad: true}":                 "unknown key; PyTorch's amsgrad is name: amsgrad",
		"amsgrad=true":                                          "unknown key; PyTorch's amsgrad is name: amsgrad",
		"optimizer={name: adamw, amsgrad: true}":                "unknown key; AdamW's amsgrad is name: amsgrad with weight_decay",
		"betas=[0.9,0.999]":                                     "unknown key; they are keys of their own: beta1, beta2",
		"optimizer={name: sgd, beta1: 0.9}":                     "of no use with optimizer.name: sgd; its momentum is momentum",
		"optimizer={name: adagrad, momentum: 0.9}":              "of no use with optimizer.name: adagrad; it is for ",
		"optimizer={name: adam, momentun: 0.9}":                 "unknown key; did you mean momentum?",
		"optimizer.groups=[{dims: 1, name: rmsprop, alpha: 0}]": "group 1: alpha: of no use with optimizer.name: rmsprop; PyTorch's alpha is beta2",
		"model={name: cnn, hidden: [3]}":                        "of no use with model.name: cnn; it is for mlp",
	} {
		if _, err := Parse("", nil, []string{set}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
	for _, k := range torchKeys {
		for _, name := range strings.Fields(k.optimizers) {
			d, err := rule.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(d.Keys(), func(own schema.Key) bool { return own.Name == k.key }) {
				t.Errorf("%s has %s: the hint is never said", name, k.key)
			}
		}
	}
}

func TestAStepSeesAPartOfTheExamplesWithMiniBatchesAlone(t *testing.T) {
	for mode, want := range map[string]bool{"": false, "full": false, "cyclic": true, "shuffled": true, "sampled": true} {
		if got := (Batch{Mode: mode}).Mini(); got != want {
			t.Errorf("%q: %v", mode, got)
		}
	}
}
