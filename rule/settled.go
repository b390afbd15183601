package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// Update returns U of a step, theta' = theta - lr U, as graph code: without the rounding of theta, whose digits hide those of a small step.
func (r *Rule) Update(c Call) (graph.Value, error) {
	if r.update == nil {
		return graph.Value{}, fmt.Errorf("optimizer %s: its step is given as code alone: U needs its formulas", r.Name)
	}
	return r.update(r.condition(c)), nil
}

// Settled returns F, the update of the optimizer without memory, as graph code made from a gradient and the parameters: U where every entry
// of the state is what it tends to while gradients and parameters stay what they are. ema(x, b) tends to x, sum(x, b) to x/(1-b), a corrected
// memory to x; an entry that does not read what the step before left of itself is what its formula says, and a bound that grows without end
// bounds nothing. The error says which entry does not settle to anything that is known. Where the rule has the memory form, F is that of the full memory.
func (r *Rule) Settled() (func(g, theta graph.Value) graph.Value, error) {
	if r.settled == nil {
		lacks := r.wanders
		if lacks == "" {
			lacks = "its step is given as code alone"
		}
		return nil, fmt.Errorf("optimizer %s has no update without memory that is known: %s", r.Name, lacks)
	}
	return r.settled, nil
}

// settled returns F, or what stands against it.
func (p *program) settled() (f func(g, theta graph.Value) graph.Value, lacks string) {
	s := &settling{program: p, values: map[string]*formula.Formula{}, open: map[string]bool{}}
	update, lacks := s.resolve(p.update)
	if lacks != "" {
		return nil, lacks
	}
	update = p.late(update).Fold(p.numbers)
	for _, name := range []string{"n", "lr", hessian} {
		if update.Uses(name) {
			return nil, fmt.Sprintf("its update with the state settled, %s, depends on %s, %s", brief(update), name, reserved[name])
		}
	}
	return func(g, theta graph.Value) graph.Value {
		return update.Graph(p.layout, g, map[string]graph.Value{"g": g, "theta": theta}).BroadcastTo(g.Shape()...)
	}, ""
}

// late puts what they tend to as n grows into the places of a formula's parts that depend on the step alone, where that is plain.
func (p *program) late(f *formula.Formula) *formula.Formula {
	return f.Rewrite(func(part *formula.Formula) *formula.Formula {
		switch part.Op {
		case "every": // what is renewed in some steps tends to what it is renewed to
			return formula.Number(1)
		case "min", "max":
			for i, bound := range part.Args {
				if v, ok := p.limit(bound); ok && math.IsInf(v, map[string]int{"min": 1, "max": -1}[part.Op]) {
					return p.late(part.Args[1-i])
				}
			}
		}
		if v, ok := p.limit(part); ok && !math.IsInf(v, 0) {
			return formula.Number(v)
		}
		return nil
	})
}

// limit returns what a formula of the step alone tends to as n grows, which may be infinite, where that is plain.
func (p *program) limit(f *formula.Formula) (v float64, ok bool) {
	if !f.Uses("n") || slices.ContainsFunc(f.Names(), func(name string) bool { _, ok := p.numbers[name]; return !ok && name != "n" }) {
		return 0, false
	}
	fixed := f.Fold(p.numbers)
	a, b := fixed.Value(map[string]float64{"n": 1e12}), fixed.Value(map[string]float64{"n": 1e15})
	switch {
	case math.Abs(a-b) <= 1e-6*math.Abs(b):
		return b, true
	case b/a >= 2: // of one sign
		return math.Inf(int(math.Copysign(1, b))), true
	}
	return 0, false
}

// settling finds what the entries of a state tend to while the gradient stays.
type settling struct {
	*program
	values map[string]*formula.Formula // that are known
	open   map[string]bool             // that wait for others
	left   string                      // the entry, if any, that stands for its own past
}

// resolve puts what the entries tend to into a formula.
func (s *settling) resolve(f *formula.Formula) (*formula.Formula, string) {
	by := map[string]*formula.Formula{}
	for _, name := range f.Names() {
		i := slices.IndexFunc(s.entries, func(q *quantity) bool { return q.name == entryOf(name) })
		if i < 0 {
			continue
		}
		var lacks string
		if by[name], lacks = s.value(s.entries[i], strings.HasPrefix(name, "corrected(")); lacks != "" {
			return nil, lacks
		}
	}
	if f = f.Substitute(by); f.Size() > maxFormula {
		return nil, fmt.Sprintf("with the state settled its formulas have more than %d parts", maxFormula)
	}
	return f, ""
}

// outgrown returns what the formula of an entry tends to where it is the larger of its own past, times at most 1, and something that stays and is
// not negative: the entry begins at 0.
func (s *settling) outgrown(q *quantity, f *formula.Formula) *formula.Formula {
	if f.Op != "max" {
		return f
	}
	for i, past := range f.Args {
		rest := f.Args[1-i]
		slope, constant, ok := s.affine(past, before(q.name))
		if ok && constant == nil && slope >= 0 && slope <= 1 && !rest.Uses(before(q.name)) && (nonNegative(rest) || s.ofSquares(rest)) {
			return rest
		}
	}
	return f
}

// ofSquares reports whether a formula is the name of a memory of what is not negative.
func (s *settling) ofSquares(f *formula.Formula) bool {
	q := s.entry(f.Name)
	return q != nil && q.kernel != nil && q.kernel.First > 0 && nonNegative(q.phi)
}

// steady puts numbers into the places of entries that depend on the step alone, and tend to one.
func (s *settling) steady(f *formula.Formula) *formula.Formula {
	by := map[string]*formula.Formula{}
	for _, name := range f.Names() {
		if q := s.entry(name); q != nil && !q.kept {
			late := s.late(q.formula).Fold(s.numbers)
			if _, ok := late.IsNumber(); ok {
				by[name] = late
			}
		}
	}
	return f.Substitute(by).Fold(s.numbers)
}

// value returns what an entry tends to, or a memory over the sum of its weights.
func (s *settling) value(q *quantity, corrected bool) (*formula.Formula, string) {
	if q.name == s.left {
		return formula.Variable(before(q.name)), ""
	}
	remembers := q.kept && (q.kernel != nil || q.average)
	own := s.late(q.formula).Fold(s.numbers)
	if !remembers {
		own = s.outgrown(q, s.steady(own))
		slope, rest, ok := s.affine(own, before(q.name))
		switch {
		case ok && rest == nil && slope >= 0 && slope < 1-1e-6: // a product, as NAdam's of its decays
			own = formula.Number(0)
		case ok && rest != nil && slope >= 1:
			return nil, fmt.Sprintf("%s = %s grows without end while the gradient stays", q.name, q.text)
		case ok && rest != nil && slope > 0 && slope < 1-1e-6:
			own = formula.Apply("/", rest, formula.Number(1-slope))
		}
	}
	unknown := fmt.Sprintf("what %s = %s tends to while the gradient stays is not known", q.name, q.text)
	if s.open[q.name] || !remembers && own.Uses(before(q.name)) {
		return nil, unknown
	}
	v, ok := s.values[q.name]
	if !ok {
		of := own
		if remembers {
			of = q.phi
		}
		s.open[q.name] = true
		var lacks string
		v, lacks = s.resolve(of)
		s.open[q.name] = false
		if lacks != "" && q.average && s.left == "" {
			v = s.rest(q)
		}
		if v == nil {
			return nil, lacks
		}
		s.values[q.name] = v
	}
	if remembers && !corrected && q.kernel != nil {
		if gain := q.kernel.First / (1 - q.kernel.Beta); gain != 1 {
			v = formula.Apply("*", formula.Number(gain), v)
		}
	}
	return v, ""
}

// rest returns where an average rests that reads its own past through other entries, as Adadelta's of its squared steps does. With those settled, what it is
// after a step must be affine in what it was, with a slope from 0 to below 1, so that there is one such place and it comes there. That this is the
// square of the gradient is tried, over sizes of it; nil says that it is not.
func (s *settling) rest(q *quantity) *formula.Formula {
	within := &settling{program: s.program, values: map[string]*formula.Formula{}, open: map[string]bool{}, left: q.name}
	next, lacks := within.resolve(s.late(q.formula).Fold(s.numbers))
	if lacks != "" {
		return nil
	}
	next = next.Fold(s.numbers)
	for _, g := range []float64{1e-3, -0.02, 0.3, -1} {
		at := func(past float64) float64 { return next.Value(map[string]float64{"g": g, before(q.name): past}) }
		place := g * g
		none, here, twice := at(0), at(place), at(2*place)
		slope := (twice - none) / (2 * place)
		equal := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
		if !(slope >= 0 && slope < 1 && equal(here, place) && equal((none+twice)/2, here)) {
			return nil
		}
	}
	return formula.Apply("^", formula.Variable("g"), formula.Number(2))
}
