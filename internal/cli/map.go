package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/reproduce"
	"shadowflow/schema"
)

func newMap() *cobra.Command {
	var (
		o                    reproduce.MapOptions
		beta1, beta2, lr, at string
		eps                  string
		scale, out, named    string
		quiet, asJSON        bool
		flags                sweepFlags
		given                *settings
		force                *bool
	)
	cmd := &cobra.Command{
		Use:   "map [config.yaml]",
		Short: "Map what is observed, what each equation says of it, and where each holds",
		Long: `Map, over beta1, beta2, lr, eps and the size of a batch: the regime of the run (monotone, oscillating, spiking, diverged); what the
bias that is realized does to the norm of the gradient, beside what the equation without memory predicts, at the same steps; and at which lr
each equation predicts the steps. The rules are on the page that it writes. A config, and flags for it, replace settings of the scale.`,
		Example: "  shadowflow map\n  shadowflow map --at 0.9,0.999\n  shadowflow map --beta1 0.9 --beta2 0.9,0.99,0.999 --lr 1e-4,3e-4,1e-3 --eps 1e-8 --batch 0 --seeds 3",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, f := range []struct {
				name, text string
				values     *[]float64
			}{{"beta1", beta1, &o.Beta1}, {"beta2", beta2, &o.Beta2}, {"lr", lr, &o.LR}, {"eps", eps, &o.Eps}} {
				if !cmd.Flags().Changed(f.name) {
					continue
				}
				var err error
				if *f.values, err = floats("--"+f.name, f.text); err != nil {
					return err
				}
				if len(*f.values) == 0 {
					return misuse("--%s: want values, like 0.9,0.99", f.name)
				}
			}
			var point []float64
			if at != "" {
				var err error
				if point, err = floats("--at", at); err != nil {
					return err
				}
				if len(point) != 2 {
					return misuse("--at %s: want beta1,beta2", at)
				}
				if beta1 == "" && beta2 == "" {
					o.Beta1, o.Beta2 = point[:1:1], point[1:]
				}
			}
			if o.Scale = reproduce.Scale(scale); !slices.Contains(reproduce.Scales(), o.Scale) {
				return misuse("--scale %q: want one of %v", scale, reproduce.Scales())
			}
			for _, size := range o.Batch {
				if size < 0 {
					return misuse("--batch %d: want sizes above 0, or 0 for the full batch", size)
				}
			}
			if o.Seeds < 1 || o.Seeds > sweep.MaxSeeds {
				return misuse("--seeds %d: want a number from 1 to %d", o.Seeds, sweep.MaxSeeds)
			}
			style, err := styleOf(named)
			if err != nil {
				return err
			}
			o.Style = style
			document, overrides, err := given.given(args)
			if err != nil {
				return err
			}
			o.Settings = append([][]schema.Setting{document}, overrides...)
			if out == "" {
				out = filepath.Join("reproductions", "map-"+scale)
			}
			if err := errors.Join(record.RefuseTaken(out), mayWrite(*force, report.PagePaths(out)...)); err != nil {
				return err
			}
			if o.Sweep, err = flags.options(); err != nil {
				return err
			}
			if !quiet {
				o.Sweep.Progress = sweepProgress(cmd.ErrOrStderr(), nil)
			}
			m, err := reproduce.RunMap(cmd.Context(), out, o)
			if cmd.Context().Err() != nil {
				return interrupted(cmd, "shadowflow map --out "+out+", with the same flags")
			}
			if err != nil {
				return err
			}
			sentences, err := m.Sentences(point)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), map[string]any{"sentences": sentences, "page": m.Page})
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n\npage: %s\n", strings.Join(sentences, "\n"), m.Page)
			}
			return errors.Join(err, noneFailed(m.Failed, m.Runs))
		},
	}
	given = bindSettings(cmd)
	f := cmd.Flags()
	f.StringVar(&beta1, "beta1", "", "values of beta1, a,b,... (default of the scale)")
	f.StringVar(&beta2, "beta2", "", "values of beta2")
	f.StringVar(&lr, "lr", "", "values of lr")
	f.StringVar(&eps, "eps", "", "values of eps")
	f.IntSliceVar(&o.Batch, "batch", nil, "sizes of mini-batches, 0 for the full batch (default 0,100)")
	f.StringVar(&at, "at", "", "beta1,beta2: print the sentence for this pair; alone, map it only")
	f.IntVar(&o.Seeds, "seeds", 1, "seeds for each combination")
	f.StringVar(&scale, "scale", string(reproduce.Laptop), "laptop, small or paper")
	completeWords(cmd, "scale", scales()...)
	f.StringVar(&out, "out", "", "directory (default reproductions/map-SCALE)")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	flags.bindOptions(f)
	bindJSON(cmd, &asJSON)
	bindStyle(cmd, &named, aside)
	force = bindForce(cmd)
	return cmd
}
