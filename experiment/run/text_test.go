package run

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/experiment/record"
)

// smallText is a language model of a few parameters on a few windows.
const smallText = `
steps: 6
dtype: float64
data: {name: text, subset: 12, test_subset: 5}
model: {name: gpt, depth: 1, heads: 2, dim: 8, context: 6}
optimizer: {name: adam, lr: 1e-2, eps: 1e-4}
record: {every: 1, bias: 2, sharpness: 3, test: 2}
batch: {mode: full, physical: 5}
flow: {start: 2}
`

func TestALanguageModelIsMeasuredLikeAnyNetwork(t *testing.T) {
	for name, override := range map[string]string{"full batch": "steps=6", "mini-batches": "batch={mode: shuffled, size: 4}"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if _, err := Run(t.Context(), parse(t, smallText, override, "beside=[state-2]"), dir, Options{}); err != nil {
				t.Fatal(err)
			}
			h, err := record.ReadHistory(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, column := range []string{"bias.realized_share", "sharpness", "state-2.distance", "full_loss"} {
				if h.Index(column) < 0 && (column != "full_loss" || name == "mini-batches") {
					t.Errorf("no column %s", column)
				}
			}
			loss, bits := h.Floats("loss"), h.Floats("bits_per_byte")
			for i := range loss {
				if math.Abs(bits[i]*math.Ln2-loss[i]) > 1e-12 || !(loss[i] < 6) {
					t.Errorf("row %d: loss %v, %v bits per byte", i, loss[i], bits[i])
				}
			}
			if first := h.Floats("test_bits_per_byte")[0]; math.Abs(first-8) > 0.1 {
				t.Errorf("untrained: %v bits per byte, want about 8", first)
			}
		})
	}
}

func TestAProbeOfALanguageModelHasItsBias(t *testing.T) {
	p, err := Probe(t.Context(), parse(t, smallText), "")
	if err != nil {
		t.Fatal(err)
	}
	if p.Examples != 12 || !(p.Share > 0) || !(p.Accuracy >= 0 && p.Accuracy <= 1) {
		t.Errorf("%+v", p)
	}
}

func TestTextAndLanguageModelNeedEachOther(t *testing.T) {
	for _, override := range []string{"model={name: mlp}", "data={name: digits}"} {
		if _, err := NewProblem[float64](t.Context(), parse(t, smallText, override)); err == nil || !strings.Contains(err.Error(), "gpt") {
			t.Errorf("%s: error %v", override, err)
		}
	}
}
