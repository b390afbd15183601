package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// validator returns the JSON Schema of configs as editors read it.
func validator(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(Default().JSONSchema("a config"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance returns a config as a validator takes it.
func instance(t testing.TB, src string) any {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheJSONSchemaAcceptsWhatIsAccepted(t *testing.T) {
	s := validator(t)
	for _, src := range []string{
		"seed: 0",
		"seed: 18446744073709551615\nsteps: 0",
		"data:\nmodel: {}",
		"model: {hidden: []}",
		"model: {name: cnn, channels: [8, 16], dense: 4}",
		"model: {name: resnet50, width: 8}\ndata: {name: cifar100, path: x, coarse_labels: true}",
		"model: {name: vit, patch: 2, mlp_dim: 3}",
		"data: {name: npz, path: x.npz, test_fraction: 0.5, classes: 3}",
		"data: {name: npz, path: x.npz, test_fraction: null}",
		"data: {name: idx, train_images: a, train_labels: b}",
		"data: {name: csv, path: x, target: [price], features: [a, b], standardize_target: true}\nloss: huber",
		"data: {name: npz, path: x, layout: nhwc, task: regression}\nloss: binary-cross-entropy",
		"optimizer: {beta1: 0, beta2: 0.999, eps: 0.1, eps_inside: false}",
		"optimizer: {name: gd, lr: 1.5}",
		"optimizer: {name: lion, weight_decay: 0}",
		"optimizer: {name: rmsprop, bias_correction: true}",
		"batch: {mode: cyclic, size: 7}",
		"batch: {mode: full, shuffle: true}",
		"regularizer: {kind: two-norm-squared, weight: -1}",
		"beside: [state-1, memoryless-2]\nflow: {method: dopri5, rel_tol: 0.1}",
		"flow: {method: euler, steps: 3}",
		"bias: {scale: -1}\nstop: {loss: 0.1, seconds: 3}\nrecord: {every: 0}\ncheckpoint: {every: 0}",
		"objective: {name: network}",
		"objective: {name: bilinear, pairs: [[2, 1.5], [1, 2]], theta: [1, 2]}\nbatch: {mode: cyclic}",
		"objective: {name: quadratic, spectrum: [1, 2], rotation: 0}\noptimizer: {name: heavy-ball, beta1: 0.5}",
		"objective: {name: rosenbrock, dim: 4}\nsteps: 3\nbeside: [lift-2]",
		"optimizer: {name: mine, lr: 1e-3, let: {b: 0.9}, state: {m: 'ema(g, b)'}, update: m, b: 0.5}",
		"optimizer: {name: adam, lr: 1e-3, update: g}",
		"optimizer: {name: muon, groups: [{match: '*.bias', name: adamw, lr: 0.001, eps_inside: false}, {match: [a, b], dims: 1, lr_scale: 0, l2: 0}, {dims: [1, 2]}]}",
		"optimizer: {groups: [{dims: 1, name: ../../rule/definitions/lion.yaml, weight_decay: 0}, {dims: 2, name: mine, lr: 1, let: {b: 2}, update: b * g, b: 3}]}",
		"optimizer: {name: ../../rule/definitions/adam.yaml, beta1: 0.5}",
		string(Default().YAML()),
	} {
		t.Run(src, func(t *testing.T) {
			if _, err := Parse("c.yaml", []byte(src), nil); err != nil {
				t.Fatalf("the config is not accepted itself: %v", err)
			}
			if err := s.Validate(instance(t, src)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheJSONSchemaRefusesWhatIsRefused(t *testing.T) {
	s := validator(t)
	for _, src := range []string{
		"sed: 0",
		"seed: -1",
		"steps: 1.5",
		"steps: many",
		"dtype: float16",
		"loss: null\nseed: x",
		"model: cnn",
		"model: {hidden: 64}",
		"model: {hidden: [0]}",
		"model: {name: cnn, hidden: [3]}",
		"model: {channels: [3]}",
		"model: {name: lenet}",
		"model: {name: resnet18, patch: 3}",
		"data: {path: x}",
		"data: {name: npz, path: x, train_images: y}",
		"data: {name: npz, path: x, test_fraction: 1}",
		"data: {name: cifar10, path: x, coarse_labels: true}",
		"data: {standardize: 'yes'}",
		"optimizer: {beta3: 0.5}",
		"optimizer: {beta2: 1}",
		"optimizer: {lr: 0}",
		"optimizer: {groups: {dims: 1}}",
		"optimizer: {groups: [{dims: x}]}",
		"optimizer: {groups: [{match: 3}]}",
		"optimizer: {groups: [{dims: 1, lr: 0}]}",
		"optimizer: {eps: -1}",
		"optimizer: {weight_decay: 0.1}",
		"optimizer: {name: gd, beta1: 0.5}",
		"optimizer: {name: lion, eps_inside: true}",
		"optimizer: {name: adem}",
		"optimizer: {lr: true}",
		"optimizer: {name: mine, lr: 1e-3}",
		"optimizer: {let: {b: 0.9}}",
		"optimizer: {name: mine, lr: 1e-3, update: [g]}",
		"batch: {size: 7}",
		"batch: {mode: cyclic, shuffle: true}",
		"regularizer: {weight: 1}",
		"beside: [state-5]",
		"flow: {rel_tol: 0.1}",
		"flow: {method: dopri5, steps: 3}",
		"objective: {theta: [1, 2]}",
		"objective: {pairs: [[1, 2]]}",
		"objective: {name: bilinear, pairs: [[1, 2, 3]]}",
		"objective: {name: bilinear, spectrum: [1]}",
		"objective: {name: rosenbrock, dim: 1}",
		"objective: {name: bilinear}\nmodel: {name: cnn}",
		"objective: {name: bilinear}\nmodel: {hidden: [3]}",
		"objective: {name: bilinear}\nbatch: {mode: cyclic, size: 3}",
		"objective: {name: bilinear}\nloss: mse",
		"objective: {name: bilinear}\nrecord: {test: 3}",
		"- 1",
	} {
		t.Run(src, func(t *testing.T) {
			if _, err := Parse("c.yaml", []byte(src), nil); err == nil {
				t.Fatal("the config is accepted itself")
			}
			if s.Validate(instance(t, src)) == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestTheJSONSchemaHasMeaningsAndDefaultsOfKeysForEditors(t *testing.T) {
	text, err := json.Marshal(Default().JSONSchema("a config"))
	if err != nil {
		t.Fatal(err)
	}
	type property struct {
		Description string
		Default     any
		Enum        []string
	}
	var s struct {
		Schema     string `json:"$schema"`
		Properties map[string]struct {
			property
			Properties map[string]property
			Else       struct{ Properties map[string]property } // of a section that defines nothing itself
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("of %q", s.Schema)
	}
	for _, d := range Schema().Describe() {
		p := s.Properties[d.Key].property
		if section, name, ok := strings.Cut(d.Key, "."); ok {
			if p = s.Properties[section].Properties[name]; p.Description == "" {
				p = s.Properties[section].Else.Properties[name]
			}
		}
		if p.Description != d.Doc {
			t.Errorf("%s is described as %q", d.Key, p.Description)
		}
	}
	if p := s.Properties["optimizer"].Else.Properties["name"]; p.Default != "adam" || len(p.Enum) < 9 {
		t.Errorf("optimizer.name: %+v", p)
	}
}
