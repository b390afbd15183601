package rule

import (
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// program is a definition with the values of its hyperparameters: branches are chosen, memories are written as the recursions that they are,
// entries without an array are put into the formulas that read them, and entries that nothing reads are gone.
type program struct {
	d       *Definition
	numbers map[string]float64
	entries []*quantity // in order
	update  *formula.Formula
	layout  formula.Layout
}

// quantity is an entry of the state that has an array, or that mixes what the step before left with the present gradient.
type quantity struct {
	name    string
	form    formula.Form
	text    string           // as the definition has it, for messages
	formula *formula.Formula // with before(x) for what the step before left of x, and corrected(m) for that of m
	kept    bool             // it is read before it is set, so it has an array
	// Where it is sum_k w(k) phi of k steps ago: the weights, and phi, which may be made of more than the gradient.
	kernel *Kernel
	phi    *formula.Formula
	// Where it is written as ema or sum: the decay, and which of them.
	decay   *formula.Formula
	average bool
}

// The names, in a program's formulas, of what the step before left of an entry, and of a memory over the sum of its weights.
func before(name string) string    { return "before(" + name + ")" }
func corrected(name string) string { return "corrected(" + name + ")" }

// pastOf returns the entry whose value before a name stands for.
func pastOf(name string) (entry string, ok bool) {
	inner, ok := strings.CutPrefix(name, "before(")
	return strings.TrimSuffix(inner, ")"), ok
}

// correctedOf returns the entry that a name stands for over the sum of its weights.
func correctedOf(name string) (entry string, ok bool) {
	inner, ok := strings.CutPrefix(name, "corrected(")
	return strings.TrimSuffix(inner, ")"), ok
}

// entryOf returns the entry that a name is about.
func entryOf(name string) string {
	if entry, ok := pastOf(name); ok {
		return entry
	}
	if entry, ok := correctedOf(name); ok {
		return entry
	}
	return name
}

// maxFormula bounds the formulas that entries are put into.
const maxFormula = 4096

// program returns the definition with values, for the weights that the parameters consist of; nil for one vector.
func (d *Definition) program(values map[string]any, weights []graph.Block) (*program, error) {
	p := &program{d: d, numbers: map[string]float64{}, layout: d.layout(weights)}
	flags := map[string]bool{}
	for _, k := range d.Let {
		switch v := values[k.Name].(type) {
		case float64:
			p.numbers[k.Name] = v
		case bool:
			flags[k.Name] = v
		}
	}
	entries := make([]*quantity, len(d.State))
	for i, e := range d.State {
		chosen := choose(e.Formula, flags, p.numbers)
		entries[i] = &quantity{name: e.Name, form: d.forms[e.Name], text: chosen.String(), formula: d.resolve(recursion(e.Name, chosen), i)}
		if chosen.Op == "ema" || chosen.Op == "sum" {
			entries[i].phi, entries[i].decay, entries[i].average = d.resolve(chosen.Args[0], i), d.resolve(chosen.Args[1], i), chosen.Op == "ema"
		}
	}
	p.update = d.resolve(choose(d.Update, flags, p.numbers), len(d.State))
	live := d.live(entries, p.update)
	empty := func(q *quantity) bool { return p.layout.Length(q.form, 1) == 0 }
	if err := p.inline(slices.DeleteFunc(entries, func(q *quantity) bool { return !live[q.name] || empty(q) })); err != nil {
		return nil, err
	}
	for _, q := range p.entries {
		if !q.kept {
			continue
		}
		if err := p.remember(q); err != nil {
			return nil, err
		}
	}
	for _, q := range p.entries {
		if !q.kept {
			p.mix(q)
		}
	}
	return p, nil
}

// choose puts the chosen branch in the place of each if that asks for a flag, or compares what is made of hyperparameters alone.
func choose(f *formula.Formula, flags map[string]bool, numbers map[string]float64) *formula.Formula {
	return f.Rewrite(func(part *formula.Formula) *formula.Formula {
		if part.Op != formula.If {
			return nil
		}
		yes, isFlag := flags[part.Args[0].Name]
		if v, ok := part.Args[0].Fold(numbers).IsNumber(); ok && !isFlag {
			yes, isFlag = v != 0, true
		}
		switch {
		case !isFlag:
			return nil
		case yes:
			return choose(part.Args[1], flags, numbers)
		}
		return choose(part.Args[2], flags, numbers)
	})
}

// recursion writes an exponential memory out.
func recursion(name string, f *formula.Formula) *formula.Formula {
	if f.Op != "ema" && f.Op != "sum" {
		return f
	}
	x, beta := f.Args[0], f.Args[1]
	if f.Op == "ema" {
		x = formula.Apply("*", formula.Apply("-", formula.Number(1), beta), x)
	}
	return formula.Apply("+", formula.Apply("*", beta, formula.Variable(name)), x)
}

// resolve says which value the names in the formula of the i-th entry mean.
func (d *Definition) resolve(f *formula.Formula, i int) *formula.Formula {
	return f.Rewrite(func(part *formula.Formula) *formula.Formula {
		switch {
		case part.Op == "corrected":
			return formula.Variable(corrected(part.Args[0].Name))
		case part.Name != "" && d.index(part.Name) >= i:
			return formula.Variable(before(part.Name))
		}
		return nil
	})
}

// live returns the entries that the update depends on.
func (d *Definition) live(entries []*quantity, update *formula.Formula) map[string]bool {
	live := map[string]bool{}
	var read func(f *formula.Formula)
	read = func(f *formula.Formula) {
		for _, name := range f.Names() {
			if i := d.index(entryOf(name)); i >= 0 && !live[d.State[i].Name] {
				live[d.State[i].Name] = true
				read(entries[i].formula)
			}
		}
	}
	read(update)
	return live
}

// inline finds which entries have arrays, and puts those that are just names into the formulas that read them.
func (p *program) inline(entries []*quantity) error {
	past := func(f *formula.Formula) bool {
		return slices.ContainsFunc(f.Names(), func(name string) bool { _, ok := pastOf(name); return ok })
	}
	for _, q := range entries {
		q.kept = slices.ContainsFunc(entries, func(by *quantity) bool { return by.formula.Uses(before(q.name)) })
	}
	by := map[string]*formula.Formula{}
	for _, q := range entries {
		q.formula = q.formula.Substitute(by)
		if q.decay != nil {
			q.phi, q.decay = q.phi.Substitute(by), q.decay.Substitute(by)
		}
		if q.kept || past(q.formula) {
			p.entries = append(p.entries, q)
		} else {
			by[q.name] = q.formula
		}
		if q.formula.Size() > maxFormula {
			return unfit("state %s, with the entries above it put in, is a formula of more than %d parts", q.name, maxFormula)
		}
	}
	if p.update = p.update.Substitute(by); p.update.Size() > maxFormula {
		return unfit("update, with the entries of state put in, is a formula of more than %d parts", maxFormula)
	}
	return nil
}

// entry returns the entry of that name, nil if there is none.
func (p *program) entry(name string) *quantity {
	i := slices.IndexFunc(p.entries, func(q *quantity) bool { return q.name == name })
	if i < 0 {
		return nil
	}
	return p.entries[i]
}

// number returns the value of a formula of hyperparameters alone.
func (p *program) number(f *formula.Formula) (float64, bool) { return f.Fold(p.numbers).IsNumber() }

// remember finds the weights with which an entry remembers: those of ema and sum, and of any other recursion that is affine in its own
// past with constant coefficients.
func (p *program) remember(q *quantity) error {
	if q.decay == nil {
		slope, rest, ok := p.affine(q.formula, before(q.name))
		if ok && rest != nil && slope >= 0 && slope < 1 {
			first, phi := p.scaled(rest)
			q.kernel, q.phi = &Kernel{first, first * slope, slope}, phi
		}
		return nil
	}
	beta, ok := p.number(q.decay)
	switch {
	case !ok: // it changes with the step
		return nil
	case !(beta >= 0 && beta < 1):
		return unfit("%s = %s: its decay is %v: want a number in [0,1)", q.name, q.text, beta)
	}
	k := Geometric(beta)
	if q.average {
		k = EMA(beta)
	}
	q.kernel = &k
	return nil
}

// mix finds the weights of an entry without an array that is a memory's value before and the present phi, each times a number.
func (p *program) mix(q *quantity) {
	var past []string
	for _, name := range q.formula.Names() {
		if _, ok := pastOf(name); ok {
			past = append(past, name)
		}
	}
	if len(past) != 1 {
		return
	}
	of, _ := pastOf(past[0])
	m := p.entry(of)
	slope, rest, ok := p.affine(q.formula, past[0])
	if !ok || m.kernel == nil {
		return
	}
	first, phi := 0.0, m.phi
	if rest != nil {
		first, phi = p.scaled(rest)
	}
	if phi.Equal(m.phi) {
		q.kernel, q.phi = &Kernel{first, slope * m.kernel.First, m.kernel.Beta}, phi
	}
}

// affine writes f as slope x + rest, for a name x and a slope made of hyperparameters; a nil rest is 0.
func (p *program) affine(f *formula.Formula, x string) (slope float64, rest *formula.Formula, ok bool) {
	switch {
	case f.Name == x:
		return 1, nil, true
	case !f.Uses(x):
		return 0, f, true
	case f.Op == formula.Negate:
		slope, rest, ok = p.affine(f.Args[0], x)
		if rest != nil {
			rest = formula.Apply(formula.Negate, rest)
		}
		return -slope, rest, ok
	case f.Op == "*" || f.Op == "/":
		inner, factor := f.Args[0], f.Args[1]
		if f.Op == "*" && !inner.Uses(x) {
			inner, factor = factor, inner
		}
		by, isNumber := p.number(factor)
		slope, rest, ok = p.affine(inner, x)
		if f.Op == "/" {
			by = 1 / by
		}
		if rest != nil {
			rest = formula.Apply(f.Op, rest, factor)
		}
		return slope * by, rest, ok && isNumber
	case f.Op == "+" || f.Op == "-":
		return p.affineSum(f, x)
	}
	return 0, nil, false
}

func (p *program) affineSum(f *formula.Formula, x string) (slope float64, rest *formula.Formula, ok bool) {
	a, restA, okA := p.affine(f.Args[0], x)
	b, restB, okB := p.affine(f.Args[1], x)
	if f.Op == "-" {
		b = -b
	}
	switch {
	case restA == nil && f.Op == "-" && restB != nil:
		rest = formula.Apply(formula.Negate, restB)
	case restA == nil:
		rest = restB
	case restB == nil:
		rest = restA
	default:
		rest = formula.Apply(f.Op, restA, restB)
	}
	return a + b, rest, okA && okB
}

// scaled writes f as a number, made of hyperparameters, times the rest.
func (p *program) scaled(f *formula.Formula) (scale float64, rest *formula.Formula) {
	switch f.Op {
	case formula.Negate:
		scale, rest = p.scaled(f.Args[0])
		return -scale, rest
	case "*":
		for i, a := range f.Args {
			if v, ok := p.number(a); ok {
				scale, rest = p.scaled(f.Args[1-i])
				return v * scale, rest
			}
		}
	case "/":
		if v, ok := p.number(f.Args[1]); ok {
			scale, rest = p.scaled(f.Args[0])
			return scale / v, rest
		}
	}
	return 1, f
}
