package cli

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/modeq"
	"shadowflow/modeq/crosscheck"
	"shadowflow/schema"
)

// manyPairs is the loss on which the order of batches is checked where no other is given: 100 pairs of bilinear around its own.
func manyPairs() []schema.Setting {
	r := rand.New(rand.NewPCG(1, 0xba7c4))
	pairs := make([]any, 100)
	for i := range pairs {
		pairs[i] = []any{2 + 0.05*r.NormFloat64(), 1.5 + 0.05*r.NormFloat64()}
	}
	return []schema.Setting{aClosedForm, schema.Set("objective.pairs", pairs), schema.Set("batch.mode", "shuffled")}
}

// checkBatches compares the expected bias over the order of a config's batches with its mean over random orders.
func checkBatches(cmd *cobra.Command, c *config.Config, orders int, asJSON bool) (err error) {
	if !c.Batch.Mini() {
		return misuse("--batches: batch.mode is full, and a full batch has no order: want shuffled, sampled or cyclic, " +
			"with batch.size for a network, like --set batch.mode=shuffled,batch.size=100")
	}
	if err := c.Optimizer.Bare(); err != nil {
		return err
	}
	p, err := run.NewProblem[float64](cmd.Context(), c)
	if err != nil {
		return err
	}
	defer closing(p, &err)
	result, err := crosscheck.OverOrders(cmd.Context(), p.Objective, p.Rule, p.Theta, crosscheck.OrderOptions{
		Order: c.Batch.Mode, Orders: orders, Seed: c.Seed, Eps: p.Eps, LR: p.LR, Threads: p.Threads,
	})
	if err != nil {
		return misuse("--batches: objective %s: %w", c.Objective.Name, err)
	}
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), map[string]any{
			"optimizer": c.Optimizer.String(), "objective": c.Objective.Name, "order": c.Batch.Mode,
			"agrees": result.Agrees(), "verdict": result.Verdict(), "result": result,
		})
	} else {
		printOrders(cmd.OutOrStdout(), c, result)
	}
	if err == nil && !result.Agrees() {
		return against{fmt.Errorf("objective %s: %s", c.Objective.Name, result.Verdict())}
	}
	return err
}

func printOrders(w io.Writer, c *config.Config, o *crosscheck.Orders) {
	fmt.Fprintf(w, "%v\n%s, %s %s: the memory's part of the second-order term, expected and on the average over %s\n\n",
		c.Optimizer, c.Objective.Name, plural.Of(o.Batches, "batch"), c.Batch.Mode, plural.Of(o.Orders, "random order"))
	fmt.Fprintf(w, "%-12s %13s %13s %24s %8s\n", "", "without noise", "expected", "mean (standard error)", "apart")
	row := func(name string, k crosscheck.Comparison) {
		fmt.Fprintf(w, "%-12s %13.6g %13.6g %13.6g (%8.2g) %8.1f\n", name, k.Terms[0], k.Expected, k.Mean, k.Error, k.Apart())
	}
	for j, k := range o.Coordinates[:min(shown, len(o.Coordinates))] {
		row(fmt.Sprintf("C of theta_%d", j+1), k)
	}
	row("drive on N", o.Drive)
	fmt.Fprintf(w, "\nterms of noise in the drive:")
	for i := range modeq.NoiseTerms {
		fmt.Fprintf(w, "  (%d) %.3g", i+1, o.Drive.Terms[1+i])
	}
	fmt.Fprintf(w, "\nvariance of a batch's gradient, at most %.2g of g^2 + eps in the coordinates with terms of noise; left out: %d\n",
		o.Share, o.LeftOut)
	if n := len(o.Coordinates); n > shown {
		fmt.Fprintf(w, "%d of %d coordinates lie more than 3 standard errors from the mean, by chance alone about %.0f; --json prints all\n",
			o.Far(3), n, math.Ceil(0.0027*float64(n)))
	}
	fmt.Fprintf(w, "\n%s\n", o.Verdict())
}
