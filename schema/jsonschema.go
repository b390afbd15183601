package schema

import (
	"maps"
	"math"
	"reflect"
	"slices"
)

// object is a part of a JSON Schema.
type object = map[string]any

// bySection are things of keys, by section and name.
type bySection map[string]object

func (b bySection) put(k *Key, v any) {
	if b[k.Section] == nil {
		b[k.Section] = object{}
	}
	b[k.Section][k.Name] = v
}

// tree puts sections as what section makes of them among the keys that stand alone.
func (b bySection) tree(section func(name string, inside object) any) object {
	top := object{}
	for name, inside := range b {
		if name == "" {
			maps.Copy(top, inside)
		} else {
			top[name] = section(name, inside)
		}
	}
	return top
}

// partly is the schema of a config or a section that has these properties, and maybe others.
func partly(properties object) object { return object{"properties": properties} }

// Free is a section that has further keys, of any name, where a config defines there what it names.
type Free struct {
	Section string
	// Key is the key of the section that says so.
	Key string
	// Selector is the key that names what is defined, and Pattern an expression of its values that say so too, like the paths of files.
	Selector, Pattern string
	// Keys are those that a definition consists of. They need not be in the schema.
	Keys []Key
}

// defines is the schema of sections that define something.
func (f *Free) defines() object {
	named := object{"properties": object{f.Selector: object{"type": "string", "pattern": f.Pattern}}, "required": []string{f.Selector}}
	return object{"type": "object", "anyOf": []any{object{"required": []string{f.Key}}, named}}
}

// section returns the schema of the section, which has the properties inside where it defines nothing.
func (f *Free) section(inside object) object {
	defining := object{}
	for _, k := range f.Keys {
		value := object{"description": k.Doc}
		k.constrain(value)
		delete(value, "default")
		defining[k.Name] = value
	}
	return object{
		"type": []string{"object", "null"}, "properties": defining,
		"if": f.defines(), "else": object{"additionalProperties": false, "properties": inside},
	}
}

// unless returns a rule that holds where the section defines nothing.
func (f *Free) unless(rule any) any {
	return object{"if": object{"required": []string{f.Section}, "properties": object{f.Section: f.defines()}}, "else": rule}
}

// is reports whether this is the section; a nil Free is none.
func (f *Free) is(section string) bool { return f != nil && f.Section == section }

// JSONSchema returns the schema as a JSON Schema, draft 2020-12, for editors: to be marshalled. free may be nil.
func (s *Schema) JSONSchema(title string, free *Free) any {
	keys := bySection{}
	var rules []any
	for _, path := range s.paths {
		k := s.byPath[path][0]
		value := object{"description": eachOf(s.byPath[path], func(k *Key) string { return k.Doc })}
		if k.alike(s.byPath[path]) {
			k.constrain(value)
		}
		keys.put(k, value)
		if s.isSelector(path) {
			for _, rule := range s.rules(path) {
				if free.is(k.Section) {
					rule = free.unless(rule)
				}
				rules = append(rules, rule)
			}
		}
	}
	return object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object", "additionalProperties": false,
		"properties": keys.tree(func(section string, inside object) any {
			if free.is(section) {
				return free.section(inside)
			}
			return object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": inside}
		}),
		"allOf": rules,
	}
}

// alike reports whether variants of a key allow the same values and have the same default.
func (k *Key) alike(variants []*Key) bool {
	return !slices.ContainsFunc(variants, func(v *Key) bool {
		return v.Type != k.Type || !reflect.DeepEqual(v.Range, k.Range) || !slices.Equal(v.Words, k.Words) || !reflect.DeepEqual(v.Default, k.Default)
	})
}

// rules say, for each value of a selector, which keys have no meaning, and what those allow that have several variants.
func (s *Schema) rules(selector string) []any {
	var out []any
	of := s.byPath[selector][0]
	for _, word := range of.Words {
		then := bySection{}
		for _, path := range s.paths {
			variants := s.byPath[path]
			if !slices.ContainsFunc(variants, func(k *Key) bool { return s.excluded(k, selector, "") }) {
				continue
			}
			if slices.ContainsFunc(variants, func(k *Key) bool { return !k.dependsOn(selector) }) && s.several(variants) {
				continue // another selector tells the variants apart
			}
			fits := slices.IndexFunc(variants, func(k *Key) bool { return !s.excluded(k, selector, word) })
			if fits < 0 {
				then.put(variants[0], false)
			} else if k := variants[fits]; !k.alike(variants) {
				value := object{"description": k.Doc}
				k.constrain(value)
				then.put(k, value)
			}
		}
		if len(then) > 0 {
			out = append(out, object{"if": chosen(of, word), "then": partly(then.tree(func(_ string, inside object) any { return partly(inside) }))})
		}
	}
	return out
}

// dependsOn reports whether a key has a condition on a selector itself.
func (k *Key) dependsOn(selector string) bool {
	return slices.ContainsFunc(k.When, func(c Condition) bool { return c.Key == selector })
}

// several reports whether variants of a key have conditions on more than one selector.
func (s *Schema) several(variants []*Key) bool {
	selectors := map[string]bool{}
	for _, k := range variants {
		for _, c := range k.When {
			selectors[c.Key] = true
		}
	}
	return len(selectors) > 1 && len(variants) > 1
}

// excluded reports whether a key, or a selector that it depends on, has no meaning where a selector has a value.
func (s *Schema) excluded(k *Key, selector, word string) bool {
	return slices.ContainsFunc(k.When, func(c Condition) bool {
		return c.Key == selector && !slices.Contains(c.Words, word) || s.excluded(s.byPath[c.Key][0], selector, word)
	})
}

// chosen is the schema of configs whose selector has a value, be it left out where that is the default.
func chosen(k *Key, word string) object {
	inside := partly(object{k.Name: object{"const": word}})
	required := word != k.Default
	if required {
		inside["required"] = []string{k.Name}
	}
	if k.Section == "" {
		return inside
	}
	if required {
		inside["type"] = "object"
		return object{"properties": object{k.Section: inside}, "required": []string{k.Section}}
	}
	return partly(object{k.Section: inside})
}

// constrain adds what the values of a key may be.
func (k *Key) constrain(value object) {
	if k.Default != nil && !isNil(k.Default) {
		value["default"] = k.Default
	}
	switch k.Type {
	case Number, Whole, Seed:
		k.number(value)
	case Flag:
		value["type"] = "boolean"
	case Text:
		value["type"] = []string{"string", "null"}
		if k.Words != nil {
			delete(value, "type")
			value["enum"] = k.Words
		}
	case Numbers, Wholes:
		item := object{}
		k.number(item)
		value["type"], value["items"] = []string{"array", "null"}, item
	case Texts:
		item := object{"type": "string"}
		if k.Words != nil {
			item = object{"enum": k.Words}
		}
		value["type"], value["items"], value["uniqueItems"] = []string{"array", "null"}, item, !k.Repeats
	case Tree:
		value["type"] = []string{"object", "null"}
	case Trees:
		inside := object{}
		for _, key := range k.Inside {
			of := object{"description": key.Doc}
			key.constrain(of)
			delete(of, "default")
			if item, isList := of["items"]; isList {
				of = object{"anyOf": []any{of, item}, "description": key.Doc}
			}
			inside[key.Name] = of
		}
		value["type"], value["items"] = []string{"array", "null"}, object{"type": "object", "properties": inside}
	case Pairs:
		item := object{}
		k.number(item)
		value["type"], value["items"] = []string{"array", "null"}, object{"type": "array", "items": item, "minItems": 2, "maxItems": 2}
	}
	if t, ok := value["type"].(string); ok && k.Optional {
		value["type"] = []string{t, "null"}
	}
}

func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Slice && r.IsNil()
}

// number adds what a number may be, or each of a list.
func (k *Key) number(value object) {
	value["type"] = "number"
	switch k.Type {
	case Seed:
		value["type"], value["minimum"], value["maximum"] = "integer", 0, uint64(math.MaxUint64)
	case Whole, Wholes:
		value["type"] = "integer"
	}
	if k.Range == nil {
		return
	}
	end := func(at float64, included bool, name, exclusive string) {
		switch {
		case math.IsInf(at, 0):
		case included:
			value[name] = at
		default:
			value[exclusive] = at
		}
	}
	end(k.Range.low, k.Range.hasLow, "minimum", "exclusiveMinimum")
	end(k.Range.high, k.Range.hasTop, "maximum", "exclusiveMaximum")
}
