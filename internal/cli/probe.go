package cli

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
)

func newProbe() *cobra.Command {
	var given *settings
	var weights, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "probe [config.yaml]",
		Short: "Evaluate gradient, Hessian-vector product and bias at one point",
		Long: `probe evaluates a network at one point on the config's training data: at the weights of a safetensors file with the
names of the PyTorch state_dict, or where the config starts. It prints loss, norms and bias; --out gets, under each weight's name
with a prefix, the gradient (grad.), H F (hf., for Adam the gradient of the perturbed one-norm) and h C (bias.), full batch and
memory full.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			p, err := run.Probe(cmd.Context(), c, weights, out)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return printJSON(w, p)
			}
			fmt.Fprintf(w, "loss %.9g", p.Loss)
			if accuracy := float64(p.Accuracy); !math.IsNaN(accuracy) {
				fmt.Fprintf(w, ", accuracy %.4g", accuracy)
			}
			fmt.Fprintf(w, " (%d parameters, %d examples)\n", p.Parameters, p.Examples)
			fmt.Fprintf(w, "gradient: perturbed one-norm %.9g (excess %.9g), one-norm %.9g, two-norm %.9g, largest %.9g\n",
				p.Perturbed, p.Excess, p.One, p.Two, p.Max)
			fmt.Fprintf(w, "bias: size %.4g of the main term; it penalizes %.4g and hinders %.4g of the coordinates (%.4g and %.4g of sum |q|)\n",
				p.Share, p.Penalized, p.Hindered, p.PenalizedWeight, p.HinderedWeight)
			fmt.Fprintf(w, "dN/dt: %.6g by the main term, %.6g by the predicted bias\n", p.MainDrive, p.PredictedDrive)
			if out != "" {
				fmt.Fprintf(w, "vectors: %s\n", out)
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	flags := cmd.Flags()
	flags.StringVar(&weights, "weights", "", "safetensors file of the point (default: where the config starts)")
	flags.StringVar(&out, "out", "", "safetensors file for gradient, H F and h C")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
