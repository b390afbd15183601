package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/plural"
	"shadowflow/schema"
)

// exportFlags are the flags of the command export.
type exportFlags struct {
	format, out string
	json        bool
	force       *bool
}

// tensorBoard is the format that runs of a sweep are exported in.
const tensorBoard = "tensorboard"

func newExport() *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the history of a run, or those of a sweep, in a format that other tools open",
		Long: `Write the history of a run in a format that other tools open. For TensorBoard, scalars are in groups, at the time when they were measured, and
the config is what its tab HPARAMS shows. DIR may be the directory of a sweep then: each run gets a folder in one log directory.`,
		Example: "  shadowflow export runs/2\n  shadowflow export runs/2 --format csv --out table.csv\n  shadowflow export sweeps/betas --format tensorboard",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if formats := record.ExportFormats(); !slices.Contains(formats, f.format) {
				return misuse("--format: unknown format %q; %s", f.format, schema.Suggest(f.format, formats))
			}
			if sweep.IsDir(args[0]) {
				return f.sweep(cmd, args[0])
			}
			path, err := record.ExportPath(args[0], f.format, f.out)
			if err == nil {
				err = mayWrite(*f.force, path)
			}
			if err == nil {
				path, err = f.export(cmd, args[0], f.out)
			}
			if err != nil {
				return err
			}
			return f.print(cmd, path, 1)
		},
	}
	cmd.Flags().StringVar(&f.format, "format", "parquet", "one of "+strings.Join(record.ExportFormats(), ", "))
	completeWords(cmd, "format", record.ExportFormats()...)
	cmd.Flags().StringVar(&f.out, "out", "", "the file, for tensorboard the folder (default: in the directory)")
	bindJSON(cmd, &f.json)
	f.force = bindForce(cmd)
	return cmd
}

// sweep exports the runs of a sweep into one log directory. A run that cannot be read stops none of the others.
func (f *exportFlags) sweep(cmd *cobra.Command, dir string) error {
	if f.format != tensorBoard {
		return misuse("--format %s: %s is of a sweep, whose table is beside its runs (shadowflow sweep table); want %s", f.format, dir, tensorBoard)
	}
	s, _, err := sweep.Open(dir, 0)
	if err != nil {
		return err
	}
	exports := s.Exports(dir, f.out)
	if len(exports) == 0 {
		return fmt.Errorf("%s: no run of the sweep has a history yet", dir)
	}
	for _, e := range exports {
		path, err := record.ExportPath(e.Dir, f.format, e.Out)
		if err == nil {
			err = mayWrite(*f.force, path)
		}
		if err != nil {
			return err
		}
	}
	var wrong []error
	for _, e := range exports {
		if _, err := f.export(cmd, e.Dir, e.Out); err != nil {
			wrong = append(wrong, err)
		}
	}
	if without := len(s.Runs) - len(exports); without > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "no history yet: %d of %s\n", without, plural.Of(len(s.Runs), "run"))
	}
	if done := len(exports) - len(wrong); done > 0 {
		wrong = append(wrong, f.print(cmd, filepath.Dir(exports[0].Out), done))
	}
	return schema.Join(wrong)
}

// export writes one run, and says what of it is not as it should be.
func (f *exportFlags) export(cmd *cobra.Command, dir, out string) (path string, err error) {
	path, notes, err := record.Export(dir, f.format, out)
	for _, note := range notes {
		fmt.Fprintln(cmd.ErrOrStderr(), note)
	}
	return path, err
}

func (f *exportFlags) print(cmd *cobra.Command, path string, runs int) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), map[string]any{"format": f.format, "path": path, "runs": runs})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}
