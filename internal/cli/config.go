package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
)

func newConfig() *cobra.Command {
	var set []string
	var resolved, asJSON bool
	cmd := &cobra.Command{
		Use:   "config [config.yaml]",
		Short: "Print every key of a config with its default and meaning, or a config as resolved",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) > 0 || len(set) > 0 || resolved {
				c, err := readConfig(args, set)
				if err != nil {
					return err
				}
				_, err = w.Write(c.YAML())
				return err
			}
			if asJSON {
				return printJSON(w, config.Schema().Describe())
			}
			printKeys(w)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&set, "set", nil, "override a key, and print the config as resolved; may be repeated")
	flags.BoolVar(&resolved, "resolved", false, "print the config as resolved, as runs keep it")
	flags.BoolVar(&asJSON, "json", false, "print the keys as JSON")
	return cmd
}

// printKeys prints the keys, three lines each.
func printKeys(w io.Writer) {
	for _, k := range config.Schema().Describe() {
		fmt.Fprintf(w, "%s: %s\n    %s\n", k.Key, k.Default, k.Doc)
		line := k.Type
		if k.Values != "" {
			line += ": " + k.Values
		}
		if k.For != "" {
			line += "; for " + k.For
		}
		fmt.Fprintf(w, "    %s\n", line)
	}
}
