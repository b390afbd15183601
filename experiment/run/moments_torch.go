package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/safetensors"
	"shadowflow/torchfile"
)

// torchName is a name under which an optimizer of PyTorch's keeps an entry of a rule's state.
type torchName struct {
	name string
	// as makes the entry of what is kept of a weight, whose shape is PyTorch's; nil where it is that itself.
	as func(kept []float64, of, shape []int) (entry []float64, ok bool)
}

// torchNames are PyTorch's names for what a rule remembers, by the names of its state, in the order in which they are looked for: those of torch.optim,
// of authors' code and of pytorch_optimizer. At last an entry is looked for by its own name. docs/weights.md has them by optimizer.
var torchNames = map[string][]torchName{
	"m":   {{name: "exp_avg"}, {name: "momentum_buffer"}, {name: "exp_avg_fast"}, {name: "momentum"}},
	"v":   {{name: "exp_avg_sq"}, {name: "square_avg"}, {name: "sum"}},
	"top": {{name: "max_exp_avg_sq"}},
	"u":   {{name: "exp_inf"}, {name: "acc_delta"}}, // Adamax, Adadelta

	"center": {{name: "grad_avg"}}, "product": {{name: "mu_product"}}, "buf": {{name: "momentum_buffer"}}, "size": {{name: "step_size"}},
	"h":     {{name: "hessian"}, {name: "hessian_moment"}},                                                       // of Sophia
	"slow":  {{name: "exp_avg_slow"}},                                                                            // AdEMAMix
	"d":     {{name: "exp_avg_diff"}},                                                                            // Adan
	"last":  {{name: "prev"}, {"neg_pre_grad", negative}, {"previous_grad", negative}},                           // Rprop; Adan, which keeps -g
	"r":     {{"row_var", repeated}, {"exp_avg_sq_row", repeatedRows}, {name: "variance"}, {name: "exp_avg_sq"}}, // Adafactor
	"c":     {{"col_var", repeated}, {"exp_avg_sq_col", repeatedColumns}, {"variance", averaged}, {"exp_avg_sq", averaged}},
	"s":     {{name: "exp_avg_var"}, {"s", reshaped}},           // AdaBelief, Prodigy
	"start": {{"p0", reshaped}}, "num": {{name: "d_numerator"}}, // Prodigy
	"peak": {{name: "lr_max"}}, "weight": {{name: "weight_sum"}}, // schedule-free
}

// ofGroups are the names of numbers that PyTorch's optimizers keep with the hyperparameters of a group.
var ofGroups = []string{"d", "d_numerator", "lr_max", "weight_sum"}

func torchNamesOf(entry string) []torchName {
	return append(slices.Clone(torchNames[entry]), torchName{name: entry})
}

// unread reports whether an optimizer never reads an entry of a weight of some axes, so that none need be there: Muon's momentum is of matrices, and the
// moments of Adam that it has beside are of all others.
func unread(own rule.Remembered, axes int) bool {
	return own.Optimizer == "muon" && (own.Entry == "buf") != (axes > 1)
}

func negative(kept []float64, of, shape []int) ([]float64, bool) {
	out := make([]float64, len(kept))
	for i, x := range kept {
		out[i] = -x
	}
	return out, slices.Equal(of, shape)
}

// reshaped is for what is kept as one row of numbers.
func reshaped(kept []float64, of, shape []int) ([]float64, bool) {
	return kept, len(kept) == graph.Block{Shape: shape}.Size()
}

// averaged is a vector whose elements are the mean of what is kept.
func averaged(kept []float64, of, shape []int) ([]float64, bool) {
	mean := 0.0
	for _, x := range kept {
		mean += x / float64(len(kept))
	}
	return slices.Repeat([]float64{mean}, len(kept)), len(shape) == 1 && slices.Equal(of, shape)
}

// repeated takes axes of length 1 for as long as the weight's.
func repeated(kept []float64, of, shape []int) ([]float64, bool) {
	if len(of) != len(shape) {
		return nil, false
	}
	for i := range of {
		if of[i] != shape[i] && of[i] != 1 {
			return nil, false
		}
	}
	out := make([]float64, graph.Block{Shape: shape}.Size())
	for at := range out {
		from, stride, rest := 0, 1, at
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if of[axis] > 1 {
				from += rest % shape[axis] * stride
			}
			stride, rest = stride*of[axis], rest/shape[axis]
		}
		out[at] = kept[from]
	}
	return out, true
}

// repeatedRows and repeatedColumns are for means that have lost their axis.
func repeatedRows(kept []float64, of, shape []int) ([]float64, bool) {
	return repeated(kept, append(slices.Clone(of), 1), shape)
}

func repeatedColumns(kept []float64, of, shape []int) ([]float64, bool) {
	if len(of) == 0 {
		return nil, false
	}
	return repeated(kept, slices.Insert(slices.Clone(of), len(of)-1, 1), shape)
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
	if err := errors.Join(inTraining(m.groups), minimizing(m.groups)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(model.Params(), func(p nn.Param) bool { return p.Name == name }) {
			return nil, fmt.Errorf("%s: it is an optimizer of %s, too, which is no weight of the model", path, name)
		}
	}
	reader := &torchReader{rule: r, staying: staying(r), numbers: map[string]float64{}}
	for _, p := range model.Params() {
		i := slices.Index(names, p.Name)
		var remembered *torchfile.Remembered
		where := fmt.Sprintf("%s: state of %s", path, p.Name)
		if i >= 0 {
			where, remembered = fmt.Sprintf("%s: state of parameter %d, %s", path, i, p.Name), withGroup(o.State[i], m.groups, p.Name)
		}
		switch {
		case remembered == nil && reader.staying[p.Name]:
			reader.zeros(p.Name, p.Torch)
			continue
		case remembered == nil:
			return nil, fmt.Errorf("%s, is missing: the optimizer has not moved it; want one that trained all of the model, or lr_scale: 0 in optimizer.groups for "+
				"weights that stay", where)
		}
		if err := reader.read(remembered, p.Name, p.Torch); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		step, counted := remembered.Numbers["step"]
		if counted && !reader.counted {
			m.Steps, reader.counted = int(step), true
		}
		if counted && step != float64(m.Steps) {
			return nil, fmt.Errorf("%s: step %v, where another parameter has %v; want the same for all", where, step, m.Steps)
		}
	}
	return reader.tensors, nil
}

// inTraining refuses a schedule-free optimizer in its mode for evaluation.
func inTraining(groups []torchGroup) error {
	if slices.ContainsFunc(groups, func(g torchGroup) bool { return g.settings["train_mode"] == false }) {
		return errors.New("it is of a schedule-free optimizer in its mode for evaluation, where the weights are means of iterates, and steps go on from where " +
			"gradients are taken: call optimizer.train() before both are saved")
	}
	return nil
}

// staying are the weights whose step size is 0.
func staying(r *rule.Rule) map[string]bool {
	out := map[string]bool{}
	for _, p := range r.Parts() {
		for _, w := range p.Weights {
			out[w] = p.Stays()
		}
	}
	return out
}

// withGroup returns what is remembered of a weight with the numbers that its group keeps for all of its weights, the step among them.
func withGroup(from *torchfile.Remembered, groups []torchGroup, weight string) *torchfile.Remembered {
	i := slices.IndexFunc(groups, func(g torchGroup) bool { return slices.Contains(g.weights, weight) })
	if from == nil || i < 0 {
		return from
	}
	numbers := map[string]float64{}
	for _, name := range ofGroups {
		if x, ok := groups[i].settings[name].(float64); ok {
			numbers[name] = x
		}
	}
	for _, name := range []string{"k", "step"} {
		if x, ok := groups[i].settings[name].(float64); ok {
			numbers["step"] = x
		}
	}
	maps.Copy(numbers, from.Numbers)
	return &torchfile.Remembered{Arrays: from.Arrays, Numbers: numbers}
}

// torchReader gives the arrays that PyTorch remembers of weights the names that they have in our checkpoints.
type torchReader struct {
	rule    *rule.Rule
	staying map[string]bool
	counted bool // the number of steps is known
	tensors []safetensors.Tensor
	numbers map[string]float64 // that are one for all parameters
}

// read takes what is remembered of one weight. What only other groups' optimizers remember of their weights is 0.
func (t *torchReader) read(from *torchfile.Remembered, weight string, shape []int) error {
	there, used := map[string]safetensors.Tensor{}, map[string]bool{}
	for _, a := range from.Arrays {
		there[a.Name] = a
	}
	has := strings.Join(append(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(from.Numbers))...), ", ")
	var entries []string
	own := t.rule.StateOf(weight)
	for _, e := range own {
		entries = append(entries, e.Entry)
		name, array := t.find(e, there, from.Numbers)
		switch {
		case name.name == "" && unread(e, len(shape)):
			t.zero(e, weight, shape)
		case name.name == "":
			return fmt.Errorf("it has %s; want %s, which is %s of optimizer %s", orNothing(has), wanted(e.Entry), e.Entry, t.rule.Name)
		case array:
			used[name.name] = true
			if err := t.array(e, name, there[name.name], weight, shape); err != nil {
				return err
			}
		default:
			if err := t.number(e, from.Numbers[name.name], weight, shape); err != nil {
				return err
			}
		}
	}
	for name := range used {
		delete(there, name)
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is nothing that optimizer %s remembers (%s); want the optimizer that it is of", strings.Join(slices.Sorted(maps.Keys(there)), ", "),
			t.rule.Name, strings.Join(entries, ", "))
	}
	t.others(own, weight, shape)
	return nil
}

// find returns the name of an entry among arrays and numbers, and which of them has it; an empty one where none has.
func (t *torchReader) find(e rule.Remembered, arrays map[string]safetensors.Tensor, numbers map[string]float64) (name torchName, array bool) {
	for _, name := range torchNamesOf(e.Entry) {
		if _, ok := arrays[name.name]; ok && !t.ofAll(e) {
			return name, true
		}
		if _, ok := numbers[name.name]; ok && (t.ofAll(e) || name.as != nil) {
			return name, false
		}
	}
	return torchName{}, false
}

// ofAll reports whether an entry is one number for all weights.
func (t *torchReader) ofAll(e rule.Remembered) bool {
	parts := t.rule.PartsOf(e.Array)
	return parts != nil && len(parts[0].Shape) == 0
}

func (t *torchReader) prefix(e rule.Remembered) string { return statePrefix(t.rule.State[e.Array]) }

// array takes an array of a weight.
func (t *torchReader) array(e rule.Remembered, name torchName, from safetensors.Tensor, weight string, shape []int) error {
	if name.as != nil {
		kept, ok := from.Float64s()
		made, fits := name.as(kept, from.Shape, shape)
		if !ok || !fits {
			return fmt.Errorf("%s is of shape %v, which is none that it has for a weight of %v", name.name, from.Shape, shape)
		}
		from = safetensors.Tensor{Shape: shape, Data: made}
	}
	from.Name = t.prefix(e) + weight
	t.tensors = append(t.tensors, from)
	return nil
}

// number takes a number: that of all weights, or of each element of one.
func (t *torchReader) number(e rule.Remembered, x float64, weight string, shape []int) error {
	name := nn.PartName(t.prefix(e), "")
	if !t.ofAll(e) {
		t.tensors = append(t.tensors, safetensors.Tensor{Name: t.prefix(e) + weight, Shape: shape, Data: slices.Repeat([]float64{x}, graph.Block{Shape: shape}.Size())})
		return nil
	}
	v, seen := t.numbers[name]
	if seen && v != x {
		return fmt.Errorf("%s is %v, where another parameter has %v; want one number for all", name, x, v)
	}
	if t.numbers[name] = x; !seen {
		t.tensors = append(t.tensors, safetensors.Tensor{Name: name, Data: []float64{x}})
	}
	return nil
}

// zeros takes 0 for all that is remembered of a weight that stays, whatever that is.
func (t *torchReader) zeros(weight string, shape []int) {
	own := t.rule.StateOf(weight)
	for _, e := range own {
		t.zero(e, weight, shape)
	}
	t.others(own, weight, shape)
}

// zero takes 0 for an entry of a weight.
func (t *torchReader) zero(e rule.Remembered, weight string, shape []int) {
	parts, name := t.rule.PartsOf(e.Array), t.prefix(e)+weight
	if t.ofAll(e) {
		name, shape = nn.PartName(t.prefix(e), ""), nil
		if _, seen := t.numbers[name]; seen {
			return
		}
		t.numbers[name] = 0
	} else if parts != nil {
		i := slices.IndexFunc(parts, func(b graph.Block) bool { return b.Name == weight })
		if i < 0 {
			return
		}
		shape = parts[i].Shape
	}
	t.tensors = append(t.tensors, safetensors.Tensor{Name: name, Shape: shape, Data: make([]float64, graph.Block{Shape: shape}.Size())})
}

// others takes 0 for the arrays like theta that a weight's own optimizer has no part in.
func (t *torchReader) others(own []rule.Remembered, weight string, shape []int) {
	for i := range t.rule.State {
		mine := slices.ContainsFunc(own, func(e rule.Remembered) bool { return e.Array == i })
		if !mine && t.rule.PartsOf(i) == nil {
			t.zero(rule.Remembered{Array: i}, weight, shape)
		}
	}
}

// wanted lists the names of an entry.
func wanted(entry string) string {
	var names []string
	for _, n := range torchNamesOf(entry) {
		names = append(names, n.name)
	}
	return strings.Join(names, " or ")
}

func orNothing(list string) string {
	if list == "" {
		return "nothing"
	}
	return list
}
