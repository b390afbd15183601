package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/modeq"
	"shadowflow/objective"
)

func newField() *cobra.Command {
	var (
		given  *settings
		order  int
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "field [config.yaml]",
		Short: "Print the fields f_0, f_1, ... of a modified equation at a point",
		Long: `Print the fields of the modified equation dtheta/dt = f_0 + lr f_1 + lr^2 f_2 + ... of an optimizer on a loss in
closed form, full batch and memory full, at one point.`,
		Example: "  shadowflow field --objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --order 5",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			p, err := run.NewProblem[float64](cmd.Context(), c)
			if err != nil {
				return err
			}
			loss, ok := p.Objective.(objective.GraphLoss)
			if !ok {
				return fmt.Errorf("objective %s: its fields need derivatives of any order, which it does not have", c.Objective.Name)
			}
			dim := p.Objective.Dim()
			fields, err := modeq.CompileFields(p.Rule, loss, dim, order, modeq.FieldOptions{BiasScale: p.BiasScale, Threads: p.Threads})
			if err != nil {
				return err
			}
			values := make([][]float64, order)
			for b := range values {
				values[b] = make([]float64, dim)
			}
			if err := fields.At(p.Theta, values); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), fieldsJSON(values))
			}
			printFields(cmd.OutOrStdout(), values)
			return nil
		},
	}
	given = bindSettings(cmd, aClosedForm)
	given.bind("bias-scale", "bias.scale", "s of the optimizer that moves by -lr U - s lr^2 C: -1 has no second-order bias", readValue)
	cmd.Flags().IntVar(&order, "order", 2, fmt.Sprintf("how many fields, from 1 to %d", modeq.MaxOrder))
	cmd.Flags().BoolVar(&asJSON, "json", false, `print {"fields": [[f0...],[f1...],...]}`)
	return cmd
}

func fieldsJSON(values [][]float64) any {
	rows := make([][]record.Number, len(values))
	for i, v := range values {
		rows[i] = record.Numbers(v)
	}
	return map[string]any{"fields": rows}
}

func printFields(w io.Writer, values [][]float64) {
	dim := min(len(values[0]), shown)
	for b, f := range values {
		fmt.Fprintf(w, "f%d", b)
		for _, v := range f[:dim] {
			fmt.Fprintf(w, "  %23.16g", v)
		}
		fmt.Fprintln(w)
	}
	printHidden(w, len(values[0])-dim)
}
