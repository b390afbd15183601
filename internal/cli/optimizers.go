package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"shadowflow/rule"
	"shadowflow/schema"
)

func newOptimizers() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "optimizers [OPTIMIZER]",
		Short: "List the built-in optimizers, or print the definition of one",
		Long: `List the built-in optimizers; or print the definition of one, a file with its hyperparameters and the formulas of its state and
update, to start one's own from. Every command takes such a file for an optimizer, and this one checks it.`,
		Example: `  shadowflow optimizers adam > mine.yaml
  shadowflow derive mine.yaml`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: rule.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) == 1 {
				d, src, err := findOptimizer(args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(w, []optimizerOutput{outputOf(d)})
				}
				_, err = w.Write(src)
				return err
			}
			all := []optimizerOutput{}
			for _, name := range rule.Names() {
				d, err := rule.Find(name)
				if err != nil {
					return err
				}
				all = append(all, outputOf(d))
			}
			if asJSON {
				return printJSON(w, all)
			}
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			for _, o := range all {
				fmt.Fprintf(table, "%s\t%s\n", o.Name, o.Title)
			}
			return table.Flush()
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}

// findOptimizer returns the definition, and its text, of a built-in optimizer or in a file.
func findOptimizer(name string) (*rule.Definition, []byte, error) {
	if !rule.IsFile(name) {
		d, err := rule.Find(name)
		if err != nil {
			return nil, nil, misused{err}
		}
		src, err := rule.Source(name)
		return d, src, err
	}
	src, err := schema.Source(name)
	if err != nil {
		return nil, nil, err
	}
	d, err := rule.ParseDefinition(name, src)
	return d, src, err
}

// optimizerOutput is a definition for JSON.
type optimizerOutput struct {
	Name   string        `json:"name"`
	Title  string        `json:"title"`
	Paper  string        `json:"paper"`
	Note   string        `json:"note,omitempty"`
	Keys   []keyOutput   `json:"keys"`
	State  []entryOutput `json:"state"`
	Update string        `json:"update"`
}

type keyOutput struct {
	Name    string `json:"name"`
	Default any    `json:"default"`
	Range   string `json:"range,omitempty"`
	Doc     string `json:"doc"`
}

type entryOutput struct {
	Name    string `json:"name"`
	Formula string `json:"formula"`
}

func outputOf(d *rule.Definition) optimizerOutput {
	o := optimizerOutput{Name: d.Name, Title: d.Title, Paper: d.Paper, Note: d.Note, State: []entryOutput{}, Update: d.Update.String()}
	for _, k := range d.Keys() {
		key := keyOutput{Name: k.Name, Default: k.Default, Doc: k.Doc}
		if k.Range != nil {
			key.Range = k.Range.Notation()
		}
		o.Keys = append(o.Keys, key)
	}
	for _, e := range d.State {
		o.State = append(o.State, entryOutput{e.Name, e.Formula.String()})
	}
	return o
}
