package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/report"
)

func newProbe() *cobra.Command {
	var given *settings
	var out string
	var asJSON bool
	var force *bool
	cmd := &cobra.Command{
		Use:   "probe [config.yaml]",
		Short: "Evaluate gradient, Hessian-vector product and predicted bias at one point",
		Long: `probe evaluates a network at one point on the config's training data: at the weights of a file with the names of the PyTorch
state_dict, or where the config starts. It prints loss, norms and the bias that the second-order equation predicts there; with --moments, what the
optimizer remembers there, the realized bias of the step that it takes next, too, and whether that step bears the prediction out. --out gets, under each weight's name
with a prefix, the gradient (grad.), H F (hf., for Adam the gradient of the perturbed one-norm) and h C (bias.), full batch and memory full,
and the realized bias (realized.) with --moments.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			if out != "" {
				if err := mayWrite(*force, out); err != nil {
					return err
				}
			}
			p, err := run.Probe(cmd.Context(), c, out)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return printJSON(w, p)
			}
			fmt.Fprintln(w, strings.Join(report.Probed(p), "\n"))
			if out != "" {
				fmt.Fprintf(w, "vectors: %s\n", out)
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	given.bind("weights", "model.weights", "file of the point: safetensors, torch.save's, or a run's checkpoint (default: where the config starts)", readValue)
	given.bind("moments", "optimizer.moments", "file of what the optimizer remembers there: a run's checkpoint, or torch.save(optimizer.state_dict())", readValue)
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "safetensors file for gradient, H F and h C")
	bindJSON(cmd, &asJSON)
	force = bindForce(cmd)
	return cmd
}
