// Package formula reads the formulas of update rules, like corrected(m) / sqrt(v + eps), and gives them three meanings: a float64
// for what depends on numbers alone, graph code for what is computed element by element, and an [Expr] that can be
// differentiated, substituted in, and printed as people write it.
//
// A [Formula] is the tree of what was written, and prints as such. What an operation means in each of the three ways is a row of
// the table in operations.go. The algebra of Expr knows fewer of them than the other two; where it does not know one, the formula
// still runs, and the Expr says what it lacks.
package formula

import (
	"maps"
	"slices"
	"strconv"
)

// Formula is a number, a name, or an operation on formulas. A Formula is not changed once it is made, and may be part of several.
type Formula struct {
	// Op is the operation: + - * / ^, [Negate], or the name of a function. It is empty for a number and for a name.
	Op   string
	Args []*Formula
	// Name is the variable, empty for a number.
	Name string
	// Column is where the formula stands in the text that it was read from, in characters from 1: of an operator, its own place.
	// It is 0 for what was not read.
	Column int

	number float64
	text   string // a number as it was written
	size   int
}

// Negate is the operation of a minus sign before a formula.
const Negate = "negative of"

// Number returns a number.
func Number(v float64) *Formula {
	return &Formula{number: v, text: strconv.FormatFloat(v, 'g', -1, 64), size: 1}
}

// Variable returns a name.
func Variable(name string) *Formula { return &Formula{Name: name, size: 1} }

// Apply returns an operation on formulas.
func Apply(op string, args ...*Formula) *Formula { return apply(op, 0, args...) }

func apply(op string, column int, args ...*Formula) *Formula {
	f := &Formula{Op: op, Args: args, Column: column, size: 1}
	for _, a := range args {
		f.size = min(f.size+a.size, maxSize+1)
	}
	return f
}

// maxSize is where sizes are no longer counted.
const maxSize = 1 << 20

// Size returns the number of operations, names and numbers in f, parts that it holds twice counted twice, but not beyond about a
// million. All work on a formula is proportional to it.
func (f *Formula) Size() int { return f.size }

// IsNumber returns the number that f is, false if it is anything else.
func (f *Formula) IsNumber() (v float64, ok bool) { return f.number, f.Op == "" && f.Name == "" }

// Names returns the names in f, sorted, each once.
func (f *Formula) Names() []string {
	seen := map[string]bool{}
	f.Visit(func(part *Formula) {
		if part.Name != "" {
			seen[part.Name] = true
		}
	})
	return slices.Sorted(maps.Keys(seen))
}

// Visit calls each with f and all its parts.
func (f *Formula) Visit(each func(part *Formula)) {
	each(f)
	for _, a := range f.Args {
		a.Visit(each)
	}
}

// Uses reports whether the name occurs in f.
func (f *Formula) Uses(name string) bool {
	return f.Name == name && name != "" || slices.ContainsFunc(f.Args, func(a *Formula) bool { return a.Uses(name) })
}

// Equal reports whether two formulas are the same, wherever they were read.
func (f *Formula) Equal(g *Formula) bool {
	return f.Op == g.Op && f.Name == g.Name && f.number == g.number && slices.EqualFunc(f.Args, g.Args, (*Formula).Equal)
}

// Rewrite replaces parts of f, the largest first: a part for which by returns a formula becomes that formula, of one for which it
// returns nil the parts are looked at.
func (f *Formula) Rewrite(by func(part *Formula) *Formula) *Formula {
	if r := by(f); r != nil {
		return r
	}
	if len(f.Args) == 0 {
		return f
	}
	args := make([]*Formula, len(f.Args))
	for i, a := range f.Args {
		args[i] = a.Rewrite(by)
	}
	return apply(f.Op, f.Column, args...)
}

// Substitute replaces names by formulas.
func (f *Formula) Substitute(by map[string]*Formula) *Formula {
	return f.Rewrite(func(part *Formula) *Formula { return by[part.Name] })
}
