package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/report"
)

func newSpectrum() *cobra.Command {
	var given *settings
	var opt run.SpectrumOptions
	var figure figureFile
	var asJSON bool
	var force *bool
	cmd := &cobra.Command{
		Use:   "spectrum [config.yaml]",
		Short: "Find eigenvalues of the Hessian, its trace, its layers and the density of its spectrum",
		Long: `spectrum finds the largest and the smallest eigenvalues of the Hessian of the loss over all training examples, with residuals within which an
eigenvalue lies of each, and the trace with its standard error: at the weights of a file, or where the config starts. --layers has the same of the
block of each layer, --density the density of all eigenvalues by stochastic Lanczos quadrature, and --precondition that of P^-1/2 H P^-1/2, as the
optimizer multiplies changes of the gradient by P^-1, beside the value above which oscillations of period two grow. P is made of --moments, or else of
a memory full of the gradient there.

Products at one point share what does not depend on the vector, where all examples are evaluated at once: a product multiplies as much as two gradients, and the first as three. A trace takes 32 products and a check
that no eigenvalue is missing 12 or more; with --brief there is neither, and residuals are those of the search.

Up to 2000 parameters all of it is exact, from the whole matrix in float64.`,
		Example: `  shadowflow spectrum --set data.subset=200,model.hidden=[8] --layers
  shadowflow spectrum --set data.subset=200,model.hidden=[8] --density --plot density.svg
  shadowflow spectrum --set data.subset=200,model.hidden=[8] --optimizer rmsprop --precondition --top 20 --bottom 0 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			if err := opt.Check(); err != nil {
				return misused{err}
			}
			if figure.path != "" && !opt.Density {
				return misuse("--plot draws the density: want --density with it")
			}
			if err := figure.check(*force); err != nil {
				return err
			}
			if opt.Vectors != "" {
				if err := mayWrite(*force, opt.Vectors); err != nil {
					return err
				}
			}
			bar := newLateProgress(cmd.ErrOrStderr(), asJSON)
			opt.Progress = func(done, of int, what string) { bar.at(done, of, func() string { return what }) }
			found, err := run.FindSpectrum(cmd.Context(), c, opt)
			bar.clear()
			if err != nil {
				return err
			}
			if figure.path != "" { // and there is a density
				if err := figure.write(report.DensityChart(found)); err != nil {
					return err
				}
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return printJSON(w, found)
			}
			fmt.Fprintln(w, strings.Join(report.SpectrumLines(found), "\n"))
			if opt.Vectors != "" {
				fmt.Fprintf(w, "vectors: %s\n", opt.Vectors)
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	given.bind("weights", "model.weights", "file of the point: safetensors, torch.save's, or a run's checkpoint (default: where the config starts)", readValue)
	given.bind("moments", "optimizer.moments", "file of what the optimizer remembers there: a run's checkpoint, or torch.save(optimizer.state_dict())", readValue)
	flags := cmd.Flags()
	flags.IntVar(&opt.Top, "top", 10, "number of largest eigenvalues")
	flags.IntVar(&opt.Bottom, "bottom", 10, "number of smallest eigenvalues")
	flags.Float64Var(&opt.Tolerance, "tol", 0, "residual that counts as found, over the size of the largest eigenvalue (default 1e-7 in float64, 1e-5 in float32)")
	flags.BoolVar(&opt.Layers, "layers", false, "largest, smallest and trace of the block of each layer")
	flags.BoolVar(&opt.Brief, "brief", false, "the extreme eigenvalues alone, as ARPACK finds them: each to --tol relative to itself, with no trace, and no check that none is missing")
	flags.BoolVar(&opt.Density, "density", false, "density of all eigenvalues")
	flags.BoolVar(&opt.Precondition, "precondition", false, "the same of P^-1/2 H P^-1/2, beside its threshold")
	flags.StringVar(&opt.Vectors, "vectors", "", "safetensors file for the eigenvectors, under each weight's name with a prefix: top.0., bottom.0., ..")
	figure.bind(cmd, "the density")
	bindJSON(cmd, &asJSON)
	force = bindForce(cmd)
	return cmd
}
