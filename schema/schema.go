package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Schema is all keys of a config.
type Schema struct {
	// Hint, if not nil, knows better than a list or the nearest key what would be right where a path has no key, or none that has a meaning beside the
	// values. It returns "" where it does not.
	Hint func(path string, values Values) string

	// keys are in the order in which they are written. Those of one path are variants, at most one of which has a meaning at a time.
	keys     []*Key
	byPath   map[string][]*Key
	paths    []string
	sections []string
}

// Values are those of a config's keys, by path.
type Values map[string]any

// New returns the schema of some keys. The conditions of a key are on keys before it. Keys of the same path whose conditions exclude each
// other are one key with several ranges or defaults.
func New(keys []Key) *Schema {
	s := &Schema{byPath: map[string][]*Key{}}
	for i := range keys {
		k := &keys[i]
		s.keys = append(s.keys, k)
		path := k.Path()
		if s.byPath[path] == nil {
			s.paths = append(s.paths, path)
		}
		s.byPath[path] = append(s.byPath[path], k)
		if k.Section != "" && !slices.Contains(s.sections, k.Section) {
			s.sections = append(s.sections, k.Section)
		}
	}
	return s
}

// Paths returns the paths of all keys, in the order in which they are written.
func (s *Schema) Paths() []string { return slices.Clone(s.paths) }

// IsSection reports whether a path is that of a section.
func (s *Schema) IsSection(path string) bool { return slices.Contains(s.sections, path) }

// Find returns the key of a path that has a meaning beside the values, or nil.
func (s *Schema) Find(path string, values Values) *Key {
	for _, k := range s.byPath[path] {
		if k.failing(values) == nil {
			return k
		}
	}
	return nil
}

// Get returns the value of a path, nil where its key has no meaning.
func (s *Schema) Get(path string, values Values) any {
	if s.Find(path, values) == nil {
		return nil
	}
	return values[path]
}

// failing returns the first condition that does not hold.
func (k *Key) failing(values Values) *Condition {
	for i, c := range k.When {
		if word, _ := values[c.Key].(string); !slices.Contains(c.Words, word) {
			return &k.When[i]
		}
	}
	return nil
}

// named returns the paths of the keys of that name.
func (s *Schema) named(name string) []string {
	var paths []string
	for _, p := range s.paths {
		if s.byPath[p][0].Name == name {
			paths = append(paths, p)
		}
	}
	return paths
}

// useless says why a path has no meaning beside the values, and which selector is to blame.
func (s *Schema) useless(path string, values Values) (selector, problem string) {
	var words []string
	for _, k := range s.byPath[path] {
		c := k.failing(values)
		if c == nil {
			return "", ""
		}
		if selector == "" {
			selector = c.Key
		}
		if c.Key == selector {
			words = append(words, c.Words...)
		}
	}
	if s.Find(selector, values) == nil { // the selector itself has no meaning: that is the reason
		return s.useless(selector, values)
	}
	right := s.hint(path, values)
	if right == "" {
		right = "it is for " + strings.Join(intersection(s.byPath[selector][0].Words, words), ", ")
	}
	return selector, fmt.Sprintf("of no use with %s: %s; %s", selector, Format(values[selector]), right)
}

func (s *Schema) hint(path string, values Values) string {
	if s.Hint == nil {
		return ""
	}
	return s.Hint(path, values)
}

// suggestKey finds what an unknown key was meant to be: what a hint says, a key of another section, or
// the nearest one of its own, or of all if a key may lack its section.
func (s *Schema) suggestKey(path string, loose bool, values Values) string {
	if hint := s.hint(path, values); hint != "" {
		return hint
	}
	section, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		section, name = path[:i], path[i+1:]
	}
	var own, all []string
	for _, p := range s.paths {
		k := s.byPath[p][0]
		if k.Name == name {
			return fmt.Sprintf("did you mean %s?", p)
		}
		all = append(all, k.Name)
		if k.Section == section {
			own = append(own, k.Name)
		}
	}
	if section == "" {
		own = append(own, s.sections...)
		if near := Nearest(name, slices.Concat(own, all)); loose && near != "" && !slices.Contains(own, near) {
			return fmt.Sprintf("did you mean %s?", s.named(near)[0])
		}
	}
	if s.byPath[section] != nil {
		return fmt.Sprintf("%s is one key; give it as a whole", section)
	}
	if len(own) == 0 {
		return fmt.Sprintf("there is no section %s", section)
	}
	slices.Sort(own)
	return Suggest(name, own)
}

// Words returns the values that the text of a path may have, nil if any will do.
func (s *Schema) Words(path string) []string {
	if keys := s.byPath[path]; keys != nil {
		return keys[0].Words
	}
	return nil
}
