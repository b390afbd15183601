package modeq

import (
	"errors"
	"fmt"
	"maps"

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

// Derive returns the derivation of a rule, which needs its Formula.
func Derive(r *rule.Rule) (*Derivation, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Formula == "" {
		return nil, fmt.Errorf("rule %s has no Formula to derive from: its numbers do not need one", r.Name)
	}
	d := &Derivation{Values: maps.Clone(r.Constants)}
	if d.Values == nil {
		d.Values = map[string]float64{}
	}
	var err error
	if d.Update, err = formula.Parse(r.Formula); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	at := map[string]formula.Expr{}
	slopes := make([]formula.Expr, len(r.Moments)) // phi' times the moment's reach, W c/2
	for i, m := range r.Moments {
		phi := formula.Symbol("g")
		if m.PhiFormula != "" {
			if phi, err = formula.Parse(m.PhiFormula); err != nil {
				return nil, fmt.Errorf("rule %s: moment %s: %w", r.Name, m.Name, err)
			}
		} else if m.Phi != nil {
			return nil, fmt.Errorf("rule %s: moment %s has no PhiFormula to derive from", r.Name, m.Name)
		}
		weight, reach := d.weigh(m)
		at[m.Name] = phi.Mul(weight)
		slopes[i] = phi.Derivative("g").Mul(reach)
	}
	return d, d.derive(r, at, slopes)
}

// weigh names the sum of a moment's weights and its c.
func (d *Derivation) weigh(m rule.Moment) (weight, reach formula.Expr) {
	c := AgeSymbol(m.Name)
	d.Values[c] = m.AgeFactor(FullMemory)
	weight = formula.Number(1, 1)
	if sum := m.Sum(FullMemory); sum < 1-1e-12 || sum > 1+1e-12 {
		weight = formula.Symbol("W_" + m.Name)
		d.Values["W_"+m.Name] = sum
	}
	return weight, formula.Symbol(c).Mul(weight).Mul(formula.Number(1, 2))
}

// AgeSymbol returns the name of 1 + 2 (mean age) of a moment: c1 for m (and Lion's c), c2 for v, as the paper has them, else c_ and
// its name.
func AgeSymbol(moment string) string {
	switch moment {
	case "m", "c":
		return "c1"
	case "v":
		return "c2"
	}
	return "c_" + moment
}

func (d *Derivation) derive(r *rule.Rule, at map[string]formula.Expr, slopes []formula.Expr) error {
	sum := d.Update.Derivative("g").Mul(formula.Number(1, 2))
	kappa, err := sum.Substitute(at)
	for i, m := range r.Moments {
		if err != nil {
			break
		}
		var by formula.Expr
		by, err = d.Update.Derivative(m.Name).Substitute(at)
		kappa = kappa.Add(by.Mul(slopes[i]))
	}
	if err != nil {
		return fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d.Kappa = kappa
	if d.Field, err = d.Update.Substitute(at); err != nil {
		return fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d.Decay = d.Update.Derivative("theta")
	if d.core, err = d.Field.Substitute(map[string]formula.Expr{"theta": {}}); err != nil {
		return fmt.Errorf("rule %s: %w", r.Name, err)
	}
	d.nameNorm()
	return nil
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
		f, err := formula.Parse(known.f)
		if err != nil {
			continue
		}
		scale, err := d.core.Div(f)
		if err != nil || scale.String() != "1" && scale.Uses("g") {
			continue
		}
		d.Norm, d.NormTeX, d.Name = known.psi, known.tex, known.name
		if scale.String() != "1" {
			d.Norm, d.NormTeX = scale.String()+" "+d.Norm, scale.LaTeX()+`\,`+d.NormTeX
			d.Name = "a multiple of " + d.Name
		}
		return
	}
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

// Limits returns the limiting cases of eps small and large beside g^2, none for a rule without eps.
func (d *Derivation) Limits() ([]Limit, error) {
	if !d.core.Uses("eps") {
		return nil, nil
	}
	small := Limit{Case: EpsSmall}
	large := Limit{Case: EpsLarge}
	none := map[string]formula.Expr{"eps": {}}
	var errs [4]error
	small.Field, errs[0] = d.core.Substitute(none)
	small.Kappa, errs[1] = d.Kappa.Substitute(none)
	large.Field, errs[2] = d.core.Leading("g")
	large.Kappa, errs[3] = d.Kappa.Leading("g")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	limits := []Limit{small, large}
	for i := range limits {
		limits[i].Norm = normOf(limits[i].Field)
		limits[i].Sign = d.sign(limits[i].Kappa)
	}
	return limits, nil
}

// normOf names the norm of a field that is a power of g.
func normOf(f formula.Expr) string {
	over, err := f.Div(formula.Symbol("g"))
	if err != nil {
		return ""
	}
	if !over.Uses("g") {
		return "two-norm"
	}
	size, err := formula.Parse("sqrt(g^2)")
	if err == nil && !over.Mul(size).Uses("g") {
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
