package schema

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Resolved is a config whose keys all have values: those that they were given, and the defaults of the others.
type Resolved struct {
	Values Values

	schema  *Schema
	given   map[string]given
	later   []given // their keys lack their sections, and there are several
	unknown []given // there are no such keys
	wrong   map[string]bool
	errors  Errors
}

// given is a setting of a single key, and the group of settings that it came with: 0 for the document, then those that override it.
type given struct {
	Setting
	group int
}

// Resolve gives all keys values: those of a document, which overrides may replace, later ones earlier ones. Defaults depend on selectors,
// which come first. A setting of a key that has no meaning beside the selectors is wrong, except for one in the document where an override
// gave the selector its value: that one is dropped. Err has all that is wrong.
func (s *Schema) Resolve(document []Setting, overrides ...[]Setting) *Resolved {
	r := s.collect(append([][]Setting{document}, overrides...))
	for _, k := range s.keys { // a selector stands before the keys that depend on it
		if k.failing(r.Values) == nil {
			r.set(k)
		}
	}
	r.refuseUnknown()
	for _, g := range r.later {
		r.choose(g)
	}
	for _, path := range s.paths {
		if g, ok := r.given[path]; ok && s.Find(path, r.Values) == nil {
			r.refuse(path, g)
		}
	}
	return r
}

// Complete returns the values that keys were given, by their names and converted, and the defaults of the others; or all that is wrong.
func Complete(keys []Key, given map[string]any) (Values, error) {
	var document []Setting
	for _, name := range slices.Sorted(maps.Keys(given)) {
		document = append(document, Set(name, given[name]))
	}
	r := New(keys).Resolve(document)
	return r.Values, r.Err()
}

// Merge returns the settings of a document with overrides put in, one for each key, without resolving them.
func (s *Schema) Merge(document []Setting, overrides ...[]Setting) ([]Setting, error) {
	r := s.collect(append([][]Setting{document}, overrides...))
	r.refuseUnknown()
	for _, g := range r.later {
		r.fail(g.key, g, fmt.Sprintf("several sections have it; say which: %s", strings.Join(s.named(g.Key), ", ")))
	}
	var out []Setting
	for _, path := range s.paths {
		if g, ok := r.given[path]; ok {
			out = append(out, g.Setting)
		}
	}
	return out, r.Err()
}

// Err returns all that is wrong, as Errors, or nil.
func (r *Resolved) Err() error { return r.errors.sorted() }

// Fail notes a problem of a key, at the place where it, or one of its section, was given.
func (r *Resolved) Fail(path, problem string) {
	g, ok := r.given[path]
	if section, _, dotted := strings.Cut(path, "."); !ok && dotted {
		for p, other := range r.given {
			if first := g.Key == "" || other.before(g); strings.HasPrefix(p, section+".") && first {
				g = other
			}
		}
	}
	g.Key = path
	r.fail(g.value, g, problem)
}

// Given returns the setting that gave a key its value, and whether one did.
func (r *Resolved) Given(path string) (Setting, bool) {
	g, ok := r.given[path]
	return g.Setting, ok
}

// FailInside notes what is wrong with settings that a key's value consists of, where they stand. inside says which these are.
func (r *Resolved) FailInside(path, inside string, errors Errors) {
	for _, e := range errors {
		_, key, _ := strings.Cut(e.Key, ".")
		problem := inside + ": " + key + ": " + e.Problem
		r.errors = append(r.errors, &Error{Place: e.Place, Key: path, Problem: problem, group: r.given[path].group})
	}
}

// before is the order of the text.
func (g given) before(h given) bool {
	return cmp.Or(cmp.Compare(g.group, h.group), cmp.Compare(g.key.Line, h.key.Line), cmp.Compare(g.key.Column, h.key.Column),
		cmp.Compare(g.Key, h.Key)) < 0
}

func (r *Resolved) fail(at Place, g given, problem string) {
	r.errors = append(r.errors, &Error{Place: at, Key: g.Key, Problem: problem, group: g.group})
}

// collect finds what each key was given.
func (s *Schema) collect(groups [][]Setting) *Resolved {
	r := &Resolved{Values: Values{}, schema: s, given: map[string]given{}, wrong: map[string]bool{}}
	for i, group := range groups {
		for _, setting := range group {
			r.walk(given{setting, i})
		}
	}
	return r
}

// walk notes the settings that a setting of a key, or of a section, consists of.
func (r *Resolved) walk(g given) {
	if g.loose && !strings.Contains(g.Key, ".") && r.schema.byPath[g.Key] == nil && !r.schema.IsSection(g.Key) {
		switch paths := r.schema.named(g.Key); len(paths) {
		case 0:
		case 1:
			g.Key = paths[0]
		default:
			r.later = append(r.later, g)
			return
		}
	}
	switch inside, ok := g.Value.([]Setting); {
	case r.schema.byPath[g.Key] != nil:
		r.assign(g)
	case !r.schema.IsSection(g.Key):
		r.unknown = append(r.unknown, g)
	case g.Value != nil && !ok:
		r.fail(g.key, g, "expected keys and values, got "+describe(g.Value))
	default:
		for _, s := range inside {
			s.Key = join(g.Key, s.Key)
			if g.key.Line == 0 { // a flag, or a program's value
				s.key, s.value = g.key, g.value
			}
			r.walk(given{s, g.group})
		}
	}
}

func (r *Resolved) assign(g given) {
	if before, ok := r.given[g.Key]; ok && before.group == g.group {
		r.fail(g.key, g, "given twice")
	}
	r.given[g.Key] = g
}

// set gives a key its value.
func (r *Resolved) set(k *Key) {
	path := k.Path()
	r.Values[path] = k.Default
	g, ok := r.given[path]
	if !ok {
		return
	}
	value, problem := k.Convert(g.Value)
	if problem != "" {
		r.wrong[path] = true
		r.fail(g.value, g, problem)
		return
	}
	r.Values[path] = value
}

// choose finds which key was meant where several have a name: the only one that has a meaning.
func (r *Resolved) choose(g given) {
	var useful []string
	paths := r.schema.named(g.Key)
	for _, p := range paths {
		if r.schema.Find(p, r.Values) != nil {
			useful = append(useful, p)
		}
	}
	if len(useful) != 1 || r.schema.isSelector(useful[0]) {
		r.fail(g.key, g, "several sections have it; say which: "+strings.Join(paths, ", "))
		return
	}
	g.Key = useful[0]
	r.assign(g)
	r.set(r.schema.Find(g.Key, r.Values))
}

func (s *Schema) isSelector(path string) bool {
	return slices.ContainsFunc(s.keys, func(k *Key) bool {
		return slices.ContainsFunc(k.When, func(c Condition) bool { return c.Key == path })
	})
}

// refuseUnknown notes the keys that there are not: what they were meant to be may depend on the values.
func (r *Resolved) refuseUnknown() {
	for _, g := range r.unknown {
		r.fail(g.key, g, "unknown key; "+r.schema.suggestKey(g.Key, g.loose, r.Values))
	}
}

// refuse notes that a key has no meaning, unless something else is to blame.
func (r *Resolved) refuse(path string, g given) {
	selector, problem := r.schema.useless(path, r.Values)
	if by, ok := r.given[selector]; r.wrong[selector] || ok && by.group > 0 && g.group == 0 {
		return
	}
	r.fail(g.value, g, problem)
}
