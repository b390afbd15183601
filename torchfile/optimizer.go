package torchfile

import (
	"math"

	"github.com/nlpodyssey/gopickle/types"

	"shadowflow/internal/plural"
	"shadowflow/safetensors"
)

// Optimizer is the state_dict of an optimizer.
type Optimizer struct {
	// State is what it remembers of each parameter, in the order in which it was given them: nil for one that it has not moved.
	State []*Remembered
	// Names are the parameters' names; nil where the optimizer was not given them.
	Names []string
	// Groups are the hyperparameters of the groups of parameters, by PyTorch's names. Values are float64, bool, string, or []float64, where
	// None is NaN; others are left out.
	Groups []map[string]any
	// Sizes are the numbers of parameters of the groups, which State and Names have one behind the other.
	Sizes []int
}

// Remembered is what is remembered of one parameter, by PyTorch's names: arrays, and numbers, like the step.
type Remembered struct {
	Arrays  []safetensors.Tensor
	Numbers map[string]float64
}

// Optimizer returns the state_dict of an optimizer: the file, or what stands in its dictionary under optimizer_state_dict, optimizer, optimizer_states or
// optimizers. Of a list of several they are one, with the groups of all, one behind the other.
func (f *File) Optimizer() (*Optimizer, error) {
	dict, ok := entriesOf(f.root)
	if !ok {
		return nil, malformed("it holds %s, want an optimizer's state_dict: %s", describe(f.root), Advice)
	}
	r := &reading{left: maxInstructions}
	for _, dict := range optimizersIn(f.root, dict) {
		if err := r.optimizer(dict); err != nil {
			return nil, err
		}
	}
	if r.of.Names != nil && len(r.of.Names) != len(r.of.State) {
		return nil, malformed("its groups name %d of %s", len(r.of.Names), plural.Count(len(r.of.State), "parameter"))
	}
	return &r.of, nil
}

// optimizersIn returns the optimizers that stand in a file's dictionary, or the file itself.
func optimizersIn(root any, dict []types.DictEntry) []any {
	for _, name := range optimizerNames {
		inner := lookup(dict, name)
		if list, ok := inner.(*types.List); ok && list.Len() > 0 {
			return *list
		}
		if _, ok := entriesOf(inner); ok {
			return []any{inner}
		}
	}
	return []any{root}
}

// reading is an optimizer that is being read, and how many of the pickle's items may still be looked at. Each item took an instruction, so a file of
// torch.save has fewer than a pickle may have instructions; a hostile one repeats the same ones, through the memo, as often as it has instructions.
type reading struct {
	of   Optimizer
	left int
}

// look counts items that are looked at.
func (r *reading) look(items int) error {
	if r.left -= items; r.left < 0 {
		return malformed("the optimizer's state names more than %d items, the same ones again and again: the file is damaged", maxInstructions)
	}
	return nil
}

// optimizer adds an optimizer's groups, and what it remembers.
func (r *reading) optimizer(v any) error {
	dict, _ := entriesOf(v)
	state, hasState := entriesOf(lookup(dict, "state"))
	groups, hasGroups := lookup(dict, "param_groups").(*types.List)
	if !hasState || !hasGroups {
		return malformed(`it holds no optimizer's state_dict, which has state and param_groups (its keys: %s): torch.save(optimizer.state_dict(), "optimizer.pt")`, keysOf(dict))
	}
	if err := r.look(len(dict) + len(state) + len(*groups)); err != nil {
		return err
	}
	remembered := map[int]*Remembered{}
	for _, e := range state {
		i, ok := e.Key.(int)
		inside, isDict := entriesOf(e.Value)
		if !ok || !isDict {
			return malformed("state %.100q is %s in it, want a dictionary for each parameter's number", keyText(e.Key), describe(e.Value))
		}
		var err error
		if remembered[i], err = r.remembered(i, inside); err != nil {
			return err
		}
	}
	for i, g := range *groups {
		if err := r.group(i, g, remembered); err != nil {
			return err
		}
	}
	return nil
}

// group adds a group of parameters.
func (r *reading) group(i int, group any, remembered map[int]*Remembered) error {
	dict, ok := entriesOf(group)
	params, isList := itemsOf(lookup(dict, "params"))
	if !ok || !isList {
		return malformed("param_groups[%d] has no list params", i)
	}
	if err := r.look(len(dict)); err != nil {
		return err
	}
	settings := map[string]any{}
	for _, e := range dict {
		items, _ := itemsOf(e.Value)
		if err := r.look(len(items)); err != nil {
			return err
		}
		name, ok := e.Key.(string)
		if !ok || name == "params" {
			continue
		}
		if value := settingOf(e.Value); value != nil {
			settings[name] = value
		}
	}
	for _, p := range params {
		n, ok := p.(int)
		if !ok {
			return malformed("param_groups[%d].params has %s, want the parameters' numbers", i, describe(p))
		}
		r.of.State = append(r.of.State, remembered[n])
	}
	names, named := itemsOf(lookup(dict, "param_names"))
	if named && len(names) != len(params) {
		return malformed("param_groups[%d] names %d of its %s", i, len(names), plural.Count(len(params), "parameter"))
	}
	for _, n := range names {
		name, ok := n.(string)
		if !ok {
			return malformed("param_groups[%d].param_names has %s, want the parameters' names", i, describe(n))
		}
		r.of.Names = append(r.of.Names, name)
	}
	r.of.Groups, r.of.Sizes = append(r.of.Groups, settings), append(r.of.Sizes, len(params))
	return nil
}

// remembered returns what is remembered of parameter i.
func (r *reading) remembered(i int, dict []types.DictEntry) (*Remembered, error) {
	if err := r.look(len(dict)); err != nil {
		return nil, err
	}
	of := &Remembered{Numbers: map[string]float64{}}
	for _, e := range dict {
		name, ok := e.Key.(string)
		if !ok {
			return nil, malformed("state[%d] has the key %s, want a name", i, describe(e.Key))
		}
		switch v := e.Value.(type) {
		case nil:
		case *tensor:
			if len(v.size) == 0 {
				of.Numbers[name] = v.number()
				continue
			}
			if v.from.of.I64 != nil {
				return nil, malformed("state[%d].%.100s holds whole numbers, want floating-point ones", i, name)
			}
			of.Arrays = append(of.Arrays, v.array(name))
		default:
			x, ok := settingOf(v).(float64)
			if !ok {
				return nil, malformed("state[%d].%.100s is %s, want a tensor or a number", i, name, describe(v))
			}
			of.Numbers[name] = x
		}
	}
	return of, nil
}

// settingOf returns a number, a flag, a word or a few numbers, of which None is NaN; nil for anything else.
func settingOf(v any) any {
	switch v := v.(type) {
	case bool, string:
		return v
	case int:
		return float64(v)
	case float64:
		return v
	case *tensor:
		if len(v.size) == 0 {
			return v.number()
		}
	}
	items, _ := itemsOf(v)
	var numbers []float64
	for _, item := range items {
		switch x := item.(type) {
		case float64:
			numbers = append(numbers, x)
		case int:
			numbers = append(numbers, float64(x))
		case nil:
			numbers = append(numbers, math.NaN())
		}
	}
	if len(numbers) == 0 || len(numbers) != len(items) {
		return nil
	}
	return numbers
}
