package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// pretendSlurm puts programs before all others that say what Slurm would of one job, 17, whose first task runs.
func pretendSlurm(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("scripts of a shell")
	}
	dir := t.TempDir()
	for name, body := range map[string]string{
		"sbatch": "echo 17", "scontrol": "echo 'MaxArraySize = 3'", "sacct": "exit 1", "scancel": `echo "$*" >"$0.called"`,
		"squeue": "printf '17|0|RUNNING|n1|None\\n17|1|TIMEOUT|n2|None\\n'",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestASweepIsSubmittedLookedAtAndCancelled(t *testing.T) {
	pretendSlurm(t)
	path, dir := sweepFile(t, tiny)
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"submit", path, "--slurm", "--out", dir, "--probe", "0", "--dry-run", "--pack", "0m", "--time", "90", "--array-limit", "1", "--cpus", "3"},
			[]string{"#SBATCH --array=0-1%1\n", "#SBATCH --time=90\n", "#SBATCH --cpus-per-task=3\n", "job-1.runs\n2\n3\n"}},
		{[]string{"status", path, "--out", dir}, []string{"4 pending"}}, // a dry run writes nothing
		{[]string{"submit", path, "--slurm", "--out", dir, "--probe", "0"}, []string{"job 17: 2 tasks of 2 runs, each with 512 MiB and the cluster's time limit; ", "job-1.sh\n"}},
		{[]string{"status", dir}, []string{"slurm ", "pending        running 17_0 on n1 ", "timeout 17_1 on n2 "}},
		{[]string{"status", dir, "--json"}, []string{`"slurm":{"task":"17_0","state":"RUNNING","nodes":"n1","reason":""}`}},
		{[]string{"submit", dir, "--slurm", "--probe", "0", "--json"}, []string{`"queued":2`, `"tasks":[[1],[3]]`}},
		{[]string{"submit", dir, "--shell"}, []string{" sweep run-one " + dir + " 0\n", " 3\n"}},
		{[]string{"submit", dir, "--shell", "--accept-changed"}, []string{" 0 --accept-changed\n"}},
		{[]string{"cancel", dir}, []string{"cancelled: "}},
	} {
		text, code := sayings(append([]string{"sweep"}, step.args...)...)
		if code != exitDone {
			t.Fatalf("%v: %s", step.args, text)
		}
		for _, want := range step.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in\n%s", step.args, want, text)
			}
		}
	}
}

func TestCancelCallsJobsWhatSubmitDid(t *testing.T) {
	pretendSlurm(t)
	path, dir := sweepFile(t, tiny) // which says no name: a sweep that is read from its directory has another than one that is read from its file
	for _, args := range [][]string{{"submit", path, "--slurm", "--out", dir, "--probe", "0"}, {"cancel", dir}} {
		if text, code := sayings(append([]string{"sweep"}, args...)...); code != exitDone {
			t.Fatal(text)
		}
	}
	script, err := os.ReadFile(filepath.Join(dir, "slurm", "001", "job-0.sh"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(script), "#SBATCH --job-name=")
	name, _, _ := strings.Cut(after, "\n")
	at, _, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
	if called, err := os.ReadFile(filepath.Join(at, "scancel.called")); err != nil || string(called) != "--name="+name+" 17 17\n" || name == "" {
		t.Errorf("the job %q: scancel %s, %v", name, called, err)
	}
}

func TestThePageOfASweepIsWrittenWithoutMakingRuns(t *testing.T) {
	path, dir := sweepFile(t, tiny)
	if text, code := sayings("sweep", "run-one", path, "1", "--out", dir); code != exitDone {
		t.Fatal(text)
	}
	page := filepath.Join(dir, "index.html")
	if text, code := sayings("report", dir); code != exitDone || !strings.Contains(text, "figures: "+page) {
		t.Errorf("code %d: %s", code, text)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "4 runs") {
		t.Errorf("%v: %.300s", err, text)
	}
	if text, _ := sayings("sweep", "status", dir); !strings.Contains(text, "4 runs: 1 ended") || !strings.Contains(text, "3 pending") {
		t.Errorf("runs were made: %s", text)
	}
	if text, code := sayings("report", dir); code != exitFailed || !strings.Contains(text, "index.html is there already") {
		t.Errorf("code %d: %s", code, text)
	}
	if text, code := sayings("report", dir, "--force", "--out", "x.html"); code != exitMisused || !strings.Contains(text, "--out is for several runs") {
		t.Errorf("code %d: %s", code, text)
	}
	if text, code := sayings("report", dir, "--force", "--json"); code != exitDone || !strings.Contains(text, `"sentences":[`) {
		t.Errorf("code %d: %s", code, text)
	}
}

func TestOurStatesAreSaidWhereSlurmDoesNotAnswer(t *testing.T) {
	pretendSlurm(t)
	path, dir := sweepFile(t, tiny)
	if text, code := sayings("sweep", "submit", path, "--slurm", "--out", dir, "--probe", "0"); code != exitDone {
		t.Fatal(text)
	}
	t.Setenv("PATH", t.TempDir())
	text, code := sayings("sweep", "status", dir)
	if code != exitDone || !strings.Contains(text, "Slurm's states are not known: squeue is not there") || !strings.Contains(text, "4 pending") {
		t.Errorf("code %d: %s", code, text)
	}
	if text, code := sayings("sweep", "submit", dir, "--slurm", "--probe", "0", "--dry-run"); code != exitDone || !strings.Contains(text, "Slurm's states are not known") ||
		!strings.Contains(text, "#SBATCH --array=0-3\n") {
		t.Errorf("a dry run: code %d: %s", code, text)
	}
	for _, sub := range []string{"submit " + dir + " --slurm", "cancel " + dir} { // which would do something twice, or nothing
		if text, code := sayings(strings.Fields("sweep " + sub)...); code != exitFailed || !strings.Contains(text, "squeue is not there") {
			t.Errorf("%s: code %d: %s", sub, code, text)
		}
	}
}

func TestASubmissionSaysWhatSlurmEndsAndRefuses(t *testing.T) {
	pretendSlurm(t)
	path, dir := sweepFile(t, tiny)
	submit := []string{"sweep", "submit", path, "--slurm", "--out", dir, "--probe", "0"}
	put := func(name, body string) {
		t.Helper()
		at, _, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
		if err := os.WriteFile(filepath.Join(at, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("sbatch", "echo no more >&2; exit 1")
	if text, code := sayings(submit...); code != exitFailed || !strings.Contains(text, "job-0.sh: sbatch: no more") || strings.Contains(text, "nothing to submit") {
		t.Errorf("code %d: %s", code, text)
	}
	put("sbatch", "echo 17")
	put("squeue", `case "$*" in *%o*) ;; *) printf '17|0|COMPLETING|n1|None\n17|1|RUNNING|n1|None\n';; esac`)
	put("scontrol", "echo MaxArraySize = 1001")
	for _, want := range []string{"job 17: 4 tasks", "Slurm is ending the tasks of 1 run of these"} {
		if text, code := sayings(submit...); code != exitDone || !strings.Contains(text, want) {
			t.Errorf("code %d: %s", code, text)
		}
	}
}

func TestAWrongSubmissionIsRefused(t *testing.T) {
	path, dir := sweepFile(t, tiny)
	halved, _ := sweepFile(t, tiny+"halving: {first: 1}\n")
	for args, want := range map[string]string{
		path:                            "want one of --slurm and --shell",
		path + " --slurm --shell":       "want one of --slurm and --shell",
		path + " --slurm --time soon":   `slurm.time: "soon" is no time; expected one like 90m, 12h or 1-12:00:00`,
		path + " --slurm --cpus 0":      "slurm.cpus: 0 is out of range",
		path + " --slurm --cpus some":   "slurm.cpus: expected a whole number",
		path + " --shell --cpus 2":      "--shell: slurm.cpus is asked of Slurm, by --slurm",
		path + " --slurm --probe -1":    "--probe -1: want at least 0 seconds",
		path + " --slurm --gres a'b":    "expected a word without spaces and quotes",
		halved + " --shell":             "with halving its runs wait for each other at each rung",
		path + " --slurm --mem apples ": `slurm.mem: "apples" is not a size`,
	} {
		t.Run(args, func(t *testing.T) {
			text, code := sayings(append([]string{"sweep", "submit", "--out", dir}, strings.Fields(args)...)...)
			if code != exitMisused || !strings.Contains(text, want) {
				t.Errorf("code %d: %s", code, text)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("something was written")
			}
		})
	}
}
