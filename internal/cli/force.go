package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shadowflow/experiment/record"
	"shadowflow/internal/atomicfile"
)

// bindForce gives a command that writes a file the flag to replace one.
func bindForce(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("force", false, "replace what is there already")
}

// mayWrite refuses to replace files, unless it is forced to, and those of a run's record in any case. It is asked before anything is computed, and removes
// what a call that was killed left beside them.
func mayWrite(force bool, paths ...string) error {
	for _, path := range paths {
		_ = atomicfile.Sweep(filepath.Dir(path), time.Minute) // of a folder that is not there, or not ours: who writes there says what is wrong
		if err := record.RefuseRecord(path); err != nil {
			return err
		}
		if _, err := os.Lstat(path); !force && err == nil { // of what cannot be looked at, who writes it says why
			return fmt.Errorf("%s is there already: choose another name, or say --force to replace it", path)
		}
	}
	return nil
}

// pathFlags are the flags that name a file or a directory, of one command or of all.
var pathFlags = []string{"out", "resume", "plot", "vectors", "dir", "url", "weights", "probe moments", "spectrum moments"}

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
