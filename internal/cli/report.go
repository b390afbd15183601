package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/report"
)

func newReport() *cobra.Command {
	var asJSON bool
	var force *bool
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Draw the figures of a run and say what it found, also of one that goes on",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: completeDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := report.Read(args[0])
			if err == nil {
				err = mayWrite(*force, report.RunPagePath(args[0]))
			}
			if err != nil {
				return err
			}
			page, err := r.Write(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"dir": args[0], "sentences": r.Sentences(), "page": page})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nfigures: %s\n", strings.Join(r.Sentences(), "\n"), page)
			return nil
		},
	}
	bindJSON(cmd, &asJSON)
	force = bindForce(cmd)
	return cmd
}
