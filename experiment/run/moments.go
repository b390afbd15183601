package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/safetensors"
	"shadowflow/torchfile"
)

// Moments are what an optimizer remembers before the first step of a run, which was left by steps taken elsewhere.
type Moments[T graph.Float] struct {
	// Steps is the number of these steps: n goes on from there.
	Steps int
	// State has the arrays in the order of the rule's State.
	State [][]T
	// Notes say where the optimizer that took these steps had other hyperparameters.
	Notes []string

	groups []torchGroup // of the optimizer that the file is of, where it says
}

// steps returns the number of steps, 0 without moments.
func (m *Moments[T]) steps() int {
	if m == nil {
		return 0
	}
	return m.Steps
}

// notes returns the notes, none without moments.
func (m *Moments[T]) notes() []string {
	if m == nil {
		return nil
	}
	return m.Notes
}

// torchNames are PyTorch's names for what a rule remembers, by the names of its state, in the order in which they are looked for. A name that
// is not here is looked for as it is.
var torchNames = map[string][]string{
	"m":   {"exp_avg", "momentum_buffer"},
	"v":   {"exp_avg_sq", "square_avg", "sum"},
	"top": {"max_exp_avg_sq"},
	"u":   {"exp_inf", "acc_delta"}, // Adamax, Adadelta

	"center": {"grad_avg"}, "product": {"mu_product"}, "buf": {"momentum_buffer"}, "last": {"prev"}, "size": {"step_size"},
	"h": {"hessian"}, // of the authors' Sophia
}

// torchSettings are PyTorch's names for hyperparameters, by the names here.
var torchSettings = map[string]string{
	"momentum": "beta1", "alpha": "beta2", "eps": "eps", "weight_decay": "weight_decay", "nesterov": "nesterov", "dampening": "dampening",
	"centered": "centered", "amsgrad": "amsgrad",
}

func torchNamesOf(entry string) []string {
	if names, ok := torchNames[entry]; ok {
		return names
	}
	return []string{entry}
}

// readMoments reads the file optimizer.moments, nil if there is none.
func readMoments[T graph.Float](c *config.Config, s *source, r *rule.Rule) (*Moments[T], error) {
	path := c.Optimizer.Moments
	switch {
	case path == "" && c.Optimizer.MomentsSteps != 0:
		return nil, errors.New("optimizer.moments_steps: of no use without optimizer.moments")
	case path == "":
		return nil, nil
	case len(r.State) == 0:
		return nil, fmt.Errorf("optimizer.moments: optimizer %s remembers nothing; leave it out", r.Name)
	}
	m := &Moments[T]{}
	var tensors []safetensors.Tensor
	var err error
	if torchfile.Is(path) {
		tensors, err = m.readTorch(path, s.model, r)
	} else {
		tensors, err = m.readOurs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("optimizer.moments: %w", err)
	}
	reader := nn.NewReader(s.model, path, tensors)
	reader.WantFinite()
	for i, entry := range r.State {
		array := make([]T, r.Length(i, s.model.NumParams()))
		readVector(reader, Vector{Prefix: statePrefix(entry), Parts: r.PartsOf(i)}, array)
		m.State = append(m.State, array)
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("optimizer.moments: %w", err)
	}
	if c.Optimizer.MomentsSteps != 0 {
		m.Steps = c.Optimizer.MomentsSteps
	}
	if m.Steps == 0 {
		return nil, fmt.Errorf("optimizer.moments: %s does not say how many steps its moments are from; want optimizer.moments_steps", path)
	}
	return m, nil
}

// statePrefix stands before the weights' names in files with an entry of a rule's state.
func statePrefix(entry string) string { return "state." + entry + "." }

// readOurs reads a safetensors file with the names of our checkpoints, and step among its metadata.
func (m *Moments[T]) readOurs(path string) ([]safetensors.Tensor, error) {
	file, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if text, ok := file.Metadata["step"]; ok {
		if m.Steps, err = strconv.Atoi(text); err != nil || m.Steps < 0 {
			return nil, fmt.Errorf("%s: metadata step %q: want a number of steps", path, text)
		}
	}
	return slices.DeleteFunc(file.Tensors, func(t safetensors.Tensor) bool { return !strings.HasPrefix(t.Name, "state.") }), nil
}

// readTorch reads an optimizer's state_dict, whose arrays get the names that they have in our checkpoints.
func (m *Moments[T]) readTorch(path string, model *nn.Model, r *rule.Rule) ([]safetensors.Tensor, error) {
	file, err := torchfile.ReadFile(path)
	if err != nil {
		return nil, err
	}
	o, err := file.Optimizer()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	names, err := parameterNames(o, model, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.groups = torchGroups(o, names)
	shapes := map[string][]int{}
	for _, p := range model.Params() {
		shapes[p.Name] = p.Torch
	}
	var tensors []safetensors.Tensor
	numbers := map[string]float64{}
	for i, remembered := range o.State {
		where := fmt.Sprintf("%s: state of parameter %d, %s", path, i, names[i])
		if remembered == nil {
			return nil, fmt.Errorf("%s, is missing: the optimizer has not moved it; want one that trained all of the model", where)
		}
		arrays, err := renamed(remembered, r, names[i], shapes[names[i]])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		for _, t := range arrays {
			value, isNumber := t.Data.([]float64)
			if isNumber = isNumber && len(t.Shape) == 0 && len(value) == 1; !isNumber {
				tensors = append(tensors, t)
				continue
			}
			v, seen := numbers[t.Name]
			if seen && v != value[0] {
				return nil, fmt.Errorf("%s: %s is %v, where another parameter has %v; want one number for all", where, t.Name, value[0], v)
			}
			if numbers[t.Name] = value[0]; !seen {
				tensors = append(tensors, t)
			}
		}
		step := remembered.Numbers["step"]
		if i == 0 {
			m.Steps = int(step)
		}
		if step != float64(m.Steps) {
			return nil, fmt.Errorf("%s: step %v, where parameter 0 has %v; want the same for all", where, step, m.Steps)
		}
	}
	return tensors, nil
}

// renamed returns the arrays of one parameter under the names of our checkpoints, and its numbers, which are to be the same for all
// parameters, as arrays of one float64 without axes. What only other groups' optimizers remember of their weights is 0.
func renamed(from *torchfile.Remembered, r *rule.Rule, weight string, shape []int) ([]safetensors.Tensor, error) {
	there := map[string]safetensors.Tensor{}
	for _, t := range from.Arrays {
		there[t.Name] = t
	}
	has := strings.Join(append(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(from.Numbers))...), ", ")
	var out []safetensors.Tensor
	var entries []string
	others := map[int]bool{}
	for i := range r.State {
		others[i] = r.PartsOf(i) == nil
	}
	for _, own := range r.StateOf(weight) {
		entry, parts := own.Entry, r.PartsOf(own.Array)
		prefix := statePrefix(r.State[own.Array])
		entries, others[own.Array] = append(entries, entry), false
		names := torchNamesOf(entry)
		array := slices.IndexFunc(names, func(n string) bool { _, ok := there[n]; return ok })
		number := slices.IndexFunc(names, func(n string) bool { _, ok := from.Numbers[n]; return ok })
		switch ofAll := parts != nil && len(parts[0].Shape) == 0; {
		case ofAll && number >= 0:
			out = append(out, safetensors.Tensor{Name: nn.PartName(prefix, ""), Data: []float64{from.Numbers[names[number]]}})
		case !ofAll && array >= 0:
			t := there[names[array]]
			delete(there, names[array])
			t.Name = prefix + weight
			out = append(out, t)
		default:
			return nil, fmt.Errorf("it has %s; want %s, which is %s of optimizer %s", orNothing(has), strings.Join(names, " or "), entry, r.Name)
		}
	}
	if len(there) > 0 {
		return nil, fmt.Errorf("%s is nothing that optimizer %s remembers (%s); want the optimizer that it is of", strings.Join(slices.Sorted(maps.Keys(there)), ", "),
			r.Name, strings.Join(entries, ", "))
	}
	for i, name := range r.State {
		if others[i] {
			out = append(out, safetensors.Tensor{Name: statePrefix(name) + weight, Shape: shape, Data: make([]float64, graph.Block{Shape: shape}.Size())})
		}
	}
	return out, nil
}

func orNothing(list string) string {
	if list == "" {
		return "nothing"
	}
	return list
}
