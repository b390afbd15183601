package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/patience"
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
	quiet       bool
}

const sweepHelp = `A sweep file describes many runs, by lists over any key of a config (shadowflow config lists them):

    name: betas
    base: {steps: 500}                         # a config, or the path of one beside the file
    list: [{model: {name: cnn}}, {}]           # sets of keys written out
    zip: {optimizer.lr: [1e-3, 1e-4], steps: [500, 5000]}
    grid: {optimizer.beta2: [0.9, 0.99]}
    seeds: 5                                   # 0 to 4, or a list
    at_loss: [0.01]                            # training losses at which the table shows the measurements

The runs, at most 100,000, are all combinations; list varies slowest, then zip, then the keys of grid, and the seed fastest. Each run has a
directory of its own in DIR/runs, named after its place and its config. Runs that have ended are never made again unless their
config changed. A run that fails or diverges is a row of the table with its reason, and stops nothing; with a run that failed,
the exit code is 1.`

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
	f.bindOptions(flags)
	cmd.Flags().BoolVar(&f.retryFailed, "retry-failed", false, "make runs again that failed")
	cmd.Flags().BoolVar(&f.quiet, "quiet", false, "no progress, no summary")
	cmd.AddCommand(f.newPlan(), f.newStatus(), f.newTable(), f.newRunOne())
	for _, sub := range cmd.Commands() {
		sub.ValidArgsFunction = cmd.ValidArgsFunction
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
	flags.BoolVar(&f.changed, "accept-changed", false, "go on with interrupted runs though data or program changed, and record that they did")
}

func (f *sweepFlags) options() (sweep.Options, error) {
	memory, err := parseBytes(f.memory)
	if err != nil {
		return sweep.Options{}, misuse("--memory: %w", err)
	}
	if f.parallel < 0 {
		return sweep.Options{}, misuse("--parallel %d: want a number of at least 0", f.parallel)
	}
	return sweep.Options{Parallel: f.parallel, Memory: memory, RetryFailed: f.retryFailed, AcceptChanged: f.changed}, nil
}

func (f *sweepFlags) execute(cmd *cobra.Command, s *sweep.Sweep, dir string) error {
	opt, err := f.options()
	if err != nil {
		return err
	}
	if !f.quiet {
		opt.Progress = sweepProgress(cmd.ErrOrStderr())
	}
	if err := s.Prepare(dir); err != nil {
		return err
	}
	failed := s.Execute(cmd.Context(), dir, opt)
	if cmd.Context().Err() != nil {
		return interrupted(cmd, "shadowflow sweep "+dir)
	}
	if err := errors.Join(failed, s.WriteTables(dir)); err != nil {
		return err
	}
	page, err := report.WriteSweep(s, dir)
	if err != nil {
		return err
	}
	statuses, err := s.Status(dir)
	if err != nil {
		return err
	}
	if f.quiet {
		return anyFailed(statuses)
	}
	printStates(cmd.OutOrStdout(), statuses)
	fmt.Fprintf(cmd.OutOrStdout(), "tables: %s, %s\npage: %s\n", filepath.Join(dir, "table.csv"), filepath.Join(dir, "means.csv"), page)
	return anyFailed(statuses)
}

// anyFailed returns an error that counts the runs that failed.
func anyFailed(statuses []sweep.Status) error {
	failed := 0
	for _, s := range statuses {
		if s.State == sweep.Failed {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d runs failed: the table has the reasons, and --retry-failed makes them again", failed, len(statuses))
}

// interrupted says how to go on.
func interrupted(cmd *cobra.Command, again string) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "interrupted; go on with: %s\n", again)
	return err
}

// sweepProgress prints a line for each run that stops, with the time left.
func sweepProgress(w io.Writer) func(sweep.Event) {
	start := time.Now()
	return func(e sweep.Event) {
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

func printStates(w io.Writer, statuses []sweep.Status) {
	counts := map[sweep.State]int{}
	diverged := 0
	for _, s := range statuses {
		counts[s.State]++
		if s.Result != nil && s.Result.Status == run.Diverged {
			diverged++
		}
	}
	fmt.Fprintf(w, "%d runs: %d ended (%d of them diverged), %d failed, %d interrupted, %d running, %d pending\n", len(statuses),
		counts[sweep.Ended], diverged, counts[sweep.Failed], counts[sweep.Interrupted], counts[sweep.Running], counts[sweep.Pending])
}

func (f *sweepFlags) newStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status SWEEP",
		Short: "Print how far the runs of a sweep have come",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			statuses, err := s.Status(dir)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "run\tstate\tstep\tsettings\treason")
			for _, st := range statuses {
				state, step := string(st.State), ""
				if st.Result != nil {
					state, step = string(st.Result.Status), strconv.Itoa(st.Result.Step)
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", st.Run.Index, state, step, st.Run, strings.Join(strings.Fields(st.Reason), " "))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			printStates(cmd.OutOrStdout(), statuses)
			return nil
		},
	}
}

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
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			table, err := s.Table(dir)
			if err != nil {
				return err
			}
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				if err := s.WriteTables(dir); err != nil {
					return err
				}
			}
			if means {
				table = sweep.Means(table)
			}
			return record.WriteTable(cmd.OutOrStdout(), format, table)
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "what to print: csv or parquet")
	completeWords(cmd, "format", "csv", "parquet")
	cmd.Flags().BoolVar(&means, "means", false, "print the means over seeds")
	return cmd
}

func (f *sweepFlags) newRunOne() *cobra.Command {
	return &cobra.Command{
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
			return s.RunOne(cmd.Context(), dir, index, opt)
		},
	}
}
