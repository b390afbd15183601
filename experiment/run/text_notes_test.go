package run

import (
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/nn"
)

func TestWhatMaySurpriseOfALanguageModelIsSaid(t *testing.T) {
	for _, c := range []struct {
		model    nn.Architecture
		settings []string
		windows  int
		want     []string
	}{
		{&nn.GPT{Depth: 4, Heads: 4, Dim: 128, Context: 64, Tied: true}, nil, 15464,
			[]string{"batch.mode full: each gradient is over all 15464 windows of 64 bytes, 5.0e+12 operations, about 1m23s at 6.0e+10 a second, with 2 threads;"}}, // 66 s, as examples/folio was measured
		{&nn.GPT{Depth: 4, Heads: 4, Dim: 128, Context: 64, Tied: true}, []string{"batch={mode: shuffled, size: 32}"}, 15464, nil},
		{&nn.GPT{Depth: 4, Heads: 4, Dim: 128, Context: 64, Tied: true}, []string{"loss=mse"}, 64,
			[]string{"loss: mse of a language model compares the 256 outputs of each byte with 1 for the byte that comes"}},
		{&nn.MLP{Hidden: []int{4000}, Activation: "tanh"}, []string{"loss=mse"}, 1 << 30, nil},
	} {
		m, err := c.model.Build([]int{64}, 256)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := config.Parse("", nil, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		got := textNotes(parsed, m, c.windows, 2)
		if len(got) != len(c.want) {
			t.Fatalf("%v of %d windows: %q, want %q", c.settings, c.windows, got, c.want)
		}
		for i, want := range c.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%q, want %q", got[i], want)
			}
		}
	}
}
