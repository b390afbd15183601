package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quick overrides make a run of a moment.
func quick(out string) []string {
	return []string{"run", "--out", out, "--set", "steps=12", "--set", "data.subset=40", "--set", "data.test_subset=20", "--set", "model.hidden=[6]"}
}

func TestRunPrintsSentencesAndLeavesARecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out := printed(t, quick(dir)...)
	for _, want := range []string{"adam (lr 0.001", "took all its 12 steps", "gradient: ", "history.csv", "report.html"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for _, file := range []string{"config.yaml", "history.csv", "log.txt", "result.json", "weights.safetensors", "report.html", "figures/overview.png"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	again := printed(t, "run", "--resume", dir, "--quiet")
	if again != "" {
		t.Errorf("a quiet run prints %q", again)
	}
	if _, stderr, code := shadowflow("report", dir); code != exitFailed || !strings.Contains(stderr, "report.html is there already") {
		t.Errorf("%d: %q", code, stderr)
	}
	text := printed(t, "report", dir, "--force")
	if !strings.Contains(text, "took all its 12 steps") {
		t.Errorf("the report says\n%s", text)
	}
	for _, format := range []string{"csv", "npz", "parquet", "tensorboard"} {
		t.Run(format, func(t *testing.T) {
			path := strings.TrimSpace(printed(t, "export", dir, "--format", format))
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				t.Error(err)
			}
			if _, stderr, code := shadowflow("export", dir, "--format", format); code != exitFailed || !strings.Contains(stderr, path+" is there already") {
				t.Errorf("%d: %q", code, stderr)
			}
			printed(t, "export", dir, "--format", format, "--force")
		})
	}
}

func TestAFinishedRunIsGivenMoreSteps(t *testing.T) {
	dir, whole := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "whole")
	printed(t, quick(dir)...)
	out := printed(t, "run", "--resume", dir, "--set", "steps=20")
	if !strings.Contains(out, "took all its 20 steps") {
		t.Errorf("it says\n%s", out)
	}
	printed(t, append(quick(whole), "--set", "steps=20")...)
	for _, file := range []string{"history.csv", "weights.safetensors", "config.yaml"} {
		a, errA := os.ReadFile(filepath.Join(dir, file))
		b, errB := os.ReadFile(filepath.Join(whole, file))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is not that of a run of 20 steps (%v, %v)", file, errA, errB)
		}
	}
	if _, stderr, code := shadowflow("run", "--resume", dir, "--set", "steps=30,optimizer.lr=0.1"); code != exitFailed || !strings.Contains(stderr, "optimizer.lr was 0.001, is 0.1") {
		t.Errorf("%d: %q", code, stderr)
	}
	out = printed(t, "run", "--resume", dir, "--set", "steps=30,optimizer.lr=0.1", "--accept-changed", "--json")
	if got := decode[struct{ Changed []string }](t, out).Changed; len(got) != 1 || got[0] != "from step 20 on optimizer.lr was 0.001, is 0.1" {
		t.Errorf("changed: %q", got)
	}
}

func TestProbeWritesNoFileOfARecord(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	printed(t, quick(run)...)
	for _, name := range []string{"checkpoint-000000000099.safetensors", "history.csv", "failure.json", "average.safetensors"} {
		_, stderr, code := shadowflow("probe", "--set", "data.subset=20,model.hidden=[4]", "--out", filepath.Join(run, name), "--force")
		if code != exitFailed || !strings.Contains(stderr, "choose another file") {
			t.Errorf("%s: %d: %q", name, code, stderr)
		}
	}
}

func TestWhatAKilledCallLeftIsRemovedByTheNext(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	printed(t, quick(run)...)
	for _, args := range []string{
		"probe --set data.subset=20,model.hidden=[4] --out OUT/g.safetensors", "export " + run + " --format csv --out OUT/h.csv", "export " + run + " --format tensorboard --out OUT",
		"verify --objective rosenbrock --orders 1 --lr 1e-5,5e-6 --time 1e-3 --plot OUT/p.svg",
	} {
		t.Run(args, func(t *testing.T) {
			out := t.TempDir()
			left, mine, young := filepath.Join(out, ".shadowflow-00ff.tmp"), filepath.Join(out, ".mine.tmp"), filepath.Join(out, ".shadowflow-00fe.tmp")
			for _, path := range []string{left, mine, young} {
				if err := os.WriteFile(path, []byte("half"), 0o644); err != nil {
					t.Fatal(err)
				}
				if ago := time.Now().Add(-time.Hour); path != young { // another process may write to it
					if err := os.Chtimes(path, ago, ago); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, stderr, code := shadowflow(strings.Fields(strings.ReplaceAll(args, "OUT", out))...); code != exitDone {
				t.Fatalf("%d: %s", code, stderr)
			}
			for path, want := range map[string]bool{left: false, mine: true, young: true} {
				if _, err := os.Stat(path); (err == nil) != want {
					t.Errorf("%s: %v", filepath.Base(path), err)
				}
			}
		})
	}
}

func TestWhatIsThereIsNotReplacedUnlessForced(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.svg")
	folder := filepath.Join(dir, "folder")
	page := filepath.Join(folder, "index.html")
	figures := filepath.Join(dir, "other", "figures")
	for _, folder := range []string{folder, filepath.Dir(figures)} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := filepath.Join(dir, "run")
	printed(t, quick(run)...)
	mine := []byte("made by hand")
	for _, path := range []string{there, page, figures, filepath.Join(run, "report.html")} {
		if err := os.WriteFile(path, mine, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		path string
	}{
		{"probe --set data.subset=20,model.hidden=[4] --out " + there, there},
		{"verify --objective rosenbrock --orders 1 --lr 1e-5,5e-6 --time 1e-3 --plot " + there, there},
		{"export " + run + " --format csv --out " + there, there},
		{"report " + run, filepath.Join(run, "report.html")},
		{"map --scale laptop --out " + folder, page},
		{"reproduce bilinear --out " + folder, page},
		{"reproduce bilinear --out " + filepath.Dir(figures), figures},
	} {
		t.Run(c.args, func(t *testing.T) {
			_, stderr, code := shadowflow(strings.Fields(c.args)...)
			if code != exitFailed || !strings.Contains(stderr, c.path+" is there already: choose another name, or say --force to replace it") {
				t.Errorf("%d: %q", code, stderr)
			}
			if got, err := os.ReadFile(c.path); err != nil || !bytes.Equal(got, mine) {
				t.Errorf("it has %d bytes, %v", len(got), err)
			}
		})
	}
	printed(t, "probe", "--set", "data.subset=20,model.hidden=[4]", "--out", there, "--force")
	if got, err := os.ReadFile(there); err != nil || bytes.Equal(got, mine) {
		t.Errorf("forced, it has %d bytes, %v", len(got), err)
	}
}

func TestAnEmptyPathIsNoPath(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--resume", ""}, {"run", "--out", ""}, {"export", "x", "--out="}, {"probe", "--out", ""}, {"sweep", "x", "--out", ""},
		{"verify", "--plot", ""}, {"map", "--out", ""}, {"probe", "--weights", ""}, {"probe", "--moments", ""}, {"reproduce", "hill", "--out", ""}, {"data", "fetch", "cifar10", "--dir", ""},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if _, stderr, code := shadowflow(args...); code != exitMisused || !strings.Contains(stderr, "it is empty; want a path, or leave the flag out") {
				t.Errorf("%d: %q", code, stderr)
			}
		})
	}
	for _, args := range [][]string{{"run", ""}, {"report", ""}, {"export", "", "--format", "csv"}, {"config", ""}, {"sweep", ""}, {"data", "info", ""}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if _, stderr, code := shadowflow(args...); code != exitMisused || !strings.Contains(stderr, "an argument is empty") {
				t.Errorf("%d: %q", code, stderr)
			}
		})
	}
}

func TestRunPrintsItsResultAsJSON(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out := printed(t, append(quick(dir), "--json")...)
	got := decode[struct {
		Dir, Status string
		Step        int
		Loss        float64
		Costs       []struct {
			Kind    string
			Count   int
			Seconds float64
		}
	}](t, out)
	if got.Dir != dir || got.Status != "finished" || got.Step != 12 || !(got.Loss > 0) || len(got.Costs) == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestInterruptedRunSaysHowToGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // once it has taken steps
		for ctx.Err() == nil {
			if text, _ := os.ReadFile(filepath.Join(dir, "history.csv")); bytes.Count(text, []byte("\n")) > 3 {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var stdout, stderr bytes.Buffer
	args := []string{"run", "--out", dir, "--set", "steps=1000000", "--set", "record.every=1", "--set", "checkpoint.every=0"}
	if code := Main(ctx, args, &stdout, &stderr); code != 130 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if !strings.Contains(stderr.String(), "shadowflow run --resume "+dir) {
		t.Errorf("it says %q", stderr.String())
	}
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	if err != nil || len(names) == 0 {
		t.Errorf("checkpoints %v, %v", names, err)
	}
}

func TestRunRefusesWhatItCannotDo(t *testing.T) {
	dir := t.TempDir()
	used := filepath.Join(dir, "used")
	printed(t, quick(used)...)
	config := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(config, []byte("optimizer: {name: adam}\nmodle: {name: mlp}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", config}, "bad.yaml:2:1: modle: unknown key; did you mean model"},
		{[]string{"run", "--set", "optimizer.beta1=1"}, "optimizer.beta1"},
		{[]string{"run", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		{[]string{"run", "--out", used}, "there is a run in it already; go on with it by shadowflow run --resume " + used + ", or choose another directory"},
		{[]string{"run", "--out", dir}, `: "bad.yaml, used" and no run is in it; choose one that is new or empty`},
		{[]string{"run", "--out", config}, "it is a file; choose a directory that is new or empty"},
		{[]string{"run", "--resume", used, config}, "leave out the config and --out"},
		{[]string{"run", "--accept-changed", "--out", filepath.Join(dir, "new")}, "of no use without --resume"},
		{[]string{"sweep", config, "--out", used}, "unknown key of a sweep"},
		{[]string{"run", "--resume", filepath.Join(dir, "nothing")}, "no run to resume"},
		{[]string{"run", "--out", filepath.Join(dir, "new"), "--set", "data={name: npz, path: none.npz}"}, "none.npz"},
		{[]string{"probe", "--weights", filepath.Join(dir, "none.safetensors")}, "none.safetensors"},
		{[]string{"report", dir}, "config.yaml"},
		{[]string{"sample", used}, "model mlp on data digits: only a language model"},
		{[]string{"run", "--out", filepath.Join(dir, "new"), "--set", "data.name=text"}, "needs a language model, as gpt"},
		{[]string{"export", used, "--format", "xls"}, "xls"},
		{[]string{"data", "fetch", "cifar9"}, "cifar10"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			stdout, stderr, code := shadowflow(c.args...)
			if code == 0 || !strings.Contains(stderr, c.want) {
				t.Errorf("%v: exit code %d, %q; want %q", c.args, code, stderr, c.want)
			}
			if stdout != "" {
				t.Errorf("%v prints %q", c.args, stdout)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("a run that cannot start left a directory")
	}
}

func TestConfigListsEveryKeyAndResolves(t *testing.T) {
	out := printed(t, "config")
	for _, key := range []string{"seed: 0", "optimizer.beta2: ", "batch.physical: 500", "beside: ", "regularizer.kind: none"} {
		if !strings.Contains(out, key) {
			t.Errorf("%q is not listed", key)
		}
	}
	resolved := printed(t, "config", "--set", "optimizer.name=rmsprop")
	if !strings.Contains(resolved, "rmsprop") || strings.Contains(resolved, "beta1") {
		t.Errorf("resolved:\n%s", resolved)
	}
	if keys := decode[[]struct{ Key, Doc string }](t, printed(t, "config", "--json")); len(keys) < 40 {
		t.Errorf("%d keys as JSON", len(keys))
	}
}

func TestDataSaysWhatIsInIt(t *testing.T) {
	out := printed(t, "data", "info")
	for _, want := range []string{"1,297 examples to train on, 500 to test", "10 classes", "CC BY 4.0"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestProbePrintsTheSamePointInBothForms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.safetensors")
	got := decode[struct {
		Loss float64
		Norm float64 `json:"perturbed_norm"`
	}](t, printed(t, "probe", "--json", "--set", "dtype=float64", "--out", file))
	if !(got.Loss > 2 && got.Loss < 3) || !(got.Norm > 0) {
		t.Errorf("got %+v", got)
	}
	if info, err := os.Stat(file); err != nil || info.Size() < 3*8970*8 {
		t.Errorf("the vectors: %v", err)
	}
	if text := printed(t, "probe"); !strings.Contains(text, "perturbed one-norm") {
		t.Errorf("it prints %q", text)
	}
}

func TestAComparisonForAPaperHasItsFiguresBesideIt(t *testing.T) {
	dir := t.TempDir()
	var args []string
	for _, name := range []string{"a", "b"} {
		args = append(args, filepath.Join(dir, name))
		printed(t, append(quick(filepath.Join(dir, name)), "--quiet", "--figures=false")...)
	}
	out := filepath.Join(dir, "two.html")
	report := append([]string{"report", "--out", out, "--style", "paper"}, args...)
	printed(t, report...)
	for _, file := range []string{"two.html", "two-figures/loss-paper.pdf", "two-figures/loss-paper.svg", "two-figures/loss.csv"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), report, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "two-figures is there already") {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}

func TestARunSaysFirstWhatItSetsUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	args := []string{"run", "--out", dir, "--objective", "rosenbrock", "--set", "steps=3", "--figures=false"}
	want := "setting up adam, rosenbrock, in " + dir + "\nConventions: "
	if _, stderr, code := shadowflow(args...); code != exitDone || !strings.HasPrefix(stderr, want) {
		t.Errorf("%d: %q, want %q first", code, stderr, want)
	}
	if _, stderr, code := shadowflow("run", "--resume", dir, "--set", "steps=5", "--figures=false"); code != exitDone || !strings.HasPrefix(stderr, want) {
		t.Errorf("resumed, %d: %q, want %q first", code, stderr, want)
	}
	for _, silent := range []string{"--quiet", "--json"} {
		if _, stderr, code := shadowflow("run", "--resume", dir, "--set", "steps=7", "--figures=false", silent); code != exitDone || strings.Contains(stderr, "setting up") {
			t.Errorf("%s, %d: %q", silent, code, stderr)
		}
	}
}
