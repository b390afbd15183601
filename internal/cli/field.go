package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

func newField() *cobra.Command {
	var (
		loss      objectiveFlags
		optimizer optimizerFlags
		order     int
		scale     float64
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "field",
		Short: "Print the fields f_0, f_1, ... of a modified equation at a point",
		Long: `Print the fields of the modified equation dtheta/dt = f_0 + lr f_1 + lr^2 f_2 + ... of an optimizer on a loss in closed
form, full batch and memory full, at one point.`,
		Example: "  shadowflow field --objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --order 5",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, theta, err := loss.point()
			if err != nil {
				return err
			}
			r, _, err := optimizer.rule()
			if err != nil {
				return err
			}
			fields, err := modeq.CompileFields(r, fullLoss(o), o.Dim(), order, modeq.FieldOptions{BiasScale: scale})
			if err != nil {
				return err
			}
			values := make([][]float64, order)
			for b := range values {
				values[b] = make([]float64, o.Dim())
			}
			if err := fields.At(theta, values); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), fieldsJSON(values))
			}
			printFields(cmd.OutOrStdout(), values)
			return nil
		},
	}
	loss.bind(cmd)
	optimizer.bind(cmd)
	cmd.Flags().IntVar(&order, "order", 2, fmt.Sprintf("how many fields, from 1 to %d", modeq.MaxOrder))
	cmd.Flags().Float64Var(&scale, "bias-scale", 0, "s of the optimizer that moves by -lr U - s lr^2 C: -1 has no second-order bias")
	cmd.Flags().BoolVar(&asJSON, "json", false, `print {"fields": [[f0...],[f1...],...]}`)
	return cmd
}

// fullLoss is the loss of the full batch as graph code.
func fullLoss(o objective.Objective) rule.Loss {
	return func(b *graph.Builder, theta graph.Value) graph.Value {
		return objective.Loss(o, b, theta, objective.Full)
	}
}

func fieldsJSON(values [][]float64) any {
	rows := make([][]record.Number, len(values))
	for i, v := range values {
		rows[i] = record.Numbers(v)
	}
	return map[string]any{"fields": rows}
}

func printFields(w io.Writer, values [][]float64) {
	for b, f := range values {
		fmt.Fprintf(w, "f%d", b)
		for _, v := range f {
			fmt.Fprintf(w, "  %23.16g", v)
		}
		fmt.Fprintln(w)
	}
}
