package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// bindForce gives a command that writes a file the flag to replace one.
func bindForce(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("force", false, "replace what is there already")
}

// mayWrite refuses to replace files, unless it is forced to. It is asked before anything is computed.
func mayWrite(force bool, paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); !force && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: choose another name, or say --force to replace it", path)
		}
	}
	return nil
}

// pathFlags are the flags that name a file or a directory.
var pathFlags = []string{"out", "resume", "plot", "dir"}

// noEmptyPaths refuses a path that was given and is empty, as a variable that a shell does not know is.
func noEmptyPaths(cmd *cobra.Command) (err error) {
	for _, name := range pathFlags {
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if f.Name == name && f.Value.String() == "" {
				err = misuse("--%s: it is empty; want a path, or leave the flag out", name)
			}
		})
	}
	return err
}
