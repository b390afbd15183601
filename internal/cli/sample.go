package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
)

func newSample() *cobra.Command {
	var s run.Sampling
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sample RUN",
		Short: "Print a text that the language model of a run makes",
		Long: `sample prints the prompt, and behind it bytes drawn one by one from the language model of a run, with the weights that the run
ended with or, of one that has not ended, those of its newest checkpoint, and then it says of which step they are. The same seed prints the same text. In a terminal, bytes that are no text, or that would steer it, are written as escapes.`,
		Example: "  shadowflow sample runs/2 --prompt \"To be, or \" --length 200 --temperature 0.8",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.Length < 0 || !(s.Temperature >= 0) {
				return misuse("--length %d, --temperature %v: want both at least 0", s.Length, s.Temperature)
			}
			m, err := run.ReadLanguageModel(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return sampleJSON(cmd, m, s)
			}
			sayWeights(cmd.ErrOrStderr(), args[0], m)
			out := cmd.OutOrStdout()
			if !isTerminal(out) {
				out = visible.Raw(out) // bytes as they are
			}
			w := bufio.NewWriter(out)
			err = m.Sample(cmd.Context(), s, w)
			if err == nil {
				fmt.Fprintln(w)
			}
			return errors.Join(err, w.Flush())
		},
	}
	bindJSON(cmd, &asJSON)
	flags := cmd.Flags()
	flags.StringVar(&s.Prompt, "prompt", "", "what the text begins with (default: a new line)")
	flags.IntVar(&s.Length, "length", 500, "bytes behind the prompt")
	flags.Float64Var(&s.Temperature, "temperature", 1, "divides the logits: below 1 likelier bytes, 0 the likeliest")
	flags.Uint64Var(&s.Seed, "seed", 0, "seed of the draws")
	return cmd
}

// sayWeights says of which step the weights are, where the run has not ended.
func sayWeights(w io.Writer, dir string, m *run.LanguageModel) {
	for _, note := range m.Notes {
		fmt.Fprintln(w, note)
	}
	if !m.Ended {
		fmt.Fprintf(w, "%s has not ended: the weights are those of its newest checkpoint, behind %d of %s\n", dir, m.Step, plural.Of(m.Steps, "step"))
	}
}

func sampleJSON(cmd *cobra.Command, m *run.LanguageModel, s run.Sampling) error {
	var text strings.Builder
	if err := m.Sample(cmd.Context(), s, &text); err != nil {
		return err
	}
	out := map[string]any{"prompt": s.Prompt, "step": m.Step, "ended": m.Ended, "notes": append([]string{}, m.Notes...),
		// JSON has characters, not bytes: what is no UTF-8 is only in bytes, which it writes in base64.
		"text": text.String(), "bytes": []byte(text.String())}
	return printJSON(cmd.OutOrStdout(), out)
}
