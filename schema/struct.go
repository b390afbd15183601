package schema

import (
	"fmt"
	"reflect"
	"strings"
)

// KeysOf returns the keys that a struct's tags state, with the struct's values for defaults. A field that is a struct is a section.
//
//   - yaml is the key's name, with ",omitempty" for a sparse one; ",inline" marks a map of the section's further keys, stated elsewhere,
//     and "-" a field that is no key's;
//   - doc is its meaning; a field without it is stated elsewhere, too;
//   - range is an interval, oneof the words that a text may be, between bars;
//   - for has the values of the section's selector that the key is for, the selector being the field with the tag selector;
//   - when:"section.key=a|b" is a condition on another section, also on a section as a whole;
//   - repeat:"true" marks a list of texts that may hold one twice;
//   - hash:"-" marks what cannot change what is computed, time:"-" what cannot change how long a step takes.
func KeysOf(defaults any) []Key { return keysOf(reflect.ValueOf(defaults), "", "") }

func keysOf(v reflect.Value, section, when string) []Key {
	var keys []Key
	selector := selectorOf(v.Type(), section)
	for i := range v.NumField() {
		field, tag := v.Type().Field(i), v.Type().Field(i).Tag
		name, option, _ := strings.Cut(tag.Get("yaml"), ",")
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(v.Field(i), name, tag.Get("when"))...)
			continue
		}
		if tag.Get("doc") == "" {
			continue
		}
		k := Key{
			Section: section, Name: name, Type: typeOf(field.Type), Optional: field.Type.Kind() == reflect.Pointer,
			Doc: tag.Get("doc"), Range: ParseInterval(tag.Get("range")), Words: splitWords(tag.Get("oneof")),
			Sparse: option == "omitempty", Inert: tag.Get("hash") == "-", Timeless: tag.Get("time") == "-", Repeats: tag.Get("repeat") != "",
		}
		k.Default = load(v.Field(i))
		if own := tag.Get("when"); own != "" {
			k.When = append(k.When, parseCondition(own))
		} else if when != "" {
			k.When = append(k.When, parseCondition(when))
		}
		if words := splitWords(tag.Get("for")); words != nil {
			k.When = append(k.When, Condition{selector, words})
		}
		keys = append(keys, k)
	}
	return keys
}

func selectorOf(t reflect.Type, section string) string {
	for i := range t.NumField() {
		if tag := t.Field(i).Tag; tag.Get("selector") != "" {
			name, _, _ := strings.Cut(tag.Get("yaml"), ",")
			return join(section, name)
		}
	}
	return ""
}

func parseCondition(tag string) Condition {
	key, words, _ := strings.Cut(tag, "=")
	return Condition{key, splitWords(words)}
}

func splitWords(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, "|")
}

func typeOf(t reflect.Type) Type {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for typ, example := range []any{0.0, 0, uint64(0), false, "", []float64(nil), []int(nil), [][2]float64(nil), []Setting(nil), []string(nil), [][]Setting(nil)} {
		if reflect.TypeOf(example) == t {
			return Type(typ)
		}
	}
	panic(fmt.Sprintf("schema: a key of Go type %v", t))
}

// load returns a field's value, nil for a pointer that is nil.
func load(field reflect.Value) any {
	if field.Kind() != reflect.Pointer {
		return field.Interface()
	}
	if field.IsNil() {
		return nil
	}
	return field.Elem().Interface()
}

// Store writes values into the struct that a pointer points to, whose tags are as KeysOf has them.
func (values Values) Store(into any) {
	visit(reflect.ValueOf(into).Elem(), "", func(path string, field reflect.Value) {
		value, ok := values[path]
		if !ok || value == nil {
			field.SetZero()
			return
		}
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		field.Set(reflect.ValueOf(value))
	}, func(section string, rest reflect.Value, named map[string]bool) {
		inside := map[string]any{}
		for path, value := range values {
			if name, ok := strings.CutPrefix(path, section+"."); ok && !named[name] {
				inside[name] = value
			}
		}
		rest.Set(reflect.ValueOf(inside))
	})
}

// Load returns the values in a struct; see Store.
func Load(from any) Values {
	values := Values{}
	visit(reflect.ValueOf(from), "", func(path string, field reflect.Value) { values[path] = load(field) },
		func(section string, rest reflect.Value, _ map[string]bool) {
			for _, name := range rest.MapKeys() {
				values[join(section, name.String())] = rest.MapIndex(name).Interface()
			}
		})
	return values
}

// visit calls one function for each field that is a key's, and another for each map of a section's further keys, which gets the
// names of those that have fields.
func visit(v reflect.Value, section string, key func(string, reflect.Value), rest func(string, reflect.Value, map[string]bool)) {
	named := map[string]bool{}
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch field := v.Field(i); {
		case name == "-":
		case field.Kind() == reflect.Struct:
			visit(field, name, key, rest)
		case option == "inline":
			rest(section, field, named)
		default:
			named[name] = true
			key(join(section, name), field)
		}
	}
}
