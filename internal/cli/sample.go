package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shadowflow/experiment/run"
	"shadowflow/internal/visible"
)

func newSample() *cobra.Command {
	var s run.Sampling
	cmd := &cobra.Command{
		Use:   "sample RUN",
		Short: "Print a text that the language model of a run makes",
		Long: `sample prints the prompt, and behind it bytes drawn one by one from the language model of a run, with the weights that the run
ended with. The same seed prints the same text. In a terminal, bytes that are no text, or that would steer it, are written as escapes.`,
		Example: "  shadowflow sample runs/2 --prompt \"To be, or \" --length 200 --temperature 0.8",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if f, isFile := visible.Raw(out).(*os.File); !isFile || !term.IsTerminal(int(f.Fd())) {
				out = visible.Raw(out) // bytes as they are
			}
			w := bufio.NewWriter(out)
			err := run.Sample(cmd.Context(), args[0], s, w)
			if err == nil {
				fmt.Fprintln(w)
			}
			return errors.Join(err, w.Flush())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.Prompt, "prompt", "", "what the text begins with (default: a new line)")
	flags.IntVar(&s.Length, "length", 500, "bytes behind the prompt")
	flags.Float64Var(&s.Temperature, "temperature", 1, "divides the logits: below 1 likelier bytes, 0 the likeliest")
	flags.Uint64Var(&s.Seed, "seed", 0, "seed of the draws")
	return cmd
}
