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

	"shadowflow/dataset"
	"shadowflow/engine"
	"shadowflow/graph"
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

// Sample writes a text that the language model of a run makes with the weights that it ended with: the same for the same seed. It computes in
// float64, such that rounding does not choose bytes.
func Sample(ctx context.Context, dir string, s Sampling, w io.Writer) error {
	if s.Length < 0 || !(s.Temperature >= 0) {
		return fmt.Errorf("length %d, temperature %v: want both at least 0", s.Length, s.Temperature)
	}
	next, size, err := nextByte(dir)
	if err != nil {
		return err
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
		text = text[max(0, len(text)-size):]
		logits, err := next(ctx, text)
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

// nextByte returns the model of the run in a directory, as the logits of the byte behind a text of at most window bytes.
func nextByte(dir string) (logits func(ctx context.Context, text []byte) ([]float64, error), window int, err error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, 0, err
	}
	if c.Data.Name != dataset.NameText {
		return nil, 0, fmt.Errorf("%s: model %s on data %s: only a language model, on a text, can be sampled", dir, c.Model.Name, c.Data.Name)
	}
	architecture, err := c.Model.Architecture()
	if err != nil {
		return nil, 0, err
	}
	window = c.Model.Context
	m, err := architecture.Build([]int{window}, dataset.Bytes)
	if err != nil {
		return nil, 0, err
	}
	state, err := m.Load(filepath.Join(dir, weightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%s has no %s: finish the run with shadowflow run --resume %s", dir, weightsFile, dir)
	}
	if err != nil {
		return nil, 0, err
	}
	in := m.Inputs(graph.NewBuilder(), graph.Float64, 1)
	out, err := m.Eval(m.Unflatten(in.Theta), in.Running, in.X)
	if err != nil {
		return nil, 0, err
	}
	p, err := engine.Compile([]graph.Value{in.Theta, in.X}, []graph.Value{out}, engine.Options{Threads: c.Threads})
	if err != nil {
		return nil, 0, err
	}
	tokens, all := make([]int32, window), make([]float64, window*dataset.Bytes)
	return func(ctx context.Context, text []byte) ([]float64, error) {
		for i, b := range text {
			tokens[i] = int32(b) // what stands behind the text is hidden from it
		}
		err := p.RunContext(ctx, []engine.Buffer{engine.Of(state.Theta), engine.Of(tokens)}, []engine.Buffer{engine.Of(all)})
		return all[(len(text)-1)*dataset.Bytes:][:dataset.Bytes], err
	}, window, nil
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
