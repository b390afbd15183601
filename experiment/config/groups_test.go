package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/graph"
	"shadowflow/schema"
)

// layers are the weights of a small network.
var layers = []graph.Block{
	{Name: "0.weight", Shape: []int{3, 2}}, {Name: "0.bias", Shape: []int{2}, Offset: 6},
	{Name: "2.weight", Shape: []int{2, 4}, Offset: 8}, {Name: "2.bias", Shape: []int{4}, Offset: 16},
}

// parts say which groups a config's rule has.
func parts(t *testing.T, c *Config) string {
	t.Helper()
	r, err := c.Optimizer.RuleOf(layers)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range r.Parts() {
		out = append(out, fmt.Sprintf("%s: %d", p.Title, p.Parameters))
	}
	return strings.Join(out, "; ")
}

func TestAGroupHasWhatItSaysAndElseTheOptimizersSettings(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(mine, []byte("optimizer: {name: mine, lr: 0.5, let: {k: 2}, update: k * g}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const base = "optimizer={name: adamw, lr: 0.01, beta1: 0.8"
	for _, tc := range []struct{ groups, want, parts string }{
		{"[{match: '*.bias', weight_decay: 0}]", "adamw(lr=0.01, beta1=0.8, beta2=0.99, eps=1e-08, weight_decay=0, eps_inside=true, bias_correction=true)",
			"all other weights: 14; *.bias: 6"},
		{"[{match: ['0.*', '2.*'], dims: 1, lr_scale: 0.5}]", "adamw(lr=0.005, beta1=0.8, beta2=0.99, eps=1e-08, weight_decay=0.01, eps_inside=true, bias_correction=true)",
			"all other weights: 14; 0.*, 2.*; dims 1: 6"},
		{"[{dims: [1, 2], name: sgd}]", "sgd(lr=0.01, momentum=0.9, dampening=0, nesterov=false)", "dims 1 2: 20"},
		{"[{dims: 1, name: sgd, preset: pytorch}]", "sgd(lr=0.001, momentum=0, dampening=0, nesterov=false)", "all other weights: 14; dims 1: 6"},
		{"[{dims: 1, lr_scale: 0}]", "adamw(lr=0, beta1=0.8, beta2=0.99, eps=1e-08, weight_decay=0.01, eps_inside=true, bias_correction=true)",
			"all other weights: 14; dims 1: 6"},
		{"[{dims: 1, name: " + mine + ", k: 3}]", "mine(lr=0.5, k=3)", "all other weights: 14; dims 1: 6"},
		{"[{dims: 1, name: mine, lr: 0.2, lr_scale: 3, update: g}]", "mine(lr=0.03)", "all other weights: 14; dims 1: 6"},
	} {
		t.Run(tc.groups, func(t *testing.T) {
			c := mustParse(t, "", base+", groups: "+tc.groups+"}")
			if got := c.Optimizer.Parts()[0].Optimizer.String(); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if got := parts(t, c); got != tc.parts {
				t.Errorf("%s, want %s", got, tc.parts)
			}
			again := mustParse(t, string(c.YAML()))
			if string(again.YAML()) != string(c.YAML()) || again.Hash() != c.Hash() || again.Optimizer.String() != c.Optimizer.String() {
				t.Errorf("read again %s\nis %s", c.YAML(), again.YAML())
			}
		})
	}
}

func TestThePresetOfTheOptimizerIsThatOfItsGroups(t *testing.T) {
	c := mustParse(t, "", "optimizer={name: muon, preset: pytorch, groups: [{dims: 1, name: adamw}]}")
	if got := c.Optimizer.Parts()[0].Optimizer.Value("beta2"); got != 0.999 {
		t.Errorf("beta2 %v", got)
	}
}

func TestMistakesInGroupsSayWhereTheyAre(t *testing.T) {
	for _, tc := range []struct{ groups, want string }{
		{"3", "c.yaml:3:11: optimizer.groups: expected a list of keys and values like [{name: one}, {name: two}], got the number 3"},
		{"[3]", "optimizer.groups: item 1: expected keys and values, got the number 3"},
		{"[{}]", "optimizer.groups: group 1: match: missing; want patterns of weights' names"},
		{"[{match: 'a['}]", `c.yaml:3:20: optimizer.groups: group 1: match: "a[" is no pattern`},
		{"[{dims: 1}, {dims: 2, beta9: 1}]", "c.yaml:3:33: optimizer.groups: group 2: beta9: unknown key; did you mean beta"},
		{"[{dims: 1, momentum: 1}]", "c.yaml:3:32: optimizer.groups: group 1: momentum: of no use with optimizer.name: adamw; its momentum is beta1"},
		{"[{dims: 1, name: sgd, momentum: 1}]", "c.yaml:3:43: optimizer.groups: group 1: momentum: 1 is out of range"},
		{"[{dims: 1, name: adamv}]", `optimizer.groups: group 1: name: unknown value "adamv"; did you mean adam`},
		{"[{dims: 1, clip_norm: 1}]", "c.yaml:3:22: optimizer.groups: group 1: clip_norm: it is of all weights; give it in the section optimizer"},
		{"[{dims: 1, lr: 1, lr_scale: 2}]", "optimizer.groups: group 1: lr_scale: lr is given as well; give one of them"},
		{"[{dims: one}]", "optimizer.groups: group 1: dims: item 1: expected a whole number"},
		{"[{dims: 1, name: mine, lr: 1, update: g +}]", "optimizer.groups: group 1: update: "},
	} {
		t.Run(tc.groups, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte("optimizer:\n  name: adamw\n  groups: "+tc.groups+"\n"), nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
	for _, tc := range []struct{ groups, want string }{
		{"[{match: '*.wight'}]", "c.yaml:1:30: optimizer.groups: group 1: match: *.wight holds no weight; the weights are 0.weight [3 2], 0.bias [2], "},
		{"[{dims: 1}, {match: 2.bias}]", "optimizer.groups: group 2: match: 2.bias holds no weight that is left, for the first group that holds one has it: here group 1, dims 1; "},
	} {
		c, err := Parse("c.yaml", []byte("optimizer: {groups: "+tc.groups+"}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Optimizer.RuleOf(layers); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}

// Keys of all optimizers are made once, not for each group of each run of a sweep.
func TestGroupsCostLittleToRead(t *testing.T) {
	of := func(groups int) float64 {
		src := "optimizer: {groups: [" + strings.Repeat("{match: 0.*, lr_scale: 2}, ", groups) + "]}"
		document, err := schema.Parse("c.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(3, func() {
			if _, err := Resolve(document); err != nil {
				t.Fatal(err)
			}
		})
	}
	if one, twenty := of(1), of(20); twenty > 5*one {
		t.Errorf("%v allocations with one group, %v with twenty", one, twenty)
	}
}
