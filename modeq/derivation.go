package modeq

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"shadowflow/rule"
	"shadowflow/rule/formula"
)

// Derivation is the second-order equation of a rule in formulas, full batch and memory full, coordinate by coordinate:
//
//	dtheta/dt = -F - lr C,    C = Kappa (H F) + (1/2) Decay F.
//
// The formulas follow from those of the rule's definition by differentiation and substitution. They speak of g, theta, eps and
// the like, of c_i = 1 + 2 (mean age) for each moment (c1, c2 for m, v), and of W_i = sum_k w_i(k) where that is not 1.
type Derivation struct {
	Moments []DerivedMoment
	Update  formula.Expr // U, in the moments, g and theta
	Field   formula.Expr // F
	Kappa   formula.Expr
	Decay   formula.Expr // dU/dtheta
	Norm    string       // psi of the norm sum_j psi(g_j) whose gradient is H F, as text; "" if there is no name for it
	NormTeX string
	Name    string // what the norm is called
	// Values are the numbers behind the symbols.
	Values map[string]float64

	core formula.Expr // F without weight decay
}

// DerivedMoment is a moment with what formulas call its numbers.
type DerivedMoment struct {
	rule.Moment
	Age string // 1 + 2 (mean age)
	Sum string // of the weights; "" where that is 1
}

// Derive returns the derivation of a rule whose memory form has formulas that can be differentiated.
func Derive(r *rule.Rule) (*Derivation, error) {
	m, err := r.MemoryForm()
	if err != nil {
		return nil, err
	}
	if m.Formula == nil {
		return nil, fmt.Errorf("rule %s: its update has no formula to derive from; its numbers need none", r.Name)
	}
	d := &Derivation{Values: map[string]float64{}}
	maps.Copy(d.Values, m.Values)
	d.Update = m.Formula.Expr(m.Values)
	if err := d.nameMoments(m); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d.derive()
	for _, e := range []formula.Expr{d.Update, d.Field, d.Kappa, d.Decay} {
		if unknown := (*formula.UnknownToAlgebra)(nil); errors.As(e.Err(), &unknown) {
			return nil, fmt.Errorf("rule %s, U = %s: %w. It has the equation of second order all the same, dtheta/dt = -F - lr C with F = U where every remembered "+
				"gradient is the present one: run, probe and verify compute it, and with memory as state (state-1, state-2; verify --memory state)", r.Name, m.Formula, unknown)
		}
		if e.Err() != nil {
			return nil, fmt.Errorf("rule %s, U = %s: %w", r.Name, m.Formula, e.Err())
		}
	}
	d.nameNorm()
	return d, nil
}

// nameMoments finds what the numbers of each moment are called: the paper's c1 and c2 for m (and Lion's c) and v, else c_ and the name.
func (d *Derivation) nameMoments(m *rule.Memory) error {
	byState := map[string]string{}
	for _, moment := range m.Moments {
		if moment.Formula == nil {
			return fmt.Errorf("moment %s has no formula to derive from", moment.Name)
		}
		age := byState[moment.State]
		if age == "" {
			if moment.Sum(FullMemory) == 0 {
				return fmt.Errorf("the weights of %s add up to 0, so that what it remembers has no mean age", moment.Name)
			}
			usual := map[string]string{"m": "c1", "c": "c1", "v": "c2"}[moment.State]
			age = d.fresh(cmp.Or(usual, "c_"+moment.State), "c_"+moment.State)
			byState[moment.State], d.Values[age] = age, moment.AgeFactor(FullMemory)
		}
		sum := ""
		if total := moment.Sum(FullMemory); total < 1-1e-12 || total > 1+1e-12 {
			sum = d.fresh("W_" + moment.Name)
			d.Values[sum] = total
		}
		d.Moments = append(d.Moments, DerivedMoment{moment, age, sum})
	}
	return nil
}

// fresh returns the first name, or a variation of the last, that no formula has.
func (d *Derivation) fresh(names ...string) string {
	for {
		for _, name := range names {
			if _, taken := d.Values[name]; !taken && !d.Update.Uses(name) {
				return name
			}
		}
		names = []string{names[len(names)-1] + "_"}
	}
}

func (d *Derivation) derive() {
	at := map[string]formula.Expr{} // the moments, all gradients being g
	half := formula.Fraction(1, 2)
	d.Kappa = d.Update.Derivative("g").Mul(half)
	for _, m := range d.Moments {
		phi := m.Formula.Expr(d.Values)
		weight := formula.Fraction(1, 1)
		if m.Sum != "" {
			weight = formula.Symbol(m.Sum)
		}
		at[m.Name] = phi.Mul(weight)
		slope := phi.Derivative("g").Mul(weight).Mul(formula.Symbol(m.Age)).Mul(half)
		d.Kappa = d.Kappa.Add(d.Update.Derivative(m.Name).Mul(slope))
	}
	d.Kappa = d.Kappa.Substitute(at)
	d.Field = d.Update.Substitute(at)
	d.Decay = d.Update.Derivative("theta")
	d.core = d.Field.Substitute(map[string]formula.Expr{"theta": {}})
}

// nameNorm recognizes the integral of F by dividing F by known ones.
func (d *Derivation) nameNorm() {
	for _, known := range []struct{ f, psi, tex, name string }{
		{"g", "g_j^2 / 2", `\tfrac12 g_j^2`, "half the squared two-norm"},
		{"g / sqrt(g^2 + eps)", "sqrt(g_j^2 + eps)", `\sqrt{g_j^2+\varepsilon}`, "the perturbed one-norm"},
		{
			"g / (sqrt(g^2) + eps)", "(|g_j| - eps log(1 + |g_j|/eps))",
			`\bigl(|g_j| - \varepsilon\log(1+|g_j|/\varepsilon)\bigr)`, "a smoothed one-norm",
		},
	} {
		scale := d.core.Div(expr(known.f))
		one := scale.String() == "1"
		if scale.Err() != nil || scale.IsZero() || !one && scale.Uses("g") {
			continue
		}
		d.Norm, d.NormTeX, d.Name = known.psi, known.tex, known.name
		if !one {
			d.Norm, d.NormTeX = scale.Factor()+" "+d.Norm, scale.FactorLaTeX()+`\,`+d.NormTeX
			d.Name = "a multiple of " + d.Name
		}
		return
	}
}

// expr reads a formula of the program's own.
func expr(text string) formula.Expr {
	f, err := formula.Parse(text)
	if err != nil {
		panic(err) // tests read them all
	}
	return f.Expr(nil)
}

// Limit is a limiting case of the equation, a row of the paper's Table 1.
type Limit struct {
	Case  string // EpsSmall or EpsLarge
	Field formula.Expr
	Kappa formula.Expr
	Norm  string // which norm the case is about
	Sign  int    // of Kappa with the rule's numbers
}

// The limiting cases.
const (
	EpsSmall = "eps small beside g^2"
	EpsLarge = "eps large beside g^2"
)

// Limits returns the limiting cases of eps small and large beside g^2 that exist, none for a rule without eps.
func (d *Derivation) Limits() []Limit {
	if !d.core.Uses("eps") {
		return nil
	}
	none := map[string]formula.Expr{"eps": {}}
	limits := []Limit{
		{Case: EpsSmall, Field: d.core.Substitute(none), Kappa: d.Kappa.Substitute(none)},
		{Case: EpsLarge, Field: d.core.Leading("g"), Kappa: d.Kappa.Leading("g")},
	}
	limits = slices.DeleteFunc(limits, func(l Limit) bool { return l.Field.Err() != nil || l.Kappa.Err() != nil })
	for i := range limits {
		limits[i].Norm = normOf(limits[i].Field)
		limits[i].Sign = d.sign(limits[i].Kappa)
	}
	return limits
}

// normOf names the norm of a field that is a power of g.
func normOf(f formula.Expr) string {
	g := formula.Symbol("g")
	switch over := f.Div(g); {
	case over.Err() != nil:
		return ""
	case !over.Uses("g"):
		return "two-norm"
	case !over.Mul(g.Abs()).Uses("g"):
		return "one-norm"
	}
	return ""
}

// sign returns the sign of an expression at a gradient of 1; that of a power of |g| does not depend on it.
func (d *Derivation) sign(e formula.Expr) int {
	values := maps.Clone(d.Values)
	values["g"] = 1
	v := e.Value(values)
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
