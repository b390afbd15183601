package nn

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/safetensors"
)

// countName is the name of the number of batches that a batch normalization has seen, beside its running_mean.
func countName(s Stat) (string, bool) {
	layer, ok := strings.CutSuffix(s.Name, "running_mean")
	return layer + "num_batches_tracked", ok
}

// Tensors returns a vector in the layout of theta (parameters, a gradient, a bias) as one tensor a parameter, with PyTorch's
// names after the prefix, shapes and order of elements.
func Tensors[T graph.Float](m *Model, prefix string, theta []T) ([]safetensors.Tensor, error) {
	if len(theta) != m.NumParams() {
		return nil, fmt.Errorf("a vector of %d elements, want %d, one a parameter", len(theta), m.NumParams())
	}
	out := make([]safetensors.Tensor, len(m.params))
	for i, p := range m.params {
		data := make([]T, p.Size())
		toTorch(p, data, theta[p.Offset:])
		out[i] = safetensors.Tensor{Name: prefix + p.Name, Shape: slices.Clone(p.Torch), Data: data}
	}
	return out, nil
}

// Save writes a state to a file of PyTorch's state_dict of the model, floating-point tensors in the given type.
func (m *Model) Save(path string, s *State, dtype graph.DType) error {
	if len(s.Running) != m.NumStats() {
		return fmt.Errorf("%s: running averages of %d elements, want %d", path, len(s.Running), m.NumStats())
	}
	var tensors []safetensors.Tensor
	var err error
	switch dtype {
	case graph.Float32:
		tensors, err = stateDict(m, to32(s.Theta), to32(s.Running), s.Batches)
	case graph.Float64:
		tensors, err = stateDict(m, s.Theta, s.Running, s.Batches)
	default:
		err = fmt.Errorf("weights of type %v: want float32 or float64", dtype)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return safetensors.WriteFile(path, tensors, map[string]string{"format": "pt"})
}

func stateDict[T graph.Float](m *Model, theta, running []T, batches int64) ([]safetensors.Tensor, error) {
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

// WeightsError says how a file's tensors differ from those of the model: all of them, by name.
type WeightsError struct {
	File       string
	Missing    []string // name and shape of each
	Unexpected []string
	Misfit     []string // name, what the file has, and what the model wants
}

func (e *WeightsError) Error() string {
	var parts []string
	for _, p := range []struct {
		what string
		list []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"not as the model has it", e.Misfit}} {
		if len(p.list) > 0 {
			parts = append(parts, p.what+": "+summary(p.list))
		}
	}
	return fmt.Sprintf("%s: tensors do not fit the model: %s", e.File, strings.Join(parts, "; "))
}

// summary lists the first few, and how many more there are.
func summary(list []string) string {
	const shown = 8
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// Load reads a state from a safetensors file of PyTorch's state_dict of the model, float32 or float64. A file whose tensors are
// not exactly the model's is refused with a *WeightsError.
func (m *Model) Load(path string) (*State, error) {
	file, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return m.fromStateDict(path, file.Tensors)
}

func (m *Model) fromStateDict(path string, tensors []safetensors.Tensor) (*State, error) {
	r := weightsReader{tensors: map[string]safetensors.Tensor{}, faults: WeightsError{File: path}}
	for _, t := range tensors {
		r.tensors[t.Name] = t
	}
	s := &State{Theta: make([]float64, m.NumParams()), Running: make([]float64, m.NumStats())}
	for _, p := range m.params {
		if data := r.floats(p.Name, p.Torch); data != nil {
			fromTorch(p, s.Theta[p.Offset:], data)
		}
	}
	for _, st := range m.stats {
		copy(s.Running[st.Offset:], r.floats(st.Name, []int{st.Size}))
		if name, ok := countName(st); ok {
			s.Batches = max(s.Batches, r.count(name))
		}
	}
	if err := r.finish(tensors); err != nil {
		return nil, err
	}
	return s, nil
}

// weightsReader takes tensors out of a file by name, and collects what does not fit.
type weightsReader struct {
	tensors map[string]safetensors.Tensor // not yet taken
	faults  WeightsError
}

func (r *weightsReader) take(name string, shape []int, fits func(safetensors.Tensor) bool, want string) (safetensors.Tensor, bool) {
	t, ok := r.tensors[name]
	if !ok {
		r.faults.Missing = append(r.faults.Missing, fmt.Sprintf("%s %v", name, shape))
		return t, false
	}
	delete(r.tensors, name)
	if !slices.Equal(t.Shape, shape) || !fits(t) {
		r.faults.Misfit = append(r.faults.Misfit, fmt.Sprintf("%s is %s %v, want %s %v", name, t.DType(), t.Shape, want, shape))
		return t, false
	}
	return t, true
}

func (r *weightsReader) floats(name string, shape []int) []float64 {
	t, ok := r.take(name, shape, func(t safetensors.Tensor) bool { return t.DType()[0] == 'F' }, "F32 or F64")
	if !ok {
		return nil
	}
	data, _ := t.Float64s()
	return data
}

func (r *weightsReader) count(name string) int64 {
	t, ok := r.take(name, nil, func(t safetensors.Tensor) bool { return t.DType() == "I64" }, "I64")
	if !ok {
		return 0
	}
	return t.Data.([]int64)[0]
}

// finish reports what was found wrong, the tensors that nobody took included.
func (r *weightsReader) finish(inFile []safetensors.Tensor) error {
	for _, t := range inFile {
		if _, left := r.tensors[t.Name]; left {
			r.faults.Unexpected = append(r.faults.Unexpected, fmt.Sprintf("%s %v", t.Name, t.Shape))
		}
	}
	if len(r.faults.Missing)+len(r.faults.Unexpected)+len(r.faults.Misfit) > 0 {
		return &r.faults
	}
	return nil
}
