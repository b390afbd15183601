package cluster

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"shadowflow/experiment/sweep"
)

// pretend puts programs of a shell before all others.
func pretend(t *testing.T, programs map[string]string) (calls func() string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("scripts of a shell")
	}
	dir := t.TempDir()
	for name, body := range programs {
		text := "#!/bin/bash\nprintf '%s\\n' \"" + name + " $*\" >>'" + dir + "/calls'\n" + body + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return string(text)
	}
}

func scripts(t *testing.T, dir string, jobs []Job) []Script {
	t.Helper()
	at, err := Next(dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Scripts(at, jobs, Place{Program: "/bin/shadowflow", Sweep: "/sweeps/my sweep", Work: "/"}, sweep.Slurm{CPUs: 2, Grace: "2m", Options: []string{"--qos=low"}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASubmissionIsNotedJobByJob(t *testing.T) {
	calls := pretend(t, map[string]string{
		"sbatch": `case "$*" in *job-2.sh*) echo "sbatch: error: no more" >&2; exit 1;; *job-1.sh*) echo "18;west";; *) echo 17;; esac`,
		"squeue": `printf '17|0|RUNNING|n1|None\n17|1|CANCELLED|n1|None\n18|0|PENDING||Dependency\n'`,
		"sacct":  `echo 'no accounts' >&2; exit 1`, "scancel": "",
	})
	dir := t.TempDir()
	_, err := Submit(t.Context(), scripts(t, dir, []Job{{Tasks: [][]int{{0, 2}, {3}}}, {Tasks: [][]int{{0, 2}}, Stage: 1}, {Tasks: [][]int{{9}}, Stage: 1}}))
	if err == nil || !strings.Contains(err.Error(), "job-2.sh: sbatch: sbatch: error: no more") {
		t.Errorf("got %v", err)
	}
	q, err := ReadQueue(t.Context(), dir)
	if err != nil || len(q.Jobs) != 2 || q.Jobs[1].ID != 18 || q.Jobs[1].Stage != 1 {
		t.Fatalf("%+v, %v", q, err)
	}
	if want := map[int]bool{0: true, 2: true}; !reflect.DeepEqual(q.Queued(), want) { // a later stage goes on with it
		t.Errorf("queued: %v", q.Queued())
	}
	if got := q.Of()[3].String(); got != "cancelled 17_1 on n1" {
		t.Errorf("run 3: %s", got)
	}
	if tasks, err := q.Cancel(t.Context()); err != nil || len(tasks) != 2 {
		t.Errorf("cancelled: %v, %v", tasks, err)
	}
	for _, want := range []string{"sbatch --parsable job-0.sh\n", "sbatch --parsable --dependency=afterany:17 job-1.sh\n", "--jobs=17,18 ", "scancel --name=my-sweep 17 18\n"} {
		if !strings.Contains(calls(), want) {
			t.Errorf("no %q in\n%s", want, calls())
		}
	}
	if again := scripts(t, dir, []Job{{Tasks: [][]int{{3}}}}); filepath.Base(filepath.Dir(again[0].Path)) != "002" {
		t.Errorf("the next is %s", again[0].Path)
	}
}

func TestOfTwoSubmissionsAtOnceOneIsRefused(t *testing.T) {
	calls := pretend(t, map[string]string{"sbatch": "echo 17"})
	dir := t.TempDir()
	first, second := scripts(t, dir, []Job{{Tasks: [][]int{{0}}}}), scripts(t, dir, []Job{{Tasks: [][]int{{0}}}})
	if _, err := Submit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if taken, err := Submit(t.Context(), second); err == nil || len(taken) > 0 || !strings.Contains(err.Error(), "was submitted meanwhile") {
		t.Errorf("%v, %v", taken, err)
	}
	if got := calls(); got != "sbatch --parsable job-0.sh\n" {
		t.Errorf("calls:\n%s", got)
	}
}

func TestJobsThatSlurmHasForgottenAreOver(t *testing.T) {
	pretend(t, map[string]string{
		"squeue": `case "$*" in *--jobs*) echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1;; esac`,
		"sacct":  `echo '17_0|TIMEOUT|n1'`, "sbatch": "echo 17",
	})
	dir := t.TempDir()
	if _, err := Submit(t.Context(), scripts(t, dir, []Job{{Tasks: [][]int{{5}}}})); err != nil {
		t.Fatal(err)
	}
	q, err := ReadQueue(t.Context(), dir)
	if err != nil || len(q.Queued()) != 0 || q.Of()[5].State != "TIMEOUT" {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestJobsThatPeopleSubmittedAreFound(t *testing.T) {
	dir := t.TempDir()
	files := scripts(t, dir, []Job{{Tasks: [][]int{{0, 2}, {3}}}})
	at := filepath.Dir(files[0].List)
	calls := pretend(t, map[string]string{
		"sbatch": "echo 17", "sacct": "exit 1", "scancel": "",
		"squeue": strings.NewReplacer("S", filepath.Join(at, "job-0.sh"), "COPY", filepath.Join(at, "mine.sh")).Replace(`case "$*" in *%o*) printf '17|my-sweep|S\n18|my-sweep|/elsewhere/job-0.sh\n19|mine|S\n19|mine|S\n20|mine|COPY\n';;
*) printf '17|0|COMPLETED||None\n17|1|COMPLETED||None\n19|0|RUNNING|n1|None\n19|1|PENDING||Resources\n';; esac`),
	})
	if _, err := Submit(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	q, err := ReadQueue(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]bool{0: true, 2: true, 3: true}; !reflect.DeepEqual(q.Queued(), want) || len(q.Jobs) != 2 {
		t.Errorf("queued: %v, of %+v", q.Queued(), q.Jobs)
	}
	if tasks, err := q.Cancel(t.Context()); err != nil || len(tasks) != 2 || !strings.Contains(calls(), "scancel --name=mine 19\n") {
		t.Errorf("cancelled: %v, %v:\n%s", tasks, err, calls())
	}
}

func TestWithoutASubmissionSlurmIsNotAsked(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if q, err := ReadQueue(t.Context(), t.TempDir()); err != nil || len(q.Of()) > 0 {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestADamagedNoteIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "[{}]", `[{"job": -3}]`, `[{"job": "3"}]`} {
		t.Run(text, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "slurm", "001", "jobs.json")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := submissions(dir); err == nil || !strings.Contains(err.Error(), "is not what a submission writes") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPathsThatSlurmTakesForPatternsAreRefused(t *testing.T) {
	for _, name := range []string{"100%", `back\slash`} {
		t.Run(name, func(t *testing.T) {
			_, err := Scripts(filepath.Join(t.TempDir(), name, "slurm", "001"), nil, Place{}, sweep.Slurm{})
			if err == nil || !strings.Contains(err.Error(), "choose another one by --out") {
				t.Errorf("got %v", err)
			}
		})
	}
}
