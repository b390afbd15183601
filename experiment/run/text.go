package run

import (
	"fmt"
	"runtime"
	"time"

	"shadowflow/experiment/config"
	"shadowflow/internal/plural"
	"shadowflow/nn"
)

// assumedRate is how many operations of a language model's gradient, in float32, a core is taken to do in a second: about what cores with AVX2 do
// (examples/folio on two). The note that rests on it says so.
const assumedRate = 3e10

// longGradient is how long a gradient may take without a word.
const longGradient = 5 * time.Second

// textNotes say what may surprise of a language model: what another loss than cross-entropy is, and how long the gradient of all of a text takes.
func textNotes(c *config.Config, model *nn.Model, windows, threads int) (notes []string) {
	if !model.Tokens() {
		return nil
	}
	if c.Loss != "cross-entropy" {
		notes = append(notes, fmt.Sprintf("loss: %s of a language model compares the %d outputs of each byte with 1 for the byte that comes and 0 for all others; they are no "+
			"probabilities then, and there are no bits per byte: cross-entropy has them", c.Loss, model.Outputs()))
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	tokens := model.Input()[0]
	operations := 6 * float64(model.NumParams()) * float64(windows) * float64(tokens)
	rate := assumedRate * float64(threads)
	if c.DType == "float64" {
		rate /= 2
	}
	if takes := time.Duration(operations / rate * float64(time.Second)); !c.Batch.Mini() && takes > longGradient {
		notes = append(notes, fmt.Sprintf("batch.mode full: each gradient is over all %d windows of %d bytes, %.1e operations, about %v at %.1e a second, with %s; "+
			"a step takes one gradient, and what is measured several. data.subset takes fewer windows, batch: {mode: shuffled, size: 32} so many a step",
			windows, tokens, operations, takes.Round(time.Second), rate, plural.Of(threads, "thread")))
	}
	return notes
}
