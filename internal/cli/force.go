package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"shadowflow/experiment/record"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// bindForce gives a command that writes a file the flag to replace one.
func bindForce(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("force", false, "replace what is there already")
}

// mayWrite refuses to replace files, unless it is forced to, and those of a run's record in any case. It is asked before anything is computed.
func mayWrite(force bool, paths ...string) error {
	for _, path := range paths {
		if err := record.RefuseRecord(path); err != nil {
			return err
		}
		if _, err := os.Lstat(path); !force && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: choose another name, or say --force to replace it", path)
		}
	}
	return nil
}

// pathFlags are the flags that name a file or a directory, of one command or of all.
var pathFlags = []string{"out", "resume", "plot", "dir", "url", "weights", "probe moments"}

// noEmptyPaths refuses a path, or another argument, that was given and is empty, as a variable that a shell does not know is.
func noEmptyPaths(cmd *cobra.Command, args []string) (err error) {
	completes := cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd // whose last argument may still be
	if slices.Contains(args, "") && !completes {
		return misuse("an argument is empty; want a path or a name, or leave it out")
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isPath := slices.Contains(pathFlags, f.Name) || slices.Contains(pathFlags, cmd.Name()+" "+f.Name)
		if isPath && f.Value.String() == "" {
			err = misuse("--%s: it is empty; want a path, or leave the flag out", f.Name)
		}
	})
	return err
}
