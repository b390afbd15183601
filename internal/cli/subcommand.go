package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"shadowflow/schema"
)

// strict makes a command that only has subcommands, and help, refuse what is none. Cobra prints a help text and calls it done.
func strict(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
	switch {
	case cmd.Name() == "help":
		cmd.Run, cmd.RunE = nil, helpFor
	case !cmd.Runnable():
		cmd.RunE = wantSubcommand
	}
}

// helpFor prints the help of the command that the arguments name.
func helpFor(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	switch {
	case err != nil:
		return misused{err}
	case len(rest) > 0:
		return unknownSubcommand(found, rest[0])
	}
	found.InitDefaultHelpFlag()
	return found.Help()
}

// wantSubcommand is what a command does that only has subcommands.
func wantSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownSubcommand(cmd, args[0])
	}
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return misuse("want a command")
}

func unknownSubcommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if names == nil {
		return misuse("%s has no command %q", cmd.CommandPath(), name)
	}
	slices.Sort(names)
	return misuse("%s: unknown command %q; %s", cmd.CommandPath(), name, schema.Suggest(name, names))
}
