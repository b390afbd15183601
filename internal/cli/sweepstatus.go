package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"shadowflow/experiment/cluster"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
)

func printStates(w io.Writer, statuses []sweep.Status) {
	c := countOf(statuses)
	fmt.Fprintf(w, "%s: %d ended (%d of them diverged), %d failed, %d interrupted, %d running, %d pending", plural.Of(len(statuses), "run"),
		c.Ended, c.Diverged, c.Failed, c.Interrupted, c.Running, c.Pending)
	if c.Stopped > 0 {
		fmt.Fprintf(w, ", %d stopped early", c.Stopped)
	}
	fmt.Fprintln(w)
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
			statuses, err := s.Status(cmd.Context(), dir)
			if err != nil {
				return err
			}
			queue, err := cluster.ReadQueue(cmd.Context(), dir)
			if cmd.Context().Err() != nil {
				return context.Cause(cmd.Context())
			}
			if err != nil { // our own states are known all the same
				fmt.Fprintf(cmd.ErrOrStderr(), "Slurm's states are not known: %v\n", err)
				queue = &cluster.Queue{}
			}
			if f.json {
				out := statusJSON(dir, statuses)
				out.beside(queue.Of())
				return printJSON(cmd.OutOrStdout(), out)
			}
			return printStatus(cmd.OutOrStdout(), statuses, queue)
		},
	}
}

// printStatus prints a line a run, with what Slurm says of it where any was submitted.
func printStatus(out io.Writer, statuses []sweep.Status, queue *cluster.Queue) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head, ofSlurm := "run\tstate\tstep\t", queue.Of()
	if len(queue.Jobs) > 0 {
		head += "slurm\t"
	}
	fmt.Fprintln(w, head+"settings\treason")
	for _, st := range statuses {
		step, task := "", ""
		if st.State != sweep.Pending {
			step = strconv.Itoa(st.Step)
		}
		if t, ok := ofSlurm[st.Run.Index]; ok {
			task = t.String()
		}
		if len(queue.Jobs) > 0 {
			task += "\t"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s%s\t%s\n", st.Run.Index, stateOf(st), step, task, st.Run, inALine(st.Reason))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printStates(out, statuses)
	return nil
}
