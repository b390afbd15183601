package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/nn"
)

// Sampling says what Sample writes.
type Sampling struct {
	// Prompt is what the text begins with; of a longer one the model sees the last bytes, its context. If empty, the model sees a line's end.
	Prompt string
	// Length is the number of bytes behind the prompt.
	Length int
	// Temperature divides the logits: 1 draws bytes as the model has them, below 1 likelier ones; 0 takes the likeliest.
	Temperature float64
	Seed        uint64
}

// A LanguageModel is that of a run, with the weights that the run ended with or, of one that has not ended, those of its newest checkpoint.
type LanguageModel struct {
	// Step is the number of steps behind the weights, Steps how many the run is to take; Ended says that no more will come.
	Step, Steps int
	Ended       bool
	// Notes say what is wrong with newer checkpoints.
	Notes []string

	size   int // of the window
	logits func(ctx context.Context, text []byte) ([]float64, error)
}

// ReadLanguageModel reads the model of the run in a directory, which another process may have. It is an error if the run has no language model, or has
// not come to a checkpoint yet.
func ReadLanguageModel(dir string) (*LanguageModel, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	if c.Data.Name != dataset.NameText {
		return nil, fmt.Errorf("%s: model %s on data %s: only a language model, on a text, can be sampled", dir, c.Model.Name, c.Data.Name)
	}
	architecture, err := c.Model.Architecture()
	if err != nil {
		return nil, err
	}
	m := &LanguageModel{Steps: c.Steps, size: c.Model.Context}
	model, err := architecture.Build([]int{m.size}, dataset.Bytes)
	if err != nil {
		return nil, err
	}
	state, err := m.newestState(dir, model)
	if err != nil {
		return nil, err
	}
	m.logits, err = nextByte(model, state.Theta, m.size, c.Threads)
	return m, err
}

// newestState reads the weights of a run that has ended, which its result tells, or those of the newest checkpoint.
func (m *LanguageModel) newestState(dir string, model *nn.Model) (*nn.State, error) {
	result, err := ReadResult(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m.checkpointed(dir, model)
	case err != nil:
		return nil, err
	}
	m.Step, m.Ended = result.Step, true
	if err := record.CheckFile(dir, record.WeightsFile); err != nil {
		return nil, err
	}
	state, err := model.Load(filepath.Join(dir, record.WeightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: shadowflow run --resume %s writes it anew", dir, record.WeightsFile, dir)
	}
	return state, err
}

// checkpointed reads the weights of the newest checkpoint.
func (m *LanguageModel) checkpointed(dir string, model *nn.Model) (*nn.State, error) {
	at, notes, err := record.Latest(dir)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return nil, fmt.Errorf("%s has neither the weights of the run's end nor a checkpoint that is whole%s: go on with shadowflow run --resume %s "+
			"(checkpoint.every is how many steps lie between two)", dir, inBrackets(notes), dir)
	}
	m.Step, m.Notes = at.Step, notes
	return model.FromCheckpoint(fmt.Sprintf("%s, checkpoint of step %d", dir, at.Step), at.Tensors)
}

// inBrackets puts sentences behind what they explain.
func inBrackets(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// Sample writes a text that the model makes: the same for the same seed. It computes in float64, such that rounding does not choose bytes.
func (m *LanguageModel) Sample(ctx context.Context, s Sampling, w io.Writer) error {
	if s.Length < 0 || !(s.Temperature >= 0) {
		return fmt.Errorf("length %d, temperature %v: want both at least 0", s.Length, s.Temperature)
	}
	if _, err := io.WriteString(w, s.Prompt); err != nil {
		return err
	}
	text := []byte(s.Prompt)
	if len(text) == 0 {
		text = []byte{'\n'}
	}
	random := rand.New(rand.NewPCG(s.Seed, 0))
	for range s.Length {
		if err := ctx.Err(); err != nil {
			return err
		}
		text = text[max(0, len(text)-m.size):]
		logits, err := m.logits(ctx, text)
		if err != nil {
			return err
		}
		text = append(text, draw(logits, s.Temperature, random.Float64()))
		if _, err := w.Write(text[len(text)-1:]); err != nil {
			return err
		}
	}
	return nil
}

// nextByte returns the logits of the byte behind a text of at most window bytes.
func nextByte(m *nn.Model, theta []float64, window, threads int) (func(ctx context.Context, text []byte) ([]float64, error), error) {
	in := m.Inputs(graph.NewBuilder(), graph.Float64, 1)
	out, err := m.Eval(m.Unflatten(in.Theta), in.Running, in.X)
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile([]graph.Value{in.Theta, in.X}, []graph.Value{out}, engine.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	tokens, all := make([]int32, window), make([]float64, window*dataset.Bytes)
	return func(ctx context.Context, text []byte) ([]float64, error) {
		for i, b := range text {
			tokens[i] = int32(b) // what stands behind the text is hidden from it
		}
		err := p.RunContext(ctx, []engine.Buffer{engine.Of(theta), engine.Of(tokens)}, []engine.Buffer{engine.Of(all)})
		return all[(len(text)-1)*dataset.Bytes:][:dataset.Bytes], err
	}, nil
}

// draw returns the byte that u, uniform in [0, 1), draws from softmax(logits/temperature), the first of the likeliest at temperature 0.
func draw(logits []float64, temperature, u float64) byte {
	top := 0
	for b, l := range logits {
		if l > logits[top] {
			top = b
		}
	}
	if temperature == 0 {
		return byte(top)
	}
	sum := 0.0
	weights := make([]float64, len(logits))
	for b, l := range logits {
		weights[b] = math.Exp((l - logits[top]) / temperature)
		sum += weights[b]
	}
	u *= sum
	for b, w := range weights {
		if u -= w; u < 0 {
			return byte(b)
		}
	}
	return byte(top) // rounding
}
