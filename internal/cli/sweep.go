package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/memory"
	"shadowflow/internal/patience"
	"shadowflow/internal/plural"
	"shadowflow/report"
	"shadowflow/schema"
)

// sweepFlags are the flags of sweep and its subcommands.
type sweepFlags struct {
	given       *settings
	out         string
	yes         bool
	parallel    int
	memory      string
	retryFailed bool
	changed     bool // accept what changed
	quiet, json bool
}

const sweepHelp = `A sweep file describes many runs, by lists over any key of a config (shadowflow config lists them):

    name: betas
    base: {steps: 500}                         # a config, or the path of one beside the file
    list: [{model: {name: cnn}}, {}]           # sets of keys written out
    zip: {optimizer.lr: [1e-3, 1e-4], steps: [500, 5000]}
    sample: {n: 50, seed: 0, method: latin-hypercube, keys: {optimizer.lr: {log: [1e-4, 1e-2]}}}
    grid: {optimizer.beta2: [0.9, 0.99]}
    seeds: 5                                   # 0 to 4, or a list
    at_loss: [0.01]                            # training losses at which the table shows the measurements
    halving: {first: 100, eta: 3, by: loss}    # stop hopeless runs early; off where this is left out
    slurm: {partition: long, time: 12h}        # what sweep submit asks Slurm for

The runs, at most 100,000, are all combinations; list varies slowest, then zip, then the draws of sample, then the keys of grid, and the seed fastest.
A sample draws values that are {linear: [a, b]}, {log: [a, b]}, {integer: [a, b]} or {choice: [a, b, c]}, each by itself (method: random, the default) or one in each of
n parts of equal probability (latin-hypercube). Each run has a directory of its own in DIR/runs, named after its place and its config. Runs that have ended are never made again unless their
config changed. A run that fails or diverges is a row of the table with its reason, and stops nothing; with a run that failed,
the exit code is 1.

With halving, runs are compared at the steps first, first*eta, first*eta^2 and so on, all together, by what they recorded: one of eta goes on, the others are
rows of the table that say at which step they were stopped. Runs that differ in their seeds only go on, or stop, together, by the mean. The numbers are the same however many
go on at once, and after any interruption.`

func newSweep() *cobra.Command {
	f := &sweepFlags{}
	cmd := &cobra.Command{
		Use:     "sweep SWEEP",
		Short:   "Make many runs: grids, lists and zips over any key of a config, with seeds",
		Long:    sweepHelp + "\n\nSWEEP is such a file, or the directory of a sweep. Flags for the config replace settings of a file's base.",
		Example: "  shadowflow sweep betas.yaml\n  shadowflow sweep plan betas.yaml\n  shadowflow sweep table betas.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return f.execute(cmd, s, dir)
		},
	}
	f.given = bindSettings(cmd)
	f.given.several = true
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.out, "out", "", "directory of the sweep (default sweeps/NAME, or SWEEP if it is a directory)")
	flags.BoolVar(&f.yes, "yes", false, fmt.Sprintf("more than %d runs are meant", sweep.Limit))
	f.bindOptions(cmd.Flags())
	cmd.Flags().BoolVar(&f.retryFailed, "retry-failed", false, "make runs again that failed")
	cmd.Flags().BoolVar(&f.quiet, "quiet", false, "no progress, no summary")
	bindJSON(cmd, &f.json)
	cmd.AddCommand(f.newPlan(), f.newStatus(), f.newTable(), f.newRunOne(), f.newSubmit(), f.newCancel())
	for _, sub := range cmd.Commands() {
		sub.ValidArgsFunction = cmd.ValidArgsFunction
		bindJSON(sub, &f.json)
	}
	return cmd
}

func (f *sweepFlags) open(ctx context.Context, path string) (*sweep.Sweep, string, error) {
	limit := sweep.Limit
	if f.yes {
		limit = 0
	}
	overrides, err := f.overrides(path)
	if err != nil {
		return nil, "", err
	}
	type opened struct {
		sweep *sweep.Sweep
		dir   string
	}
	o, err := patience.Wait(ctx, func() (o opened, err error) {
		o.sweep, o.dir, err = sweep.Open(path, limit, overrides...)
		return o, err
	})
	if f.out != "" {
		o.dir = f.out
	}
	return o.sweep, o.dir, err
}

// overrides returns the settings of the flags. A sweep that has its directory has its settings.
func (f *sweepFlags) overrides(path string) ([][]schema.Setting, error) {
	if !f.given.any() {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, misuse("%s is the directory of a sweep, which has its settings: leave out --set and its short forms", path)
	}
	_, overrides, err := f.given.given(nil)
	return overrides, err
}

// bindOptions gives a command that makes sweeps the flags of how they are made.
func (f *sweepFlags) bindOptions(flags *pflag.FlagSet) {
	flags.IntVar(&f.parallel, "parallel", 0, "runs at once, 0 for one a processor")
	flags.StringVar(&f.memory, "memory", "", "memory for all runs together, like 8GiB (default what is free)")
	flags.BoolVar(&f.changed, "accept-changed", false, "go on though data or program changed since the runs that were interrupted or have ended, and record that they did")
}

func (f *sweepFlags) options() (sweep.Options, error) {
	bytes, err := memory.Parse(f.memory)
	if err != nil {
		return sweep.Options{}, misuse("--memory: %w", err)
	}
	if f.parallel < 0 {
		return sweep.Options{}, misuse("--parallel %d: want a number of at least 0", f.parallel)
	}
	return sweep.Options{Parallel: f.parallel, Memory: bytes, RetryFailed: f.retryFailed, AcceptChanged: f.changed}, nil
}

func (f *sweepFlags) execute(cmd *cobra.Command, s *sweep.Sweep, dir string) error {
	opt, err := f.options()
	if err != nil {
		return err
	}
	if err := s.Prepare(dir); err != nil {
		return err
	}
	if !f.quiet {
		opt.Progress = sweepProgress(cmd.ErrOrStderr(), &pageLine{kind: "sweep", dir: dir})
	}
	failed := s.Execute(cmd.Context(), dir, opt)
	if cmd.Context().Err() != nil {
		return interrupted(cmd, "shadowflow sweep "+dir)
	}
	_, unwritten := s.WriteTables(cmd.Context(), dir)
	if cmd.Context().Err() != nil {
		return interrupted(cmd, "shadowflow sweep "+dir)
	}
	if err := errors.Join(failed, unwritten); err != nil {
		return err
	}
	page, err := report.WriteSweep(cmd.Context(), s, dir)
	if cmd.Context().Err() != nil {
		return interrupted(cmd, "shadowflow sweep "+dir)
	}
	if err != nil {
		return err
	}
	statuses, err := s.Status(cmd.Context(), dir)
	if err != nil {
		return err
	}
	tables := []string{filepath.Join(dir, "table.csv"), filepath.Join(dir, "means.csv")}
	w := cmd.OutOrStdout()
	switch {
	case f.json:
		err = printJSON(w, sweepOutput{statusJSON(dir, statuses), tables, page})
	case !f.quiet:
		printStates(w, statuses)
		fmt.Fprintf(w, "tables: %s\npage: %s\n", strings.Join(tables, ", "), page)
	}
	return errors.Join(err, allEnded(statuses))
}

// allEnded returns an error unless every run of a sweep ended. One that diverged did: that is what was found.
func allEnded(statuses []sweep.Status) error {
	c := countOf(statuses)
	if c.Failed > 0 {
		first := statuses[slices.IndexFunc(statuses, func(s sweep.Status) bool { return s.State == sweep.Failed })]
		advice := " (--retry-failed makes them again)"
		if first.Damaged {
			advice = ""
		}
		return fmt.Errorf("%d of %s failed, the first of them run %d: %s%s", c.Failed, plural.Of(len(statuses), "run"), first.Run.Index, inALine(first.Reason), advice)
	}
	if left := len(statuses) - c.Ended - c.Stopped; left > 0 {
		return fmt.Errorf("not ended: %d of %s, which another process has", left, plural.Of(len(statuses), "run"))
	}
	return nil
}

// inALine returns a reason without its line breaks.
func inALine(reason string) string { return strings.Join(strings.Fields(reason), " ") }

// interrupted says how to go on.
func interrupted(cmd *cobra.Command, again string) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "interrupted; go on with: %s\n", again)
	return err
}

// sweepProgress prints a line for each run that stops, with the time left.
// With a page it says first where that is.
func sweepProgress(w io.Writer, page *pageLine) func(sweep.Event) {
	start := time.Now()
	return func(e sweep.Event) {
		if line := page.due(); line != "" {
			fmt.Fprintln(w, line)
		}
		if !e.Done {
			return
		}
		how := "done"
		switch {
		case e.Interrupted:
			how = "interrupted"
		case e.Err != nil:
			how = "failed: " + strings.ReplaceAll(e.Err.Error(), "\n", " ")
		}
		left := time.Duration(float64(time.Since(start)) / float64(e.Stopped) * float64(e.All-e.Stopped)).Round(time.Second)
		fmt.Fprintf(w, "%d/%d  run %d  %s  %s  (%s left)\n", e.Stopped, e.All, e.Run.Index, e.Run, how, left)
	}
}

// tableFormats are those that a table of a sweep is printed in.
var tableFormats = []string{"csv", "parquet"}

func (f *sweepFlags) newTable() *cobra.Command {
	var format string
	var means bool
	cmd := &cobra.Command{
		Use:   "table SWEEP",
		Short: "Write one row a run: its settings and what came of it",
		Long: `Write table and means of a sweep beside its runs, as CSV and Parquet, and print one of them: one row a run, or with --means
one row for all runs that differ in their seeds only, with 95% confidence intervals (Student's t).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(tableFormats, format) {
				return misuse("--format: unknown format %q; %s", format, schema.Suggest(format, tableFormats))
			}
			if f.json && cmd.Flags().Changed("format") {
				return misuse("--format %s and --json: they exclude each other", format)
			}
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tabulate := s.Table
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				tabulate = s.WriteTables
			}
			table, err := tabulate(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if means {
				if table, err = sweep.Means(cmd.Context(), table); err != nil {
					return err
				}
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), tableJSON(table))
			}
			return record.WriteTable(cmd.OutOrStdout(), format, table)
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "what to print: csv or parquet")
	completeWords(cmd, "format", tableFormats...)
	cmd.Flags().BoolVar(&means, "means", false, "print the means over seeds")
	return cmd
}

func (f *sweepFlags) newRunOne() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "run-one SWEEP INDEX",
		Short: "Make one run of a sweep, for a cluster's scheduler to call",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := strconv.Atoi(args[1])
			if err != nil {
				return misuse("run %q: want its index, a whole number", args[1])
			}
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			opt, err := f.options()
			if err != nil {
				return err
			}
			opt.Wait = wait
			if err := s.CheckIndex(index); err != nil {
				return misused{err}
			}
			err = s.RunOne(cmd.Context(), dir, index, opt)
			if cmd.Context().Err() != nil {
				return interrupted(cmd, fmt.Sprintf("shadowflow sweep run-one %s %d", dir, index))
			}
			if err != nil {
				return err
			}
			out := runOutput{Dir: s.RunDirs(dir)[index]}
			if out.Result, err = run.ReadResult(out.Dir); errors.Is(err, fs.ErrNotExist) && s.Stages() > 1 {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "run %d is as far as halving lets it go: shadowflow sweep status %s\n", index, dir)
				return err
			}
			if err != nil {
				return err
			}
			if f.json {
				if err := printJSON(cmd.OutOrStdout(), out); err != nil {
					return err
				}
			}
			return diverged(out.Result)
		},
	}
	f.bindOptions(cmd.Flags())
	cmd.Flags().BoolVar(&f.retryFailed, "retry-failed", false, "with halving, make a run again that failed; without, it is in any case")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a run that another process makes, like 10m")
	return cmd
}
