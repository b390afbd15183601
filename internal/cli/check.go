package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/modeq/verify"
	"shadowflow/objective"
	"shadowflow/schema"
)

func newCheck() *cobra.Command {
	var (
		given  *settings
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "check [config.yaml]",
		Short: "Compare independent roads to the norm's gradient and to the bias",
		Long: `Compute the gradient of an optimizer's norm by a Hessian-vector product and by central differences of the norm, and its
second-order term by the general formula, by the series of any order, and by the paper's closed form where it has one; print how
far they agree. Where no loss in closed form is given, on each of them. A disagreement is an error.`,
		Example: "  shadowflow check --optimizer adam --set beta1=0.9,beta2=0.99,eps=1e-4",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			losses, err := checked(c.Objective)
			if err != nil {
				return err
			}
			r, err := c.Optimizer.Config()
			if err != nil {
				return err
			}
			type result struct {
				Objective string        `json:"objective"`
				Roads     []verify.Road `json:"roads"`
			}
			var results []result
			var apart error
			for _, loss := range losses {
				o, theta, err := loss.New()
				if err != nil {
					return err
				}
				roads, err := verify.Roads(o, r, theta)
				if err != nil {
					return fmt.Errorf("objective %s: %w", loss.Name, err)
				}
				results = append(results, result{loss.Name, roads})
				for _, r := range roads {
					if !r.Agrees() && apart == nil {
						apart = fmt.Errorf("objective %s: %s: differ by %.1e, more than %.0e", loss.Name, r.What, r.Difference, r.Tolerance)
					}
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), map[string]any{"optimizer": c.Optimizer.String(), "checks": results}); err != nil {
					return err
				}
				return apart
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%v\nlargest difference of a coordinate over the largest coordinate\n", c.Optimizer)
			for _, res := range results {
				fmt.Fprintf(w, "\n%s\n", res.Objective)
				for _, r := range res.Roads {
					fmt.Fprintf(w, "  %-72s %8.1e\n", r.What, r.Difference)
				}
			}
			return apart
		},
	}
	given = bindSettings(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checked returns the objective, or every loss in closed form where it is a network.
func checked(o config.Objective) ([]config.Objective, error) {
	if o.Name != config.Network {
		return []config.Objective{o}, nil
	}
	var all []config.Objective
	for _, name := range objective.Names() {
		c, err := config.New(schema.Set("objective.name", name))
		if err != nil {
			return nil, err
		}
		all = append(all, c.Objective)
	}
	return all, nil
}
