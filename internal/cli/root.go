// Package cli is the command line: one file a command, each of which parses, calls and prints.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shadowflow/internal/visible"
)

// New returns the command shadowflow with all its subcommands, which print to out and err.
func New(out, err io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "shadowflow",
		Short: "Backward error analysis of optimizers: the differential equations that their iterates follow",
		Long: `shadowflow finds the modified equation of an optimizer: the differential equation whose exact solution
shadows the iterates. What it has beyond the gradient flow is the optimizer's implicit bias.

It exits with 0 where what was asked was done, 1 where it failed, 2 where it was called wrongly, 3 where it was done and a run diverged or
the verdict is against what was asked, and with 128 and the signal's number where a signal ended it (130 after Ctrl-C). Results are on
standard output, all else on standard error; with --json the former is one value of JSON, or empty where there is no result.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	for _, cmd := range []*cobra.Command{newRun(), newSweep(), newReproduce(), newMap(), newReport(), newExport(), newData()} {
		root.AddCommand(keepingRecord(cmd))
	}
	root.AddCommand(keepingWhere("--out", newProbe()), keepingWhere("--plot", newVerify()), keepingWhere("--vectors", newSpectrum()), keepingWhere("--json", newBench()))
	root.AddCommand(newSample(), newConfig(), newOptimizers(), newDerive(), newField(), newIterate(), newCheck(), newServe(), newModel(), newVersion())
	root.SetOut(out)
	root.SetErr(err)
	root.InitDefaultCompletionCmd() // which keeps where to print to
	root.InitDefaultHelpCmd()
	strict(root)
	return root
}

// Main runs the command line and returns its exit code: 0 where what was asked was done, 1 after an error, 2 where the command line or a config
// is wrong, 3 where a run diverged or a verdict is against what was asked, and 128 and the signal's number where the context ended, by an
// [Interrupted] or else as by Ctrl-C. Errors are printed. What is printed steers no terminal, whatever names it has of files, classes or weights.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// Visible outside: what it holds back until a character is whole is text as well.
	kept := &output{w: stdout}
	out := visible.Writer(kept)
	stderr = visible.Writer(stderr)
	defer func() { _ = visible.Flush(stderr) }()
	root, began := New(out, stderr), false
	notice(root, &began)
	err := execute(ctx, root, args)
	if err == nil { // else it may still print
		_ = visible.Flush(out) // kept has the error
		if kept.err != nil {
			began, err = true, fmt.Errorf("standard output: %w", kept.err)
		}
	}
	if ended := context.Cause(ctx); ended != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ended)) {
		err = ended // what was in the midst of what is of no interest
	}
	if err != nil {
		fmt.Fprintf(stderr, "shadowflow: %v\n", err)
	}
	return exitCode(ctx, err, began)
}

// output keeps the first error of what is printed: what nobody got was not done.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// isTerminal says whether what is written there is looked at.
func isTerminal(w io.Writer) bool {
	w = visible.Raw(w)
	if kept, ok := w.(*output); ok {
		w = kept.w
	}
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}
