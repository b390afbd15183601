package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"shadowflow/internal/plural"
	"shadowflow/report"
	"shadowflow/reproduce"
)

func newReproduce() *cobra.Command {
	var (
		list, quiet, planOnly bool
		asJSON                bool
		scale, out            string
		flags                 sweepFlags
		force                 *bool
	)
	cmd := &cobra.Command{
		Use:   "reproduce NAME",
		Short: "Test a claim of the paper: runs, figure, and a verdict with numbers",
		Long: `Test a claim of "On the Implicit Bias of Adam", or a question that its readers asked. Each reproduction prints the claim, makes
its runs, draws the figures on a page that needs nothing beside itself, and ends in a verdict with the test and its numbers.
Interrupted, it continues where it was when it is called again.

The scale laptop takes minutes on two cores with the embedded digits; workstation takes part of CIFAR-10; paper takes the paper's
setting, whose sweeps are in OUT after a start, for sweep run-one on a cluster.`,
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
			if list && asJSON {
				return printJSON(w, reproductionsJSON())
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
			s := reproduce.Scale(scale)
			if !slices.Contains(reproduce.Scales(), s) {
				return misuse("--scale %q: want one of %v", scale, reproduce.Scales())
			}
			if out == "" {
				out = filepath.Join("reproductions", r.Name+"-"+scale)
			}
			if !planOnly {
				if err := mayWrite(*force, report.PagePaths(out)...); err != nil {
					return err
				}
			}
			opt, err := flags.options()
			if err != nil {
				return err
			}
			if !asJSON {
				fmt.Fprintf(w, "%s\n\nClaim: %s\n\nDesign: %s\n\n", r.Title, r.Claim, r.Design)
			}
			if planOnly {
				return planReproduction(cmd, r, s, out, asJSON)
			}
			if !quiet {
				opt.Progress = sweepProgress(cmd.ErrOrStderr())
			}
			result, err := r.Run(cmd.Context(), s, out, opt)
			if cmd.Context().Err() != nil {
				return interrupted(cmd, fmt.Sprintf("shadowflow reproduce %s --scale %s --out %s", r.Name, s, out))
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(w, reproductionOutput{r.Name, r.Title, r.Claim, r.Design, string(result.Outcome), result.Verdict, result.Findings, result.Path})
			} else {
				printReproduction(w, result)
			}
			if err := errors.Join(err, noneFailed(result.Failed, result.Runs)); err != nil {
				return err
			}
			if result.Outcome == reproduce.Fails {
				return against{errors.New("the claim fails")}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&list, "list", false, "print the names of the reproductions")
	f.StringVar(&scale, "scale", string(reproduce.Laptop), "laptop, workstation or paper")
	completeWords(cmd, "scale", scales()...)
	f.StringVar(&out, "out", "", "directory (default reproductions/NAME-SCALE)")
	f.BoolVar(&planOnly, "plan", false, "write the sweeps and print them, and make no runs")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	flags.bindOptions(f)
	bindJSON(cmd, &asJSON)
	force = bindForce(cmd)
	return cmd
}

func printReproduction(w io.Writer, r *reproduce.Result) {
	fmt.Fprintf(w, "Verdict (%s): %s\n\n", r.Outcome, r.Verdict)
	for _, sentence := range r.Findings {
		fmt.Fprintf(w, "- %s\n", sentence)
	}
	fmt.Fprintf(w, "\npage: %s\n", r.Path)
}

// reproductionOutput is a reproduction for JSON.
type reproductionOutput struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Claim    string   `json:"claim"`
	Design   string   `json:"design"`
	Outcome  string   `json:"outcome"`
	Verdict  string   `json:"verdict"`
	Findings []string `json:"findings"`
	Page     string   `json:"page"`
}

func reproductionsJSON() []map[string]string {
	var out []map[string]string
	for _, r := range reproduce.All() {
		out = append(out, map[string]string{"name": r.Name, "title": r.Title, "claim": r.Claim, "design": r.Design})
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

// planReproduction writes the sweeps, each ready to be made one run at a time.
func planReproduction(cmd *cobra.Command, r *reproduce.Reproduction, s reproduce.Scale, out string, asJSON bool) error {
	sweeps, err := r.Sweeps(s)
	if err != nil {
		return err
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
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s; shadowflow sweep plan %s, shadowflow sweep run-one %s INDEX\n", sw.Name, plural.Of(len(sw.Runs), "run"), dir, dir)
		}
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"name": r.Name, "sweeps": plans})
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
