package cli

import (
	"github.com/spf13/cobra"

	"shadowflow/report"
)

// bindStyle gives a command that draws figures the flag that says for what.
func bindStyle(cmd *cobra.Command, named *string, paper string) {
	cmd.Flags().StringVar(named, "style", "page", "page, or paper: "+paper)
}

// aside says what --style paper does where figures have names of their own.
const aside = "each figure also as PDF and SVG for a column of a paper, 8 points, without a title; their names end in -paper"

func styleOf(named string) (report.Style, error) {
	style, ok := report.Styles[named]
	if !ok {
		return 0, misuse("--style %q: want page or paper", named)
	}
	return style, nil
}

// A figureFile is the file that --plot names for a figure, "" for none. What it draws stands beside it as CSV.
type figureFile struct {
	path, named string
	style       report.Style
}

func (f *figureFile) bind(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&f.path, "plot", "", "draw "+what+" into this file (.png, .svg or .pdf), and what is drawn into FILE.csv")
	bindStyle(cmd, &f.named, "for a column of a paper, 8 points, without a title")
}

// check is asked before anything is computed.
func (f *figureFile) check(force bool) (err error) {
	if f.style, err = styleOf(f.named); err != nil || f.path == "" {
		return err
	}
	if err := report.CanSave(f.path); err != nil {
		return misuse("--plot %w", err)
	}
	return mayWrite(force, f.path, report.DataPath(f.path))
}

func (f *figureFile) write(d report.Drawing) error {
	if f.path == "" {
		return nil
	}
	if err := report.SaveWithData(d, f.path, f.style); err != nil {
		return misuse("--plot %w", err)
	}
	return nil
}
