package torchfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"shadowflow/safetensors"
)

// The names under which training scripts keep the state_dicts of a model and an optimizer in one dictionary.
var (
	modelNames     = []string{"model_state_dict", "state_dict", "model"}
	optimizerNames = []string{"optimizer_state_dict", "optimizer", "optimizer_states", "optimizers"}
)

// Tensors returns the tensors of a state_dict by their names, in its order. The state_dict is the file, or stands in its dictionary under
// model_state_dict, state_dict or model.
func (f *File) Tensors() ([]safetensors.Tensor, error) {
	dict, ok := entriesOf(f.root)
	if !ok {
		return nil, malformed("it holds %s, want a state_dict: %s", describe(f.root), Advice)
	}
	if tensors, err := f.tensors(dict); err == nil && len(tensors) > 0 {
		return tensors, nil
	}
	for _, name := range modelNames {
		if inner, ok := entriesOf(lookup(dict, name)); ok {
			return f.tensors(inner)
		}
	}
	if _, err := f.tensors(dict); err != nil {
		return nil, err
	}
	return nil, malformed("its dictionary is empty, want a state_dict: %s", Advice)
}

func (f *File) tensors(dict []types.DictEntry) ([]safetensors.Tensor, error) {
	var out []safetensors.Tensor
	left := f.size // bytes of whole numbers that may be gathered
	for _, e := range dict {
		name, isText := e.Key.(string)
		t, ok := e.Value.(*tensor)
		if !isText || !ok {
			return nil, malformed("%.100q is %s in it, want tensors by their names (its keys: %s): %s", keyText(e.Key), describe(e.Value), keysOf(dict), Advice)
		}
		if t.from.of.i64 != nil {
			if left -= 8 * int64(t.count); left < 0 && t.count > 1 {
				return nil, malformed("tensor %.100q of whole numbers is larger than the file", name)
			}
		}
		out = append(out, t.array(name))
	}
	return out, nil
}

// Optimizer is the state_dict of an optimizer.
type Optimizer struct {
	// State is what it remembers of each parameter, in the order in which it was given them: nil for one that it has not moved.
	State []*Remembered
	// Names are the parameters' names; nil where the optimizer was not given them.
	Names []string
	// Groups are the hyperparameters of the groups of parameters, by PyTorch's names. Values are float64, bool or []float64; others are left
	// out.
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
	for _, name := range optimizerNames {
		inner := lookup(dict, name)
		if list, ok := inner.(*types.List); ok && list.Len() > 0 {
			return optimizersOf(*list)
		}
		if entries, ok := entriesOf(inner); ok {
			dict = entries
			break
		}
	}
	return optimizerOf(dict)
}

// optimizersOf returns the optimizers of a list as one.
func optimizersOf(list types.List) (*Optimizer, error) {
	all := &Optimizer{}
	for _, item := range list {
		dict, _ := entriesOf(item)
		one, err := optimizerOf(dict)
		if err != nil {
			return nil, err
		}
		all.State, all.Names = append(all.State, one.State...), append(all.Names, one.Names...)
		all.Groups, all.Sizes = append(all.Groups, one.Groups...), append(all.Sizes, one.Sizes...)
	}
	return all, all.check()
}

func optimizerOf(dict []types.DictEntry) (*Optimizer, error) {
	state, hasState := entriesOf(lookup(dict, "state"))
	groups, hasGroups := lookup(dict, "param_groups").(*types.List)
	if !hasState || !hasGroups {
		return nil, malformed(`it holds no optimizer's state_dict, which has state and param_groups (its keys: %s): torch.save(optimizer.state_dict(), "optimizer.pt")`, keysOf(dict))
	}
	remembered := map[int]*Remembered{}
	for _, e := range state {
		i, ok := e.Key.(int)
		inside, isDict := entriesOf(e.Value)
		if !ok || !isDict {
			return nil, malformed("state %.100q is %s in it, want a dictionary for each parameter's number", keyText(e.Key), describe(e.Value))
		}
		var err error
		if remembered[i], err = rememberedIn(i, inside); err != nil {
			return nil, err
		}
	}
	o := &Optimizer{}
	for i, g := range *groups {
		if err := o.group(i, g, remembered); err != nil {
			return nil, err
		}
	}
	return o, o.check()
}

// check refuses an optimizer of which some parameters have names, and others not.
func (o *Optimizer) check() error {
	if o.Names != nil && len(o.Names) != len(o.State) {
		return malformed("its groups name %d of %d parameters", len(o.Names), len(o.State))
	}
	return nil
}

// group adds a group of parameters.
func (o *Optimizer) group(i int, group any, remembered map[int]*Remembered) error {
	dict, ok := entriesOf(group)
	params, isList := itemsOf(lookup(dict, "params"))
	if !ok || !isList {
		return malformed("param_groups[%d] has no list params", i)
	}
	for _, p := range params {
		n, ok := p.(int)
		if !ok {
			return malformed("param_groups[%d].params has %s, want the parameters' numbers", i, describe(p))
		}
		o.State = append(o.State, remembered[n])
	}
	names, _ := itemsOf(lookup(dict, "param_names"))
	for _, name := range names {
		o.Names = append(o.Names, keyText(name))
	}
	settings := map[string]any{}
	for _, e := range dict {
		name, ok := e.Key.(string)
		if value := settingOf(e.Value); ok && value != nil && name != "params" {
			settings[name] = value
		}
	}
	o.Groups, o.Sizes = append(o.Groups, settings), append(o.Sizes, len(params))
	return nil
}

func rememberedIn(i int, dict []types.DictEntry) (*Remembered, error) {
	r := &Remembered{Numbers: map[string]float64{}}
	for _, e := range dict {
		name := keyText(e.Key)
		switch v := e.Value.(type) {
		case nil:
		case *tensor:
			if len(v.size) == 0 {
				r.Numbers[name] = v.number()
				continue
			}
			if v.from.of.i64 != nil {
				return nil, malformed("state[%d].%.100s holds whole numbers, want floating-point ones", i, name)
			}
			r.Arrays = append(r.Arrays, v.array(name))
		default:
			x, ok := settingOf(v).(float64)
			if !ok {
				return nil, malformed("state[%d].%.100s is %s, want a tensor or a number", i, name, describe(v))
			}
			r.Numbers[name] = x
		}
	}
	return r, nil
}

// settingOf returns a number, a flag or a few numbers, nil for anything else.
func settingOf(v any) any {
	switch v := v.(type) {
	case bool:
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
		}
	}
	if len(numbers) == 0 || len(numbers) != len(items) {
		return nil
	}
	return numbers
}

// entriesOf returns the entries of a dictionary of either kind.
func entriesOf(v any) ([]types.DictEntry, bool) {
	switch d := v.(type) {
	case *types.Dict:
		return *d, true
	case *types.OrderedDict:
		var out []types.DictEntry
		for at := d.List.Front(); at != nil; at = at.Next() {
			e := at.Value.(*types.OrderedDictEntry)
			out = append(out, types.DictEntry{Key: e.Key, Value: e.Value})
		}
		return out, true
	}
	return nil, false
}

// itemsOf returns the items of a list or a tuple.
func itemsOf(v any) ([]any, bool) {
	switch list := v.(type) {
	case *types.List:
		return *list, true
	case *types.Tuple:
		return *list, true
	}
	return nil, false
}

// lookup returns the value of a key, nil if there is none.
func lookup(dict []types.DictEntry, key string) any {
	i := slices.IndexFunc(dict, func(e types.DictEntry) bool { return e.Key == key })
	if i < 0 {
		return nil
	}
	return dict[i].Value
}

// keysOf lists the first keys of a dictionary.
func keysOf(dict []types.DictEntry) string {
	const shown = 8
	var keys []string
	for _, e := range dict[:min(len(dict), shown)] {
		keys = append(keys, fmt.Sprintf("%.40s", keyText(e.Key)))
	}
	if len(dict) > shown {
		keys = append(keys, fmt.Sprintf("and %d more", len(dict)-shown))
	}
	return strings.Join(keys, ", ")
}

// keyText writes a text or a number, and of anything else what it is: what a pickle holds may hold itself, or the same a million times.
func keyText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool, int, float64:
		return fmt.Sprint(v)
	}
	return describe(v)
}

// describe says what a value is.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool, int, float64:
		return fmt.Sprintf("the number %v", v)
	case string:
		return "a text"
	case *tensor:
		return fmt.Sprintf("a tensor of shape %.200s", fmt.Sprint(v.size))
	case *opaque:
		return v.String()
	case *types.List, *types.Tuple:
		return "a list"
	case *types.Dict, *types.OrderedDict:
		return "a dictionary"
	}
	return "a value of another type"
}
