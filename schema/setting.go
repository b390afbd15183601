package schema

import (
	"fmt"
	"strconv"
)

// A Setting gives a key a value.
type Setting struct {
	// Key is the key, with its section and a dot before it.
	Key string
	// Value is a Go number, bool, text, slice or array, or nil for none; for a section as a whole, the []Setting in it. What is read from
	// text holds values as they were written.
	Value any

	key, value Place // where they stand
	loose      bool  // the key may lack its section
}

// Set returns the setting of a key.
func Set(key string, value any) Setting { return Setting{Key: key, Value: value} }

// Items returns a setting of the key for each item of its value, and whether that is a list, or a Go slice or array.
func (s Setting) Items() ([]Setting, bool) {
	list, ok := s.Value.(items)
	if !ok {
		values, ok := listOf(s.Value)
		for _, v := range values {
			list = append(list, Setting{Value: v})
		}
		if s.Value == nil || !ok {
			return nil, false
		}
	}
	out := make([]Setting, len(list))
	for i, item := range list {
		out[i] = Setting{Key: s.Key, Value: item.Value, key: s.key, value: item.value}
	}
	return out, true
}

// KeyError returns an error about the setting's key, which may be put otherwise.
func (s Setting) KeyError(key, problem string, args ...any) error {
	return &Error{Place: s.key, Key: key, Problem: fmt.Sprintf(problem, args...)}
}

// ValueError returns an error about the setting's value; key is what its key is called.
func (s Setting) ValueError(key, problem string, args ...any) error {
	return &Error{Place: s.value, Key: key, Problem: fmt.Sprintf(problem, args...)}
}

// String returns the setting as a flag takes it.
func (s Setting) String() string { return s.Key + "=" + Format(s.Value) }

// numeral is a number as it was written.
type numeral struct {
	text string
	word bool // YAML 1.1, which does not count 1e-3 among the numbers, takes it for a text
}

// items are those of a list, in settings without keys.
type items []Setting

// foreign is what YAML has and settings do not: anchors, aliases and tags.
type foreign struct{}

// describe says what kind of thing a value is, for an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case []Setting:
		return "keys and values"
	case string:
		return fmt.Sprintf("the text %q", clip(v))
	case bool:
		return strconv.FormatBool(v)
	case foreign:
		return "a YAML anchor, alias or tag, which is of no use here"
	case numeral:
		return "the number " + clip(v.text)
	}
	if _, ok := listOf(v); ok {
		return "a list"
	}
	if number, ok := numeralOf(v); ok {
		return "the number " + number.text
	}
	return fmt.Sprintf("a Go %T", v)
}

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
