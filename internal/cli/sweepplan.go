package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
)

func (f *sweepFlags) newPlan() *cobra.Command {
	probe := 1.0
	cmd := &cobra.Command{
		Use:   "plan SWEEP",
		Short: "Print the runs of a sweep, with estimates of time and memory",
		Long: `Print the runs of a sweep, with estimates of time and memory. Memory is that of the compiled programs, the vectors of
parameters and the data; time is taken from ended runs, or from trying one run of each kind for a moment.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := f.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			opt, err := f.options()
			if err != nil {
				return err
			}
			if !(probe >= 0) {
				return misuse("--probe %g: want at least 0 seconds", probe)
			}
			plan, err := s.Plan(cmd.Context(), dir, sweep.PlanOptions{Options: opt, Probe: probe})
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), planJSON(dir, plan))
			}
			return printPlan(cmd.OutOrStdout(), plan)
		},
	}
	f.bindOptions(cmd.Flags())
	cmd.Flags().Float64Var(&probe, "probe", probe, "seconds to try one run of each kind, 0 for no estimate of time without ended runs")
	return cmd
}

func printPlan(out io.Writer, p *sweep.Plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "run\tsteps\tstate\tmemory\ttime\tsettings")
	for i, r := range p.Runs {
		if i > 0 && i%1000 == 0 { // columns are wide enough for so many
			if err := w.Flush(); err != nil {
				return err
			}
		}
		seconds, size := "?", "?"
		if r.Seconds > 0 {
			seconds = clock(r.Seconds)
		}
		if r.State == sweep.Ended || r.State == sweep.Stopped {
			seconds = "-"
		}
		if r.Bytes > 0 {
			size = memory.Format(r.Bytes)
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\n", r.Run.Index, r.Run.Config.Steps, r.State, size, seconds, r.Run)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d at once", p.Parallel)
	if p.Seconds > 0 {
		fmt.Fprintf(out, ", about %s on this machine", clock(p.Seconds))
	}
	if p.Unknown > 0 {
		fmt.Fprintf(out, "; the time of %s is not known", plural.Of(p.Unknown, "run"))
	}
	fmt.Fprintln(out)
	said := map[string]bool{}
	for _, r := range p.Runs {
		if r.Problem != "" && !said[r.Problem] {
			said[r.Problem] = true
			fmt.Fprintf(out, "no estimate for run %d: %s\n", r.Run.Index, r.Problem)
		}
	}
	return nil
}

// clock says a time in seconds for people.
func clock(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds < 10:
		return fmt.Sprintf("%.2g s", seconds)
	case seconds < 100*3600:
		return d.Round(time.Second).String()
	default:
		return fmt.Sprintf("%.3g days", seconds/86400)
	}
}
