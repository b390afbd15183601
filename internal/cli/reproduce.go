package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/reproduce"
)

func newReproduce() *cobra.Command {
	var (
		list, quiet, planOnly bool
		asJSON                bool
		scale, out, named     string
		flags                 sweepFlags
		force                 *bool
	)
	cmd := &cobra.Command{
		Use:   "reproduce NAME",
		Short: "Test a claim of the paper: runs, figure, and a verdict with numbers",
		Long: `Test a claim of "On the Implicit Bias of Adam", or a question that its readers asked. Each reproduction prints the claim, makes
its runs, draws the figures on a page that needs nothing beside itself, and ends in a verdict with the test and its numbers.
Interrupted, it continues where it was when it is called again.

The scale laptop takes minutes on two cores with the embedded digits, of some claims an hour or two; small takes hours, with part of
Fashion-MNIST (Debian's package dataset-fashion-mnist); paper takes the paper's setting. Figures 4 to 12 at the scale paper are for a cluster: a call estimates the time,
and writes the sweeps, for sweep submit; once all runs are there, the same call judges them.

Beside the page, OUT has verdict.json with the hypotheses, their numbers and what became of them, README.md, which says the same in
prose, and the tables as CSV.`,
		Example: "  shadowflow reproduce --list\n  shadowflow reproduce norm-vs-beta2\n  shadowflow reproduce causes --scale paper --plan",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, r := range reproduce.All() {
				names = append(names, r.Name+"\t"+r.Title)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if list && len(args) > 0 {
				return misuse("--list: of no use with a name, which is %q", args[0])
			}
			if s := reproduce.Scale(scale); !slices.Contains(reproduce.Scales(), s) {
				return misuse("--scale %q: want one of %v", scale, reproduce.Scales())
			}
			if list && asJSON {
				return printJSON(w, reproductionsJSON(reproduce.Scale(scale)))
			}
			if list {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, r := range reproduce.All() {
					fmt.Fprintf(t, "%s\t%s\n", r.Name, r.Title)
				}
				return t.Flush()
			}
			if len(args) == 0 {
				return misuse("reproduce: want the name of a reproduction; --list shows them")
			}
			r, err := reproduce.Find(args[0])
			if err != nil {
				return misused{err}
			}
			style, err := styleOf(named)
			if err != nil {
				return err
			}
			s := reproduce.Scale(scale)
			if out == "" {
				out = filepath.Join("reproductions", r.Name+"-"+scale)
			}
			if !planOnly {
				if err := errors.Join(record.RefuseTaken(out), mayWrite(*force, reproduce.Paths(out)...)); err != nil {
					return err
				}
			}
			opt, err := flags.options()
			if err != nil {
				return err
			}
			sweeps, err := r.Sweeps(s)
			if err != nil {
				return err
			}
			cluster, err := r.ForACluster(cmd.Context(), s, sweeps, out)
			if err != nil {
				return err
			}
			if !asJSON {
				printDesign(w, r, s)
			}
			if planOnly || cluster {
				return planReproduction(cmd, r, sweeps, cluster, out, asJSON)
			}
			if err := r.Needs(s); err != nil {
				return err
			}
			if !quiet {
				opt.Progress = sweepProgress(cmd.ErrOrStderr(), nil)
			}
			result, err := r.Run(cmd.Context(), s, out, opt, style)
			if cmd.Context().Err() != nil {
				return interrupted(cmd, fmt.Sprintf("shadowflow reproduce %s --scale %s --out %s", r.Name, s, out))
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(w, reproductionOutput{result.Verdict, result.Page})
			} else {
				printReproduction(w, result)
			}
			if err := errors.Join(err, noneFailed(result.Failed, result.Runs)); err != nil {
				return err
			}
			if result.Outcome == reproduce.Against {
				return against{errors.New("there is evidence against the claim")}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&list, "list", false, "print the names of the reproductions")
	f.StringVar(&scale, "scale", string(reproduce.Laptop), "laptop, small or paper")
	completeWords(cmd, "scale", scales()...)
	f.StringVar(&out, "out", "", "directory (default reproductions/NAME-SCALE)")
	f.BoolVar(&planOnly, "plan", false, "write the sweeps, print how many runs they have and what submits them, and make none")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	flags.bindOptions(f)
	bindJSON(cmd, &asJSON)
	bindStyle(cmd, &named, aside)
	force = bindForce(cmd)
	return cmd
}

// printDesign prints what is tested, and how, before anything is run.
func printDesign(w io.Writer, r *reproduce.Reproduction, s reproduce.Scale) {
	fmt.Fprintf(w, "%s\n\nClaim: %s\n\nDesign: %s\n\nHypotheses:\n", r.Title, r.Claim, r.Design)
	for _, h := range r.Hypotheses(s) {
		fmt.Fprintf(w, "- %s\n", h)
	}
	for _, changed := range r.Changed {
		fmt.Fprintf(w, "\nChanged after numbers had been looked at: %s\n", changed)
	}
	fmt.Fprintln(w)
}

func printReproduction(w io.Writer, r *reproduce.Result) {
	fmt.Fprintf(w, "Verdict (%s): %s\n\n", r.Outcome, r.Verdict.Verdict)
	for _, h := range r.Verdict.Hypotheses {
		fmt.Fprintf(w, "- %s\n", h)
	}
	for _, sentence := range r.Notes {
		fmt.Fprintf(w, "- %s\n", sentence)
	}
	fmt.Fprintf(w, "\npage: %s\n", r.Page)
}

// reproductionOutput is a reproduction for JSON: its verdict.json, and where the page is.
type reproductionOutput struct {
	reproduce.Verdict
	Page string `json:"page"`
}

// reproductionListed is a reproduction in the list.
type reproductionListed struct {
	Name       string                 `json:"name"`
	Title      string                 `json:"title"`
	Claim      string                 `json:"claim"`
	Design     string                 `json:"design"`
	Changed    []string               `json:"changed"`
	Hypotheses []reproduce.Hypothesis `json:"hypotheses"`
}

func reproductionsJSON(s reproduce.Scale) []reproductionListed {
	var out []reproductionListed
	for _, r := range reproduce.All() {
		out = append(out, reproductionListed{r.Name, r.Title, r.Claim, r.Design, r.Changed, r.Hypotheses(s)})
	}
	return out
}

// noneFailed returns an error if runs did: what was found is of the others.
func noneFailed(failed, of int) error {
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("failed, or not ended: %d of %s, and what was found is of the others; shadowflow sweep status says why, "+
		"and shadowflow sweep --retry-failed makes them again", failed, plural.Of(of, "run"))
}

// estimateSeconds is about how long gradients are timed for an estimate.
const estimateSeconds = 2

// planReproduction writes the sweeps, each ready to be made one run at a time, and estimates the time of those for a cluster.
func planReproduction(cmd *cobra.Command, r *reproduce.Reproduction, sweeps []*sweep.Sweep, cluster bool, out string, asJSON bool) error {
	var estimate *reproduce.Estimate
	if cluster {
		var err error
		if estimate, err = r.Estimate(cmd.Context(), sweeps, estimateSeconds); err != nil {
			return err
		}
	}
	type plan struct {
		Dir  string `json:"dir"`
		Runs int    `json:"runs"`
	}
	var plans []plan
	for _, sw := range sweeps {
		dir := filepath.Join(out, sw.Name)
		if err := sw.Prepare(dir); err != nil {
			return err
		}
		plans = append(plans, plan{dir, len(sw.Runs)})
		if !asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s; shadowflow sweep plan %s, shadowflow sweep submit %s --slurm\n", sw.Name, plural.Of(len(sw.Runs), "run"), dir, dir)
		}
	}
	if asJSON {
		plan := map[string]any{"name": r.Name, "sweeps": plans}
		if estimate != nil {
			plan["seconds"] = estimate.Seconds
		}
		return printJSON(cmd.OutOrStdout(), plan)
	}
	if estimate != nil {
		fmt.Fprintln(cmd.OutOrStdout(), estimate)
	}
	if len(sweeps) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "a computation in closed form: it makes no runs")
	}
	return nil
}

func scales() []string {
	var out []string
	for _, s := range reproduce.Scales() {
		out = append(out, string(s))
	}
	return out
}
