package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/schema"
)

func newIterate() *cobra.Command {
	var (
		given  *settings
		orders []int
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "iterate [config.yaml]",
		Short: "Run an optimizer, and its modified equations beside it, and print where they go",
		Long: `Run an optimizer from an empty memory, or that of optimizer.moments, and print its parameters and the loss after every step, the start included.

--flow adds the solutions of the modified equations at the same times: those of orders 1 and 2 exact in the step number, so
that they know how the memory fills, those of higher order with the memory full.`,
		Example: "  shadowflow iterate --objective bilinear --optimizer adam --set lr=0.1,beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --steps 5 --flow 1,2,3",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			problem, err := run.NewProblem[float64](cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closing(problem, &err)
			how := run.Iteration{Steps: c.Steps, Orders: orders}
			if err := how.Check(problem); err != nil {
				return misuse("--flow: %w", err)
			}
			first := imported(cmd, problem)
			paths, err := run.Iterate(cmd.Context(), *problem, how)
			if err != nil {
				return err
			}
			out := iterateOutput{Theta: paths[0].Theta, Loss: paths[0].Loss}
			for _, path := range paths[1:] {
				f := flowOutput{Order: path.Order, Theta: path.Theta}
				if path.Ended != nil { // the others are still worth seeing
					f.Error = path.Ended.Error()
					fmt.Fprintf(cmd.ErrOrStderr(), "shadowflow: --flow: %v\n", path.Ended)
				}
				out.Flow = append(out.Flow, f)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), out)
			}
			printIterates(cmd.OutOrStdout(), out, c.Optimizer, first, problem.StepSize)
			return nil
		},
	}
	given = bindSettings(cmd, aClosedForm, schema.Set("steps", 10))
	given.bind("steps", "steps", "number of steps (default 10 without a config)", readValue)
	flags := cmd.Flags()
	flags.IntSliceVar(&orders, "flow", nil, "orders of modified equations to solve beside it")
	bindJSON(cmd, &asJSON)
	return cmd
}

// iterateOutput is one row a step, the start first.
type iterateOutput struct {
	Theta [][]float64  `json:"theta"`
	Loss  []float64    `json:"loss"`
	Flow  []flowOutput `json:"flow,omitempty"`
}

type flowOutput struct {
	Order int         `json:"order"`
	Theta [][]float64 `json:"theta"`           // as far as the equation could be solved
	Error string      `json:"error,omitempty"` // why not to the end
}

// shown is how many coordinates a table shows.
const shown = 4

// printIterates prints a table from step first on, whose t is the sum of the sizes of the steps.
func printIterates(w io.Writer, out iterateOutput, o config.Optimizer, first int, size func(n int) float64) {
	dim := min(len(out.Theta[0]), shown)
	fmt.Fprintf(w, "%v\n\n%6s %10s %14s", o, "step", "t", "loss")
	fmt.Fprintf(w, "  %*s", 13*dim, "theta")
	for _, f := range out.Flow {
		fmt.Fprintf(w, "  %*s", 13*dim, fmt.Sprintf("order %d", f.Order))
	}
	fmt.Fprintln(w)
	t := 0.0
	for n, theta := range out.Theta {
		fmt.Fprintf(w, "%6d %10.4g %14.6g  ", first+n, t, out.Loss[n])
		t += size(first + n)
		printCoordinates(w, theta[:dim])
		for _, f := range out.Flow {
			fmt.Fprint(w, "  ")
			if n < len(f.Theta) {
				printCoordinates(w, f.Theta[n][:dim])
				continue
			}
			fmt.Fprintf(w, "%*s", 13*dim, "-")
		}
		fmt.Fprintln(w)
	}
	printHidden(w, len(out.Theta[0])-dim)
}

// printHidden says that a table does not show every coordinate.
func printHidden(w io.Writer, rest int) {
	if rest > 0 {
		fmt.Fprintf(w, "\n(%d more %s; --json prints all)\n", rest, plural.Noun(rest, "coordinate"))
	}
}

func printCoordinates(w io.Writer, v []float64) {
	for _, x := range v {
		fmt.Fprintf(w, "%13.8g", x)
	}
}
