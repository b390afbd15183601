package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A TaskID is a task of a job array: its number in Slurm, and the task's index.
type TaskID struct{ Job, Task int }

func (t TaskID) String() string { return fmt.Sprintf("%d_%d", t.Job, t.Task) }

// A Task is a task of a job array as Slurm has it.
type Task struct {
	TaskID
	// State is Slurm's word, like PENDING, RUNNING, TIMEOUT or NODE_FAIL.
	State string
	// Nodes are where it runs or ran, Reason why it does not run yet; "" where Slurm says nothing.
	Nodes, Reason string
}

// over are the states of tasks that Slurm does nothing more for.
var over = []string{"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"}

// Queued reports whether the task waits or runs.
func (t Task) Queued() bool { return !slices.Contains(over, t.State) }

// String says the state as a table shows it: running 12_3 on n1.
func (t Task) String() string {
	text := strings.ToLower(strings.ReplaceAll(t.State, "_", "-")) + " " + t.TaskID.String()
	switch {
	case t.Nodes != "":
		text += " on " + t.Nodes
	case t.Reason != "" && t.Queued():
		text += " (" + t.Reason + ")"
	}
	return text
}

// queueFormat are the fields that squeue is asked for, and parseQueue reads.
const queueFormat = "%F|%K|%T|%N|%r"

// parseQueue reads what squeue --array prints in queueFormat. Jobs that are no arrays are left out.
func parseQueue(text string) ([]Task, error) {
	var out []Task
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		f := strings.SplitN(line, "|", 5)
		if len(f) < 5 {
			return nil, fmt.Errorf("squeue printed %q; expected job|task|state|nodes|reason", line)
		}
		if f[1] == "N/A" {
			continue
		}
		id, ok := taskID(f[0], f[1])
		if !ok || f[2] == "" {
			return nil, fmt.Errorf("squeue printed %q; expected numbers of a job and a task, and a state", line)
		}
		reason := f[4]
		if reason == "None" {
			reason = ""
		}
		out = append(out, Task{id, f[2], f[3], reason})
	}
	return out, nil
}

func taskID(job, task string) (TaskID, bool) {
	j, err := strconv.ParseUint(job, 10, 31)
	t, err2 := strconv.ParseUint(task, 10, 31)
	return TaskID{int(j), int(t)}, err == nil && err2 == nil
}

// parseAccounts reads what sacct prints of JobID, State and NodeList. Lines that are of no single task are left out: what waits together, squeue says.
func parseAccounts(text string) []Task {
	var out []Task
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) < 3 {
			continue
		}
		job, task, _ := strings.Cut(f[0], "_")
		id, ok := taskID(job, task)
		state, _, _ := strings.Cut(f[1], " ") // CANCELLED by 1000
		if !ok || state == "" {
			continue
		}
		nodes := f[2]
		if nodes == "None assigned" {
			nodes = ""
		}
		out = append(out, Task{id, state, nodes, ""})
	}
	return out
}

// parseMaxArray finds MaxArraySize in what scontrol show config prints.
func parseMaxArray(text string) (int, bool) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(name) != "MaxArraySize" {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		return int(n), err == nil
	}
	return 0, false
}

// MaxArray asks Slurm for its MaxArraySize; it is DefaultMaxArray where Slurm does not answer.
func MaxArray(ctx context.Context) int {
	text, err := call(ctx, "", "scontrol", "show", "config")
	if n, ok := parseMaxArray(text); err == nil && ok && n > 1 {
		return n
	}
	return DefaultMaxArray
}

// tasksOf asks Slurm for the tasks of jobs. squeue knows those that wait and run, and for some minutes those that are over; what is longer over, sacct tells where a
// cluster keeps accounts. Of a job that neither knows there are no tasks.
func tasksOf(ctx context.Context, jobs []int) (map[TaskID]Task, error) {
	out := map[TaskID]Task{}
	if len(jobs) == 0 {
		return out, nil
	}
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = strconv.Itoa(j)
	}
	list := strings.Join(ids, ",")
	if text, err := call(ctx, "", "sacct", "--noheader", "--parsable2", "--allocations", "--jobs="+list, "--format=JobID,State,NodeList"); err == nil {
		for _, t := range parseAccounts(text) {
			out[t.TaskID] = t
		}
	}
	text, err := call(ctx, "", "squeue", "--noheader", "--array", "--states=all", "--jobs="+list, "--format="+queueFormat)
	if err != nil && !strings.Contains(err.Error(), "Invalid job id") { // which it says where it has forgotten all of them
		return nil, err
	}
	queued, err := parseQueue(text)
	for _, t := range queued {
		out[t.TaskID] = t
	}
	return out, err
}

// call runs a command of Slurm in a directory and returns what it printed. The error says what it said.
func call(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not there: this is to be called where Slurm is (for elsewhere submit has --shell and --dry-run)", name)
	}
	said := strings.Join(strings.Fields(stderr.String()), " ")
	return stdout.String(), fmt.Errorf("%s: %s", name, cmp.Or(said, err.Error()))
}
