package rule

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// Scale is a place in a family of steps that passes through a rule's own and tends to rest: what the theory of modified equations with
// memory as state (theory, section 6) expands in. Of a step of size e over the rule's own, lr is e lr, and every decay beta is beta^e, which
// is exp(-e lr/tau) with a time tau = lr/(-log beta) that stays. A sum's weights are multiplied by (1 - beta^e)/(1 - beta), so that what it
// tends to stays too, and an entry of state that is no exponential memory goes the share e of its way. Where a formula names lr, it is the rule's own.
type Scale struct {
	// Size is e, a scalar: 1 is the rule's own step. The zero Value stands for the limit of 0.
	Size graph.Value
	// Age is the number of the rule's own steps that have gone by, a scalar: n in a step of the rule's own. It need not be whole.
	Age graph.Value
	// Rate returns (beta^e - 1)/e, a scalar: log beta in the limit of e = 0.
	Rate func(beta float64) graph.Value
}

// Velocity returns the rates of change (theta' - theta)/e and (s' - s)/e of a step of the rule's family, as graph code that is smooth in the
// size e up to 0 where the rule's formulas are smooth. Of the call it takes everything but Scalars. An array that no later step reads, a mean
// with a decay of 0, stands still. Where a state that cannot be negative in
// a run, like a mean of squares, is negative nevertheless, it counts as 0 for those who read it.
func (r *Rule) Velocity(c Call, at Scale) (theta graph.Value, state []graph.Value, err error) {
	if err := r.StepsOfAllSizes(); err != nil {
		return graph.Value{}, nil, err
	}
	theta, state = r.family.velocity(r.condition(c), at)
	return theta, state, nil
}

// StepsOfAllSizes returns an error that says why the rule stands in no family of steps of all sizes, see [Scale]; nil where it does.
func (r *Rule) StepsOfAllSizes() error {
	switch {
	case r.family != nil:
		return nil
	case r.whole != "":
		return fmt.Errorf("optimizer %s has no equation with memory as state, which is made from steps of all sizes: %s", r.Name, r.whole)
	}
	return fmt.Errorf("optimizer %s: its step is given as code alone: a family of steps of all sizes needs its formulas", r.Name)
}

// ofWholeSteps says what in a program has a meaning in whole steps alone; empty if nothing has.
func (p *program) ofWholeSteps() string {
	reason := ""
	p.each(func(part *formula.Formula) {
		switch {
		case part.Name == hessian:
			reason = "it reads an estimate of the Hessian's diagonal, which is drawn anew from step to step"
		case part.Op == "every" && reason == "":
			reason = fmt.Sprintf("%s has a meaning in whole steps alone; want hyperparameters under which all steps are alike", part)
		}
	})
	return reason
}

// each visits the parts of all formulas.
func (p *program) each(visit func(part *formula.Formula)) {
	for _, q := range p.entries {
		q.formula.Visit(visit)
	}
	p.update.Visit(visit)
}

// hessian returns whether a step reads the estimate of the Hessian's diagonal, by conditions of the step alone; nil if none does.
func (p *program) hessian() func(n int) bool {
	used := false
	p.each(func(part *formula.Formula) { used = used || part.Name == hessian })
	if !used {
		return nil
	}
	var reads func(f *formula.Formula, n map[string]float64) bool
	reads = func(f *formula.Formula, n map[string]float64) bool {
		if f.Op == formula.If {
			if v, ok := f.Args[0].Fold(p.numbers).Fold(n).IsNumber(); ok && v != 0 {
				return reads(f.Args[1], n)
			} else if ok {
				return reads(f.Args[2], n)
			}
		}
		return f.Name == hessian || slices.ContainsFunc(f.Args, func(a *formula.Formula) bool { return reads(a, n) })
	}
	return func(n int) bool {
		at := map[string]float64{"n": float64(n)}
		return reads(p.update, at) || slices.ContainsFunc(p.entries, func(q *quantity) bool { return reads(q.formula, at) })
	}
}

// Decay returns log beta of the i-th array of state, where that is an exponential memory: the rate at which it fades in the family's time.
// Otherwise it is 0.
func (r *Rule) Decay(i int) float64 {
	if r.family == nil {
		return 0
	}
	return r.family.decay(i)
}

func (f *family) decay(i int) float64 {
	if m := f.array(i); m.kind == memory {
		return math.Log(m.kernel.Beta)
	}
	return 0
}

// array returns the member that the i-th array of state is.
func (f *family) array(i int) member {
	for _, m := range f.entries {
		if m.kind == mixture {
			continue
		}
		if i == 0 {
			return m
		}
		i--
	}
	return member{}
}

// NonNegative reports whether the i-th array of state cannot be negative in a run, as far as the form of its formula shows.
func (r *Rule) NonNegative(i int) bool { return r.family != nil && r.family.nonNegative(i) }

func (f *family) nonNegative(i int) bool { return f.array(i).nonNegative }

// sizes are steps of all sizes; see [Rule.Velocity], [Rule.Centered], [Rule.CenteredLift], [Rule.Decay] and [Rule.NonNegative].
type sizes interface {
	velocity(c Call, at Scale) (theta graph.Value, state []graph.Value)
	centered(c Call, before []graph.Value, age graph.Value) (theta graph.Value, state []graph.Value)
	centeredLift(ends [2]Call, mean []graph.Value, age graph.Value) (dmean, dflip []graph.Value)
	decay(i int) float64
	nonNegative(i int) bool
	kinks() []string
}

// family is a program as the graph code of steps of all sizes makes it.
type family struct {
	entries      []member
	displacement *formula.Formula            // in a step of size 1
	decays       map[string]float64          // the hyperparameters that are decays, by name
	ages         map[string]*formula.Formula // parts that depend on the step alone, by the names that they have in the formulas
	layout       formula.Layout
}

// member is an entry of a family's state.
type member struct {
	name    string
	form    formula.Form
	formula *formula.Formula // of a memory, what it remembers; else the entry's own
	kind    memberKind
	kernel  *Kernel
	gain    float64 // of a memory: it tends to gain times the formula
	// corrected says that the entry is also read over the sum of its weights.
	corrected   bool
	nonNegative bool
}

type memberKind int

const (
	mixture memberKind = iota // no array
	memory                    // an exponential memory
	present                   // a memory that only knows the present
	relaxed                   // any other array: it goes the share e of its way
)

// family returns the steps of all sizes.
func (p *program) family(c *code) *family {
	f := &family{decays: map[string]float64{}, ages: map[string]*formula.Formula{}, layout: p.layout}
	for _, q := range p.entries {
		if q.kept && q.kernel != nil && q.decay != nil && q.decay.Name != "" && q.kernel.Beta > 0 {
			f.decays[q.decay.Name] = q.kernel.Beta
		}
	}
	for _, q := range p.entries {
		m := member{name: q.name, form: q.form, kernel: q.kernel, kind: p.kindOf(q)}
		_, m.corrected = c.byText[corrected(q.name)]
		m.nonNegative = q.kept && q.kernel != nil && q.kernel.First > 0 && nonNegative(q.phi)
		if m.kind == memory || m.kind == present {
			m.gain, m.formula = q.kernel.First/(1-q.kernel.Beta), f.encode(p, q.phi)
		} else {
			m.formula = f.encode(p, q.formula)
		}
		f.entries = append(f.entries, m)
	}
	f.displacement = displacement(f.encode(p, p.update))
	return f
}

func (p *program) kindOf(q *quantity) memberKind {
	switch {
	case !q.kept:
		return mixture
	case q.kernel == nil:
		return relaxed
	case q.kernel.Beta > 0:
		return memory
	}
	for _, by := range p.entries {
		if by != q && by.formula.Uses(before(q.name)) {
			return relaxed
		}
	}
	return present
}

// nonNegative reports whether a formula is not negative whatever its names stand for, as far as its form shows.
func nonNegative(f *formula.Formula) bool {
	v, isNumber := f.IsNumber()
	switch f.Op {
	case "":
		return isNumber && v >= 0
	case "abs", "sqrt", "exp":
		return true
	case "^":
		p, ok := f.Args[1].IsNumber()
		return ok && math.Mod(p, 2) == 0 || nonNegative(f.Args[0])
	case "*":
		return f.Args[0].Equal(f.Args[1]) || nonNegative(f.Args[0]) && nonNegative(f.Args[1])
	case "+", "/", "min":
		return nonNegative(f.Args[0]) && nonNegative(f.Args[1])
	case "max":
		return nonNegative(f.Args[0]) || nonNegative(f.Args[1])
	case formula.If:
		return nonNegative(f.Args[1]) && nonNegative(f.Args[2])
	case "norm":
		return true
	case "total", "average", "rows", "columns":
		return nonNegative(f.Args[0])
	}
	return false
}

// encode computes the numbers of a formula but for the decays, and gives names to its parts that depend on the step alone. Those are left
// those of the rule's own steps.
func (f *family) encode(p *program, of *formula.Formula) *formula.Formula {
	numbers := map[string]float64{}
	for name, v := range p.numbers {
		if _, ok := f.decays[name]; !ok {
			numbers[name] = v
		}
	}
	return of.Rewrite(func(part *formula.Formula) *formula.Formula {
		if !part.Uses("n") || slices.ContainsFunc(part.Names(), func(name string) bool { _, ok := p.numbers[name]; return !ok && name != "n" }) {
			return nil
		}
		name := "age of " + part.String()
		f.ages[name] = part.Fold(p.numbers)
		return formula.Variable(name)
	}).Fold(numbers)
}

// velocity returns the rates of change of theta and of the arrays of state.
func (f *family) velocity(c Call, at Scale) (theta graph.Value, state []graph.Value) {
	steps := at.Age
	if at.Size.Valid() {
		steps = at.Age.Add(at.Size)
	}
	names := f.names(c, at.Age, c.State, func(beta float64) graph.Value {
		if !at.Size.Valid() {
			return at.Age.Like(1)
		}
		return at.Rate(beta).Mul(at.Size).Add(at.Size.Like(1))
	})
	place := 0
	for _, m := range f.entries {
		v := m.formula.Graph(f.layout, c.Theta, names)
		if m.kind != mixture {
			var rate graph.Value
			v, rate = m.move(fromArray(m.form, c.State[place]), m.fill(v, c.Theta), at)
			state = append(state, toArray(m.form, rate, c.Theta))
			place++
		}
		m.set(names, v, steps)
	}
	return f.theta(c, names), state
}

// names returns the values of all names before the first entry is set. What cannot be negative is not so half a step back either.
func (f *family) names(c Call, n graph.Value, past []graph.Value, decay func(beta float64) graph.Value) map[string]graph.Value {
	names := map[string]graph.Value{"g": c.G, "theta": c.Theta, "lr": c.LR}
	for name, part := range f.ages {
		names[name] = part.Graph(formula.Layout{}, n, map[string]graph.Value{"n": n})
	}
	for name, beta := range f.decays {
		names[name] = decay(beta)
	}
	place := 0
	for _, m := range f.entries {
		if m.kind != mixture {
			v := fromArray(m.form, past[place])
			if m.nonNegative {
				v = v.Floor()
			}
			names[before(m.name)] = v
			place++
		}
	}
	return names
}

// fill returns what a formula gives with a number for each element of its array.
func (m member) fill(v, theta graph.Value) graph.Value {
	return fromArray(m.form, toArray(m.form, v, theta))
}

// set makes v the value of an entry, for those that read it. steps is the number of the rule's own steps whose weights a memory has.
func (m member) set(names map[string]graph.Value, v, steps graph.Value) {
	if m.nonNegative {
		v = v.Floor()
	}
	names[m.name] = v
	if m.corrected {
		names[corrected(m.name)] = v.Div(m.weights(steps))
	}
}

// theta returns the rate of change of theta.
func (f *family) theta(c Call, names map[string]graph.Value) graph.Value {
	return f.displacement.Graph(f.layout, c.Theta, names).BroadcastTo(c.Theta.Shape()...).Neg()
}

// move returns an array of state behind a step, and its rate of change, from its value before and what its formula gives.
func (m member) move(s, v graph.Value, at Scale) (after, rate graph.Value) {
	switch m.kind {
	case memory:
		rate = s.Sub(v.Mul(v.Like(m.gain))).Mul(at.Rate(m.kernel.Beta))
	case present:
		return v.Mul(v.Like(m.gain)), s.Like(0).BroadcastTo(s.Shape()...)
	default:
		rate = v.Sub(s)
	}
	if !at.Size.Valid() {
		return s, rate
	}
	return s.Add(rate.Mul(at.Size)), rate
}

// weights returns the sum of a memory's weights over a number of the rule's own steps, which need not be whole: gain (1 - beta^steps).
func (m member) weights(steps graph.Value) graph.Value {
	gain := steps.Like(m.gain)
	if m.kernel.Beta == 0 {
		return gain
	}
	faded := steps.Mul(steps.Like(math.Log(m.kernel.Beta))).Exp()
	return gain.Sub(faded.Mul(gain))
}
