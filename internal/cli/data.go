package cli

import (
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"shadowflow/dataset"
	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
	"shadowflow/schema"
)

func newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Fetch data, or say what a config's data holds",
	}
	cmd.AddCommand(newDataFetch(), newDataInfo())
	return cmd
}

func newDataFetch() *cobra.Command {
	var address, dir string
	var quiet, asJSON bool
	cmd := &cobra.Command{
		Use:       "fetch cifar10|cifar100",
		Short:     "Download a data set from its official address and check it",
		ValidArgs: []string{dataset.NameCIFAR10, dataset.NameCIFAR100},
		Args:      cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(cmd.ValidArgs, args[0]) {
				return misuse("no source for %q; %s", args[0], schema.Suggest(args[0], cmd.ValidArgs))
			}
			if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https") {
				return misuse("--url %q: want an http or https address", address)
			}
			var bar *progressbar.ProgressBar
			show := func(done, total int64) {
				if quiet {
					return
				}
				if bar == nil {
					bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(visible.Raw(cmd.ErrOrStderr())),
						progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
				}
				_ = bar.Set64(done) // a bar that cannot be drawn is no reason to stop
			}
			path, err := dataset.Fetch(cmd.Context(), args[0], address, dir, show)
			if bar != nil {
				_ = bar.Clear()
			}
			if cmd.Context().Err() != nil {
				return interrupted(cmd, fmt.Sprintf("shadowflow data fetch %s --dir %s", args[0], dir))
			}
			if err != nil {
				return err
			}
			return printFetched(cmd.OutOrStdout(), args[0], path, asJSON)
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "another address; the checksum stays the official one")
	cmd.Flags().StringVar(&dir, "dir", "data", "folder for the file")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	bindJSON(cmd, &asJSON)
	return cmd
}

// printFetched says where the data of a name is now.
func printFetched(w io.Writer, name, path string, asJSON bool) error {
	if asJSON {
		return printJSON(w, map[string]string{"name": name, "path": path})
	}
	_, err := fmt.Fprintf(w, "%s\nin a config: data: {name: %s, path: %s}\n", path, name, path)
	return err
}

func newDataInfo() *cobra.Command {
	var given *settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "info [config.yaml]",
		Aliases: []string{"show"},
		Short:   "Read a config's data and say what is in it, and what looks like a mistake",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			d, err := dataset.Load(cmd.Context(), c.Data)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), dataJSON(d, c.NotesOn(d)))
			}
			describeData(cmd.OutOrStdout(), d, c.NotesOn(d))
			return nil
		},
	}
	given = bindSettings(cmd)
	bindJSON(cmd, &asJSON)
	return cmd
}

// describeData says what data holds, and what looks like a mistake.
func describeData(w io.Writer, d *dataset.Dataset, notes []string) {
	what := plural.Of(d.Classes, "class")
	if d.Classes == 0 {
		what = fmt.Sprintf("%d to predict", d.Train.Targets.Columns)
	}
	fmt.Fprintf(w, "%s: %s to train on, %s to test, shape %v, %s\n", d.Name, plural.Of(d.Train.N(), "example"), plural.Grouped(d.Test.N()), d.Shape, what)
	if len(d.Shape) == 3 {
		fmt.Fprintf(w, "images of %d by %d pixels, %s\n", d.Shape[0], d.Shape[1], plural.Of(d.Shape[2], "channel"))
	}
	for i, n := range d.Train.ClassCounts(d.Classes) {
		if n == 0 && d.Train.Tokens() {
			continue // of the bytes that there are a text has few
		}
		fmt.Fprintf(w, "  %s: %d\n", visible.Name(d.ClassNames[i]), n)
	}
	for _, t := range targetsOf(d) {
		fmt.Fprintf(w, "  target %s: %.6g to %.6g", visible.Name(t.Name), t.Least, t.Most)
		if t.Mean != nil {
			fmt.Fprintf(w, ", standardized by mean %.6g, deviation %.6g", *t.Mean, *t.Deviation)
		}
		fmt.Fprintln(w)
	}
	describeInputs(w, d)
	for _, note := range notes {
		fmt.Fprintln(w, "look:", note)
	}
	if d.Attribution != "" {
		fmt.Fprintln(w, d.Attribution)
	}
}

// describeInputs says what standardizes them.
func describeInputs(w io.Writer, d *dataset.Dataset) {
	const shown = 64
	switch {
	case d.Mean == nil:
	case len(d.FeatureNames) > 0 && len(d.Mean) <= shown:
		for i, name := range d.FeatureNames {
			fmt.Fprintf(w, "  %s: standardized by mean %.6g, deviation %.6g\n", visible.Name(name), d.Mean[i], d.Std[i])
		}
	case len(d.Mean) <= shown:
		fmt.Fprintf(w, "standardized by mean %.6g, deviation %.6g\n", d.Mean, d.Std)
	default:
		fmt.Fprintf(w, "standardized, each of %s by its own mean and deviation\n", plural.Count(len(d.Mean), "column"))
	}
}
