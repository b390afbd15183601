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
	// For says which values of selectors give the key a meaning, empty if all do.
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
		if words[text] == nil {
			texts = append(texts, text)
		}
		for _, c := range k.When {
			words[text] = append(words[text], c.Words...)
		}
	}
	if len(texts) == 1 {
		return texts[0]
	}
	for i, text := range texts {
		texts[i] = fmt.Sprintf("%s (%s)", text, strings.Join(words[text], ", "))
	}
	return strings.Join(texts, "; ")
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
		slices.Sort(words)
		var in []string
		for _, w := range s.byPath[c.Key][0].Words {
			if slices.Contains(words, w) {
				in = append(in, w)
			}
		}
		parts = append(parts, c.Key+": "+strings.Join(in, ", "))
	}
	return strings.Join(parts, "; ")
}

// Markdown writes a table of the keys for each section.
func (s *Schema) Markdown(w io.Writer) error {
	section, first := "", true
	for _, d := range s.Describe() {
		in, name, dotted := strings.Cut(d.Key, ".")
		if !dotted {
			in, name = "", d.Key
		}
		if first || in != section {
			title := in
			if in == "" {
				title = "keys without a section"
			}
			if _, err := fmt.Fprintf(w, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title); err != nil {
				return err
			}
		}
		section, first = in, false
		value := d.Type
		if d.Values != "" {
			value += ": " + d.Values
		}
		doc := d.Doc
		if d.For != "" {
			doc += ". For " + d.For
		}
		escape := strings.NewReplacer("|", `\|`).Replace
		if _, err := fmt.Fprintf(w, "| `%s` | %s | `%s` | %s |\n", name, escape(value), escape(d.Default), escape(doc)); err != nil {
			return err
		}
	}
	return nil
}
