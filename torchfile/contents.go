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
	left := f.size // whole numbers that may be gathered: as many as there may be of a byte each
	for _, e := range dict {
		name, isText := e.Key.(string)
		t, ok := e.Value.(*tensor)
		if !isText || !ok {
			return nil, malformed("%.100q is %s in it, want tensors by their names (its keys: %s): %s", keyText(e.Key), describe(e.Value), keysOf(dict), Advice)
		}
		if t.from.of.I64 != nil {
			if left -= int64(t.count); left < 0 && t.count > 1 {
				return nil, malformed("tensor %.100q of whole numbers is larger than the file", name)
			}
		}
		out = append(out, t.array(name))
	}
	return out, nil
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
