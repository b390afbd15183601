package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"shadowflow/modeq/verify"
	"shadowflow/objective/closed"
)

func newCheck() *cobra.Command {
	var (
		loss      objectiveFlags
		optimizer optimizerFlags
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare independent derivations of the norm's gradient and of the bias",
		Long: `Compute the gradient of an optimizer's norm by a Hessian-vector product and by central differences of the norm, and its
second-order term by the general formula, by the series of any order, and by the paper's closed form where it has one; print how
far they agree. Without --objective, on every loss in closed form. A disagreement is an error.`,
		Example: "  shadowflow check --optimizer adam --set beta1=0.9,beta2=0.99,eps=1e-4",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := optimizer.config()
			if err != nil {
				return err
			}
			names := closed.Names()
			if cmd.Flags().Changed("objective") || loss.theta != "" || loss.pairs != "" || len(loss.set) > 0 {
				names = []string{loss.name}
			}
			type result struct {
				Objective   string              `json:"objective"`
				CrossChecks []verify.CrossCheck `json:"cross_checks"`
			}
			var results []result
			var apart error
			for _, name := range names {
				loss.name = name
				o, theta, err := loss.point()
				if err != nil {
					return err
				}
				checks, err := verify.CrossChecks(cmd.Context(), o, c, theta)
				if err != nil {
					return fmt.Errorf("objective %s: %w", name, err)
				}
				results = append(results, result{name, checks})
				for _, r := range checks {
					if !r.Agrees() && apart == nil {
						apart = fmt.Errorf("objective %s: %s: differ by %.1e, more than %.0e", name, r.What, r.Difference, r.Tolerance)
					}
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), map[string]any{"optimizer": c.String(), "checks": results}); err != nil {
					return err
				}
				return apart
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%v\nlargest difference of a coordinate over the largest coordinate\n", c)
			for _, res := range results {
				fmt.Fprintf(w, "\n%s\n", res.Objective)
				for _, r := range res.CrossChecks {
					if r.Skipped != "" {
						fmt.Fprintf(w, "  %-72s skipped: %s\n", r.What, r.Skipped)
						continue
					}
					fmt.Fprintf(w, "  %-72s %8.1e\n", r.What, r.Difference)
				}
			}
			return apart
		},
	}
	loss.bind(cmd)
	optimizer.bind(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
