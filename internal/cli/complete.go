package cli

import "github.com/spf13/cobra"

// complete says what the shell offers for a flag.
func complete(cmd *cobra.Command, flag string, offer func(text string) ([]string, cobra.ShellCompDirective)) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		return offer(text)
	})
	if err != nil {
		panic(err) // a flag of the command, once
	}
}

// completeWords offers words for a flag.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	complete(cmd, flag, func(string) ([]string, cobra.ShellCompDirective) { return words, cobra.ShellCompDirectiveNoFileComp })
}

// completeFiles offers files with an extension for a command's arguments.
func completeFiles(extensions ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

// completeDirs offers directories for a command's arguments.
func completeDirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
