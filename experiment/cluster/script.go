package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"shadowflow/experiment/sweep"
)

// A Place is where the commands of a sweep are carried out.
type Place struct {
	// Program, Sweep and Work are absolute paths: of the program, of the sweep's directory, and of the directory that relative paths of its file are
	// taken from.
	Program, Sweep, Work string
	// Flags are further flags of run-one.
	Flags []string
}

// quote writes a text as one word of a shell.
func quote(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=,@") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (p Place) flags() string {
	var b strings.Builder
	for _, f := range p.Flags {
		b.WriteString(" " + quote(f))
	}
	return b.String()
}

// Commands returns a line of a shell for each run of a job, in their order: what any scheduler can carry out, on any machine that has the same files. A path that
// takes several lines is an error.
func (p Place) Commands(jobs []Job) ([]string, error) {
	var out []string
	for _, path := range []string{p.Work, p.Program, p.Sweep} {
		if strings.ContainsAny(path, "\r\n") {
			return nil, fmt.Errorf("%q: a path with a line break is in no command of one line; choose another one", path)
		}
	}
	for _, j := range jobs {
		for _, t := range j.Tasks {
			for _, run := range t {
				out = append(out, fmt.Sprintf("cd %s && %s sweep run-one %s %d%s", quote(p.Work), quote(p.Program), quote(p.Sweep), run, p.flags()))
			}
		}
	}
	return out, nil
}

// List returns the list of a job's runs: a line a task.
func (j Job) List() string {
	var b strings.Builder
	for _, t := range j.Tasks {
		for i, run := range t {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(strconv.Itoa(run))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// directives returns the options of sbatch that a script begins with. Files are relative to its folder, where sbatch is called, so that no path has to pass sbatch's own rules of
// quoting.
func (j Job) directives(name string, s sweep.Slurm, file string) []string {
	array := fmt.Sprintf("--array=0-%d", len(j.Tasks)-1)
	if s.ArrayLimit > 0 {
		array += fmt.Sprintf("%%%d", s.ArrayLimit)
	}
	out := []string{"--job-name=" + name, array, fmt.Sprintf("--cpus-per-task=%d", s.CPUs)}
	if j.Bytes > 0 {
		out = append(out, fmt.Sprintf("--mem=%dM", (j.Bytes+1<<20-1)>>20))
	}
	if j.Limit > 0 {
		out = append(out, fmt.Sprintf("--time=%d", (j.Limit+time.Minute-1)/time.Minute))
	}
	for _, o := range [][2]string{{"--partition", s.Partition}, {"--account", s.Account}, {"--gres", s.Gres}} {
		if o[1] != "" {
			out = append(out, o[0]+"="+o[1])
		}
	}
	out = append(out, "--requeue", fmt.Sprintf("--signal=B:USR1@%d", int(s.GraceTime().Seconds())), "--open-mode=append", "--output="+file+"-%a.log")
	return append(out, s.Options...)
}

// jobName returns the name of a sweep as Slurm's tables and files can have it.
func jobName(sweep string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.-", r)) {
			return r
		}
		return '-'
	}, sweep)
}

// script returns the batch script of a job, whose files are called after it; list is the path of its list of runs.
func (j Job) script(p Place, name string, s sweep.Slurm, file, list string) string {
	var b strings.Builder
	b.WriteString("#!/bin/bash\n")
	for _, d := range j.directives(name, s, file) {
		fmt.Fprintf(&b, "#SBATCH %s\n", d)
	}
	fmt.Fprintf(&b, taskScript, file, quote(p.Program), quote(p.Sweep), quote(list), quote(p.Work), p.flags())
	return b.String()
}

// taskScript is what a task does. Slurm sends USR1 to it before the time limit, and TERM where it cancels or preempts the task: it queues preempted tasks again itself.
const taskScript = `
# Task N makes the runs that line N+1 of the list names, one after the other. A run that has ended is never made again, and one that was interrupted goes on from its
# checkpoint, to the same bits. Change what you like, and submit it again in this folder: sbatch %[1]s.sh
program=%[2]s
sweep=%[3]s
list=%[4]s
runs=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$list")
if [ -z "$runs" ]; then echo "$list names no run of task $SLURM_ARRAY_TASK_ID" >&2; exit 1; fi # a task that did nothing is none that is done
cd %[5]s || exit 1
export GOMAXPROCS="${SLURM_CPUS_PER_TASK:-1}"

run=      # the process of the run that goes on
again=    # the time limit is near: go on in a new task
stopped=  # cancelled, or preempted
left=     # not all runs have ended
code=0
tell() { if [ -n "$run" ]; then kill -TERM "$run" 2>/dev/null; fi; } # it writes a checkpoint
trap 'again=yes; woken=yes; echo "the time limit is near"; tell' USR1
trap 'stopped=yes; woken=yes; tell' TERM
for index in $runs; do
  if [ -n "$again$stopped" ]; then left=yes; break; fi
  "$program" sweep run-one "$sweep" "$index" --wait 10m%[6]s &
  run=$!
  if [ -n "$again$stopped" ]; then tell; fi # it came just before
  woken=; wait "$run"; ended=$?
  while [ -n "$woken" ]; do # a signal ends the wait, and not the run
    woken=; wait "$run"; now=$?
    if [ "$now" -ne 127 ]; then ended=$now; fi # 127: it had ended
  done
  run=
  case $ended in
    0 | 3) ;;                                                     # made; 3: it diverged, which is a result
    *) code=$ended; if [ "$ended" -ge 128 ]; then left=yes; fi ;;   # an error, which its directory has; from 128: a signal
  esac
done
if [ -n "$again" ] && [ -n "$left" ] && [ -z "$stopped" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 1000 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && sleep 60 # until Slurm takes it away
fi
exit "$code"
`
