package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shadowflow/internal/patience"
)

// grace is how long a command that keeps no record may take to end once it is told to: whatever it is in the midst of is for nobody then.
const grace = 500 * time.Millisecond

// keepsRecord marks commands that are waited for however long they take to write what they have. It names the flag that makes them write, if
// they do not without.
const keepsRecord = "keeps a record"

// keepingRecord returns a command so marked, with its subcommands.
func keepingRecord(cmd *cobra.Command) *cobra.Command {
	for _, sub := range cmd.Commands() {
		keepingRecord(sub)
	}
	return keepingWhere("", cmd)
}

// keepingWhere returns a command that keeps a record where it is given a flag.
func keepingWhere(flag string, cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{keepsRecord: flag}
	return cmd
}

// keeps reports whether a command keeps a record with these arguments, which are not parsed yet.
func keeps(cmd *cobra.Command, args []string) bool {
	flag, marked := cmd.Annotations[keepsRecord]
	return marked && (flag == "" || slices.ContainsFunc(args, func(a string) bool { return a == flag || strings.HasPrefix(a, flag+"=") }))
}

// execute carries a command out until it is done, or for a while longer than its context.
func execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SetArgs(args)
	cmd, _, err := root.Find(args)
	if err != nil {
		return root.ExecuteContext(ctx) // which says what is wrong
	}
	if keeps(cmd, args) {
		return root.ExecuteContext(ctx)
	}
	waited, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { end(fmt.Errorf("broken off: %w", context.Cause(ctx))) })
	})
	defer stop()
	_, err = patience.Wait(waited, func() (any, error) { return nil, root.ExecuteContext(ctx) })
	return err
}
