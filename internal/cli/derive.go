package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
			d, err := report.Derive(c.Optimizer)
			if err != nil {
				if conventions := c.Optimizer.Conventions(); conventions != "" && !asJSON && !asLaTeX {
					fmt.Fprintln(w, conventions)
				}
				return err
			}
			switch {
			case asJSON:
				return printJSON(w, d)
			case asLaTeX:
				fmt.Fprint(w, d.LaTeX())
			default:
				fmt.Fprint(w, d.Text())
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	cmd.Flags().BoolVar(&asLaTeX, "latex", false, "print LaTeX")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
