package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/experiment/cluster"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/schema"
)

// submitFlags are the flags of sweep submit beside those of all of sweep.
type submitFlags struct {
	slurm, shell, dryRun bool
	probe                float64
	keys                 []schema.Setting // of the section slurm
}

const submitHelp = `Hand the runs of a sweep that are missing to a cluster. With --slurm they become job arrays: each task makes one run, or several short ones, by sweep run-one.
Memory and time follow from the estimates of sweep plan; what the flags below, or the section slurm of the sweep's file, say replaces them:

    slurm: {partition: long, time: 12h, cpus: 4, mem: 8GiB, gres: "gpu:1", account: me, array_limit: 20, pack: 20m, grace: 2m,
      options: [--qos=low, "--constraint=avx512"]}

The scripts, and the list of each task's runs, lie in SWEEP's directory, slurm/001, for you to read and change. Before its time limit a task writes a checkpoint and is queued again,
as one is that was preempted or whose node failed; it goes on to the same bits. Called again, submit sends what has not ended and is not queued.
With halving there is a stage of jobs for each rung, and one more; each waits for the one before.
--dry-run prints the scripts and writes nothing. For other schedulers, --shell prints a command a line.`

func (f *sweepFlags) newSubmit() *cobra.Command {
	var s submitFlags
	cmd := &cobra.Command{
		Use:     "submit SWEEP",
		Short:   "Hand the missing runs of a sweep to Slurm, or print the commands for another scheduler",
		Long:    submitHelp,
		Example: "  shadowflow sweep submit betas.yaml --slurm --partition long --time 12h --dry-run\n  shadowflow sweep submit betas.yaml --shell",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.slurm == s.shell {
				return misuse("sweep submit: want one of --slurm and --shell")
			}
			if !(s.probe >= 0) {
				return misuse("--probe %g: want at least 0 seconds", s.probe)
			}
			sw, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return f.submit(cmd, &s, sw, dir)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&s.slurm, "slurm", false, "submit job arrays to Slurm")
	flags.BoolVar(&s.shell, "shell", false, "print a command for each run, for any other scheduler")
	flags.BoolVar(&s.dryRun, "dry-run", false, "print what would be submitted, and write nothing")
	flags.Float64Var(&s.probe, "probe", 1, "seconds to try one run of each kind, 0 for no estimate of time without ended runs")
	flags.BoolVar(&f.retryFailed, "retry-failed", false, "make runs again that failed")
	flags.BoolVar(&f.changed, "accept-changed", false, "go on though data or program changed since the runs that were interrupted or have ended, and record that they did")
	for _, k := range sweep.SlurmKeys() {
		if k.Type == schema.Texts { // in the file alone
			continue
		}
		flag := strings.ReplaceAll(k.Name, "_", "-")
		flags.Func(flag, k.Doc, func(text string) error {
			setting, err := schema.ParseValue("--"+flag, k.Path(), text)
			if k.Type == schema.Text { // 90 is a time
				setting, err = schema.Set(k.Path(), text), nil
			}
			s.keys = append(s.keys, setting)
			return err
		})
	}
	return cmd
}

func (f *sweepFlags) submit(cmd *cobra.Command, s *submitFlags, sw *sweep.Sweep, dir string) error {
	if s.shell && len(s.keys) > 0 {
		return misuse("--shell: %s is asked of Slurm, by --slurm: say it to the scheduler that carries out the commands", s.keys[0].Key)
	}
	if s.shell && sw.Stages() > 1 {
		return misuse("%s: with halving its runs wait for each other at each rung, which a list of commands cannot say: use --slurm, or shadowflow sweep", sw.Name)
	}
	ctx := cmd.Context()
	asked, err := sw.Slurm(s.keys...)
	if err != nil {
		return misused{err}
	}
	place, err := f.place(dir)
	if err != nil {
		return err
	}
	at, err := cluster.Next(dir)
	if err != nil {
		return err
	}
	completing := 0
	needs := cluster.Needs{Slurm: asked, MaxArray: cluster.DefaultMaxArray, RetryFailed: f.retryFailed, Stages: sw.Stages()}
	if s.slurm {
		needs.MaxArray = cluster.MaxArray(ctx)
		queue, err := queueOf(cmd, dir, s.dryRun)
		if err != nil {
			return err
		}
		needs.Queued, completing = queue.Queued(), queue.Completing()
	}
	opt := sweep.PlanOptions{Probe: s.probe}
	if s.shell { // which asks for no estimates
		opt.Probe = 0
	}
	plan, err := sw.Plan(ctx, dir, opt)
	if err != nil {
		return err
	}
	jobs := needs.Jobs(plan)
	out := submitOutput{Dir: dir, Queued: len(needs.Queued), Completing: completing, Jobs: []submittedJob{}}
	var scripts []cluster.Script
	if s.shell {
		out.Commands, err = place.Commands(jobs)
	} else {
		scripts, err = cluster.Scripts(at, jobs, place, asked)
	}
	if err != nil {
		return misused{err}
	}
	if !s.dryRun {
		if err := sw.Prepare(dir); err != nil {
			return err
		}
	}
	for _, script := range scripts {
		out.add(script)
	}
	switch {
	case s.shell:
		return f.print(cmd, out, func(w io.Writer) {
			for _, line := range out.Commands {
				fmt.Fprintln(w, line)
			}
		})
	case s.dryRun:
		return f.print(cmd, out, func(w io.Writer) { printScripts(w, scripts) })
	}
	taken, err := cluster.Submit(ctx, scripts)
	for i, job := range taken {
		out.Jobs[i].Job = &job.ID
	}
	out.Jobs = out.Jobs[:len(taken)]
	out.refused = err != nil
	return errors.Join(f.print(cmd, out, out.print), err)
}

// queueOf returns what Slurm has of a sweep. With a dry run it goes on where Slurm does not answer: what is printed may then be queued already.
func queueOf(cmd *cobra.Command, dir string, dryRun bool) (*cluster.Queue, error) {
	queue, err := cluster.ReadQueue(cmd.Context(), dir)
	switch {
	case cmd.Context().Err() != nil:
		return nil, context.Cause(cmd.Context())
	case err != nil && dryRun:
		fmt.Fprintf(cmd.ErrOrStderr(), "Slurm's states are not known: %v\n", err)
		return &cluster.Queue{}, nil
	}
	return queue, err
}

// place returns where the tasks find what this process has.
func (f *sweepFlags) place(dir string) (p cluster.Place, err error) {
	if p.Program, err = os.Executable(); err != nil {
		return p, err
	}
	if p.Sweep, err = filepath.Abs(dir); err != nil {
		return p, err
	}
	if f.changed {
		p.Flags = append(p.Flags, "--accept-changed")
	}
	if f.retryFailed {
		p.Flags = append(p.Flags, "--retry-failed")
	}
	p.Work, err = os.Getwd()
	return p, err
}

// print prints a value as JSON, or as text.
func (f *sweepFlags) print(cmd *cobra.Command, v any, text func(io.Writer)) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), v)
	}
	text(cmd.OutOrStdout())
	return nil
}

const nothingToSubmit = "nothing to submit: every run has ended, is queued or goes on, or failed (--retry-failed)"

func printScripts(w io.Writer, scripts []cluster.Script) {
	for _, s := range scripts {
		fmt.Fprintf(w, "# %s\n%s\n# %s\n%s\n", s.Path, s.Text, s.List, s.Job.List())
		fmt.Fprintf(w, "# cd %s && sbatch %s\n\n", filepath.Dir(s.Path), strings.Join(s.Arguments([]string{"JOBS OF THE STAGE BEFORE"}), " "))
	}
	if len(scripts) == 0 {
		fmt.Fprintln(w, "# "+nothingToSubmit)
	}
}

// submitOutput is a submission for JSON.
type submitOutput struct {
	Dir    string `json:"dir"`
	Queued int    `json:"queued"` // runs that jobs of earlier submissions have
	// Completing are those of them whose tasks Slurm is ending.
	Completing int            `json:"completing,omitempty"`
	Jobs       []submittedJob `json:"jobs"`
	Commands   []string       `json:"commands,omitempty"` // with --shell
	refused    bool           // Slurm did not take all
}

type submittedJob struct {
	Job     *int    `json:"job"` // Slurm's number, null with --dry-run
	Script  string  `json:"script"`
	Stage   int     `json:"stage"`
	Tasks   [][]int `json:"tasks"`   // of each task, the runs
	Bytes   int64   `json:"bytes"`   // that a task asks for, 0 for the cluster's default
	Seconds float64 `json:"seconds"` // time limit, 0 for the cluster's default
}

func (o *submitOutput) add(s cluster.Script) {
	o.Jobs = append(o.Jobs, submittedJob{nil, s.Path, s.Stage, s.Tasks, s.Bytes, s.Limit.Seconds()})
}

func (o *submitOutput) print(w io.Writer) {
	for _, j := range o.Jobs {
		size, limit := "the cluster's memory", "the cluster's time limit"
		if j.Bytes > 0 {
			size = memory.Format(j.Bytes)
		}
		if j.Seconds > 0 {
			limit = (time.Duration(j.Seconds) * time.Second).String()
		}
		fmt.Fprintf(w, "job %d: %s of %s, each with %s and %s; %s\n", *j.Job, plural.Of(len(j.Tasks), "task"),
			plural.Of(len(slices.Concat(j.Tasks...)), "run"), size, limit, j.Script)
	}
	if o.Queued > 0 {
		fmt.Fprintf(w, "queued already: %s\n", plural.Of(o.Queued, "run"))
	}
	if o.Completing > 0 {
		fmt.Fprintf(w, "Slurm is ending the tasks of %s of these: unless they were to be queued again, submit once more when status shows them as over\n", plural.Of(o.Completing, "run"))
	}
	if len(o.Jobs) == 0 && !o.refused {
		fmt.Fprintln(w, nothingToSubmit)
	}
}

func (f *sweepFlags) newCancel() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel SWEEP",
		Short: "Cancel the jobs that Slurm has of a sweep",
		Long:  `Cancel the jobs that Slurm has of a sweep, those that wait and those that run. A run that goes on writes a checkpoint, from which it goes on when it is submitted again.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			queue, err := cluster.ReadQueue(cmd.Context(), dir)
			if err != nil {
				return err
			}
			tasks, err := queue.Cancel(cmd.Context())
			if err != nil {
				return err
			}
			names := make([]string, len(tasks))
			for i, t := range tasks {
				names[i] = t.TaskID.String()
			}
			return f.print(cmd, map[string]any{"dir": dir, "cancelled": names}, func(w io.Writer) {
				fmt.Fprintf(w, "cancelled: %s\n", plural.Of(len(tasks), "task"))
			})
		},
	}
}
