package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/rule/formula"
	"shadowflow/schema"
)

// What the value of a formula depends on.
type dependence int

const (
	onNumbers  dependence = iota // hyperparameters alone
	onStep                       // and the step n
	onElements                   // what is computed for each parameter
)

// place is where a formula stands in a definition.
type place struct {
	setting schema.Setting
	key     string
	entry   int // of the state; their number for the update
}

// check finds names without a meaning, and functions where they have none; and it fills in the ranges of hyperparameters.
func (r *reader) check() {
	for i, e := range r.d.State {
		r.names(e.Formula, place{r.at[e.Name], path("state", e.Name), i}, true)
	}
	r.names(r.d.Update, place{r.at["update"], path("update"), len(r.d.State)}, false)
	if len(r.errors) > 0 {
		return
	}
	for _, k := range r.d.Let {
		r.unused("let", k.Name)
	}
	for _, e := range r.d.State {
		r.unused("state", e.Name)
	}
	r.elements = map[string]dependence{}
	for i, e := range r.d.State {
		r.elements[e.Name] = max(r.elements[e.Name], r.depends(e.Formula))
		for _, name := range e.Formula.Names() {
			if r.d.index(name) >= i { // the value of the step before
				r.elements[name] = onElements
			}
		}
	}
	for i, e := range r.d.State {
		r.same(e.Formula, place{r.at[e.Name], path("state", e.Name), i})
	}
	r.same(r.d.Update, place{r.at["update"], path("update"), len(r.d.State)})
	r.shapes()
	r.inferRanges()
}

// unused refuses a name that no formula uses: it may be misspelt where it should be.
func (r *reader) unused(in, name string) {
	if !r.used[name] {
		r.fail(r.at[name].KeyError(path(in, name), "no formula uses it; use it, or leave it out"))
	}
}

// wrong notes what is wrong with a part of a formula.
func (r *reader) wrong(f *formula.Formula, at place, problem string, args ...any) {
	found := f.Op
	if f.Op == "" {
		found = f.String()
	}
	r.fail(at.setting.TextError(at.key, f.Column, "found %q: %s", found, fmt.Sprintf(problem, args...)))
}

// names checks the names and functions of a formula. alone says that it is the whole formula of an entry, or a branch that may be.
func (r *reader) names(f *formula.Formula, at place, alone bool) {
	switch f.Op {
	case "":
		r.name(f, at)
	case "if":
		r.condition(f.Args[0], at)
		r.names(f.Args[1], at, alone)
		r.names(f.Args[2], at, alone)
	case "ema", "sum":
		if !alone {
			r.wrong(f, at, "it remembers, so it is an entry of state by itself; write m: %s there, and m here", f)
		}
		r.names(f.Args[0], at, false)
		r.names(f.Args[1], at, false)
	case "corrected":
		r.corrected(f.Args[0], at)
	default:
		for _, a := range f.Args {
			r.names(a, at, false)
		}
	}
}

func (r *reader) name(f *formula.Formula, at place) {
	if f.Name == "" || reserved[f.Name] != "" {
		return
	}
	self := at.entry < len(r.d.State) && r.d.State[at.entry].Name == f.Name
	r.used[f.Name] = r.used[f.Name] || !self
	k := r.d.key(f.Name)
	switch {
	case k == nil && r.d.index(f.Name) < 0:
		known := slices.Sorted(maps.Keys(reserved))
		for _, k := range r.d.Let {
			known = append(known, k.Name)
		}
		for _, e := range r.d.State {
			known = append(known, e.Name)
		}
		r.wrong(f, at, "no such name; want one of %s%s", strings.Join(known, ", "), didYouMean(f.Name, known))
	case k != nil && k.Type == schema.Flag:
		r.wrong(f, at, "it is true or false; want a number, or if(%s, a, b)", f.Name)
	}
}

func didYouMean(name string, known []string) string {
	if near := schema.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

// condition checks what an if asks.
func (r *reader) condition(f *formula.Formula, at place) {
	if f.Op == ">" {
		r.names(f.Args[0], at, false)
		r.names(f.Args[1], at, false)
		return
	}
	if k := r.d.key(f.Name); k != nil && k.Type == schema.Flag {
		r.used[f.Name] = true
		return
	}
	r.wrong(f, at, "want a hyperparameter that is true or false, or a comparison, like n > 0")
}

// corrected checks what is corrected: an exponential memory that stands above.
func (r *reader) corrected(f *formula.Formula, at place) {
	i := r.d.index(f.Name)
	switch {
	case i < 0:
		r.wrong(f, at, "want the name of an entry of state that is ema(...) or sum(...)")
	case i >= at.entry:
		r.wrong(f, at, "want an entry that is set above")
	case !remembers(r.d.State[i].Formula):
		r.wrong(f, at, "it is %s; want an entry that is ema(...) or sum(...)", r.d.State[i].Formula)
	default:
		r.used[f.Name] = true
	}
}

// remembers reports whether a formula is an exponential memory, whatever the flags.
func remembers(f *formula.Formula) bool {
	return f.Op == "ema" || f.Op == "sum" || f.Op == "if" && remembers(f.Args[1]) && remembers(f.Args[2])
}

// same checks that decays are the same for all parameters, and that exponents of what is computed for each are so in all steps, too.
func (r *reader) same(f *formula.Formula, at place) {
	switch f.Op {
	case "ema", "sum":
		if r.depends(f.Args[1]) == onElements {
			r.wrong(f, at, "the decay %s is not the same for all parameters and step sizes; want it made of hyperparameters, numbers and n", f.Args[1])
		}
	case "every":
		if r.depends(f.Args[0]) == onElements || r.depends(f.Args[1]) != onNumbers {
			r.wrong(f, at, "want a number of steps, and every how many, which is made of hyperparameters and numbers, like every(n, 10)")
		}
	case "inverse_root":
		if r.depends(f.Args[1]) != onNumbers {
			r.wrong(f, at, "the root %s is not the same for all parameters and steps; want it made of hyperparameters and numbers", f.Args[1])
		}
	case "^":
		exponent := r.depends(f.Args[1])
		if exponent == onElements || exponent == onStep && r.depends(f.Args[0]) == onElements {
			r.wrong(f, at, "the exponent %s is not the same for all parameters and steps; want it made of hyperparameters and numbers", f.Args[1])
		}
	}
	for _, a := range f.Args {
		r.same(a, at)
	}
}

// depends returns what a formula's value depends on, at most.
func (r *reader) depends(f *formula.Formula) dependence {
	most := onNumbers
	for _, name := range f.Names() {
		switch {
		case name == "n":
			most = max(most, onStep)
		case r.d.index(name) >= 0:
			most = max(most, r.elements[name])
		case r.d.key(name) == nil:
			most = onElements
		}
	}
	return most
}

// inferRanges gives hyperparameters that have none the range of what they are for: a decay is in [0,1), eps above 0.
func (r *reader) inferRanges() {
	decays := map[string]string{}
	var visit func(entry string, f *formula.Formula)
	visit = func(entry string, f *formula.Formula) {
		if f.Op == "ema" || f.Op == "sum" {
			decays[f.Args[1].Name] = entry
		}
		for _, a := range f.Args {
			visit(entry, a)
		}
	}
	for _, e := range r.d.State {
		visit(e.Name, e.Formula)
	}
	for i := range r.d.Let {
		k := &r.d.Let[i]
		if entry, ok := decays[k.Name]; ok {
			if k.Range == nil {
				k.Range = schema.ParseInterval("[0,1)")
			}
			if k.Doc == "" {
				k.Doc = "decay of " + entry
			}
		}
		if k.Name == "eps" && k.Range == nil && k.Type == schema.Number {
			k.Range = schema.ParseInterval("(0,inf)")
		}
		if k.Doc == "" {
			k.Doc = "hyperparameter of " + r.d.Name
		}
		if _, problem := k.Convert(k.Default); problem != "" {
			r.fail(r.at[k.Name].ValueError(path("let", k.Name), "%s", problem))
		}
	}
}
