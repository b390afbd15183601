package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/report"
	"shadowflow/rule"
)

func newDerive() *cobra.Command {
	var (
		optimizer       optimizerFlags
		asLaTeX, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "derive OPTIMIZER",
		Short: "Derive an optimizer's memoryless field, modified equation and implicit norm from its definition",
		Long: `Derive, from the definition of an optimizer, its memoryless field F, its modified equation of second order (full batch,
memory full), the norm that the equation penalizes or hinders, the limiting cases of eps, and what that means for the given
hyperparameters.

The optimizers are ` + strings.Join(rule.Names(), ", ") + ".",
		Example: "  shadowflow derive adam --set beta1=0.9,beta2=0.99 --latex",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("derive: want one optimizer, one of %s", strings.Join(rule.Names(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			optimizer.name = args[0]
			c, err := optimizer.config()
			if err != nil {
				return err
			}
			d, err := report.Derive(c)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
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
	optimizer.bindSet(cmd)
	cmd.Flags().BoolVar(&asLaTeX, "latex", false, "print LaTeX")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
