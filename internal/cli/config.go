package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

func newConfig() *cobra.Command {
	var (
		given            *settings
		resolved, asJSON bool
		format           string
	)
	cmd := &cobra.Command{
		Use:   "config [config.yaml]",
		Short: "Print every key of a config with its default and meaning, or a config as resolved",
		Long: `Print the keys of a config: as text, as a table in Markdown, as JSON, or as a JSON Schema, from which editors complete and check
configs. With a config, flags for it, or --resolved, print the config as resolved, as runs keep it. --format yaml prints a config with the
meaning of each key above it, to start one's own from.`,
		Example: `  shadowflow config --optimizer lion --format yaml > mine.yaml
  shadowflow config --format json-schema > shadowflow.schema.json
  # first line of a config, for editors: # yaml-language-server: $schema=shadowflow.schema.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := given.config(args)
			if err != nil {
				return err
			}
			if asJSON {
				format = "json"
			}
			w, s := cmd.OutOrStdout(), c.Schema()
			of := len(args) > 0 || given.any() || resolved
			switch {
			case format == "json-schema":
				return printIndented(w, c.JSONSchema("a config of shadowflow"))
			case format == "markdown":
				if _, err := io.WriteString(w, markdownHead); err != nil {
					return err
				}
				return s.Markdown(w)
			case format == "yaml":
				_, err = w.Write(s.YAML(schema.Load(*c), func(k *schema.Key) string { return k.Doc }))
			case format == "json" && of:
				return printIndented(w, s.Tree(schema.Load(*c)))
			case format == "json":
				return printJSON(w, s.Describe())
			case format != "text":
				return misuse("--format %q: %s", format, schema.Suggest(format, configFormats))
			case of:
				_, err = w.Write(c.YAML())
			default:
				printKeys(w)
			}
			return err
		},
	}
	given = bindSettings(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&resolved, "resolved", false, "print the config as resolved, as runs keep it")
	flags.StringVar(&format, "format", "text", "text, yaml, json, json-schema or markdown")
	flags.BoolVar(&asJSON, "json", false, "short for --format json")
	cmd.MarkFlagsMutuallyExclusive("json", "format")
	completeWords(cmd, "format", configFormats...)
	return cmd
}

const markdownHead = `# The keys of a config

What ` + "`shadowflow config --format markdown`" + ` prints. Every command takes the same keys: in a file, a section's keys below its name; behind ` +
	"`--set`" + ` as
` + "`section.key=value`" + `, or without the section where no other has a key of that name. A key that has no meaning beside the others is refused.

Editors complete and check a config whose first line is ` + "`# yaml-language-server: $schema=shadowflow.schema.json`" + `, with the file that
` + "`shadowflow config --format json-schema`" + ` prints beside it.
`

var configFormats = []string{"text", "yaml", "json", "json-schema", "markdown"}

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
