package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/report"
	"shadowflow/rule"
	"shadowflow/schema"
)

func newDerive() *cobra.Command {
	var (
		given           *settings
		asLaTeX, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "derive OPTIMIZER|config.yaml",
		Short: "Derive an optimizer's memoryless field, modified equation and implicit norm from its definition",
		Long: `Derive, from the definition of an optimizer, its memoryless field F, its modified equation of second order (full batch,
memory full), the norm that the equation penalizes or hinders, the limiting cases of eps, and what that means for the given
hyperparameters.

The optimizers are ` + strings.Join(rule.Names(), ", ") + ".",
		Example:   "  shadowflow derive adam --set beta1=0.9,beta2=0.99 --latex",
		ValidArgs: rule.Names(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && !(len(args) == 0 && cmd.Flags().Changed("optimizer")) {
				return misuse("derive: want one optimizer, one of %s", strings.Join(rule.Names(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && cmd.Flags().Changed("optimizer") {
				return misuse("derive: %s and --optimizer both name the optimizer: leave one out", args[0])
			}
			if len(args) == 1 && !rule.IsFile(args[0]) {
				given.preset, args = []schema.Setting{schema.Set("optimizer.name", args[0])}, nil
			}
			c, err := given.config(args)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if len(c.Optimizer.Parts()) > 0 {
				return deriveGroups(cmd, c, asLaTeX, asJSON)
			}
			d, err := report.Derive(c.Optimizer)
			if err != nil {
				if conventions := c.Optimizer.Conventions(); conventions != "" && !asJSON && !asLaTeX {
					fmt.Fprintln(w, conventions)
				}
				return err
			}
			if asJSON {
				return printJSON(w, d)
			}
			printDerivation(w, d, asLaTeX)
			return nil
		},
	}
	given = bindSettings(cmd)
	cmd.Flags().BoolVar(&asLaTeX, "latex", false, "print LaTeX")
	bindJSON(cmd, &asJSON)
	cmd.MarkFlagsMutuallyExclusive("latex", "json")
	return cmd
}

func printDerivation(w io.Writer, d *report.Derivation, asLaTeX bool) {
	if asLaTeX {
		fmt.Fprint(w, d.LaTeX())
		return
	}
	fmt.Fprint(w, d.Text())
}

// deriveGroups derives the optimizer of each group of weights, of those that there are in the config's model. Of one without the memory form
// it says so; where none has it, that is an error.
func deriveGroups(cmd *cobra.Command, c *config.Config, asLaTeX, asJSON bool) (err error) {
	p, err := run.NewProblem[float64](cmd.Context(), c)
	if err != nil {
		return err
	}
	defer closing(p, &err)
	type derived struct {
		run.Group
		Derivation *report.Derivation `json:"derivation"`
		Problem    string             `json:"problem,omitempty"`
	}
	var all []derived
	groups := run.Groups(c.Optimizer, p.Rule)
	for i, part := range p.Rule.Parts() {
		d := derived{Group: groups[i]}
		own := c.Optimizer.Part(part.Group)
		own.ClipValue, own.ClipNorm, own.SAM = c.Optimizer.ClipValue, c.Optimizer.ClipNorm, c.Optimizer.SAM // which are of all weights
		if d.Derivation, err = report.Derive(own); err != nil {
			d.Problem = err.Error()
		}
		all = append(all, d)
	}
	none := error(nil)
	if !slices.ContainsFunc(all, func(d derived) bool { return d.Problem == "" }) {
		none = fmt.Errorf("nothing can be derived of any group's optimizer: %s", all[0].Problem)
	}
	w := cmd.OutOrStdout()
	if asJSON {
		return cmp.Or(printJSON(w, map[string]any{"groups": all}), none)
	}
	comment := ""
	if asLaTeX {
		comment = "% "
	}
	for _, g := range groups {
		fmt.Fprintf(w, "%s%v\n", comment, g)
	}
	for _, d := range all {
		fmt.Fprintf(w, "\n%sGroup: %s\n", comment, d.Holds)
		if d.Problem != "" {
			fmt.Fprintf(w, "%s%s\n", comment, d.Problem)
			continue
		}
		printDerivation(w, d.Derivation, asLaTeX)
	}
	return none
}
