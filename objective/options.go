package objective

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Pair is an input and its target; each is a batch of its own.
type Pair struct{ X, Y float64 }

// ParsePairs reads pairs written x:y,x:y,...
func ParsePairs(s string) ([]Pair, error) {
	var pairs []Pair
	for i, field := range strings.Split(s, ",") {
		x, y, ok := strings.Cut(strings.TrimSpace(field), ":")
		p, errX := parseFinite(x)
		q, errY := parseFinite(y)
		if !ok || errX != nil || errY != nil {
			return nil, fmt.Errorf("pair %d, %q: want two finite numbers x:y", i+1, field)
		}
		pairs = append(pairs, Pair{p, q})
	}
	return pairs, nil
}

func parseFinite(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a finite number", s)
	}
	return v, nil
}

// options reads an objective's options; the first mistake sticks.
type options struct {
	objective string
	values    map[string]string
	known     []string
	err       error
}

func (o *options) lookup(key string) (string, bool) {
	o.known = append(o.known, key)
	v, ok := o.values[key]
	return v, ok
}

func (o *options) fail(key, want string) {
	if o.err == nil {
		o.err = fmt.Errorf("objective %s: %s = %q: want %s", o.objective, key, o.values[key], want)
	}
}

// count reads a whole number between lo and hi.
func (o *options) count(key string, def, lo, hi int) int {
	s, ok := o.lookup(key)
	if !ok {
		return def
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < lo || v > hi {
		o.fail(key, fmt.Sprintf("a whole number from %d to %d", lo, hi))
		return def
	}
	return v
}

// nonNegative reads a finite number of at least 0.
func (o *options) nonNegative(key string, def float64) float64 {
	s, ok := o.lookup(key)
	if !ok {
		return def
	}
	v, err := parseFinite(s)
	if err != nil || v < 0 {
		o.fail(key, "a finite number of at least 0")
		return def
	}
	return v
}

// maxList bounds the length of a list.
const maxList = 1000

// list reads finite numbers separated by colons.
func (o *options) list(key string, def []float64) []float64 {
	s, ok := o.lookup(key)
	if !ok {
		return def
	}
	var vs []float64
	for _, f := range strings.Split(s, ":") {
		v, err := parseFinite(f)
		if err != nil || len(vs) == maxList {
			o.fail(key, fmt.Sprintf("at most %d finite numbers separated by colons", maxList))
			return def
		}
		vs = append(vs, v)
	}
	return vs
}

// pairs reads pairs x:y,x:y.
func (o *options) pairs(key string) []Pair {
	s, ok := o.lookup(key)
	if !ok {
		return []Pair{{2, 1.5}}
	}
	ps, err := ParsePairs(s)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("objective %s: %s: %w", o.objective, key, err)
	}
	return ps
}

// finish reports the first mistake, or an option that the objective does not have.
func (o *options) finish() error {
	if o.err != nil {
		return o.err
	}
	for _, key := range slices.Sorted(maps.Keys(o.values)) {
		if slices.Contains(o.known, key) {
			continue
		}
		if len(o.known) == 0 {
			return fmt.Errorf("objective %s: no option %q: it has none", o.objective, key)
		}
		return fmt.Errorf("objective %s: no option %q: did you mean %s? (it has %s)",
			o.objective, key, nearest(key, o.known), strings.Join(o.known, ", "))
	}
	return nil
}

func nearest(name string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
}

// catalog lists the losses in closed form.
func catalog() []struct {
	name  string
	build func(o *options) *function
} {
	return []struct {
		name  string
		build func(o *options) *function
	}{
		{"bilinear", func(o *options) *function { return bilinear(o.pairs("pairs")) }},
		{"cubic", func(o *options) *function { return cubic(o.pairs("pairs")) }},
		{"quadratic", newQuadratic},
		{"logistic", newLogistic},
		{"factorization", newFactorization},
		{"rosenbrock", newRosenbrock},
	}
}

// Names returns the names that New knows.
func Names() []string {
	var names []string
	for _, e := range catalog() {
		names = append(names, e.name)
	}
	return names
}

// New makes the loss of that name. The options, all optional:
//
//	bilinear       pairs (x:y,x:y, one a batch; 2:1.5)
//	cubic          pairs
//	quadratic      spectrum (eigenvalues a:b:c; 1:4:10), rotation (seed of the eigenvectors, 0 for the axes; 1)
//	logistic       samples (40), features (4), batches (1), ridge (0.01), seed (1)
//	factorization  rows (5), columns (4), rank (2), batches (1; of rows), seed (1)
//	rosenbrock     dim (2)
//
// An unknown name or option, or a value out of its range, is an error that says what would be right.
func New(name string, opts map[string]string) (Objective, error) {
	for _, e := range catalog() {
		if e.name != name {
			continue
		}
		o := &options{objective: name, values: opts}
		f := e.build(o)
		if err := o.finish(); err != nil {
			return nil, err
		}
		return f, nil
	}
	return nil, fmt.Errorf("no objective %q: did you mean %s? (there are %s)", name, nearest(name, Names()), strings.Join(Names(), ", "))
}
