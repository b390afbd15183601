package nn

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shadowflow/safetensors"
)

func TestFilesOfOtherProgramsHaveTheSameWeights(t *testing.T) {
	m := buildGolden(t, "gpt_tied")
	want := readGolden(t, "gpt_tied", m).state
	unbiased := slices.Clone(want.Theta)
	for _, p := range m.Params() {
		if strings.HasSuffix(p.Name, ".bias") {
			clear(unbiased[p.Offset:][:p.Size()])
		}
	}
	hugging := []string{
		`its names begin with "wte.weight", read as "transformer.wte.weight"`,
		": masks of attention, no weights, which are left out",
		"its linear layers are transposed",
	}
	for _, c := range []struct {
		file  string
		theta []float64
		notes []string
	}{
		{"gpt_nano.pt", want.Theta, []string{
			`all names begin with "_orig_mod."`, "transformer.h.0.attn.bias, transformer.h.1.attn.bias: masks of attention",
			"lm_head.weight is transformer.wte.weight, to which the head is tied, and left out",
		}},
		{"gpt_hugging.safetensors", want.Theta, hugging},
		{"gpt_hugging.pt", want.Theta, hugging},
		{"gpt_unbiased.pt", unbiased, []string{"to which the head is tied", `it has no biases, which are 0 here; they stay so with optimizer.groups: [{match: "*.bias", lr_scale: 0}]`}},
	} {
		path := filepath.Join("testdata", c.file)
		s, err := m.Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.Equal(s.Theta, c.theta) {
			t.Errorf("%s has other weights", path)
		}
		if len(s.Notes) != len(c.notes) {
			t.Fatalf("%s: %q, want %q", path, s.Notes, c.notes)
		}
		for i, want := range c.notes {
			if !strings.Contains(s.Notes[i], want) || !strings.HasPrefix(s.Notes[i], path+": ") {
				t.Errorf("%s: %q, want %q", path, s.Notes[i], want)
			}
		}
	}
}

func TestAHeadThatIsTiedOrNotIsTheConfigs(t *testing.T) {
	untied, tied := buildGolden(t, "gpt"), buildGolden(t, "gpt_tied")
	s, err := untied.Load("testdata/gpt_untied.pt")
	if err != nil || !reflect.DeepEqual(s.Theta, readGolden(t, "gpt", untied).state.Theta) {
		t.Errorf("%v", err)
	}
	if _, err := tied.Load("testdata/gpt_untied.pt"); err == nil || !strings.Contains(err.Error(), "gpt_untied.pt: lm_head.weight has other numbers than transformer.wte.weight: "+
		"want model.tied: false") {
		t.Errorf("a tied model of a file with a head of its own: %v", err)
	}
	if _, err := untied.Load("testdata/gpt_hugging.pt"); err == nil || !strings.Contains(err.Error(), "it has no lm_head.weight: want model.tied: true") {
		t.Errorf("a model with a head of its own of a file without: %v", err)
	}
	s, err = untied.Load("testdata/gpt_nano.pt")
	if err != nil || !strings.Contains(strings.Join(s.Notes, "\n"), "as in a model with tied weights (model.tied: true); here they move apart") {
		t.Errorf("%v, %v", s, err)
	}
}

func TestACheckpointOfALargerModelIsNotReadAsASmallerOne(t *testing.T) {
	for _, c := range []struct {
		of   *GPT
		want string
	}{
		{&GPT{Depth: 2, Heads: 3, Dim: 12, Context: 9, Tied: true}, ""},
		{&GPT{Depth: 3, Heads: 3, Dim: 12, Context: 9, Tied: true}, "unexpected: transformer.h.2.ln_1.weight [12]"},
		{&GPT{Depth: 2, Heads: 3, Dim: 12, Context: 9}, "want model.tied: false"},
	} {
		m := build(t, c.of, []int{7}, 5)
		s := m.Init(1)
		tensors, err := StateDict(m, s.Theta, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range slices.Clone(tensors) {
			tensor.Name = "state.m." + tensor.Name
			tensors = append(tensors, tensor)
		}
		path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
		if err := safetensors.WriteFile(path, tensors, map[string]string{safetensors.CheckpointVersion: "1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := buildGolden(t, "gpt_tied").Load(path); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", *c.of, err, c.want)
		}
	}
}

func TestABiasThatIsNoMaskIsNotLeftOut(t *testing.T) {
	for _, c := range []struct {
		tensor safetensors.Tensor
		want   bool
	}{
		{safetensors.Tensor{Shape: []int{1, 1, 2, 2}, Data: []float32{1, 0, 1, 1}}, true},
		{safetensors.Tensor{Shape: []int{2, 2}, Data: []int64{1, 0, 1, 1}}, true},
		{safetensors.Tensor{Shape: []int{2, 2}, Data: []float64{1, 0.5, 1, 1}}, false},
		{safetensors.Tensor{Shape: []int{2, 2}, Data: []float64{1, 1, 1, 1}}, false},
		{safetensors.Tensor{Shape: []int{2, 2}, Data: []float64{1, 0, 0, 1}}, false},
		{safetensors.Tensor{Shape: []int{2, 1, 1}, Data: []float64{1, 1}}, false},
		{safetensors.Tensor{Shape: []int{4}, Data: []float64{1, 0, 1, 1}}, false},
	} {
		if got := isCausalMask(c.tensor); got != c.want {
			t.Errorf("%v: %v", c.tensor, got)
		}
	}
}
