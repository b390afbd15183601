package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/record"
)

func newExport() *cobra.Command {
	var format, out string
	var force *bool
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the history of a run in a format that other tools open",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: completeDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := record.ExportPath(args[0], format, out)
			if err == nil {
				err = mayWrite(*force, path)
			}
			if err == nil {
				path, err = record.Export(args[0], format, out)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "parquet", "one of "+strings.Join(record.ExportFormats(), ", "))
	completeWords(cmd, "format", record.ExportFormats()...)
	cmd.Flags().StringVar(&out, "out", "", "the file, for tensorboard the folder (default: in the run directory)")
	force = bindForce(cmd)
	return cmd
}
