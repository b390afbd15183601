package cli

import (
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/modeq/verify"
)

func newVerify() *cobra.Command {
	var (
		loss           objectiveFlags
		optimizer      optimizerFlags
		problem        verify.Problem
		opt            verify.Options
		start, batches string
		lrs, plotFile  string
		asJSON         bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare iterates with modified equations: the slopes of the error against the step size",
		Long: `Run an optimizer at several step sizes, solve its modified equations from the same start, and print the largest distance of
a coordinate, and how it falls with the step size: like lr^r for the equation of order r.

The comparison starts on the slow manifold that the equations describe: the memory is filled with the gradients along the
equation of highest order, run backwards. --start cold begins with an empty memory and compares with the equations of orders 1
and 2 that are exact in the step number. With --batches cyclic or shuffled each step takes one of --pairs, or of the
objective's batches, and the start is cold.`,
		Example: `  shadowflow verify --objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --orders 1,2,3,4,5
  shadowflow verify --pairs 2:1.5,1:2,1.5:0.3 --batches cyclic --set beta1=0.6,beta2=0.8,eps=0.5 --orders 1,2 --time 1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if problem.Objective, problem.Theta, err = loss.point(); err != nil {
				return err
			}
			if problem.Rule, _, err = optimizer.rule(); err != nil {
				return err
			}
			if opt.LR, err = floats("--lr", lrs); err != nil {
				return err
			}
			problem.Batches, opt.Start = verify.Batches(batches), verify.Start(start)
			if problem.Batches != verify.FullBatch && !cmd.Flags().Changed("start") {
				opt.Start = verify.Cold
			}
			if (opt.Start == verify.Cold) && !cmd.Flags().Changed("orders") {
				opt.Orders = []int{1, 2}
			}
			result, err := verify.Run(cmd.Context(), problem, opt)
			if err != nil {
				return err
			}
			if plotFile != "" {
				if err := plotVerify(plotFile, result, optimizer.name, loss.name); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), verifyJSON(result))
			}
			printVerify(cmd.OutOrStdout(), result)
			return nil
		},
	}
	loss.bind(cmd)
	optimizer.bind(cmd)
	flags := cmd.Flags()
	flags.IntSliceVar(&opt.Orders, "orders", []int{1, 2, 3}, "orders of the modified equations")
	flags.StringVar(&lrs, "lr", "0.02,0.01,0.005,0.0025", "step sizes, largest first")
	flags.Float64Var(&opt.Time, "time", 0.2, "span of time, lr times the number of steps")
	flags.StringVar(&start, "start", string(verify.Manifold), "manifold or cold")
	flags.StringVar(&batches, "batches", string(verify.FullBatch), "full, cyclic or shuffled")
	flags.Uint64Var(&problem.Seed, "seed", 0, "seed of shuffled batches")
	flags.Float64Var(&problem.BiasScale, "bias-scale", 0, "s of the intervention theta - lr U - s lr^2 C: -1 cancels the second-order bias, 1 doubles it")
	flags.StringVar(&plotFile, "plot", "", "draw the errors into this file (.png, .svg or .pdf)")
	flags.BoolVar(&asJSON, "json", false, `print {"orders":[{"order":1,"errors":[...],"slopes":[...]},...]}`)
	return cmd
}

func verifyJSON(r *verify.Result) any {
	type row struct {
		Order  int             `json:"order"`
		Errors []record.Number `json:"errors"`
		Slopes []record.Number `json:"slopes"`
	}
	rows := []row{}
	for _, o := range r.Orders {
		rows = append(rows, row{o.Order, record.Numbers(o.Errors), record.Numbers(o.Slopes)})
	}
	return map[string]any{"lr": record.Numbers(r.LR), "steps": r.Steps, "orders": rows}
}

func printVerify(w io.Writer, r *verify.Result) {
	fmt.Fprintf(w, "largest distance between iterates and solution\n\n%-8s", "lr")
	for _, lr := range r.LR {
		fmt.Fprintf(w, "%12.4g", lr)
	}
	fmt.Fprintf(w, "   slopes\n")
	for _, o := range r.Orders {
		fmt.Fprintf(w, "order %-2d", o.Order)
		for _, e := range o.Errors {
			fmt.Fprintf(w, "%12.2e", e)
		}
		fmt.Fprint(w, "  ")
		for _, s := range o.Slopes {
			fmt.Fprintf(w, " %.2f", s)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for _, o := range r.Orders {
		fmt.Fprintln(w, verdict(o))
	}
}

// slopeMargin is how far below its order the last slope may be for the order to count as shown.
const slopeMargin = 0.3

// roundoff is the size of errors that rounding and the integrator's tolerance make.
const roundoff = 1e-12

// verdict says in a sentence what the slopes show.
func verdict(o verify.OrderResult) string {
	name := fmt.Sprintf("order %d: ", o.Order)
	if len(o.Slopes) == 0 {
		return name + "one step size has no slope: give several"
	}
	last, smallest := o.Slopes[len(o.Slopes)-1], o.Errors[len(o.Errors)-1]
	switch {
	case smallest < roundoff:
		return name + fmt.Sprintf("holds as far as float64 can tell: the last error is %.1e", smallest)
	case last > float64(o.Order)+1-slopeMargin:
		return name + fmt.Sprintf("holds, and better: the error falls like lr^%.2f", last)
	case last > float64(o.Order)-slopeMargin:
		return name + fmt.Sprintf("holds: the error falls like lr^%.2f", last)
	case rising(o.Slopes):
		return name + fmt.Sprintf("undecided: the error falls like lr^%.2f, and the slopes rise: take smaller lr", last)
	}
	return name + fmt.Sprintf("does not show: the error falls like lr^%.2f (the lr may be too large for it, or the start off the slow manifold)", last)
}

func rising(slopes []float64) bool {
	n := len(slopes)
	return n > 1 && !math.IsNaN(slopes[n-1]) && slopes[n-1] > slopes[n-2]+0.05
}
