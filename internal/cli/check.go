package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/modeq/crosscheck"
	"shadowflow/objective/closed"
	"shadowflow/rule"
	"shadowflow/schema"
)

func newCheck() *cobra.Command {
	var (
		given   *settings
		batches bool
		orders  int
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "check [config.yaml]",
		Short: "Compare independent derivations of the norm's gradient and of the bias",
		Long: `Compute the gradient of an optimizer's norm by a Hessian-vector product and by central differences of the norm, and its
second-order term by the general formula, by the series of any order, and by the paper's closed form where it has one; print how
far they agree: on the loss that is given, a network too, and where nothing but an optimizer is, on each of those in closed form. Of a loss that another
program serves its gradient and products are compared with central differences, too, and those of two calls. A disagreement is an error.

With --batches compare, instead, what the memory adds to the equation on the average over the order of mini-batches: by the terms
that their noise adds, and by averaging over --orders random orders, with the standard error. It takes a loss with batches
(of bilinear, 100 --pairs where none are given; of a network, those of batch.size) in the order of batch.mode, and an optimizer
with memory. The terms are of second order in the noise: where it is large beside eps, as at the eps of every day, they are out of range.`,
		Example: `  shadowflow check --optimizer adam --set beta1=0.9,beta2=0.99,eps=1e-4
  shadowflow check --batches --set beta1=0.6,beta2=0.8
  shadowflow check --batches --orders 200 --objective network --set batch.size=430,eps=1e-2,model.hidden=[16]`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !batches && cmd.Flags().Changed("orders") {
				return misuse("--orders: of no use without --batches")
			}
			if batches {
				given.preset = manyPairs()
			}
			c, err := given.config(args)
			if err != nil {
				return err
			}
			if batches {
				return checkBatches(cmd, c, orders, asJSON)
			}
			configs := []*config.Config{c}
			if given.onlyOptimizer(args) {
				if configs, err = onEveryClosedForm(c); err != nil {
					return err
				}
			}
			if err := c.Optimizer.Bare(); err != nil {
				return err
			}
			r, err := c.Optimizer.Config()
			if err != nil {
				return err
			}
			type result struct {
				Objective   string             `json:"objective"`
				CrossChecks []crosscheck.Check `json:"cross_checks"`
			}
			var results []result
			var apart error
			for _, c := range configs {
				checks, err := crossChecks(cmd.Context(), c, r)
				if err != nil {
					return fmt.Errorf("objective %s: %w", c.Objective.Name, err)
				}
				results = append(results, result{c.Objective.Name, checks})
				for _, k := range checks {
					if !k.Agrees() && apart == nil {
						apart = against{fmt.Errorf("objective %s: %s: differ by %.1e, more than %.0e", c.Objective.Name, k.What, k.Difference, k.Tolerance)}
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
				for _, r := range res.CrossChecks {
					if r.Skipped != "" {
						fmt.Fprintf(w, "  %-80s skipped: %s\n", r.What, r.Skipped)
						continue
					}
					fmt.Fprintf(w, "  %-80s %8.1e\n", r.What, r.Difference)
				}
			}
			return apart
		},
	}
	cmd.Flags().BoolVar(&batches, "batches", false, "compare the expected bias over the order of batches with its mean over random orders")
	cmd.Flags().IntVar(&orders, "orders", 2000, "with --batches: random orders to average over")
	given = bindSettings(cmd)
	bindJSON(cmd, &asJSON)
	return cmd
}

// crossChecks compares the derivations on a config's loss.
func crossChecks(ctx context.Context, c *config.Config, r rule.Config) (checks []crosscheck.Check, err error) {
	p, err := run.NewProblem[float64](ctx, c)
	if err != nil {
		return nil, err
	}
	defer closing(p, &err)
	return crosscheck.Run(ctx, p.Objective, r, p.Theta)
}

// onEveryClosedForm returns the config with each loss in closed form in the network's place.
func onEveryClosedForm(c *config.Config) ([]*config.Config, error) {
	var all []*config.Config
	for _, name := range closed.Names() {
		loss, err := config.New(schema.Set("objective.name", name))
		if err != nil {
			return nil, err
		}
		one := *c
		one.Objective, one.Batch = loss.Objective, loss.Batch
		all = append(all, &one)
	}
	return all, nil
}
