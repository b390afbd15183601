package cli

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"shadowflow/dataset"
)

func newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Fetch data, or say what a config's data holds",
	}
	cmd.AddCommand(newDataFetch(), newDataShow())
	return cmd
}

func newDataFetch() *cobra.Command {
	var address, dir string
	var quiet bool
	cmd := &cobra.Command{
		Use:       "fetch cifar10|cifar100",
		Short:     "Download a data set from its official address and check it",
		ValidArgs: []string{dataset.NameCIFAR10, dataset.NameCIFAR100},
		Args:      cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var bar *progressbar.ProgressBar
			show := func(done, total int64) {
				if quiet {
					return
				}
				if bar == nil {
					bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(cmd.ErrOrStderr()),
						progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
				}
				_ = bar.Set64(done) // a bar that cannot be drawn is no reason to stop
			}
			path, err := dataset.Fetch(cmd.Context(), args[0], address, dir, show)
			if bar != nil {
				_ = bar.Clear()
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\nin a config: data: {name: %s, path: %s}\n", path, args[0], path)
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "another address; the checksum stays the official one")
	cmd.Flags().StringVar(&dir, "dir", "data", "folder for the file")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	return cmd
}

func newDataShow() *cobra.Command {
	var given *settings
	cmd := &cobra.Command{
		Use:   "show [config.yaml]",
		Short: "Read a config's data and say what is in it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			d, err := dataset.Load(cmd.Context(), c.Data)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s: %d examples to train on, %d to test, shape %v, %d classes\n", d.Name, d.Train.N(), d.Test.N(), d.Shape, d.Classes)
			for i, n := range d.Train.ClassCounts(d.Classes) {
				if n == 0 && d.Train.Tokens() {
					continue
				}
				name := fmt.Sprint(i)
				if i < len(d.ClassNames) {
					name = d.ClassNames[i]
				}
				fmt.Fprintf(w, "  %s: %d\n", name, n)
			}
			if d.Mean != nil {
				fmt.Fprintf(w, "standardized by mean %.6g, deviation %.6g\n", d.Mean, d.Std)
			}
			if d.Attribution != "" {
				fmt.Fprintln(w, d.Attribution)
			}
			return nil
		},
	}
	given = bindSettings(cmd)
	return cmd
}
