package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/schema"
)

// The exit codes, as the help of the program and docs/commands.md have them. An interrupted command ends with 128 and the number of the signal:
// 130 after Ctrl-C, 143 after SIGTERM.
const (
	exitDone    = 0 // what was asked was done
	exitFailed  = 1
	exitMisused = 2 // a command, flag, key or value that there is not, or that does not fit
	exitAgainst = 3 // it was done, and the run diverged or the verdict is against what was asked
	exitSignal  = 128
)

// Interrupted is the cause of a context that a signal ends.
type Interrupted struct{ Signal os.Signal }

func (e Interrupted) Error() string { return e.Signal.String() }

// misused is an error in how the program is called.
type misused struct{ error }

func (e misused) Unwrap() error { return e.error }

// misuse returns an error in how the program is called.
func misuse(format string, args ...any) error { return misused{fmt.Errorf(format, args...)} }

// against is a finding against what was asked.
type against struct{ error }

func (e against) Unwrap() error { return e.error }

// exitCode returns the code of a command that ended with an error or nil; began says that it came to do anything.
func exitCode(ctx context.Context, err error, began bool) int {
	var (
		misused  misused
		wrong    *schema.Error
		settings schema.Errors
		against  against
		diverged *run.DivergedError
		tooMany  *sweep.TooManyError
		ended    *run.EndedError
	)
	switch {
	case ctx.Err() != nil:
		signal := syscall.SIGINT
		if by := (Interrupted{}); errors.As(context.Cause(ctx), &by) {
			if s, ok := by.Signal.(syscall.Signal); ok {
				signal = s
			}
		}
		return exitSignal + int(signal)
	case err == nil:
		return exitDone
	case !began, errors.As(err, &misused), errors.As(err, &wrong), errors.As(err, &settings), errors.As(err, &tooMany), errors.As(err, &ended):
		return exitMisused
	case errors.As(err, &against), errors.As(err, &diverged):
		return exitAgainst
	}
	return exitFailed
}

// notice makes began true once a command's flags and arguments are accepted.
func notice(root *cobra.Command, began *bool) {
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := noEmptyPaths(cmd, args); err != nil {
			return err
		}
		if err := cmd.ValidateFlagGroups(); err != nil {
			return err
		}
		*began = true
		return nil
	}
}
