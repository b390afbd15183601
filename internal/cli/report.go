package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/atomicfile"
	"shadowflow/report"
)

func newReport() *cobra.Command {
	var (
		asJSON bool
		out    string
		force  *bool
		named  string
	)
	cmd := &cobra.Command{
		Use:   "report DIR...",
		Short: "Draw the figures of a run, or of a sweep, and say what it found, also of one that goes on; of several runs compare them",
		Long: `Draw the figures of a run and say what it found, also of one that goes on. The page and its figures are written into the run's directory.
Of the directory of a sweep it writes the page that sweep writes, of the runs as they are, and makes none.

Of several runs it writes one page that needs nothing beside itself: what they differ in, and the same figures of all (--out); with --style paper its figures, too, into a folder
beside it, NAME-figures for NAME.html.`,
		Example: "  shadowflow report runs/2\n  shadowflow report runs/2 --style paper --force\n  shadowflow report runs/1 runs/2 --out comparison.html\n  shadowflow report sweeps/betas --force",
		Args:    cobra.MinimumNArgs(1),

		ValidArgsFunction: completeDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			style, err := styleOf(named)
			if err != nil {
				return err
			}
			if len(args) == 1 && sweep.IsDir(args[0]) {
				if cmd.Flags().Changed("out") {
					return misuse("--out is for several runs: the page of a sweep is in its directory, %s", report.PagePaths(args[0])[0])
				}
				return reportSweep(cmd, args[0], style, *force, asJSON)
			}
			runs := make([]*report.Report, len(args))
			for i, dir := range args {
				var err error
				if runs[i], err = report.Read(dir); err != nil {
					return err
				}
			}
			if len(runs) > 1 {
				return compare(cmd, runs, out, style, *force, asJSON)
			}
			if cmd.Flags().Changed("out") {
				return misuse("--out is for several runs: the page of one is in its directory, %s", report.RunPagePath(args[0]))
			}
			if err := mayWrite(*force, report.RunPagePath(args[0])); err != nil {
				return err
			}
			page, err := runs[0].Write(cmd.Context(), style)
			if err != nil {
				return err
			}
			return printReport(cmd, asJSON, map[string]any{"dir": args[0], "sentences": runs[0].Sentences(), "page": page},
				fmt.Sprintf("%s\n\nfigures: %s", strings.Join(runs[0].Sentences(), "\n"), page))
		},
	}
	cmd.Flags().StringVar(&out, "out", "comparison.html", "file for the page of several runs")
	bindStyle(cmd, &named, aside)
	bindJSON(cmd, &asJSON)
	force = bindForce(cmd)
	return cmd
}

// reportSweep writes the page of a sweep.
func reportSweep(cmd *cobra.Command, dir string, style report.Style, force, asJSON bool) error {
	if err := mayWrite(force, report.PagePaths(dir)[0]); err != nil {
		return err
	}
	s, _, err := sweep.Open(dir, 0)
	if err != nil {
		return err
	}
	d, err := report.SweepPage(cmd.Context(), s, dir)
	if err != nil {
		return err
	}
	d.Style = style
	page, err := d.Write(cmd.Context(), dir)
	if err != nil {
		return err
	}
	sentences := append([]string{}, d.Findings...)
	return printReport(cmd, asJSON, map[string]any{"dir": dir, "sentences": sentences, "page": page}, strings.Join(append(sentences, "figures: "+page), "\n"))
}

// compare writes the page of several runs, and for a paper their figures into a folder beside it.
func compare(cmd *cobra.Command, runs []*report.Report, out string, style report.Style, force, asJSON bool) error {
	paths, folder := []string{out}, strings.TrimSuffix(out, filepath.Ext(out))+"-"+report.FiguresDir
	if style == report.PaperStyle {
		paths = append(paths, folder)
	}
	if err := mayWrite(force, paths...); err != nil {
		return err
	}
	dirs := make([]string, len(runs))
	for i, r := range runs {
		dirs[i] = r.Dir
	}
	d := report.Comparison(runs, report.Names(dirs))
	value, where := map[string]any{"dirs": dirs, "page": out}, out
	if d.Style = style; style == report.PaperStyle {
		var err error
		if d, err = d.WriteFigures(cmd.Context(), folder); err != nil {
			return err
		}
		value["figures"], where = folder, out+", "+folder
	}
	page, err := d.Page()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(out, page); err != nil {
		return err
	}
	value["sentences"] = d.Findings
	return printReport(cmd, asJSON, value, strings.Join(d.Findings, "\n")+"\n\nfigures: "+where)
}

func printReport(cmd *cobra.Command, asJSON bool, value map[string]any, text string) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), value)
	}
	fmt.Fprintln(cmd.OutOrStdout(), text)
	return nil
}
