package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"shadowflow/internal/version"
)

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which program this is: version, commit, Go, system and instruction set",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd.OutOrStdout(), version.Current())
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version.Current())
			return err
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}
