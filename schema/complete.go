package schema

import (
	"slices"
	"strings"
)

// Complete returns what a text may become that a flag like --set is being given, each with its meaning behind a tab: keys, or behind an
// equals sign the values of one. Where a key is not finished by a candidate, more is to follow. Keys that have no meaning beside the
// settings, and those in the text before, are left out; without settings none is.
func (s *Schema) Complete(text string, groups ...[]Setting) (candidates []string, more bool) {
	parts := splitSet(text)
	last := parts[len(parts)-1]
	before := strings.TrimSuffix(text, last)
	useful := func(string) bool { return true }
	if groups != nil {
		earlier, _ := ParseSet("", strings.TrimSuffix(before, ",")) // what is wrong with it is said when it is used
		values := s.Resolve(groups[0], append(groups[1:], earlier)...).Values
		useful = func(path string) bool { return s.Find(path, values) != nil }
	}
	name, value, valued := strings.Cut(last, "=")
	if !valued {
		for _, c := range s.completeKey(name, useful) {
			candidates = append(candidates, before+c)
		}
		return candidates, true
	}
	var words []string
	for _, k := range s.loosely(strings.TrimSpace(name)) {
		for _, w := range k.candidates() {
			if strings.HasPrefix(w, value) && !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	for _, w := range words {
		candidates = append(candidates, before+name+"="+w)
	}
	return candidates, false
}

// completeKey returns the keys that begin like this, those that need no section by their names too.
func (s *Schema) completeKey(start string, useful func(path string) bool) []string {
	var out []string
	for _, path := range s.paths {
		if !useful(path) {
			continue
		}
		k := s.byPath[path][0]
		for _, name := range []string{path, k.Name} {
			if !strings.HasPrefix(name, start) || name != path && (start == "" || len(s.named(name)) > 1 || s.byPath[name] != nil) {
				continue
			}
			if c := name + "=\t" + k.Doc; !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// loosely returns the variants of the key of a path, or of a name that only one section has.
func (s *Schema) loosely(name string) []*Key {
	if k := s.byPath[name]; k != nil {
		return k
	}
	if paths := s.named(name); len(paths) == 1 {
		return s.byPath[paths[0]]
	}
	return nil
}

// candidates are values worth offering: words, or the default.
func (k *Key) candidates() []string {
	switch {
	case k.Words != nil:
		return k.Words
	case k.Type == Flag:
		return []string{"true", "false"}
	case k.Default == nil:
		return nil
	}
	return []string{Format(k.Default)}
}
