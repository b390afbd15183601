package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sweepFile writes a sweep of tiny runs and returns its path and a directory for it.
func sweepFile(t *testing.T, text string) (path, dir string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tiny.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, filepath.Join(t.TempDir(), "out")
}

// sayings runs the command line and returns what it printed, both streams.
func sayings(args ...string) (text string, code int) {
	stdout, stderr, code := shadowflow(args...)
	return stdout + stderr, code
}

const tiny = "base: {steps: 2, data: {subset: 50}, model: {hidden: [4]}, record: {bias: 1, sharpness: 0, test: 1}}\ngrid: {optimizer.beta2: [0.9, 0.99]}\nseeds: 2\n"

func TestASweepFromPlanToTable(t *testing.T) {
	path, dir := sweepFile(t, tiny)
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"sweep", "plan", path, "--out", dir, "--probe", "0"}, []string{"pending", "KiB", "optimizer.beta2=0.99 seed=1", "the time of 4 runs is not known"}},
		{[]string{"sweep", "run-one", path, "2", "--out", dir}, nil},
		{[]string{"sweep", "status", path, "--out", dir}, []string{"4 runs: 1 ended", "3 pending"}},
		{[]string{"sweep", path, "--out", dir}, []string{"3/3", "4 runs: 4 ended", "page: "}},
		{[]string{"sweep", dir}, []string{"4 runs: 4 ended"}},
		{[]string{"sweep", "table", dir}, []string{"index,optimizer.beta2,seed,status", "\n3,0.99,1,finished,"}},
		{[]string{"sweep", "table", dir, "--means"}, []string{"group,optimizer.beta2,runs,left_out", "\n1,0.99,2,0,"}},
		{[]string{"sweep", "plan", dir}, []string{"ended"}},
	} {
		text, code := sayings(step.args...)
		if code != 0 {
			t.Fatalf("%v: %s", step.args, text)
		}
		for _, want := range step.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in\n%s", step.args, want, text)
			}
		}
	}
	for _, name := range []string{"table.csv", "table.parquet", "means.csv", "means.parquet", "sweep.yaml", "index.html", "figures/curves.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestBadSweepsAreRefusedBeforeAnythingStarts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"grid: {optimizer.beta9: [1]}", "unknown key; did you mean beta"},
		{"grid: {optimizer.beta2: []}", "an empty list makes no runs"},
		{"seeds: 1001", "1001 runs, more than 1000; if so many are meant, say --yes"},
	} {
		t.Run(c.text, func(t *testing.T) {
			path, dir := sweepFile(t, c.text)
			text, code := sayings("sweep", path, "--out", dir)
			if code == 0 || !strings.Contains(text, c.want) {
				t.Errorf("%q: %s", c.text, text)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%q: something was started", c.text)
			}
		})
	}
}

func TestReproductionsAreListedAndPlanned(t *testing.T) {
	text, code := sayings("reproduce", "--list")
	for _, name := range []string{"bilinear", "norm-vs-beta2", "norm-vs-beta1", "hill", "order", "datasets", "minibatch", "table-1", "figure-4", "figure-12", "causes"} {
		if code != 0 || !strings.Contains(text, "\n"+name+" ") && !strings.HasPrefix(text, name) {
			t.Errorf("no %s in\n%s", name, text)
		}
	}
	dir := t.TempDir()
	text, code = sayings("reproduce", "causes", "--scale", "paper", "--plan", "--out", dir)
	if code != 0 || !strings.Contains(text, "Claim: ") || !strings.Contains(text, "sweep submit") {
		t.Errorf("%s", text)
	}
	text, code = sayings("reproduce", "figure-8", "--scale", "paper", "--out", dir)
	if code != 0 || !strings.Contains(text, " on this machine, from ") || !strings.Contains(text, "figure-8: 90 runs") || !strings.Contains(text, "Hypotheses:\n- The top of the norm's hill falls with beta1 at lr 7.5e-05. ") {
		t.Errorf("%s", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "causes-cnn-cifar10", "sweep.yaml")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"reproduce"}, {"reproduce", "hil"}, {"reproduce", "hill", "--scale", "moon"}, {"map", "--at", "0.9"}, {"map", "--lr", "x"}, {"map", "--scale", "moon"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if text, code := sayings(args...); code == 0 {
				t.Errorf("%v is not refused: %s", args, text)
			}
		})
	}
}

func TestTheMapSaysASentence(t *testing.T) {
	dir := t.TempDir()
	text, code := sayings("map", "--at", "0.9,0.95", "--lr", "1e-4,1e-3", "--eps", "1e-8", "--batch", "0", "--set", "steps=100", "--out", dir, "--quiet")
	if code != 0 || !strings.Contains(text, "adam (preset paper but for where eps stands), beta1 = 0.9, beta2 = 0.95, eps = 1e-08 outside the root, full batch, lr 0.0001 and 0.001: the runs are stable up to lr 0.001, the largest that was tried; the realized bias of stable runs, before their late stage, pushed the norm up, by ") {
		t.Errorf("%s", text)
	}
}

func TestASweepIsNotPutIntoADirectoryOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	printed(t, quick(run)...)
	path, out := sweepFile(t, "seeds: 1\nbase: {steps: 1, data: {subset: 20}, model: {hidden: [4]}}\n")
	if text, code := sayings("sweep", path, "--out", run); code != exitFailed || !strings.Contains(text, "and it is not of a sweep") {
		t.Errorf("%d: %s", code, text)
	}
	if text, code := sayings("sweep", "table", path, "--out", run); code != exitFailed || !strings.Contains(text, "and it is not of a sweep") {
		t.Errorf("%d: %s", code, text)
	}
	for _, name := range []string{"sweep.yaml", "runs", "table.csv"} {
		if _, err := os.Stat(filepath.Join(run, name)); err == nil {
			t.Errorf("the run's directory has %s now", name)
		}
	}
	if text, code := sayings("sweep", path, "--out", path); code != exitFailed || !strings.Contains(text, "it is a file; choose a directory") {
		t.Errorf("%d: %s", code, text)
	}
	for range 2 { // its own takes it again
		printed(t, "sweep", path, "--out", out, "--quiet")
	}
	for i, name := range []string{"a", "b"} {
		named := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(named, []byte("name: "+name+"\nseeds: 1\nbase: {steps: 1, data: {subset: 20}, model: {hidden: [4]}}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		text, code := sayings("sweep", named, "--out", filepath.Join(dir, "named"), "--quiet")
		if i == 0 && code != exitDone || i == 1 && (code != exitFailed || !strings.Contains(text, "is of the sweep a; b wants one of its own")) {
			t.Errorf("%d: %s", code, text)
		}
	}
}

func TestASweepWithAFailedMemberFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s.yaml")
	text := "base: {steps: 2, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\n" +
		"list: [{model: {hidden: [2]}, data.subset: 20}, {model: {name: vit, dim: 65536, mlp_dim: 65536, depth: 1024}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, quiet := range []string{"--quiet", "--yes"} {
		out, stderr, code := shadowflow("sweep", file, "--out", filepath.Join(dir, "out"), quiet)
		if code != exitFailed || !strings.Contains(stderr, "1 of 2 runs failed") {
			t.Errorf("%s: code %d: %s%s", quiet, code, out, stderr)
		}
	}
	if out, _, _ := shadowflow("sweep", "table", filepath.Join(dir, "out")); !strings.Contains(out, "of memory, and") {
		t.Errorf("the table has no reason: %s", out)
	}
}
