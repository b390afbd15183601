package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/modeq"
	"shadowflow/modeq/state"
	"shadowflow/objective"
	"shadowflow/rule"
)

func newField() *cobra.Command {
	var (
		given      *settings
		order      int
		memory     string
		momentText string
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "field [config.yaml]",
		Short: "Print the fields f_0, f_1, ... of a modified equation at a point",
		Long: `Print the fields of the modified equation dtheta/dt = f_0 + lr f_1 + lr^2 f_2 + ... of an optimizer on a loss in
closed form, full batch and memory full, at one point.

--memory state prints those of dz/dt for z = (theta, what the optimizer remembers), theta first and then the arrays in the rule's order.
They hold for any memory: --moments, optimizer.moments of a file, or what flow.start steps leave that see the gradient at theta. Bias correction is that of
step flow.start, with --moments too. A decay beta stands for exp(-lr/tau); an array whose decay is 0 is no memory, its field is 0 and nothing depends on it.

Where the step has no series in whole powers of lr, because of the root of a v that is 0 for one, the fields from some order on do not exist: an error says which, and why.`,
		Example: "  shadowflow field --objective bilinear --optimizer adam --set beta1=0.3,beta2=0.5,eps=1 --theta 1.6,1.1 --order 5",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			p, err := run.NewProblem[float64](cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closing(p, &err)
			imported(cmd, p)
			loss, ok := p.Objective.(objective.GraphLoss)
			if !ok {
				return misuse("objective %s: its fields need derivatives of any order, which it does not have", c.Objective.Name)
			}
			most := modeq.MaxOrder
			if memory == string(run.State) {
				most = state.MaxOrder
			}
			if order < 1 || order > most {
				return misuse("--order %d: want an order from 1 to %d with --memory %s", order, most, memory)
			}
			if memory == string(run.State) {
				moments, err := momentsOf(momentText, p.Rule, len(p.Theta))
				if err != nil {
					return err
				}
				values, err := run.StateFields(cmd.Context(), p, order, moments, c.Flow.Start)
				if err != nil {
					return err
				}
				err = printFieldsAs(cmd.OutOrStdout(), append([]string{"theta"}, p.Rule.State...), values, asJSON)
				if without := withoutMemory(p.Rule); err == nil && !asJSON && len(without) > 0 {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "\n(%s: of decay 0, and so no memory. The field printed there is 0, and no other depends on the value.)\n", strings.Join(without, ", "))
				}
				return err
			}
			if memory != string(run.Eliminated) {
				return misuse("--memory %s: want %s or %s", memory, run.Eliminated, run.State)
			}
			if momentText != "" {
				return errMomentsUnused
			}
			if p.Moments != nil {
				return errImportedUnused
			}
			if err := run.CheckPoint(cmd.Context(), p); err != nil {
				return err
			}
			dim := p.Objective.Dim()
			scale, err := p.ExpansionScale()
			if err != nil {
				return err
			}
			fields, err := modeq.CompileFields(p.Rule, loss, dim, order, modeq.FieldOptions{BiasScale: scale, Threads: p.Threads})
			if err != nil {
				return err
			}
			values := make([][]float64, order)
			for b := range values {
				values[b] = make([]float64, dim)
			}
			if err := fields.At(cmd.Context(), p.Theta, values); err != nil {
				return err
			}
			switch missing, err := fields.Missing(cmd.Context(), p.Theta); {
			case err != nil:
				return err
			case missing != nil:
				return missing
			}
			if err := run.CheckFields(values); err != nil {
				return err
			}
			return printFieldsAs(cmd.OutOrStdout(), []string{"theta"}, values, asJSON)
		},
	}
	given = bindSettings(cmd, aClosedForm)
	given.bind("bias-scale", "bias.scale", "s of the optimizer that moves by -lr U - s lr^2 C: -1 has no second-order bias", readValue)
	cmd.Flags().IntVar(&order, "order", 2, fmt.Sprintf("how many fields, from 1 to %d, with --memory state to %d", modeq.MaxOrder, state.MaxOrder))
	cmd.Flags().StringVar(&memory, "memory", string(run.Eliminated), "full: the equation that eliminates the memory; state: the one that keeps it")
	cmd.Flags().StringVar(&momentText, "moments", "", momentsUsage)
	completeWords(cmd, "memory", string(run.Eliminated), string(run.State))
	bindJSON(cmd, &asJSON)
	return cmd
}

// withoutMemory returns the arrays of a rule's state of which the next step takes nothing, because their decay is 0.
func withoutMemory(r *rule.Rule) []string {
	m, err := r.MemoryForm()
	if err != nil {
		return nil
	}
	var out []string
	for _, mo := range m.Moments {
		if mo.Kernel.Next == 0 && slices.Contains(r.State, mo.State) && !slices.Contains(out, mo.State) {
			out = append(out, mo.State)
		}
	}
	return out
}

// printFieldsAs prints fields, the vectors of which consist of parts of one size.
func printFieldsAs(w io.Writer, parts []string, values [][]float64, asJSON bool) error {
	if asJSON {
		return printJSON(w, map[string]any{"fields": values})
	}
	printFields(w, parts, values)
	return nil
}

func printFields(w io.Writer, parts []string, values [][]float64) {
	size := len(values[0]) / len(parts)
	of := min(size, max(1, shown/len(parts))) // coordinates of each part
	fmt.Fprint(w, "  ")
	for _, part := range parts {
		for j := range of {
			fmt.Fprintf(w, "  %23s", fmt.Sprintf("%s[%d]", part, j))
		}
	}
	fmt.Fprintln(w)
	for b, f := range values {
		fmt.Fprintf(w, "f%d", b)
		for i := range parts {
			for _, v := range f[i*size:][:of] {
				fmt.Fprintf(w, "  %23.16g", v)
			}
		}
		fmt.Fprintln(w)
	}
	printHidden(w, len(values[0])-of*len(parts))
}
