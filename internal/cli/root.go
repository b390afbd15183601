// Package cli is the command line: one file a command, each of which parses, calls and prints.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// New returns the command shadowflow with all its subcommands.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:   "shadowflow",
		Short: "Backward error analysis of optimizers: the differential equations that their iterates follow",
		Long: `shadowflow finds the modified equation of an optimizer: the differential equation whose exact solution
shadows the iterates. What it has beyond the gradient flow is the optimizer's implicit bias.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	for _, cmd := range []*cobra.Command{newRun(), newSweep(), newReproduce(), newMap(), newReport(), newExport(), newData()} {
		root.AddCommand(keepingRecord(cmd))
	}
	root.AddCommand(newProbe(), newSample(), newConfig(), newOptimizers(), newDerive(), newField(), newVerify(), newIterate(), newCheck(), newBench(), newVersion())
	return root
}

// Main runs the command line and returns its exit code: 0 where what was asked was done, 1 after an error, 2 where the command line or a config
// is wrong, 3 where a run diverged or a verdict is against what was asked, and 128 and the signal's number where the context ended, by an
// [Interrupted] or else as by Ctrl-C. Errors are printed.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root, began := New(), false
	notice(root, &began)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := execute(ctx, root, args)
	if err != nil {
		fmt.Fprintf(stderr, "shadowflow: %v\n", err)
	}
	return exitCode(ctx, err, began)
}
