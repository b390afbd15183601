package nn

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/safetensors"
	"shadowflow/torchfile"
)

// countName is the name of the number of batches that a batch normalization has seen, beside its running_mean.
func countName(s Stat) (string, bool) {
	layer, ok := strings.CutSuffix(s.Name, "running_mean")
	return layer + "num_batches_tracked", ok
}

// Tensors returns a vector in the layout of theta (parameters, a gradient, a bias) as one tensor a parameter, with PyTorch's
// names after the prefix, shapes and order of elements. They are views of the vector, which must not change until they are
// written.
func Tensors[T graph.Float](m *Model, prefix string, theta []T) ([]safetensors.Tensor, error) {
	if len(theta) != m.NumParams() {
		return nil, fmt.Errorf("a vector of %s, want %d, one a parameter", plural.Count(len(theta), "element"), m.NumParams())
	}
	out := make([]safetensors.Tensor, len(m.params))
	for i, p := range m.params {
		out[i] = safetensors.Tensor{Name: prefix + p.Name, Shape: slices.Clone(p.Torch), Data: theta[p.Offset:][:p.Size()]}
		if p.perm != nil {
			out[i].Data = func() []T {
				data := make([]T, p.Size())
				toTorch(p, data, theta[p.Offset:])
				return data
			}
		}
	}
	return out, nil
}

// Parts returns an array that consists of parts of its own shapes as tensors, named by a prefix and the names of the parts; that of
// a part without name is the prefix without the dot that it ends with.
func Parts[T graph.Float](prefix string, parts []graph.Block, array []T) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, p := range parts {
		out = append(out, safetensors.Tensor{Name: PartName(prefix, p.Name), Shape: slices.Clone(p.Shape), Data: array[p.Offset:][:p.Size()]})
	}
	return out
}

// PartName returns what a part's tensor is called.
func PartName(prefix, part string) string { return strings.TrimSuffix(prefix+part, ".") }

// Save writes a state to a file of PyTorch's state_dict of the model, floating-point tensors in the given type.
func (m *Model) Save(path string, s *State, dtype graph.DType) error {
	var tensors []safetensors.Tensor
	var err error
	switch dtype {
	case graph.Float32:
		tensors, err = StateDict(m, to32(s.Theta), to32(s.Running), s.Batches)
	case graph.Float64:
		tensors, err = StateDict(m, s.Theta, s.Running, s.Batches)
	default:
		err = fmt.Errorf("weights of type %v: want float32 or float64", dtype)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return safetensors.WriteFile(path, tensors, map[string]string{"format": "pt"})
}

// StateDict returns the tensors of PyTorch's state_dict of the model: the parameters, and batch normalization's running averages
// with the number of batches that they have seen. They are views, as those of Tensors.
func StateDict[T graph.Float](m *Model, theta, running []T, batches int64) ([]safetensors.Tensor, error) {
	if len(running) != m.NumStats() {
		return nil, fmt.Errorf("running averages of %s, want %d", plural.Count(len(running), "element"), m.NumStats())
	}
	tensors, err := Tensors(m, "", theta)
	if err != nil {
		return nil, err
	}
	for _, st := range m.stats {
		tensors = append(tensors, safetensors.Tensor{Name: st.Name, Shape: []int{st.Size}, Data: running[st.Offset:][:st.Size]})
		if name, ok := countName(st); ok {
			tensors = append(tensors, safetensors.Tensor{Name: name, Data: []int64{batches}})
		}
	}
	return tensors, nil
}

func to32(s []float64) []float32 {
	out := make([]float32, len(s))
	for i, x := range s {
		out[i] = float32(x)
	}
	return out
}

// Load reads a state from a file of PyTorch's state_dict of the model: safetensors, float32 or float64; what torch.save wrote; or a run's
// checkpoint, of which it takes the model's tensors. Any other file whose tensors are not exactly the model's is refused with a *WeightsError.
func (m *Model) Load(path string) (*State, error) {
	if torchfile.Is(path) {
		file, err := torchfile.ReadFile(path)
		if err != nil {
			return nil, err
		}
		tensors, err := file.Tensors()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return m.fromStateDict(path, tensors)
	}
	file, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if file.IsCheckpoint() {
		return m.FromCheckpoint(path, file.Tensors)
	}
	return m.fromStateDict(path, file.Tensors)
}

// FromCheckpoint makes a state of the model's tensors among those of a run's checkpoint, which an error calls by a name. Tensors that do not fit are a *WeightsError.
func (m *Model) FromCheckpoint(name string, tensors []safetensors.Tensor) (*State, error) {
	ofModel := slices.DeleteFunc(slices.Clone(tensors), func(t safetensors.Tensor) bool { return !m.has(t.Name) && !m.isBeside(t.Name) })
	return m.fromStateDict(name, ofModel)
}

// has reports whether a tensor of that name is in the model's state_dict.
func (m *Model) has(name string) bool {
	return slices.ContainsFunc(m.params, func(p Param) bool { return p.Name == name }) || slices.ContainsFunc(m.stats, func(s Stat) bool {
		count, ok := countName(s)
		return s.Name == name || ok && count == name
	})
}

// isBeside reports whether a name is that of a weight of another model of this kind: one with more blocks, or a head of its own.
func (m *Model) isBeside(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return name == gptHead || slices.ContainsFunc(m.params, func(p Param) bool { return strings.HasPrefix(p.Name, first+".") })
}

// adapter makes the tensors of a file, whose names nothing stands before, those of the model where other programs have them otherwise, and says what it did.
type adapter func(m *Model, path string, tensors []safetensors.Tensor) (adapted []safetensors.Tensor, notes []string, err error)

func (m *Model) fromStateDict(path string, tensors []safetensors.Tensor) (*State, error) {
	s := &State{Theta: make([]float64, m.NumParams()), Running: make([]float64, m.NumStats())}
	tensors, notes := withoutCount(slices.Clone(tensors))
	names, unwrapped := m.Unwrap(namesOf(tensors))
	notes = append(notes, unwrapped...)
	for i, name := range names {
		tensors[i].Name = name
	}
	for _, note := range notes {
		s.Notes = append(s.Notes, path+": "+note)
	}
	if m.adapt != nil {
		var notes []string
		var err error
		if tensors, notes, err = m.adapt(m, path, tensors); err != nil {
			return nil, err
		}
		s.Notes = append(s.Notes, notes...)
	}
	r := NewReader(m, path, tensors)
	r.WantFinite()
	ReadVector(r, "", s.Theta)
	s.Batches = ReadRunning(r, s.Running)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// withoutCount leaves out how many states an average of models is of, which PyTorch's AveragedModel has beside the model that it wraps.
func withoutCount(tensors []safetensors.Tensor) (rest []safetensors.Tensor, notes []string) {
	const count = "n_averaged"
	i := slices.IndexFunc(tensors, func(t safetensors.Tensor) bool { return t.Name == count && t.Size() == 1 })
	if i < 0 || slices.ContainsFunc(tensors, func(t safetensors.Tensor) bool { return t.Name != count && !strings.HasPrefix(t.Name, wrappers[0]+".") }) {
		return tensors, nil
	}
	return slices.Delete(tensors, i, i+1), []string{count + ", how many states of the model it is the average of, is left out"}
}

func namesOf(tensors []safetensors.Tensor) []string {
	names := make([]string, len(tensors))
	for i, t := range tensors {
		names[i] = t.Name
	}
	return names
}

// wrappers are what modules of PyTorch that hold another one call it, and put before the names of its weights: DataParallel, DistributedDataParallel and FSDP
// the first, torch.compile the second, then FSDP and checkpointing of parts of a model.
var wrappers = []string{"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

// Unwrap returns names of weights without what wrappers put before all of them, or within some of them, where parts of the model alone were wrapped; and
// without the name under which another module has the whole model, as Lightning's modules do ("model."). Notes say what was left out. Names that would
// be one then stay.
func (m *Model) Unwrap(names []string) (plain, notes []string) {
	plain = slices.Clone(names)
	if prefix := m.prefix(names); prefix != "" {
		for i, name := range names {
			plain[i] = strings.TrimPrefix(name, prefix)
		}
		notes = append(notes, fmt.Sprintf("all names begin with %q, which is left out", prefix))
	}
	there := map[string]int{}
	within := make([]string, len(plain))
	for i, name := range plain {
		within[i] = strings.Join(slices.DeleteFunc(strings.Split(name, "."), isWrapper), ".")
		there[within[i]]++
	}
	first, n := "", 0
	for i, name := range within {
		if name == plain[i] || there[name] > 1 {
			continue
		}
		if n++; n == 1 {
			first = names[i]
		}
		plain[i] = name
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%s with what wrappers of parts of a model put within, as %q, which is left out", plural.Of(n, "name"), first))
	}
	return plain, notes
}

func isWrapper(part string) bool { return slices.Contains(wrappers, part) }

// prefix returns what stands before all of some names that are to be those of the model's weights: what wrappers put there, and the name under
// which another module has the whole model, as Lightning's modules do ("model."). It is empty if a name is the model's as it is.
func (m *Model) prefix(names []string) (prefix string) {
	if len(names) == 0 || slices.ContainsFunc(names, m.has) {
		return ""
	}
	ofAll := func(prefix string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	}
	for more := true; more; {
		more = false
		for _, w := range wrappers {
			if ofAll(prefix + w + ".") {
				prefix, more = prefix+w+".", true
			}
		}
	}
	for _, name := range names {
		if before, ok := strings.CutSuffix(name, "."+m.params[0].Name); ok && ofAll(before+".") {
			return before + "."
		}
	}
	return prefix
}
