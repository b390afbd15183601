package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/visible"
	"shadowflow/safetensors"
)

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

// Reader takes a model's vectors out of the tensors of a file by their names, and collects what does not fit.
type Reader struct {
	model   *Model
	tensors []safetensors.Tensor
	left    map[string]safetensors.Tensor // not yet taken
	finite  bool                          // numbers alone are taken, neither NaN nor infinities
	faults  WeightsError
}

// NewReader returns a Reader of the tensors of a file, whose name is for its error.
func NewReader(m *Model, file string, tensors []safetensors.Tensor) *Reader {
	r := &Reader{model: m, tensors: tensors, left: map[string]safetensors.Tensor{}, faults: WeightsError{File: file}}
	for _, t := range tensors {
		r.left[t.Name] = t
	}
	return r
}

// WantFinite makes the reader refuse arrays with NaN or infinities.
func (r *Reader) WantFinite() { r.finite = true }

// ReadVector sets a vector in the layout of theta to what Tensors made of it, in either floating-point type.
func ReadVector[T graph.Float](r *Reader, prefix string, theta []T) {
	for _, p := range r.model.params {
		if data := r.floats(prefix+p.Name, p.Torch); data != nil {
			fromTorch(p, theta[p.Offset:], data)
		}
	}
}

// ReadParts sets an array of parts to what Parts made of it, in either floating-point type.
func ReadParts[T graph.Float](r *Reader, prefix string, parts []graph.Block, array []T) {
	for _, p := range parts {
		for i, v := range r.floats(PartName(prefix, p.Name), p.Shape) {
			array[p.Offset+i] = T(v)
		}
	}
}

// ReadRunning sets batch normalization's running averages, and returns the number of batches that they have seen.
func ReadRunning[T graph.Float](r *Reader, running []T) (batches int64) {
	for _, st := range r.model.stats {
		for i, v := range r.floats(st.Name, []int{st.Size}) {
			running[st.Offset+i] = T(v)
		}
		if name, ok := countName(st); ok {
			batches = max(batches, r.count(name))
		}
	}
	return batches
}

// Err returns a *WeightsError of all that was found wrong, the tensors that nobody took included; nil if the file had exactly
// what was read.
func (r *Reader) Err() error {
	for _, t := range r.tensors {
		if _, left := r.left[t.Name]; left {
			r.faults.Unexpected = append(r.faults.Unexpected, fmt.Sprintf("%s %.200s", visible.Name(t.Name), fmt.Sprint(t.Shape)))
		}
	}
	if len(r.faults.Missing)+len(r.faults.Unexpected)+len(r.faults.Misfit) > 0 {
		return &r.faults
	}
	return nil
}

// The kinds of numbers that tensors are of. Which widths a file has of them is not told from a tensor, nor does it matter.
const (
	floatKind   = "floats"
	integerKind = "integers"
)

func kindOf(t safetensors.Tensor) string {
	if _, ok := t.Data.([]int64); ok {
		return integerKind
	}
	return floatKind
}

func (r *Reader) take(name string, shape []int, want string) (safetensors.Tensor, bool) {
	t, ok := r.left[name]
	if !ok {
		r.faults.Missing = append(r.faults.Missing, fmt.Sprintf("%s %v", name, shape))
		return t, false
	}
	delete(r.left, name)
	if !slices.Equal(t.Shape, shape) || kindOf(t) != want {
		r.faults.Misfit = append(r.faults.Misfit, fmt.Sprintf("%s is %s %.200s, want %s %v", name, kindOf(t), fmt.Sprint(t.Shape), want, shape))
		return t, false
	}
	return t, true
}

func (r *Reader) floats(name string, shape []int) []float64 {
	t, ok := r.take(name, shape, floatKind)
	if !ok {
		return nil
	}
	data, _ := t.Float64s()
	if r.finite {
		if i := slices.IndexFunc(data, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }); i >= 0 {
			r.faults.Misfit = append(r.faults.Misfit, fmt.Sprintf("%s has %v at %d, want numbers", name, data[i], i))
			return nil
		}
	}
	return data
}

func (r *Reader) count(name string) int64 {
	t, ok := r.take(name, nil, integerKind)
	if !ok {
		return 0
	}
	return t.Data.([]int64)[0]
}
