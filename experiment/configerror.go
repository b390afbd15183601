package experiment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// A ConfigError says what is wrong with one key of a config.
type ConfigError struct {
	// Source is the file's name, or the override as it was given.
	Source string
	// Line and Column count from 1 in the file; 0 for an override.
	Line, Column int
	// Key is the dotted key, empty if the error is about the whole text.
	Key string
	// Problem says what was found and what would be right.
	Problem string
}

func (e *ConfigError) Error() string {
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

// ConfigErrors is everything that is wrong with a config, in the order of the text.
type ConfigErrors []*ConfigError

func (e ConfigErrors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e ConfigErrors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// expected says what would be right: the nearest of the names if one is near, all
// of them if not.
func expected(got string, names []string) string {
	if near := nearest(got, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "expected one of " + strings.Join(names, ", ")
}

// nearest returns the name that is few enough edits away to be meant, or "".
func nearest(got string, names []string) string {
	if len(got) > 64 {
		return ""
	}
	best, distance := "", max(2, len(got)/2)+1
	for _, name := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(got), name); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	return best
}

// suggestKey finds what an unknown key was meant to be: a key of another section, or
// the nearest one of its own.
func suggestKey(section, key string, schema *keyTable) string {
	for _, f := range schema.fields {
		if f.section != section && f.name == key {
			return fmt.Sprintf("did you mean %s?", f.key)
		}
	}
	names := schema.names(section)
	slices.Sort(names)
	return expected(key, names)
}
