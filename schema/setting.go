package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"shadowflow/internal/visible"
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
	lead       int   // characters before a text in its line, like quotes; negative where its characters cannot be told by columns
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

// TextError returns an error about a character of the setting's text, counted from 1; key is what its key is called.
func (s Setting) TextError(key string, character int, problem string, args ...any) error {
	e := &Error{Place: s.value, Key: key, Problem: fmt.Sprintf(problem, args...)}
	if e.Line == 0 || s.lead < 0 {
		e.Problem = fmt.Sprintf("character %d: %s", character, e.Problem)
		return e
	}
	e.Column += s.lead + character - 1
	return e
}

// Text returns the value as it was written, if it is a text or a number.
func (s Setting) Text() (string, bool) {
	if text, ok := s.Value.(string); ok {
		return text, true
	}
	number, ok := numeralOf(s.Value)
	return number.text, ok
}

// ordered are keys and values that JSON has in their order.
type ordered []Setting

// MarshalJSON returns an object.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, s := range o {
		value := s.Value
		switch v := value.(type) {
		case []Setting:
			value = ordered(v)
		case numeral:
			value = v.text
			if x, err := strconv.ParseFloat(v.text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
				value = x
			}
		}
		key, err := json.Marshal(s.Key)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(append(append(key, ':'), text...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
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
		return fmt.Sprintf("the text %q", visible.Clip(v))
	case bool:
		return strconv.FormatBool(v)
	case foreign:
		return "a YAML anchor, alias or tag, which is of no use here"
	case numeral:
		return "the number " + visible.Name(v.text)
	}
	if _, ok := listOf(v); ok {
		return "a list"
	}
	if number, ok := numeralOf(v); ok {
		return "the number " + number.text
	}
	return fmt.Sprintf("a Go %T", v)
}
