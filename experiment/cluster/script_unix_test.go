//go:build unix

package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shadowflow/experiment/sweep"
)

func TestTextsAreOneWordOfAShell(t *testing.T) {
	for _, text := range []string{"", "plain/path-1.0", "two words", "it's", `"quoted" $HOME`, "line\nbreak", "*", "-", "`id`", `back\slash`} {
		t.Run(text, func(t *testing.T) {
			out, err := exec.Command("sh", "-c", "printf '[%s]' "+quote(text)).Output()
			if err != nil || string(out) != "["+text+"]" {
				t.Errorf("%s became %s, %v", quote(text), out, err)
			}
		})
	}
}

func TestAScriptSaysWhatItAsksFor(t *testing.T) {
	j := Job{Tasks: [][]int{{0, 1}, {2}}, Bytes: 512 << 20, Limit: 90*time.Minute + time.Second}
	text := j.script(Place{Program: "/p", Sweep: "/s", Work: "/w", Flags: []string{"--accept-changed"}}, "name",
		sweep.Slurm{Partition: "long", Account: "me", CPUs: 4, Gres: "gpu:1", ArrayLimit: 7, Grace: "90s", Options: []string{"--qos=low"}}, "job-0", "/l")
	for _, want := range []string{"#!/bin/bash\n#SBATCH --job-name=name\n#SBATCH --array=0-1%7\n#SBATCH --cpus-per-task=4\n#SBATCH --mem=512M\n#SBATCH --time=91\n" +
		"#SBATCH --partition=long\n#SBATCH --account=me\n#SBATCH --gres=gpu:1\n#SBATCH --requeue\n#SBATCH --signal=B:USR1@90\n#SBATCH --open-mode=append\n" +
		"#SBATCH --output=job-0-%a.log\n#SBATCH --qos=low\n", "--wait 10m --accept-changed &\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if j.List() != "0 1\n2\n" {
		t.Errorf("%q", j.List())
	}
}

// carryOut carries a script out as a task of Slurm would, with a program that does what a text of a shell says, and signals it when that has begun. It returns the code, and
// what the program and scontrol were called with.
func carryOut(t *testing.T, program string, index string, signal syscall.Signal) (code int, calls string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), `it's "here" $HOME`)
	log := filepath.Join(dir, "calls")
	for name, body := range map[string]string{"program": program, "scontrol": "exit 1"} {
		text := "#!/bin/bash\nprintf '%s\\n' \"" + name + " $*\" >>" + quote(log) + "\n" + body + "\n"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	j := Job{Tasks: [][]int{{7}, {4, 5}}}
	list, file := filepath.Join(dir, "job-0.runs"), filepath.Join(dir, "job-0.sh")
	text := j.script(Place{Program: filepath.Join(dir, "program"), Sweep: "S", Work: dir}, "name", sweep.Slurm{CPUs: 1}, "job-0", list)
	for path, text := range map[string]string{list: j.List(), file: text} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", file)
	cmd.Env = append(os.Environ(), "SLURM_ARRAY_TASK_ID="+index, "SLURM_ARRAY_JOB_ID=12", "PATH="+dir+":"+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if signal != 0 {
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
				break
			}
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // its code says it
	said, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing was called
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(said)
}

func TestATaskDoesWhatItsScriptSays(t *testing.T) {
	const one, two, again = "program sweep run-one S 4 --wait 10m\n", "program sweep run-one S 5 --wait 10m\n", "scontrol requeue 12_1\n"
	// told writes that a run goes on, and ends with 143 when it is told to.
	const told = `trap 'kill $!; exit 143' TERM; sleep 60 & touch ready; wait`
	for _, c := range []struct {
		name, program, index string
		signal               syscall.Signal
		code                 int
		calls                string
	}{
		{"all runs are made", "exit 0", "1", 0, 0, one + two},
		{"the first task makes its own", "exit 0", "0", 0, 0, "program sweep run-one S 7 --wait 10m\n"},
		{"a task that the list has not fails", "exit 0", "2", 0, 1, ""},
		{"a run that diverges is a result", "exit 3", "1", 0, 0, one + two},
		{"one that fails stops no other", "exit 1", "1", 0, 1, one + two},
		{"before the limit it is queued again", told, "1", syscall.SIGUSR1, 143, one + again},
		{"a cancelled one is not", told, "1", syscall.SIGTERM, 143, one},
		{"nor one that ends all the same", `trap '' TERM; touch ready; sleep 0.3; exit 0`, "0", syscall.SIGUSR1, 0, "program sweep run-one S 7 --wait 10m\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, calls := carryOut(t, c.program, c.index, c.signal); code != c.code || calls != c.calls {
				t.Errorf("code %d, want %d; calls\n%swant\n%s", code, c.code, calls, c.calls)
			}
		})
	}
}

func TestCommandsAreOneALine(t *testing.T) {
	jobs := []Job{{Tasks: [][]int{{0, 1}, {5}}}}
	got, err := Place{Program: "/a b/shadowflow", Sweep: "/it's", Work: "/w"}.Commands(jobs)
	if err != nil || len(got) != 3 || got[2] != `cd /w && '/a b/shadowflow' sweep run-one '/it'\''s' 5` {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := (Place{Program: "/p", Sweep: "/two\nlines", Work: "/w"}).Commands(jobs); err == nil || !strings.Contains(err.Error(), `"/two\nlines": a path with a line break`) {
		t.Errorf("%q, %v", got, err)
	}
}
