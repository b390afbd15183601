package schema

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Description documents a key.
type Description struct {
	// Key is the dotted key, as --set takes it.
	Key string
	// Type is the kind of its value, like "a whole number" or "true or false".
	Type string
	// Default is the value when the key is left out, as YAML; where it depends on a selector, each value and what it holds for.
	Default string
	// Values says which values are allowed, empty if all of the type are.
	Values string
	// For says which values of selectors give the key a meaning, beside what the section as a whole is for; empty if all do.
	For string
	// Doc is its meaning.
	Doc string
}

// Describe documents every key, in the order in which they are written.
func (s *Schema) Describe() []Description {
	var out []Description
	for _, path := range s.paths {
		variants := s.byPath[path]
		out = append(out, Description{
			Key: path, Type: variants[0].Type.String(),
			Default: eachOf(variants, func(k *Key) string { return Format(k.Default) }),
			Values:  eachOf(variants, (*Key).allowed),
			For:     s.conditions(variants),
			Doc:     eachOf(variants, func(k *Key) string { return k.Doc }),
		})
	}
	return out
}

// allowed says which values of its type a key may have.
func (k *Key) allowed() string {
	switch {
	case k.Words != nil:
		return strings.Join(k.Words, ", ")
	case k.Range != nil && !k.Range.Unbounded():
		return k.Range.String()
	}
	return ""
}

// eachOf says something of the variants of a key: once, if it is the same of all, or with what it holds for.
func eachOf(variants []*Key, say func(*Key) string) string {
	var texts []string
	words := map[string][]string{}
	for _, k := range variants {
		text := say(k)
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		words[text] = append(words[text], k.holdsFor(variants)...)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	for i, text := range texts {
		texts[i] = fmt.Sprintf("%s (%s)", text, strings.Join(words[text], ", "))
	}
	return strings.Join(texts, "; ")
}

// holdsFor names what a variant is for: the words of the first condition that not all have, with those of the others behind each.
func (k *Key) holdsFor(variants []*Key) []string {
	var words []string
	for _, c := range k.When {
		if inAll(variants, c) {
			continue
		}
		if words == nil {
			words = slices.Clone(c.Words)
			continue
		}
		for j := range words {
			words[j] += " " + strings.Join(c.Words, " ")
		}
	}
	return words
}

// inAll reports whether all variants of a key have a condition.
func inAll(variants []*Key, c Condition) bool {
	return !slices.ContainsFunc(variants, func(k *Key) bool {
		return !slices.ContainsFunc(k.When, func(o Condition) bool { return o.Key == c.Key && slices.Equal(o.Words, c.Words) })
	})
}

// conditions says where one of the variants has a meaning.
func (s *Schema) conditions(variants []*Key) string {
	var parts []string
	for _, c := range variants[0].When {
		var words []string
		for _, k := range variants {
			for _, other := range k.When {
				if other.Key == c.Key {
					words = append(words, other.Words...)
				}
			}
		}
		in := intersection(s.byPath[c.Key][0].Words, words)
		if len(in) < len(s.byPath[c.Key][0].Words) && !s.shared(variants[0].Section, c.Key) {
			parts = append(parts, c.Key+": "+strings.Join(in, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// intersection returns the words that both have, in the order of the first.
func intersection(words, others []string) []string {
	var in []string
	for _, w := range words {
		if slices.Contains(others, w) {
			in = append(in, w)
		}
	}
	return in
}

// shared reports whether all keys of a section depend on a selector.
func (s *Schema) shared(section, selector string) bool {
	return section != "" && !slices.ContainsFunc(s.keys, func(k *Key) bool {
		return k.Section == section && !slices.ContainsFunc(k.When, func(c Condition) bool { return c.Key == selector })
	})
}

// Markdown writes a table of the keys for each section.
func (s *Schema) Markdown(w io.Writer) error {
	var b strings.Builder
	for _, section := range append([]string{""}, s.sections...) {
		title := section
		if section == "" {
			title = "Keys without a section"
		}
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		first := s.keys[slices.IndexFunc(s.keys, func(k *Key) bool { return k.Section == section })]
		for _, c := range first.When {
			if s.shared(section, c.Key) {
				fmt.Fprintf(&b, "For %s: %s.\n\n", c.Key, strings.Join(c.Words, ", "))
			}
		}
		fmt.Fprint(&b, "| key | value | default | meaning |\n|---|---|---|---|\n")
		for _, d := range s.Describe() {
			if k := s.byPath[d.Key][0]; k.Section == section {
				fmt.Fprintln(&b, d.row(k.Name))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// row is a line of a table.
func (d Description) row(name string) string {
	value, doc := d.Type, d.Doc
	if d.Values != "" {
		value += ": " + d.Values
	}
	if d.For != "" {
		doc += ". For " + d.For
	}
	escape := strings.NewReplacer("|", `\|`).Replace
	return fmt.Sprintf("| `%s` | %s | `%s` | %s |", name, escape(value), escape(d.Default), escape(doc))
}
