package config

import (
	"fmt"
	"shadowflow/schema"
	"slices"
	"strings"
)

// A Error says what is wrong with one key of a config.
type Error struct {
	// Source is the file's name, or the override as it was given.
	Source string
	// Line and Column count from 1 in the file; 0 for an override.
	Line, Column int
	// Key is the dotted key, empty if the error is about the whole text.
	Key string
	// Problem says what was found and what would be right.
	Problem string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Problem)
	return b.String()
}

// Errors is everything that is wrong with a config, in the order of the text.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// suggestKey finds what an unknown key was meant to be: a key of another section, or
// the nearest one of its own.
func suggestKey(section, key string, table *keyTable) string {
	for _, f := range table.fields {
		if f.section != section && f.name == key {
			return fmt.Sprintf("did you mean %s?", f.key)
		}
	}
	names := table.names(section)
	slices.Sort(names)
	return schema.Suggest(key, names)
}
