package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/report"
)

func newVerify() *cobra.Command {
	var (
		given         *settings
		opt           run.VerifyOptions
		start, memory string
		moments       string
		lrs           string
		figure        figureFile
		asJSON        bool
		force         *bool
	)
	cmd := &cobra.Command{
		Use:   "verify [config.yaml]",
		Short: "Compare iterates with modified equations: the slopes of the error against the step size",
		Long: `Run an optimizer at several step sizes, solve its modified equations from the same start, and print the largest distance of
a coordinate, and how it falls with the step size: like lr^r for the equation of order r.

The comparison starts on the slow manifold that the equations describe: the memory is filled with the gradients along the
equation of highest order, run backwards. --start cold begins with an empty memory and compares with the equations of orders 1
and 2 that are exact in the step number. With --batches cyclic or shuffled each step takes one of --pairs, or of the
objective's batches, and the start is cold; so it is with a schedule, which is that of the largest lr, and is stretched over the same time
for the others, and with a loss that another program serves.

--memory state compares with the equations that keep the memory as part of the state, which hold from any start: --moments, optimizer.moments of a file, or what
flow.start steps leave, taken as they are. The decays are those at the largest lr; at the others they are powers of them, so that
each memory has one time tau = lr/(-log beta). So it is where nothing says what is compared: the equations without memory do not take the default betas.`,
		Example: `  shadowflow verify --objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --orders 1,2,3,4,5
  shadowflow verify --memory state --objective bilinear --optimizer adam --set beta1=0.7,beta2=0.85,eps=0.3 --theta 1.6,1.1 --orders 1,2,3,4,5
  shadowflow verify --pairs 2:1.5,1:2,1.5:0.3 --batches cyclic --set beta1=0.6,beta2=0.8,eps=0.5 --orders 1,2 --time 1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			if err := figure.check(*force); err != nil {
				return err
			}
			problem, err := run.NewProblem[float64](cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closing(problem, &err)
			imported(cmd, problem)
			if opt.LR, err = floats("--lr", lrs); err != nil {
				return err
			}
			if opt.Start = run.StartOf(problem); cmd.Flags().Changed("start") {
				opt.Start = run.Start(start)
			}
			if !given.any() && len(args) == 0 && !cmd.Flags().Changed("memory") && !cmd.Flags().Changed("start") {
				memory = string(run.State)
			}
			if opt.Memory = run.Memory(memory); opt.Memory == run.State {
				opt.Start, opt.Wait = run.Cold, c.Flow.Start
				if opt.Moments, err = momentsOf(moments, problem.Rule, len(problem.Theta)); err != nil {
					return err
				}
			} else if moments != "" {
				return errMomentsUnused
			}
			if opt.Start == run.Cold && opt.Memory != run.State && !cmd.Flags().Changed("orders") {
				opt.Orders = []int{1, 2}
			}
			if err := opt.Check(problem); err != nil {
				return misused{err}
			}
			bar := newLateProgress(cmd.ErrOrStderr(), asJSON)
			opt.Progress = func(done, of int, last string) { bar.at(done, of, func() string { return last }) }
			result, err := run.Verify(cmd.Context(), *problem, opt)
			bar.clear()
			if err != nil {
				return err
			}
			title := fmt.Sprintf("%s on %s: distance from iterates to modified equations", c.Optimizer.Name, c.Objective.Name)
			if err := figure.write(report.ConvergenceChart(title, result)); err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), verifyJSON(result, opt.Memory)); err != nil {
					return err
				}
			} else {
				printVerify(cmd.OutOrStdout(), result, opt.Memory)
			}
			return everyOrder(result)
		},
	}
	given = bindSettings(cmd, aClosedForm)
	given.bind("bias-scale", "bias.scale", "s of the intervention theta - lr U - s lr^2 C: -1 cancels the second-order bias, 1 doubles it", readValue)
	flags := cmd.Flags()
	flags.IntSliceVar(&opt.Orders, "orders", []int{1, 2, 3}, "orders of the modified equations")
	flags.StringVar(&lrs, "lr", "0.02,0.01,0.005,0.0025", "step sizes, largest first")
	flags.Float64Var(&opt.Time, "time", 0.2, "span of time, lr times the number of steps; the nearest that is a whole number of steps of each lr is taken, and said")
	flags.StringVar(&start, "start", string(run.Manifold), "manifold or cold")
	flags.StringVar(&memory, "memory", string(run.Eliminated), "full: equations that eliminate the memory; state: those that keep it, as without a config and flags for one")
	flags.StringVar(&moments, "moments", "", momentsUsage)
	figure.bind(cmd, "the errors")
	bindJSON(cmd, &asJSON)
	completeWords(cmd, "memory", string(run.Eliminated), string(run.State))
	force = bindForce(cmd)
	completeWords(cmd, "start", string(run.Manifold), string(run.Cold))
	return cmd
}

func verifyJSON(r *run.Verification, memory run.Memory) any {
	type row struct {
		Order  int       `json:"order"`
		Errors []float64 `json:"errors"`
		Slopes []float64 `json:"slopes"`

		Rounding   float64 `json:"rounding,omitempty"`
		Unmeasured string  `json:"unmeasured,omitempty"`
	}
	rows := []row{}
	for _, o := range r.Orders {
		rows = append(rows, row{o.Order, o.Errors, o.Slopes, o.Rounding, o.Unmeasured})
	}
	out := map[string]any{"memory": memory, "lr": r.LR, "steps": r.Steps, "orders": rows}
	if len(r.Notes) > 0 {
		out["notes"] = r.Notes
	}
	return out
}

func printVerify(w io.Writer, r *run.Verification, memory run.Memory) {
	with := ""
	if memory == run.State {
		with = " with the memory as state"
	}
	fmt.Fprintf(w, "largest distance between iterates and solution%s\n\n%-8s", with, "lr")
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
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	for _, o := range r.Orders {
		verdict, _ := report.OrderVerdict(o, r.Kinks)
		fmt.Fprintln(w, verdict)
	}
}

// everyOrder returns an error that names the orders that the errors speak against, or else those that were not measured.
func everyOrder(r *run.Verification) error {
	var wrong, open []int
	for _, o := range r.Orders {
		switch _, found := report.OrderVerdict(o, r.Kinks); found {
		case report.Against:
			wrong = append(wrong, o.Order)
		case report.Unmeasured:
			open = append(open, o.Order)
		}
	}
	switch {
	case wrong != nil:
		return against{fmt.Errorf("orders that do not show: %v", wrong)}
	case open != nil:
		return fmt.Errorf("orders that were not measured: %v", open)
	}
	return nil
}
