package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryCommandReadsTheSameKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("optimizer: {name: rmsprop, beta2: 0.5}\nobjective: {name: cubic}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"derive " + file, "rmsprop(lr=0.001, beta2=0.5, "},
		{"derive --optimizer " + file, "no such section"},
		{"derive lion --set lr=0.5", "lion(lr=0.5, beta1=0.9, beta2=0.99, "},
		{"derive --optimizer lion", "lion(lr=0.0001"},
		{"check --optimizer adamw", "adamw(lr=0.001, beta1=0.9, beta2=0.99, eps=1e-08, weight_decay=0.01"},
		{"iterate " + file + " --steps 1", "rmsprop(lr=0.001, beta2=0.5, "},
		{"iterate " + file + " --set steps=1 --optimizer nadam --set optimizer.beta2=0.7", "nadam(lr=0.002, beta1=0.9, beta2=0.7, "},
		{"config " + file, "pairs: [[2, 1.5]]"},
		{"config --set lr=0.5,data.subset=3", "lr: 0.5"},
	} {
		t.Run(c.args, func(t *testing.T) {
			stdout, stderr, code := shadowflow(strings.Fields(c.args)...)
			if c.want == "no such section" {
				if code == 0 || !strings.Contains(stderr, "expected a file with a section optimizer and nothing else") {
					t.Errorf("%q, %q", stdout, stderr)
				}
				return
			}
			if code != 0 || !strings.Contains(stdout, c.want) {
				t.Errorf("%q is not in\n%s%s", c.want, stdout, stderr)
			}
		})
	}
}

func TestAnOptimizerMayBeAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("optimizer:\n  name: rmsprop\n  beta2: 0.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := printed(t, "config", "--optimizer", file, "--set", "eps=1e-4"); !strings.Contains(out, "name: rmsprop\n  lr: 0.001\n  beta2: 0.5\n  eps: 0.0001\n") {
		t.Errorf("%s", out)
	}
}

func TestAMapTakesSettingsButNotThoseOfItsAxes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "map")
	args := strings.Fields("map --quiet --beta1 0.9 --beta2 0.9 --lr 1e-4,1e-3 --eps 1e-4 --batch 0 --set steps=3,data.subset=20,model.hidden=[4] --out " + dir)
	printed(t, args...)
	source, err := os.ReadFile(filepath.Join(dir, "map", "sweep.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"optimizer.eps: [0.0001]", "steps: 3", "model.hidden: [4]", "stop.loss: 0.005"} {
		if !strings.Contains(string(source), want) {
			t.Errorf("%q is not in\n%s", want, source)
		}
	}
	if _, stderr, code := shadowflow("map", "--set", "beta2=0.5"); code == 0 || !strings.Contains(stderr, "--set beta2=0.5: optimizer.beta2: of no use, for the sweep gives it values: grid: optimizer.beta2") {
		t.Errorf("%q", stderr)
	}
}

func TestAMapTakesAnyObjective(t *testing.T) {
	out := printed(t, strings.Fields("map --quiet --objective rosenbrock --at 0.9,0.9 --lr 1e-3 --eps 1e-4 --set steps=12 --out "+filepath.Join(t.TempDir(), "map"))...)
	if !strings.Contains(out, "eps = 0.0001 outside the root, full batch, lr 0.001: the runs are stable") || !strings.Contains(out, "predicts nearly all steps") {
		t.Errorf("%s", out)
	}
}

func TestAMapTakesAnyOptimizer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("optimizer:\n  name: mine\n  lr: 1e-3\n  let: {beta2: 0.9}\n  state:\n    v: ema(g^2, beta2)\n    top: max(top, v)\n  update: g / (sqrt(top) + 1e-3)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, optimizer := range []string{file, "lion", "gd"} {
		t.Run(filepath.Base(optimizer), func(t *testing.T) {
			out := printed(t, strings.Fields("map --quiet --objective rosenbrock --optimizer "+optimizer+" --beta2 0.9 --lr 1e-4 --set steps=12 --out "+filepath.Join(t.TempDir(), "map"))...)
			if !strings.Contains(out, "full batch, lr 0.0001: the runs are stable") {
				t.Errorf("%s", out)
			}
		})
	}
}

func TestWhatWouldBeDroppedIsRefused(t *testing.T) {
	for args, want := range map[string]string{
		"derive adam --optimizer lion":                   "both name the optimizer: leave one out",
		"map --batch -5":                                 "--batch -5: want sizes above 0",
		"probe --objective bilinear --weights W":         "model.weights: of no use with objective.name: bilinear",
		"field --objective bilinear --moments m=1,2":     "of no use with --memory full",
		"probe --moments none.pt":                        "optimizer.moments: open none.pt",
		"verify --memory state --moments m=1,2":          "v is missing: optimizer adam remembers m, v",
		"field --memory state --moments w=1,2;v=3,4":     "unknown moment",
		"verify --memory states --objective bilinear":    "want full or state",
		"run --set beside=[state-5]":                     "did you mean state-1",
		"run --set beside=[central],steps=3 --out /tmp/": "central flows are known of gradient descent and of RMSProp",
	} {
		t.Run(args, func(t *testing.T) {
			if _, stderr, code := shadowflow(strings.Fields(args)...); code == 0 || !strings.Contains(stderr, want) {
				t.Errorf("%d: %q", code, stderr)
			}
		})
	}
}

func TestASweepTakesSettingsUnlessItHasItsDirectory(t *testing.T) {
	dir := t.TempDir()
	file, out := filepath.Join(dir, "s.yaml"), filepath.Join(dir, "out")
	if err := os.WriteFile(file, []byte("base: {steps: 3, data: {subset: 20}}\nseeds: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	printed(t, "sweep", file, "--out", out, "--quiet", "--set", "steps=2,model.hidden=[4]")
	if text := printed(t, "sweep", "status", out); !strings.Contains(text, "finished  2") {
		t.Errorf("%s", text)
	}
	if _, stderr, code := shadowflow("sweep", out, "--set", "steps=1"); code == 0 || !strings.Contains(stderr, "which has its settings") {
		t.Errorf("%q", stderr)
	}
}

func TestConfigIsPrintedInEveryFormat(t *testing.T) {
	dir := t.TempDir()
	t.Run("YAML that is a config", func(t *testing.T) {
		file := filepath.Join(dir, "mine.yaml")
		text := printed(t, "config", "--optimizer", "lion", "--format", "yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "  # learning rate") {
			t.Errorf("no meanings in\n%s", text)
		}
		if got, want := printed(t, "config", file), printed(t, "config", "--optimizer", "lion"); got != want {
			t.Errorf("it reads as\n%s", got)
		}
	})
	t.Run("the config as JSON", func(t *testing.T) {
		got := decode[struct {
			Seed   int
			Model  struct{ Hidden []int }
			Beside json.RawMessage
		}](t, printed(t, "config", "--set", "seed=3", "--format", "json"))
		if got.Seed != 3 || !slices.Equal(got.Model.Hidden, []int{64, 64}) || string(got.Beside) != "[]" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a JSON Schema", func(t *testing.T) {
		if s := decode[map[string]any](t, printed(t, "config", "--format", "json-schema")); s["properties"] == nil {
			t.Errorf("%v", s)
		}
	})
	t.Run("an unknown format", func(t *testing.T) {
		if _, stderr, code := shadowflow("config", "--format", "ymal"); code == 0 || !strings.Contains(stderr, "did you mean yaml?") {
			t.Errorf("%q", stderr)
		}
	})
}

func TestTheDocumentationListsTheKeysAsTheyAre(t *testing.T) {
	want, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := printed(t, "config", "--format", "markdown"); got != string(want) {
		t.Error("docs/config.md is another; make it anew: go run ./cmd/shadowflow config --format markdown > docs/config.md")
	}
}

func TestTheShellCompletes(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"keys", "run --set opt", "optimizer.beta2="},
		{"keys by their names", "verify --optimizer adamw --set wei", "weight_decay="},
		{"words", "sweep plan x.yaml --set optimizer.name=ad", "optimizer.name=adamw"},
		{"true and false", "probe --set eps_inside=", "eps_inside=false"},
		{"defaults", "field --set beta2=", "beta2=0.99"},
		{"a second setting", "iterate --set lr=0.1,batch.mo", "lr=0.1,batch.mode="},
		{"optimizers", "check --optimizer ", "nadam"},
		{"objectives", "verify --objective ", "rosenbrock"},
		{"batches", "verify --batches ", "shuffled"},
		{"optimizers to derive", "derive ", "lion"},
		{"scales", "reproduce --scale ", "small"},
		{"reproductions", "reproduce ", "norm-vs-beta2"},
		{"formats of config", "config --format ", "json-schema"},
		{"formats of export", "export --format ", "parquet"},
		{"starts", "verify --start ", "cold"},
		{"config files", "run ", "yaml"},
		{"sweep files", "sweep ", "yml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := printed(t, append([]string{"__complete"}, strings.Split(c.args, " ")...)...)
			found := false
			for line := range strings.Lines(out) {
				candidate, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				found = found || candidate == c.want
			}
			if !found {
				t.Errorf("%q is not offered:\n%s", c.want, out)
			}
		})
	}
	if out := printed(t, "__complete", "verify", "--set", "optimizer.name=gd,optimizer."); strings.Contains(out, "beta1") {
		t.Errorf("gradient descent is offered a beta1:\n%s", out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			if out := printed(t, "completion", shell); !strings.Contains(out, "shadowflow") {
				t.Errorf("no completion: %s", out)
			}
		})
	}
}
