package nn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shadowflow/safetensors"
)

// gptFile is a file of GPT-2's network that is brought under the names and into the layouts of the model.
type gptFile struct {
	path    string
	tensors []safetensors.Tensor
	notes   []string
}

const (
	gptNames = "transformer."
	gptTable = gptNames + "wte.weight"
	gptHead  = "lm_head.weight"
)

// adapt implements what a Model does to a file before it is read: what nanoGPT's and Hugging Face's files have otherwise, and what of it they do not need, is
// made the model's or left out, and said: names without "transformer.", masks, a tied head, transposed weights, no biases.
func (a *GPT) adapt(m *Model, path string, tensors []safetensors.Tensor) ([]safetensors.Tensor, []string, error) {
	f := &gptFile{path: path, tensors: slices.Clone(tensors)}
	f.rename()
	f.dropMasks()
	if err := f.dropHead(a.Tied); err != nil {
		return nil, nil, err
	}
	f.transpose()
	f.addBiases(m)
	return f.tensors, f.notes, nil
}

func (f *gptFile) note(format string, args ...any) {
	f.notes = append(f.notes, f.path+": "+fmt.Sprintf(format, args...))
}

func (f *gptFile) find(name string) (safetensors.Tensor, bool) {
	i := slices.IndexFunc(f.tensors, func(t safetensors.Tensor) bool { return t.Name == name })
	if i < 0 {
		return safetensors.Tensor{}, false
	}
	return f.tensors[i], true
}

// drop leaves tensors out, and returns the names of those.
func (f *gptFile) drop(is func(safetensors.Tensor) bool) (names []string) {
	f.tensors = slices.DeleteFunc(f.tensors, func(t safetensors.Tensor) bool {
		if !is(t) {
			return false
		}
		names = append(names, t.Name)
		return true
	})
	return names
}

// rename puts the name before all that GPT2Model of transformers, which has no head, leaves out, or has another one for.
func (f *gptFile) rename() {
	if _, ok := f.find(gptTable); ok {
		return
	}
	at := slices.IndexFunc(f.tensors, func(t safetensors.Tensor) bool {
		return t.Name == "wte.weight" || strings.HasSuffix(t.Name, ".wte.weight")
	})
	if at < 0 {
		return
	}
	before := strings.TrimSuffix(f.tensors[at].Name, "wte.weight")
	for i, t := range f.tensors {
		if name, ok := strings.CutPrefix(t.Name, before); ok && t.Name != gptHead {
			f.tensors[i].Name = gptNames + name
		}
	}
	f.note("its names begin with %q, read as %q", before+"wte.weight", gptTable)
}

// dropMasks leaves out what hides later tokens, which PyTorch's modules keep as buffers.
func (f *gptFile) dropMasks() {
	names := f.drop(func(t safetensors.Tensor) bool {
		return strings.HasSuffix(t.Name, ".attn.masked_bias") && t.Size() == 1 || strings.HasSuffix(t.Name, ".attn.bias") && isCausalMask(t)
	})
	if len(names) > 0 {
		f.note("%s: masks of attention, no weights, which are left out", summary(names))
	}
}

// isCausalMask reports whether the last two axes have ones up to the diagonal and zeros above it, and there are no others.
func isCausalMask(t safetensors.Tensor) bool {
	rank := len(t.Shape)
	if rank < 2 || t.Shape[rank-1] != t.Shape[rank-2] || t.Size() != t.Shape[rank-1]*t.Shape[rank-1] {
		return false
	}
	for i, v := range numbersOf(t) {
		row, column := i/t.Shape[rank-1], i%t.Shape[rank-1]
		if shown := v == 1; shown != (column <= row) || !shown && v != 0 {
			return false
		}
	}
	return true
}

// dropHead leaves a tied head out, which is the token embedding once more, and says which of the two kinds of model another file is of.
func (f *gptFile) dropHead(tied bool) error {
	head, hasHead := f.find(gptHead)
	table, hasTable := f.find(gptTable)
	if !hasTable {
		return nil // which is said as missing
	}
	same := hasHead && isEqual(head, table)
	switch {
	case tied && same:
		f.drop(func(t safetensors.Tensor) bool { return t.Name == gptHead })
		f.note("%s is %s, to which the head is tied, and left out", gptHead, gptTable)
	case tied && hasHead:
		return fmt.Errorf("%s: %s has other numbers than %s: want model.tied: false", f.path, gptHead, gptTable)
	case !tied && !hasHead:
		return fmt.Errorf("%s: it has no %s: want model.tied: true, for a head that is the token embedding", f.path, gptHead)
	case !tied && same:
		f.note("%s is %s, as in a model with tied weights (model.tied: true); here they move apart", gptHead, gptTable)
	}
	return nil
}

// transpose gives the weights of transformers' Conv1D, which OpenAI's files have, the layout of nn.Linear. That of queries, keys and values tells: it has three
// times as many outputs as inputs.
func (f *gptFile) transpose() {
	first, ok := f.find(gptNames + "h.0.attn.c_attn.weight")
	if !ok || len(first.Shape) != 2 || first.Shape[1] != 3*first.Shape[0] {
		return
	}
	for i, t := range f.tensors {
		if len(t.Shape) == 2 && strings.HasPrefix(t.Name, gptNames+"h.") {
			f.tensors[i] = transposed(t)
		}
	}
	f.note("its linear layers are transposed, as transformers' Conv1D has them, and are turned; GPT-2's gelu is an approximation (gelu_new) of the exact one here, " +
		"so that losses differ in the third digit or so")
}

func transposed(t safetensors.Tensor) safetensors.Tensor {
	values, ok := t.Float64s()
	if !ok {
		return t
	}
	rows, columns := t.Shape[0], t.Shape[1]
	out := make([]float64, len(values))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = values[i*columns+j]
		}
	}
	return safetensors.Tensor{Name: t.Name, Shape: []int{columns, rows}, Data: out}
}

// addBiases makes those of a model that has none, as nanoGPT's with bias=False, zeros.
func (f *gptFile) addBiases(m *Model) {
	if _, ok := f.find(gptTable); !ok || slices.ContainsFunc(f.tensors, func(t safetensors.Tensor) bool { return strings.HasSuffix(t.Name, ".bias") }) {
		return
	}
	for _, p := range m.params {
		if strings.HasSuffix(p.Name, ".bias") {
			f.tensors = append(f.tensors, safetensors.Tensor{Name: p.Name, Shape: slices.Clone(p.Torch), Data: make([]float64, p.Size())})
		}
	}
	f.note("it has no biases, which are 0 here; they stay so with optimizer.groups: [{match: %s, lr_scale: 0}]", strconv.Quote("*.bias"))
}
